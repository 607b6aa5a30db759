//! How far the read models are, and what they could not take in.

use ledger_domain::id::Tenant;
use ledger_domain::time::Timestamp;
use ledger_log::postgres::Pools;
use ledger_log::{EventLog, Head, ReadError};
use ledger_projections::{Checkpoint, ParkedUnit, QueryError, ReadModel, Version, as_reader};
use serde::Serialize;

/// How many parked units are listed.
const PARKED_MAX: usize = 1_000;

/// Where a tenant's log and read models are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// Whose.
    pub tenant: Tenant,
    /// The end of the log; none if it was never opened.
    pub log: Option<LogStatus>,
    /// Each read model, and each version of it that is kept beside.
    pub read_models: Vec<ReadModelStatus>,
    /// Units that could not take in an event, those parked first coming first.
    pub parked: Vec<ParkedStatus>,
    /// Whether there are more of them.
    pub more_parked: bool,
}

/// The end of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogStatus {
    /// The log's id.
    pub log_id: uuid::Uuid,
    /// Rises by one when the log is restored from a backup.
    pub epoch: i32,
    /// Its last position.
    pub position: i64,
    /// When it accepted its last event.
    pub recorded_at: Timestamp,
}

/// How far one version of a read model is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReadModelStatus {
    /// The schema that it lives in.
    pub schema: String,
    /// Which read model.
    pub name: &'static str,
    /// `live`, `next` (being built beside) or `previous`.
    pub version: &'static str,
    /// How it stands to the log.
    pub state: State,
    /// The position up to which everything is taken in.
    pub position: i64,
    /// How many positions of the log are still to come.
    pub lag_events: i64,
    /// How many milliseconds lie between the last event taken in and the log's last, by the times
    /// at which the log accepted them; none if nothing was taken in yet.
    pub lag_ms: Option<i64>,
}

/// How a read model stands to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It holds everything.
    Current,
    /// Events are still to come.
    Behind,
    /// Nothing was taken in yet.
    NotBegun,
    /// It was made from another log, or before the log was restored; it must be rebuilt.
    OtherLog,
    /// It holds events that the log has lost; it must be rebuilt.
    AheadOfLog,
}

/// A unit that could not take in an event. Its later events wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParkedStatus {
    /// The schema of the read model that lacks it.
    pub read_model: String,
    /// Which unit.
    pub unit: String,
    /// Why.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i32,
    /// Since when.
    pub parked_at: Timestamp,
    /// When it is tried again.
    pub next_attempt_at: Timestamp,
    /// How many of its events wait.
    pub events: i64,
    /// The first of them.
    pub first_position: Option<i64>,
}

/// Why the status can't be told.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The read models can't be read.
    #[error("where the read models are can't be read")]
    ReadModels(#[from] QueryError),
    /// The log can't be read.
    #[error("where the log ends can't be read")]
    Log(#[from] ReadError),
}

/// Tells where a tenant's log and read models are, over the connections of the role `ledger_api`.
///
/// # Errors
/// If the log or the read models can't be read.
pub async fn status(
    pools: &Pools,
    log: &dyn EventLog,
    tenant: &Tenant,
) -> Result<Status, StatusError> {
    let mut reader = as_reader(&pools.api, tenant, None).await?;
    let checkpoints = reader.checkpoints().await?;
    let parked = reader.parked(PARKED_MAX).await?;
    reader.finish().await?;
    // Asked last, so that nothing seems to be ahead of it that isn't.
    let head = log.head(tenant).await?;
    Ok(Status {
        tenant: tenant.clone(),
        log: head.as_ref().map(LogStatus::from),
        read_models: read_models(&checkpoints, head.as_ref()),
        more_parked: parked.len() >= PARKED_MAX,
        parked: parked.into_iter().map(ParkedStatus::from).collect(),
    })
}

/// The live versions always, the others if they are there.
fn read_models(checkpoints: &[(String, Checkpoint)], head: Option<&Head>) -> Vec<ReadModelStatus> {
    let versions =
        [(Version::Live, "live"), (Version::Next, "next"), (Version::Previous, "previous")];
    let mut found = Vec::new();
    for (version, spelled) in versions {
        for model in ReadModel::ALL {
            let schema = model.schema(version);
            let checkpoint = checkpoints.iter().find(|(name, _)| *name == schema);
            let checkpoint = checkpoint.map(|(_, checkpoint)| checkpoint);
            if checkpoint.is_none() && version != Version::Live {
                continue;
            }
            let position = checkpoint.map_or(0, |checkpoint| checkpoint.position);
            found.push(ReadModelStatus {
                schema,
                name: model.as_str(),
                version: spelled,
                state: state(checkpoint, head),
                position,
                lag_events: head.map_or(0, |head| (head.position - position).max(0)),
                lag_ms: lag_ms(checkpoint, head),
            });
        }
    }
    found
}

fn state(checkpoint: Option<&Checkpoint>, head: Option<&Head>) -> State {
    let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.position > 0) else {
        return State::NotBegun;
    };
    match head {
        Some(head) if (head.log_id, head.epoch) != (checkpoint.log_id, checkpoint.epoch) => {
            State::OtherLog
        }
        Some(head) if head.position > checkpoint.position => State::Behind,
        Some(head) if head.position == checkpoint.position => State::Current,
        Some(_) | None => State::AheadOfLog,
    }
}

fn lag_ms(checkpoint: Option<&Checkpoint>, head: Option<&Head>) -> Option<i64> {
    let taken_in = checkpoint?.recorded_at?;
    let last = head?.recorded_at;
    Some(last.micros().saturating_sub(taken_in.micros()).max(0) / 1_000)
}

impl From<&Head> for LogStatus {
    fn from(head: &Head) -> Self {
        let &Head { log_id, epoch, position, recorded_at, .. } = head;
        Self { log_id, epoch, position, recorded_at }
    }
}

impl From<ParkedUnit> for ParkedStatus {
    fn from(unit: ParkedUnit) -> Self {
        Self {
            read_model: unit.read_model,
            unit: unit.unit,
            reason: unit.reason,
            attempts: unit.attempts,
            parked_at: unit.parked_at,
            next_attempt_at: unit.next_attempt_at,
            events: unit.events,
            first_position: unit.first_position,
        }
    }
}
