//! Small makers for tests.

use ledger_domain::id::{EventId, EventKey, Namespace, StreamName, Tenant};
use ledger_domain::time::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::port::{Expected, NewEvent, OpenLog};

/// A tenant of this name.
#[must_use]
pub fn tenant(name: &str) -> Tenant {
    Tenant::try_new(name).expect("a tenant's name")
}

/// A key of these two parts.
#[must_use]
pub fn key(namespace: &str, id: &str) -> EventKey {
    let namespace = Namespace::try_new(namespace).expect("a namespace");
    EventKey::new(namespace, EventId::try_new(id).expect("an id"))
}

/// An event under a key in a stream that has nothing before it.
#[must_use]
pub fn event(namespace: &str, id: &str, stream: &str) -> NewEvent {
    NewEvent {
        key: key(namespace, id),
        stream: StreamName::try_new(stream).expect("a stream"),
        expected: Expected::NoStream,
        event_type: "StripeEventRecorded".into(),
        schema_version: 1,
        occurred_at: Timestamp::from_unix(1_780_000_000),
        data: format!("{{\"id\":\"{id}\"}}").into_bytes(),
        metadata: b"{\"source\":\"test\"}".to_vec(),
        content_hash: Sha256::digest(id).into(),
        body: None,
        text: None,
        usage: None,
    }
}

/// An event in a stream of its own.
#[must_use]
pub fn own(id: &str) -> NewEvent {
    event("stripe", id, &format!("stripe-{id}"))
}

/// An event in a shared stream.
#[must_use]
pub fn shared(id: &str, stream: &str, expected: Expected) -> NewEvent {
    NewEvent { expected, ..event("api", id, stream) }
}

/// What opens a log.
#[must_use]
pub fn opening() -> OpenLog {
    let log_id = Uuid::now_v7();
    let event = NewEvent { event_type: "LogOpened".into(), ..event("log", "opened", "tenant") };
    OpenLog { log_id, event }
}
