//! What of a webhook is kept. The raw bytes end here: behind this step there are only fields that
//! an allow-list names, in the form that the field must have.
//!
//! To keep one more field, see the tables in `redact/fields/`.

mod envelope;
mod error;
mod fields;
mod format;
mod metadata;
mod node;
mod numbers;
mod personal;
mod shape;
mod surrogates;
mod walk;

use std::cell::Cell;

use ledger_domain::id::{EventId, StripeId};
use serde::Serialize;
use serde::de::DeserializeSeed;

pub use error::RedactError;
pub(crate) use metadata::OWN as OWN_METADATA_KEYS;
pub use metadata::{MetadataKeyError, MetadataKeys};
pub use node::{Fields, Key, Node};
pub use personal::{PERSONAL, is_personal};

use crate::signature::Verified;
use envelope::{Body, Data, Fault};
use walk::Walk;

/// The version of the allow-lists. Whatever is redacted tells which one kept it.
///
/// The metadata keys that an operator chose have no part in it, nor a place beside it. It tells a
/// later translator what it can find in a body, and [`crate::translate`] reads the ledger's own
/// keys alone, which are always kept; what was kept of the others can be seen in the body itself.
pub const REDACTION_VERSION: i32 = 1;

/// The deepest nesting of kept fields; what is deeper is dropped. Stripe expands at most four
/// levels (`/expand`), each of which adds up to four levels of JSON.
pub const DEPTH_MAX: u8 = 48;

/// A webhook of which only what may be stored is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    envelope: Envelope,
    object: Option<Node>,
    previous: Option<Node>,
}

/// What surrounds the object that an event is about: `/api/events/object`,
/// `/api/v2/core/events/object`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// `evt_...`: the same for every delivery of the event.
    pub id: EventId,
    /// Which of the two kinds of event it is.
    pub kind: EnvelopeKind,
    /// `customer.subscription.updated`: an open enum.
    pub type_: Box<str>,
    /// When it happened, in whole seconds since 1970.
    pub created: i64,
    /// Whether it happened in live mode.
    pub livemode: bool,
    /// The API version that `data` is rendered in.
    pub api_version: Option<Box<str>>,
    /// The connected account that it happened on.
    pub account: Option<StripeId>,
    /// The context that it happened in: an account, or a path of them in an organisation.
    pub context: Option<Box<str>>,
    /// The API request that caused it; automatic changes have none.
    pub request_id: Option<StripeId>,
    /// That request's idempotency key, when it has the form of this project's keys.
    pub idempotency_key: Option<Box<str>>,
}

/// The two kinds of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvelopeKind {
    /// `event`: brings the object along.
    Event,
    /// `v2.core.event`: tells only which object it is about.
    Thin,
}

/// Redacts a body whose sender is known.
///
/// # Errors
/// When the body isn't an event: not JSON, or its envelope isn't one of Stripe's. What the event
/// is about may have any form; what has none of the allowed is dropped, but where a whole number is
/// due, [`Node::Unfit`] stands for what can't be read as one, however large. Half a surrogate pair
/// that stands alone in a text (`"\ud800"`) is read as U+FFFD.
pub fn redact(body: Verified<'_>, metadata: &MetadataKeys) -> Result<Redacted, RedactError> {
    read(body.bytes(), metadata)
}

impl Redacted {
    /// What surrounds the object.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// What is kept of `data.object`, or of a thin event's `related_object`.
    #[must_use]
    pub const fn object(&self) -> Option<&Node> {
        self.object.as_ref()
    }

    /// What is kept of `data.previous_attributes`: the old values of what changed.
    #[must_use]
    pub const fn previous(&self) -> Option<&Node> {
        self.previous.as_ref()
    }

    /// The redacted body, which is what may be stored: JSON with sorted keys, without spaces and
    /// without floats. The same event gives the same bytes however its keys were ordered.
    ///
    /// # Panics
    /// Never: the tree has text keys only, and memory takes every write.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2048);
        let written = serde_json::to_writer(&mut bytes, &Stored::from(self));
        written.expect("a tree with text keys can be written to memory");
        bytes
    }

    /// A body that [`Redacted::to_bytes`] wrote, to translate it once more. Today's allow-lists
    /// apply to it again, except that all metadata keys stay.
    ///
    /// # Errors
    /// When the bytes are not what `to_bytes` wrote.
    pub fn from_stored(bytes: &[u8]) -> Result<Self, RedactError> {
        read(bytes, &MetadataKeys::all())
    }
}

fn read(bytes: &[u8], metadata: &MetadataKeys) -> Result<Redacted, RedactError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| RedactError::NotUtf8 { at: error.valid_up_to() })?;
    let text = surrogates::replaced(text);
    read_text(&text, metadata).or_else(|error| match numbers::replaced(&text) {
        Some(text) => read_text(&text, metadata),
        None => Err(error),
    })
}

fn read_text(text: &str, metadata: &MetadataKeys) -> Result<Redacted, RedactError> {
    let walk = Walk::new(metadata);
    let at = Cell::new(None);
    let mut json = serde_json::Deserializer::from_str(text);
    let parts = Body { walk: &walk, at: &at }
        .deserialize(&mut json)
        .and_then(|parts| json.end().map(|()| parts))
        .map_err(|error| explain(&error, at.get()))?;
    let (envelope, Data { object, previous }) = parts.check()?;
    Ok(Redacted { envelope, object, previous })
}

/// serde's own texts quote the body; only the place and the kind of the error are taken over.
fn explain(error: &serde_json::Error, at: Option<Fault>) -> RedactError {
    match at {
        Some(Fault::Twice(field)) => RedactError::Twice { field },
        Some(Fault::In(field)) if error.is_data() => RedactError::WrongType { field },
        None if error.is_data() => RedactError::NotAnObject,
        _ => RedactError::NotJson { line: error.line(), column: error.column() },
    }
}

/// The stored form, its fields in the order of their names.
#[derive(Serialize)]
struct Stored<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a str>,
    created: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<StoredData<'a>>,
    id: &'a str,
    livemode: bool,
    object: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    related_object: Option<&'a Node>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<StoredRequest<'a>>,
    #[serde(rename = "type")]
    type_: &'a str,
}

#[derive(Serialize)]
struct StoredData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a Node>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_attributes: Option<&'a Node>,
}

#[derive(Serialize)]
struct StoredRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

impl<'a> From<&'a Redacted> for Stored<'a> {
    fn from(redacted: &'a Redacted) -> Self {
        let Redacted { envelope, object, previous } = redacted;
        let object = object.as_ref();
        let (name, data, related_object) = match envelope.kind {
            EnvelopeKind::Event => {
                let data = StoredData { object, previous_attributes: previous.as_ref() };
                ("event", Some(data), None)
            }
            EnvelopeKind::Thin => ("v2.core.event", None, object),
        };
        let request = StoredRequest {
            id: envelope.request_id.as_ref().map(StripeId::as_str),
            idempotency_key: envelope.idempotency_key.as_deref(),
        };
        Self {
            account: envelope.account.as_ref().map(StripeId::as_str),
            api_version: envelope.api_version.as_deref(),
            context: envelope.context.as_deref(),
            created: envelope.created,
            data,
            id: envelope.id.as_str(),
            livemode: envelope.livemode,
            object: name,
            related_object,
            request: (request.id.is_some() || request.idempotency_key.is_some()).then_some(request),
            type_: &envelope.type_,
        }
    }
}
