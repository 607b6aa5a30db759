//! What stands beside an event's data: where it came from, whom it names, and its fingerprint.

use ledger_domain::event::{Code, Metadata, Source, StripeOrigin, Subject};
use ledger_domain::id::{StripeId, TrainerId};
use sha2::{Digest, Sha256};

use super::TRANSLATOR_VERSION;
use super::read::{View, at, code, id_of, link};
use crate::redact::{EnvelopeKind, REDACTION_VERSION, Redacted};

/// Says what the hash is of, so that a hash of something else never equals it.
const CONTENT_TAG: &[u8] = b"ledger-stripe-content-v1";

/// The metadata that the webhook alone tells.
pub(super) fn metadata(redacted: &Redacted) -> Metadata {
    let envelope = redacted.envelope();
    let object = redacted.object().map_or(View::NONE, View::now);
    Metadata {
        actor: "stripe".into(),
        redaction_version: Some(REDACTION_VERSION),
        source: Source::Stripe,
        stripe: Some(StripeOrigin {
            account: envelope.account.clone(),
            api_version: envelope.api_version.as_deref().map(Code::new),
            context: envelope.context.as_deref().map(Code::new),
            created: envelope.created,
            livemode: envelope.livemode,
            object: match envelope.kind {
                EnvelopeKind::Event => code(object, "object"),
                EnvelopeKind::Thin => code(object, "type"),
            },
            object_id: id_of(object),
            request: envelope.request_id.clone(),
            test_clock: link(object, "test_clock"),
            event_type: Code::new(&envelope.type_),
        }),
        subject: subject(object),
        translator_version: Some(TRANSLATOR_VERSION),
        ..Metadata::default()
    }
}

/// Whom the object itself names.
fn subject(object: View<'_>) -> Subject {
    let kind = object.get("object").and_then(View::as_str);
    let own = |of: &str| if kind == Some(of) { id_of(object) } else { link(object, of) };
    let parent = at(object, &["parent", "subscription_details"]);
    let trainer = |path: &[&str]| {
        at(object, path).and_then(View::as_str).and_then(|id| TrainerId::try_new(id).ok())
    };
    Subject {
        customer: own("customer"),
        subscription: parent
            .and_then(|parent| link(parent, "subscription"))
            .or_else(|| own("subscription")),
        trainer: trainer(&["metadata", "trainer_id"])
            .or_else(|| trainer(&["client_reference_id"]))
            .or_else(|| trainer(&["parent", "subscription_details", "metadata", "trainer_id"]))
            .or_else(|| trainer(&["subscription_details", "metadata", "trainer_id"])),
    }
}

/// A fingerprint of what neither another delivery nor another API version of an event changes.
///
/// SHA-256 over the tag and then, in this order, type, created, account, livemode and the object's
/// id: each its length as a big-endian `u32` and its bytes, or the length `0xFFFF_FFFF` alone
/// where there is none. `created` is a big-endian `i64`, `livemode` one byte.
pub(super) fn content_hash(redacted: &Redacted) -> [u8; 32] {
    let envelope = redacted.envelope();
    let object_id = redacted.object().map(View::now).and_then(id_of);
    let mut hash = Sha256::new();
    for part in [
        Some(CONTENT_TAG),
        Some(envelope.type_.as_bytes()),
        Some(&envelope.created.to_be_bytes()),
        envelope.account.as_ref().map(|account| account.as_str().as_bytes()),
        Some(&[u8::from(envelope.livemode)]),
        object_id.as_ref().map(StripeId::as_str).map(str::as_bytes),
    ] {
        match part {
            Some(bytes) => {
                let len = u32::try_from(bytes.len()).expect("a name is short");
                hash.update(len.to_be_bytes());
                hash.update(bytes);
            }
            None => hash.update(u32::MAX.to_be_bytes()),
        }
    }
    hash.finalize().into()
}
