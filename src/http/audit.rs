//! `GET /api/v1/audit/events`: the log itself, for auditors.

use axum::Json;
use axum::extract::State;
use ledger_domain::event::{Metadata, Source};
use ledger_domain::id::{EventId, EventType, Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_log::postgres::{AuditFilter, AuditPage};
use ledger_log::{ReadError, Recorded};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::auth::Principal;
use super::openapi::{Refused, schema};
use super::params::{Params, Position, limit};
use super::problem::Problem;
use super::{AppState, cursor};
use crate::errors::chain;
use crate::roles::Role;
use crate::seldom;

/// How many events are read at once while looking for an actor's.
const SCAN_PAGE: usize = 500;
/// How many reads one request makes of those; what is left over is for the next.
const READS_MAX: usize = 20;
/// How many of a trainer's events one request looks at.
const POSITIONS_MAX: usize = SCAN_PAGE * READS_MAX;
/// How many bytes of data one answer holds at most, about: an event may be a thousand times as
/// large as usual.
const ANSWER_BYTES: usize = 4 << 20;

/// Which events are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Those that name the trainer, or made what is known of it.
    #[param(value_type = Option<schema::TrainerId>)]
    trainer: Option<String>,
    #[serde(rename = "type")]
    #[param(value_type = Option<schema::EventType>)]
    event_type: Option<EventType>,
    #[param(value_type = Option<String>, pattern = "^(stripe|api|admin|scheduler|reconcile|import)$")]
    source: Option<Source>,
    /// Who caused them.
    actor: Option<String>,
    /// Accepted at this instant or later.
    #[param(value_type = Option<schema::Timestamp>)]
    from: Option<Timestamp>,
    /// Accepted before this instant.
    #[param(value_type = Option<schema::Timestamp>)]
    to: Option<Timestamp>,
    /// This position or a later one.
    #[param(value_type = Option<i64>, minimum = 0)]
    from_position: Option<Position>,
    /// A position before this one.
    #[param(value_type = Option<i64>, minimum = 0)]
    to_position: Option<Position>,
    /// The position up to which a trainer's list must be complete.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
    /// How many, 50 unless said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// Where the last page ended.
    #[param(value_type = Option<schema::Cursor>)]
    cursor: Option<String>,
}

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Events)]
pub(crate) struct Page {
    events: Vec<Event>,
    /// Where the next page begins; null = there is no more.
    #[schema(value_type = Option<schema::Cursor>)]
    cursor: Option<String>,
    /// Up to where a trainer's list lacks nothing. Whose an event is, only read models know; any
    /// other list is the log itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<i64>,
}

/// An event as auditors see it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Event {
    position: i64,
    #[schema(value_type = schema::EventId)]
    event_id: EventId,
    stream: String,
    revision: i64,
    #[serde(rename = "type")]
    #[schema(value_type = schema::EventType)]
    event_type: String,
    schema_version: i32,
    /// Whose it is, where the event names one or was found by one.
    #[schema(value_type = Option<schema::TrainerId>)]
    trainer_id: Option<TrainerId>,
    source: &'static str,
    actor: Box<str>,
    #[schema(value_type = schema::Timestamp)]
    occurred_at: Timestamp,
    #[schema(value_type = schema::Timestamp)]
    recorded_at: Timestamp,
    #[schema(value_type = Object)]
    data: Value,
}

/// The log, in its order
///
/// A page ends after some 4 MiB, so it may be short, or empty, and still have a cursor.
#[utoipa::path(
    get,
    path = "/api/v1/audit/events",
    operation_id = "audit_events",
    tag = "audit",
    params(Wanted),
    responses((status = 200, description = "A page of the log", body = Page), Refused),
    security(("token" = ["auditor"])),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    principal: Principal,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Page>, Problem> {
    principal.require(&[Role::Auditor])?;
    let limit = limit(wanted.limit)?;
    let after = match &wanted.cursor {
        Some(cursor) => cursor::decode_position(cursor)?,
        None => wanted.from_position.map_or(0, |from| from.0.saturating_sub(1)),
    };
    let search = Search { state: &state, tenant: &principal.tenant, wanted: &wanted, limit };
    let trainer = wanted.trainer.as_deref().map(TrainerId::try_new).transpose();
    let trainer = trainer.map_err(|e| Problem::InvalidRequest(format!("`trainer`: {e}.")))?;
    let ((found, next), position) = match &trainer {
        Some(trainer) => {
            let (found, position) = search.of_trainer(trainer, after).await?;
            (found, Some(position))
        }
        None if wanted.min_position.is_some() => {
            return Err(Problem::InvalidRequest(
                "`min_position` goes with `trainer`: any other list is the log itself, and lacks \
                 nothing."
                    .into(),
            ));
        }
        None => (search.of_all(after).await?, None),
    };
    let events = found.iter().map(|event| Event::try_new(event, trainer.as_ref()));
    let events = events.collect::<Result<_, _>>()?;
    Ok(Json(Page { events, cursor: next.map(|next| cursor::encode(&next)), position }))
}

/// A walk through the log for a page of it.
struct Search<'a> {
    state: &'a AppState,
    tenant: &'a Tenant,
    wanted: &'a Wanted,
    limit: usize,
}

