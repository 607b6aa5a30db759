//! Which path is answered by what.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use tower_http::catch_panic::CatchPanicLayer;

use super::problem::{self, Problem};
use super::{
    AppState, anomalies, audit, audit_event, authorize, dead_letters, entitlements, explain,
    health, metrics, projections, rate_limit, tiers, token, track, trainers, usage, webhooks,
};

/// Largest body of a request to the API; webhooks have a limit of their own.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Every path of the service.
pub(crate) fn router(state: AppState) -> Router {
    // Without a layer: `webhooks` does itself what they need.
    let webhooks = Router::new()
        .route("/api/v1/webhooks/stripe", post(webhooks::receive_default))
        .route("/api/v1/webhooks/stripe/{tenant}", post(webhooks::receive_for_tenant))
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed);
    let paths = [
        ("/api/v1/tiers", get(tiers::list)),
        ("/api/v1/tiers/current", get(tiers::current)),
        ("/api/v1/tiers/history", get(tiers::history)),
        ("/api/v1/tiers/usage", get(usage::of_trainer)),
        ("/api/v1/entitlements", get(entitlements::all)),
        ("/api/v1/entitlements/token", post(token::issue)),
        ("/api/v1/entitlements/{feature}", get(entitlements::one)),
        ("/api/v1/entitlements/{feature}/explain", get(explain::explain)),
        ("/api/v1/authorize", any(authorize::authorize)),
        // Envoy puts the path of its client behind it.
        ("/api/v1/authorize/{*path}", any(authorize::authorize)),
        ("/api/v1/authorize/", any(authorize::authorize)),
        ("/api/v1/trainers", post(trainers::register)),
        ("/api/v1/usage/{feature}/consume", post(usage::consume)),
        ("/api/v1/usage/{feature}/record", post(usage::record)),
        ("/api/v1/usage/{feature}/reserve", post(usage::reserve)),
        ("/api/v1/usage/{feature}/commit", post(usage::commit)),
        ("/api/v1/usage/{feature}/release", post(usage::release)),
        ("/api/v1/usage/{trainer}/check/{feature}", get(usage::check)),
        ("/api/v1/usage/{trainer}/limits", get(usage::limits)),
        ("/api/v1/admin/anomalies", get(anomalies::list)),
        ("/api/v1/admin/dead-letters", get(dead_letters::list)),
        ("/api/v1/admin/projections", get(projections::list)),
        ("/api/v1/audit/events", get(audit::list)),
        ("/api/v1/audit/events/{event_id}", get(audit_event::one)),
        ("/.well-known/jwks.json", get(token::keys)),
        ("/problems/{code}", get(problem::explain)),
        ("/healthz", get(health::live)),
        ("/readyz", get(health::ready)),
        ("/metrics", get(metrics::metrics)),
    ];
    let api = paths.into_iter().fold(Router::new(), |api, (path, answer)| {
        state.ingest.meters.begin(path);
        api.route(path, answer)
    });
    let api = api
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .fallback(async || Problem::NotFound("There is nothing at this path."))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(state.clone(), rate_limit::rate_limit))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(state.clone(), track::track));
    api.merge(webhooks).with_state(state)
}

/// The panic itself is in the log already, by the hook of `panics`.
fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    Problem::Internal.into_response()
}
