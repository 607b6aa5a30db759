//! `GET /api/v1/admin/projections`: how far the read models are, and what they could not take in.

use axum::Json;
use axum::extract::State;
use ledger_replay::Status;
use ledger_replay::status::{LogStatus, ParkedStatus, ReadModelStatus, State as Standing};
use serde::Serialize;

use super::AppState;
use super::auth::Principal;
use super::params::{AboutTenant, Params};
use super::problem::Problem;
use crate::roles::Role;

/// Where a tenant's log and read models are.
#[derive(Debug, Serialize)]
pub(crate) struct Projections {
    projections: Vec<Projection>,
    log: Option<LogStatus>,
    parked: Vec<ParkedStatus>,
    more_parked: bool,
    position: i64,
}

/// One version of a read model.
#[derive(Debug, Serialize)]
struct Projection {
    name: &'static str,
    /// `live`, `next` or `previous`.
    version: &'static str,
    schema: String,
    state: Standing,
    position: i64,
    lag_events: i64,
    lag_seconds: Option<f64>,
}

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
            log: status.log,
            parked: status.parked,
            more_parked: status.more_parked,
            position,
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