/// Events, and the position after which the next page begins.
type Found = (Vec<Recorded>, Option<i64>);

impl Search<'_> {
    /// Events of whomever.
    async fn of_all(&self, mut after: i64) -> Result<Found, Problem> {
        let size = if self.wanted.actor.is_some() { SCAN_PAGE } else { self.limit };
        let mut found = Vec::new();
        for _ in 0..READS_MAX {
            if is_large(&found) {
                return Ok((found, Some(after)));
            }
            let page = self.read(after, size).await?;
            for event in page.events {
                let position = event.position;
                if self.is_past(position) {
                    return Ok((found, None));
                }
                if self.is_by_actor(&event)? {
                    found.push(event);
                }
                if found.len() == self.limit {
                    return Ok((found, Some(position)));
                }
            }
            match page.next {
                Some(next) => after = next,
                None => return Ok((found, None)),
            }
        }
        Ok((found, Some(after)))
    }

    /// The events that made what is known of a trainer, whether they name the trainer or not; and
    /// up to where that is known.
    async fn of_trainer(&self, trainer: &TrainerId, after: i64) -> Result<(Found, i64), Problem> {
        let (reads, wanted) = (&self.state.reads, self.wanted.min_position.map(|at| at.0));
        reads.wait_for(self.tenant, wanted).await?;
        let until = self.wanted.to_position.map_or(i64::MAX, |to| to.0);
        let (positions, reached) =
            reads.events_of(self.tenant, trainer, (after, until), POSITIONS_MAX).await?;
        reached.require(wanted)?;
        Ok((self.at(&positions).await?, reached.position))
    }

    /// The wanted ones of the events at some positions.
    async fn at(&self, positions: &[i64]) -> Result<Found, Problem> {
        let more = positions.last().copied().filter(|_| positions.len() == POSITIONS_MAX);
        let size = if self.wanted.actor.is_some() { SCAN_PAGE } else { self.limit };
        let (filter, mut left) = (self.filter(), positions);
        let mut found = Vec::new();
        while !left.is_empty() {
            let page = self.state.audit.at(self.tenant, &filter, left, size).await;
            let AuditPage { events, next: seen } = page.map_err(unreadable)?;
            for event in events {
                let position = event.position;
                if self.is_by_actor(&event)? {
                    found.push(event);
                }
                if found.len() == self.limit {
                    return Ok((found, Some(position)));
                }
            }
            let Some(seen) = seen else { break };
            if is_large(&found) {
                return Ok((found, Some(seen)));
            }
            left = &left[left.partition_point(|position| *position <= seen)..];
        }
        Ok((found, more))
    }

    async fn read(&self, after: i64, size: usize) -> Result<AuditPage, Problem> {
        let page = self.state.audit.page(self.tenant, &self.filter(), after, size).await;
        page.map_err(unreadable)
    }

    fn filter(&self) -> AuditFilter {
        AuditFilter {
            event_type: self.wanted.event_type.clone(),
            source: self.wanted.source,
            recorded_from: self.wanted.from,
            recorded_until: self.wanted.to,
        }
    }

    fn is_past(&self, position: i64) -> bool {
        self.wanted.to_position.is_some_and(|to| position >= to.0)
    }

    fn is_by_actor(&self, event: &Recorded) -> Result<bool, Problem> {
        match &self.wanted.actor {
            Some(actor) => Ok(**actor == *metadata(event)?.actor),
            None => Ok(true),
        }
    }
}

/// Whether events are as much as one answer should hold.
fn is_large(events: &[Recorded]) -> bool {
    events.iter().map(|event| event.data.len()).sum::<usize>() >= ANSWER_BYTES
}

impl Event {
    /// The trainer is the one that the event names, or the one that it was found by.
    pub(super) fn try_new(event: &Recorded, of: Option<&TrainerId>) -> Result<Self, Problem> {
        let metadata = metadata(event)?;
        Ok(Self {
            position: event.position,
            event_id: event.key.id.clone(),
            stream: event.stream.to_string(),
            revision: event.revision,
            event_type: event.event_type.to_string(),
            schema_version: event.schema_version,
            trainer_id: metadata.subject.trainer.or_else(|| of.cloned()),
            source: metadata.source.as_str(),
            actor: metadata.actor,
            occurred_at: event.occurred_at,
            recorded_at: event.recorded_at,
            data: json(event.position, &event.data)?,
        })
    }
}

fn metadata(event: &Recorded) -> Result<Metadata, Problem> {
    Metadata::from_bytes(&event.metadata).map_err(|_| corrupt(event.position))
}

pub(super) fn json(position: i64, bytes: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(bytes).map_err(|_| corrupt(position))
}

pub(super) fn corrupt(position: i64) -> Problem {
    tracing::error!(position, "the log holds an event that can't be read");
    Problem::Internal
}

pub(super) fn unreadable(error: ReadError) -> Problem {
    match error {
        ReadError::Unavailable(error) => {
            if let Some(left_out) = seldom::tell("audit") {
                tracing::warn!(error = chain(&*error), left_out, "the log can't be read");
            }
            Problem::Unavailable
        }
        ReadError::Corrupt { position, .. } => corrupt(position),
    }
}
