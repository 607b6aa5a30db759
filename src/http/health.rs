//! `GET /healthz` and `/readyz`.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::AppState;
use super::problem::{Body, Problem};
use crate::readiness::NotReady;
use crate::seldom;

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    #[schema(pattern = "^(ok|ready)$")]
    status: &'static str,
}

/// Whether the process runs
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "healthz",
    tag = "service",
    responses((status = 200, description = "It does", body = Health)),
)]
pub(crate) async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether the log can be reached and the read models have caught up
///
/// Stripe is never asked.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "service",
    responses(
        (status = 200, description = "Ready", body = Health),
        (status = 503, description = "`unavailable`: not yet, or not now; `detail` says why",
            body = Body, content_type = "application/problem+json",
            headers(("Retry-After" = i64, description = "Seconds after which to try again"))),
    ),
)]
pub(crate) async fn ready(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    match state.readiness.check().await {
        Ok(()) => Ok(Json(Health { status: "ready" })),
        Err(NotReady { reason, tenant }) => {
            if let Some(left_out) = seldom::tell(reason) {
                let tenant = tenant.map(|tenant| tenant.to_string());
                tracing::info!(reason, tenant, left_out, "not ready");
            }
            Err(Problem::NotReady(reason))
        }
    }
}
