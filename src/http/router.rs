//! Which path is answered by what.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;

use super::problem::{self, Problem};
use super::{
    AppState, anomalies, audit, dead_letters, entitlements, health, metrics, projections, tiers,
    track, usage, webhooks,
};

/// Largest body of a request to the API; webhooks have a limit of their own.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Every path of the service.
pub(crate) fn router(state: AppState) -> Router {
    // Without a layer: see `webhooks`.
    let webhooks = Router::new()
        .route("/api/v1/webhooks/stripe", post(webhooks::receive_default))
        .route("/api/v1/webhooks/stripe/{tenant}", post(webhooks::receive_for_tenant))
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed);
    let api = Router::new()
        .route("/api/v1/tiers", get(tiers::list))
        .route("/api/v1/tiers/current", get(tiers::current))
        .route("/api/v1/tiers/history", get(tiers::history))
        .route("/api/v1/tiers/usage", get(usage::of_trainer))
        .route("/api/v1/entitlements", get(entitlements::all))
        .route("/api/v1/entitlements/{feature}", get(entitlements::one))
        .route("/api/v1/usage/{feature}/consume", post(usage::consume))
        .route("/api/v1/usage/{feature}/record", post(usage::record))
        .route("/api/v1/usage/{feature}/reserve", post(usage::reserve))
        .route("/api/v1/usage/{feature}/commit", post(usage::commit))
        .route("/api/v1/usage/{feature}/release", post(usage::release))
        .route("/api/v1/usage/{trainer}/check/{feature}", get(usage::check))
        .route("/api/v1/usage/{trainer}/limits", get(usage::limits))
        .route("/api/v1/admin/anomalies", get(anomalies::list))
        .route("/api/v1/admin/dead-letters", get(dead_letters::list))
        .route("/api/v1/admin/projections", get(projections::list))
        .route("/api/v1/audit/events", get(audit::list))
        .route("/api/v1/audit/events/{event_id}", get(audit::one))
        .route("/problems/{code}", get(problem::explain))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .fallback(async || Problem::NotFound("There is nothing at this path."))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(state.clone(), track::track));
    api.merge(webhooks).with_state(state)
}

/// The panic itself is in the log already, by the hook that prints it.
fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    Problem::Internal.into_response()
}
