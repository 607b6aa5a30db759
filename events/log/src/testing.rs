//! Small makers for tests.

use std::sync::Arc;

use ledger_domain::id::{EventId, EventKey, FeatureSlug, Namespace, StreamName, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::port::{
    CounterKey, Decision, Expected, NewEvent, OpenLog, UsageChange, UsageEntry, Verdict,
};

/// When events of tests happened.
pub const WHEN: i64 = 1_780_000_000;

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

/// A stream of this name.
#[must_use]
pub fn stream(name: &str) -> StreamName {
    StreamName::try_new(name).expect("a stream")
}

/// An event under a key in a stream that has nothing before it.
#[must_use]
pub fn event(namespace: &str, id: &str, stream_name: &str) -> NewEvent {
    NewEvent {
        key: key(namespace, id),
        stream: stream(stream_name),
        expected: Expected::NoStream,
        event_type: "StripeEventRecorded".into(),
        schema_version: 1,
        occurred_at: Timestamp::from_unix(WHEN),
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
    #[expect(clippy::disallowed_methods, reason = "tests run side by side")]
    let log_id = Uuid::now_v7();
    let event = NewEvent { event_type: "LogOpened".into(), ..event("log", "opened", "tenant") };
    OpenLog { log_id, event }
}

/// The counter of one trainer's only feature.
#[must_use]
pub fn counter(trainer: &str, window: Option<Interval>) -> CounterKey {
    CounterKey {
        trainer: TrainerId::try_new(trainer).expect("a trainer"),
        feature: FeatureSlug::try_new("customers").expect("a feature"),
        window,
    }
}

/// An entry for that counter.
#[must_use]
pub fn entry(trainer: &str, at: Timestamp, change: UsageChange) -> UsageEntry {
    let CounterKey { trainer, feature, .. } = counter(trainer, None);
    UsageEntry { trainer, feature, occurred_at: at, change }
}

/// An event that changes usage.
#[must_use]
pub fn usage(id: &str, trainer: &str, at: i64, change: UsageChange) -> NewEvent {
    let usage = Some(entry(trainer, Timestamp::from_unix(at), change));
    NewEvent { usage, ..event("api", id, &format!("usage-{trainer}-customers")) }
}

/// Appends an event with its change of usage while what is used, what is held and `need` together
/// stay within the limit.
#[must_use]
pub fn within_limit(event: NewEvent, key: CounterKey, need: i64, limit: i64) -> Decision {
    Decision {
        key: event.key.clone(),
        content_hash: event.content_hash,
        counter: key,
        hold: None,
        decide: Arc::new(move |counter| {
            if counter.used + counter.held + need <= limit {
                Verdict::Append(Box::new(event.clone()))
            } else {
                Verdict::Refuse
            }
        }),
    }
}

/// Consumes a quantity within a limit.
#[must_use]
pub fn consume(id: &str, trainer: &str, quantity: i64, limit: i64) -> Decision {
    let event = usage(id, trainer, WHEN, UsageChange::Count(quantity));
    within_limit(event, counter(trainer, None), quantity, limit)
}
