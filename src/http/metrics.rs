//! `GET /metrics`: Prometheus, for operators, or for anyone on this machine; also, and above all,
//! while the database can't be reached.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::AppState;
use super::auth::CallerAnytime;
use super::openapi::Refused;
use super::problem::Problem;
use super::server::Peer;
use crate::roles::Role;

/// The headers by which a proxy says that it asks for somebody else: then the connection comes
/// from this machine, and the question doesn't.
const FORWARDED: [&str; 4] = ["forwarded", "via", "x-real-ip", "x-client-ip"];
/// What the names of other such headers begin with.
const FORWARDED_PREFIX: &str = "x-forwarded-";

/// Metrics, as Prometheus reads them
///
/// Anyone on the same machine may ask without a token.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "service",
    responses(
        (status = 200, description = "The metrics", body = String, content_type = "text/plain"),
        Refused,
    ),
    security((), ("token" = ["operator"])),
)]
pub(crate) async fn metrics(
    State(state): State<AppState>,
    Extension(Peer(peer)): Extension<Peer>,
    headers: HeaderMap,
    CallerAnytime(caller): CallerAnytime,
) -> Result<Response, Problem> {
    let is_local = peer.ip().to_canonical().is_loopback()
        && !headers.keys().any(|name| is_forwarded(name.as_str()));
    if !is_local {
        caller.principal()?.require(&[Role::Operator])?;
    }
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, text)], state.ingest.meters.render()).into_response())
}

fn is_forwarded(header: &str) -> bool {
    FORWARDED.contains(&header) || header.starts_with(FORWARDED_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_proxies_add_is_noticed() {
        for name in ["forwarded", "via", "x-forwarded-for", "x-forwarded-proto", "x-real-ip"] {
            assert!(is_forwarded(name), "{name}");
        }
        for name in ["host", "accept", "x-request-id"] {
            assert!(!is_forwarded(name), "{name}");
        }
    }
}
