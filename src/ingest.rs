//! From the bytes of a webhook to a durable event: verify, redact, translate, append.

use std::sync::Arc;

use ledger_domain::event::stripe::{StripeEventRecorded, Unread};
use ledger_domain::event::{Event, IdReuseSeen, Metadata, Source};
use ledger_domain::id::{EventId, Tenant};
use ledger_log::{
    AppendError, BODY_BYTES_MAX, DATA_BYTES_MAX, EventLog, Expected, NewEvent, Outcome,
};
use ledger_stripe::redact::{REDACTION_VERSION, RedactError, Redacted, redact};
use ledger_stripe::signature::{SignatureError, verify};
use ledger_stripe::translate::{Translated, translate};

use crate::clock::Clock;
use crate::commands::facts::{self, Fact};
use crate::ids;
use crate::meters::Meters;
use crate::tenants::Served;

/// How far Stripe's timestamp may be from our clock, as Stripe recommends.
const TOLERANCE_S: i64 = 300;

/// Takes webhooks in.
pub(crate) struct Ingest {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) clock: Clock,
    pub(crate) meters: Arc<Meters>,
}

/// Where a webhook's event stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) event_id: EventId,
    pub(crate) position: i64,
    /// Whether this delivery put it there.
    pub(crate) appended: bool,
}

/// Why a webhook was not taken in. Nothing of its body is in here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Rejected {
    #[error("the webhook's sender can't be established")]
    Signature(#[from] SignatureError),
    #[error("the webhook's body is not an event")]
    Body(#[from] RedactError),
    #[error("the webhook can't be appended now")]
    Unavailable(#[source] AppendError),
    /// The event breaks a limit of the log, and would do so at every retry.
    #[error("the webhook can't be appended: {0}")]
    Refused(&'static str),
}

impl Rejected {
    /// Every reason for which a webhook is not taken in. The first three are found before it is
    /// read, the fourth anywhere.
    pub(crate) const REASONS: [&str; 14] = [
        "unknown_tenant",
        "body_not_read",
        "no_room",
        "panic",
        "no_signature_header",
        "malformed_signature",
        "too_old",
        "too_new",
        "no_match",
        "no_secret",
        "not_json",
        "malformed_envelope",
        "over_a_limit",
        "unavailable",
    ];

    /// The reason as a label and a log field.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Signature(error) => match error {
                SignatureError::MissingHeader => "no_signature_header",
                SignatureError::TooOld { .. } => "too_old",
                SignatureError::TooNew { .. } => "too_new",
                SignatureError::NoMatch => "no_match",
                SignatureError::NoSecret => "no_secret",
                _ => "malformed_signature",
            },
            Self::Body(error) => match error {
                RedactError::NotUtf8 { .. } | RedactError::NotJson { .. } => "not_json",
                _ => "malformed_envelope",
            },
            Self::Unavailable(_) => "unavailable",
            Self::Refused(_) => "over_a_limit",
        }
    }
}

impl Ingest {
    /// Takes in one webhook. The answer comes once its event is durable.
    pub(crate) async fn webhook(
        &self,
        to: &Served,
        signature: &str,
        body: &[u8],
    ) -> Result<Receipt, Rejected> {
        let now = self.clock.now().unix();
        let verified = verify(signature, body, &to.signing, now, TOLERANCE_S)?;
        self.meters.verified.increment(1);
        let redacted = redact(verified, &to.metadata_keys)?;
        let translated = translate(&redacted);
        let event_id = translated.key.id.clone();
        if let Some(lacks) = &translated.dead_letter {
            self.meters.dead_letters.increment(1);
            tracing::warn!(tenant = %to.tenant, %event_id, %lacks, "a webhook could not be translated");
        }
        let key = translated.key.clone();
        let content_hash = translated.content_hash;
        let mut event = new_event(translated, &redacted);
        if event.data.len() > DATA_BYTES_MAX {
            self.meters.dead_letters.increment(1);
            let bytes = event.data.len();
            tracing::warn!(tenant = %to.tenant, %event_id, bytes, "a webhook is too large for the log");
            event = without_object(event);
        }
        match self.append(&to.tenant, event).await {
            Ok(Outcome::Appended { position, .. }) => {
                self.meters.appended.increment(1);
                Ok(Receipt { event_id, position, appended: true })
            }
            Ok(Outcome::AlreadyAppended { position, .. }) => {
                self.meters.duplicates.increment(1);
                Ok(Receipt { event_id, position, appended: false })
            }
            Err(AppendError::IdReused { position, .. }) => {
                let seen =
                    IdReuseSeen { content_hash: hex::encode(content_hash).into(), key, position };
                self.note_reuse(&to.tenant, seen, &redacted).await?;
                Ok(Receipt { event_id, position, appended: false })
            }
            Err(error) => Err(rejected(error)),
        }
    }

