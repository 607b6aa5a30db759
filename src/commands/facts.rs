//! Events of the ledger's own making.

use ledger_domain::event::{Event, Metadata, Source};
use ledger_domain::id::{EventId, EventKey, Namespace, StreamName};
use ledger_domain::time::Timestamp;
use ledger_log::{Expected, NewEvent};
use sha2::{Digest, Sha256};

/// Where an event belongs.
pub(crate) struct Fact {
    pub(crate) key: EventKey,
    pub(crate) stream: StreamName,
    pub(crate) expected: Expected,
    pub(crate) at: Timestamp,
}

impl Fact {
    /// The event, ready to be appended.
    pub(crate) fn stating(self, event: &Event, metadata: &Metadata) -> NewEvent {
        let data = event.to_data();
        NewEvent {
            key: self.key,
            stream: self.stream,
            expected: self.expected,
            event_type: event.type_name().into(),
            schema_version: event.schema_version(),
            occurred_at: self.at,
            content_hash: Sha256::digest(&data).into(),
            data,
            metadata: metadata.to_bytes(),
            body: None,
            text: None,
            usage: None,
        }
    }
}

/// The namespace of ids that the ledger itself derives or draws.
pub(crate) fn ledger_namespace() -> Namespace {
    Namespace::try_new("ledger").expect("a constant namespace")
}

/// A key of the ledger's own.
pub(crate) fn key_of(id: uuid::Uuid) -> EventKey {
    let id = EventId::try_new(&id.to_string()).expect("a UUID is an event id");
    EventKey::new(ledger_namespace(), id)
}

/// The stream of what concerns a whole tenant.
pub(crate) fn tenant_stream() -> StreamName {
    StreamName::try_new("tenant").expect("a constant stream")
}

/// The metadata of what an operator did at the command line, or by starting the service.
pub(crate) fn by_operator(command: &str) -> Metadata {
    Metadata {
        actor: command.into(),
        actor_roles: vec!["operator".into()],
        source: Source::Admin,
        ..Metadata::default()
    }
}
