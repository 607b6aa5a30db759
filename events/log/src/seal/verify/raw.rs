//! An event as it is stored, or as a file has it, whatever somebody made of it.

use uuid::Uuid;

use super::super::{BODY_TAG, Leaf, TEXT_TAG, salted};
use super::verdict::What;
use crate::port::Hash;

/// An event of which nothing was checked: names may be none, hashes of any length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// The log.
    pub log_id: Uuid,
    /// The version of the envelope.
    pub format: i16,
    /// The tenant.
    pub tenant: String,
    /// The place in the log.
    pub position: i64,
    /// The namespace of the key.
    pub namespace: String,
    /// The id within the namespace.
    pub event_id: String,
    /// The stream.
    pub stream: String,
    /// The place in the stream.
    pub revision: i64,
    /// The type.
    pub event_type: String,
    /// The version of the type's shape.
    pub schema_version: i32,
    /// Microseconds since 1970.
    pub occurred_at: i64,
    /// Microseconds since 1970.
    pub recorded_at: i64,
    /// Who, why and from where, as stored.
    pub metadata: Vec<u8>,
    /// What it states, as stored.
    pub data: Vec<u8>,
    /// What binds the body.
    pub body_hash: Option<Vec<u8>>,
    /// What binds the text.
    pub text_hash: Option<Vec<u8>>,
    /// The body beside it, if there is one.
    pub body: Option<RawBeside>,
    /// The text beside it, if there is one.
    pub text: Option<RawBeside>,
}

/// What lies beside an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawBeside {
    /// The salt.
    pub salt: Vec<u8>,
    /// The content; none if what is stored can't be read as one.
    pub content: Option<Vec<u8>>,
}

impl RawEvent {
    /// The hash of its leaf.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        self.leaf_at(self.position)
    }

    /// The hash of its leaf if it stood elsewhere.
    pub(super) fn leaf_at(&self, position: i64) -> Hash {
        Leaf {
            log_id: self.log_id,
            tenant: &self.tenant,
            position,
            namespace: &self.namespace,
            event_id: &self.event_id,
            stream: &self.stream,
            revision: self.revision,
            event_type: &self.event_type,
            schema_version: self.schema_version,
            occurred_at: self.occurred_at,
            recorded_at: self.recorded_at,
            metadata: &self.metadata,
            data: &self.data,
            body_hash: self.body_hash.as_deref(),
            text_hash: self.text_hash.as_deref(),
        }
        .hash()
    }

    /// What is wrong with what lies beside it, and with the version of its envelope, which isn't
    /// under the leaf.
    pub(super) fn beside(&self) -> Option<What> {
        if self.format != crate::FORMAT {
            return Some(What::Format(self.format));
        }
        let body = beside(BODY_TAG, self.body.as_ref(), self.body_hash.as_deref());
        let text = beside(TEXT_TAG, self.text.as_ref(), self.text_hash.as_deref());
        match (body, text) {
            (Some(Beside::Missing), _) => Some(What::BodyMissing),
            (Some(Beside::Altered), _) => Some(What::BodyAltered),
            (Some(Beside::Unbound), _) => Some(What::BodyUnbound),
            (None, Some(Beside::Missing)) => Some(What::TextMissing),
            (None, Some(Beside::Altered)) => Some(What::TextAltered),
            (None, Some(Beside::Unbound)) => Some(What::TextUnbound),
            (None, None) => None,
        }
    }
}

enum Beside {
    Missing,
    Altered,
    Unbound,
}

fn beside(tag: &[u8], kept: Option<&RawBeside>, hash: Option<&[u8]>) -> Option<Beside> {
    match (kept, hash) {
        (None, None) => None,
        (None, Some(_)) => Some(Beside::Missing),
        (Some(_), None) => Some(Beside::Unbound),
        (Some(RawBeside { salt, content }), Some(hash)) => {
            let fits = content.as_ref().is_some_and(|it| salted(tag, salt, it)[..] == *hash);
            (!fits).then_some(Beside::Altered)
        }
    }
}
