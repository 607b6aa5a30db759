//! `GET /api/v1/admin/projections`: how far the read models are, and what they could not take in.

use axum::Json;
use axum::extract::State;
use ledger_domain::time::Timestamp;
use ledger_replay::Status;
use ledger_replay::status::{LogStatus, ParkedStatus, ReadModelStatus, State as Standing};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::AppState;
use super::auth::Principal;
use super::openapi::{Refused, schema};
use super::params::{AboutTenant, Params};
use super::problem::Problem;
use crate::roles::Role;

/// Where a tenant's log and read models are.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Projections {
    projections: Vec<Projection>,
    /// The log's own end.
    log: Option<End>,
    /// Units that could not take in an event, and wait.
    parked: Vec<Parked>,
    /// Whether there are more of them.
    more_parked: bool,
    position: i64,
}

/// One version of a read model.
#[derive(Debug, Serialize, ToSchema)]
struct Projection {
    name: &'static str,
    #[schema(pattern = "^(live|next|previous)$")]
    version: &'static str,
    schema: String,
    #[schema(
        value_type = String,
        pattern = "^(current|behind|not_begun|other_log|ahead_of_log)$",
    )]
    state: Standing,
    position: i64,
    lag_events: i64,
    /// Between the last event taken in and the log's last; null before the first.
    lag_seconds: Option<f64>,
}

/// The end of the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogEnd)]
struct End {
    #[schema(value_type = schema::Uuid)]
    log_id: Uuid,
    /// Rises by one when the log is restored from a backup.
    epoch: i32,
    position: i64,
    #[schema(value_type = schema::Timestamp)]
    recorded_at: Timestamp,
}

/// A unit that could not take in an event. Its later events wait.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ParkedUnit)]
struct Parked {
    read_model: String,
    unit: String,
    reason: String,
    attempts: i32,
    #[schema(value_type = schema::Timestamp)]
    parked_at: Timestamp,
    #[schema(value_type = schema::Timestamp)]
    next_attempt_at: Timestamp,
    /// How many of its events wait.
    events: i64,
    first_position: Option<i64>,
}

/// How far the read models are, and what they could not take in
#[utoipa::path(
    get,
    path = "/api/v1/admin/projections",
    operation_id = "projections",
    tag = "admin",
    params(AboutTenant),
    responses((status = 200, description = "The read models and the log", body = Projections), Refused),
    security(("token" = ["operator"])),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    principal: Principal,
    Params(query): Params<AboutTenant>,
) -> Result<Json<Projections>, Problem> {
    principal.require(&[Role::Operator])?;
    let tenant = &principal.tenant;
    state.reads.wait_for(tenant, query.min_position.map(|at| at.0)).await?;
    Ok(Json(Projections::from(state.reads.status(tenant).await?)))
}

impl From<Status> for Projections {
    fn from(status: Status) -> Self {
        let live = status.read_models.iter().filter(|model| model.version == "live");
        let position = live.map(|model| model.position).min().unwrap_or(0);
        Self {
            projections: status.read_models.into_iter().map(Projection::from).collect(),
            log: status.log.map(End::from),
            parked: status.parked.into_iter().map(Parked::from).collect(),
            more_parked: status.more_parked,
            position,
        }
    }
}

impl From<LogStatus> for End {
    fn from(log: LogStatus) -> Self {
        let LogStatus { log_id, epoch, position, recorded_at } = log;
        Self { log_id, epoch, position, recorded_at }
    }
}

impl From<ParkedStatus> for Parked {
    fn from(unit: ParkedStatus) -> Self {
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

impl From<ReadModelStatus> for Projection {
    fn from(model: ReadModelStatus) -> Self {
        Self {
            name: model.name,
            version: model.version,
            schema: model.schema,
            state: model.state,
            position: model.position,
            lag_events: model.lag_events,
            lag_seconds: model.lag_ms.map(|ms| ms as f64 / 1_000.0),
        }
    }
}