    async fn append(&self, tenant: &Tenant, event: NewEvent) -> Result<Outcome, AppendError> {
        let outcomes = self.log.append(tenant, vec![event]).await?;
        Ok(outcomes.into_iter().next().expect("one outcome for one event"))
    }

    /// Another content came under an id that is taken: the first one stands, and that it happened
    /// is a fact of its own, once for each such content. What came lies beside it, like any
    /// webhook's body: it is nowhere else, since Stripe was told that all is well.
    async fn note_reuse(
        &self,
        tenant: &Tenant,
        seen: IdReuseSeen,
        came: &Redacted,
    ) -> Result<(), Rejected> {
        self.meters.id_reuses.increment(1);
        let (taken, position) = (seen.key.id.clone(), seen.position);
        tracing::warn!(%tenant, event_id = %taken, position, "an event id was used again");
        let id = ids::derived(&[tenant.as_str(), "id_reuse", taken.as_str(), &seen.content_hash]);
        let metadata = Metadata {
            actor: "stripe".into(),
            causation_id: Some(taken.as_str().into()),
            redaction_version: Some(REDACTION_VERSION),
            source: Source::Stripe,
            ..Metadata::default()
        };
        let key = facts::key_of(id);
        let stream = key.own_stream();
        let fact = Fact { key, stream, expected: Expected::NoStream, at: self.clock.now() };
        let event = fact.stating(&Event::IdReuseSeen(seen), &metadata);
        let event = NewEvent { body: stored(came), ..event };
        self.append(tenant, event).await.map_err(rejected)?;
        Ok(())
    }
}

/// What is recorded of a webhook whose event breaks a limit of the log: that it came. To refuse it
/// would lose it, since Stripe would send the same again and then give up.
fn without_object(event: NewEvent) -> NewEvent {
    let reason = Unread::Unusable("data.object (larger than the log takes)".into());
    let recorded = Event::StripeEventRecorded(StripeEventRecorded { reason });
    NewEvent {
        event_type: recorded.type_name().into(),
        schema_version: recorded.schema_version(),
        data: recorded.to_data(),
        ..event
    }
}

fn new_event(translated: Translated, redacted: &Redacted) -> NewEvent {
    NewEvent {
        stream: translated.key.own_stream(),
        key: translated.key,
        expected: Expected::NoStream,
        event_type: translated.event.type_name().into(),
        schema_version: translated.event.schema_version(),
        occurred_at: translated.occurred_at,
        data: translated.event.to_data(),
        metadata: translated.metadata.to_bytes(),
        content_hash: translated.content_hash,
        body: stored(redacted),
        text: None,
        usage: None,
    }
}

/// What is kept beside an event. A body that redaction made longer than the raw one may be is left
/// out: the event stands.
fn stored(redacted: &Redacted) -> Option<Vec<u8>> {
    Some(redacted.to_bytes()).filter(|body| body.len() <= BODY_BYTES_MAX)
}

fn rejected(error: AppendError) -> Rejected {
    match error {
        AppendError::Refused(why) => Rejected::Refused(why),
        other => Rejected::Unavailable(other),
    }
}

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
