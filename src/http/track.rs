//! What happens around every answer but those to webhooks: an id, a limit of time, a line in the
//! log, a count.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;
use tracing::Instrument;

use super::AppState;
use super::problem::Problem;
use crate::ids;

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest id that a client may give its request.
const ID_BYTES_MAX: usize = 128;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request that is answered, which what it causes bears as `correlation_id`.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) Box<str>);

pub(crate) async fn track(
    State(state): State<AppState>,
    path: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    request.extensions_mut().insert(RequestId(id.to_str().unwrap_or_default().into()));
    let route = path.as_ref().map_or("unmatched", |path| path.as_str());
    let span = tracing::info_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        method = request.method().as_str(),
        route
    );
    let answer = timeout(ANSWER_TIMEOUT, next.run(request)).instrument(span.clone()).await;
    let mut answer = answer.unwrap_or_else(|_| Problem::Unavailable.into_response());
    let (status, took) = (answer.status(), started.elapsed());
    span.in_scope(|| {
        let (status, took_ms) = (status.as_u16(), took.as_secs_f64() * 1e3);
        if status >= 500 && status != 503 {
            tracing::error!(status, took_ms, "answered");
        } else {
            tracing::debug!(status, took_ms, "answered");
        }
    });
    state.ingest.meters.answered(route, status.as_u16(), took.as_secs_f64());
    let headers = answer.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    answer
}

/// The client's own id if it has the form of one, else a fresh one.
fn request_id(request: &Request) -> HeaderValue {
    let is_id = |value: &&HeaderValue| {
        (1..=ID_BYTES_MAX).contains(&value.len())
            && value.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(b))
    };
    match request.headers().get(&REQUEST_ID).filter(is_id) {
        Some(own) => own.clone(),
        None => HeaderValue::try_from(ids::fresh().to_string()).expect("a UUID is a header value"),
    }
}
