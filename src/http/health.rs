//! `GET /healthz` and `/readyz`.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::AppState;
use super::problem::Problem;
use crate::readiness::NotReady;
use crate::seldom;

/// The process runs.
pub(crate) async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// The log can be reached and the read models have caught up. Stripe is never asked.
pub(crate) async fn ready(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    match state.readiness.check().await {
        Ok(()) => Ok(Json(json!({ "status": "ready" }))),
        Err(NotReady { reason, tenant }) => {
            if let Some(left_out) = seldom::tell(reason) {
                let tenant = tenant.map(|tenant| tenant.to_string());
                tracing::info!(reason, tenant, left_out, "not ready");
            }
            Err(Problem::NotReady(reason))
        }
    }
}
