//! Events of the ledger's own making.

use std::time::Duration;

use ledger_domain::event::{Event, Metadata, Source};
use ledger_domain::id::{EventId, EventKey, Namespace, StreamName, Tenant};
use ledger_domain::time::Timestamp;
use ledger_log::{AppendError, EventLog, Expected, NewEvent, Outcome, ReadError};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// How many events of a stream are read at once.
const PAGE: usize = 64;
/// How long an act is tried against others who write to the same stream: of those who try at the
/// same time, one is done in each round.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// Something that is done whatever was done before it.
pub(crate) struct Act<'a> {
    /// The id of its event; the same for a retry.
    pub(crate) id: uuid::Uuid,
    pub(crate) stream: StreamName,
    pub(crate) event: Event,
    /// Why, in somebody's words. It lies beside the log.
    pub(crate) reason: Option<&'a str>,
    pub(crate) metadata: &'a Metadata,
    pub(crate) at: Timestamp,
}

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActError {
    #[error("the act can't be appended")]
    Append(#[from] AppendError),
    #[error("what was done before can't be read")]
    Read(#[from] ReadError),
}

/// Appends an act to the end of its stream, once: a retry is told where it stands.
pub(crate) async fn act(
    log: &dyn EventLog,
    tenant: &Tenant,
    act: &Act<'_>,
) -> Result<Outcome, ActError> {
    let deadline = Instant::now() + PATIENCE;
    let mut expected = end(log, tenant, &act.stream).await?;
    loop {
        let (key, stream) = (key_of(act.id), act.stream.clone());
        let fact = Fact { key, stream, expected, at: act.at };
        let event = fact.stating(&act.event, act.metadata);
        let event = NewEvent { text: act.reason.map(str::to_owned), ..event };
        match log.append(tenant, vec![event]).await {
            Err(AppendError::WrongExpectedRevision { actual, .. }) if Instant::now() < deadline => {
                expected = actual.map_or(Expected::NoStream, Expected::Revision);
            }
            appended => {
                let outcome = appended?.pop();
                return Ok(outcome.expect("one event has one outcome"));
            }
        }
    }
}

/// Where a stream ends.
async fn end(
    log: &dyn EventLog,
    tenant: &Tenant,
    stream: &StreamName,
) -> Result<Expected, ReadError> {
    let mut next = 0;
    loop {
        let page = log.read_stream(tenant, stream, next, PAGE).await?;
        let Some(last) = page.last() else { break };
        next = last.revision + 1;
    }
    Ok(if next == 0 { Expected::NoStream } else { Expected::Revision(next - 1) })
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
