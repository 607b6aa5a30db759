//! `POST /api/v1/webhooks/stripe` and `/{tenant}`: what Stripe sends.
//!
//! The busiest path, so nothing runs here that it doesn't need: no layer, no token, one look-up.

use std::fmt::Write;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use tokio::time::timeout;

use super::AppState;
use super::params::Segment;
use super::problem::Problem;
use crate::config::DEFAULT_TENANT;
use crate::ingest::{Receipt, Rejected};

/// Largest body. The largest webhooks seen are about 20 KB.
const BODY_BYTES_MAX: usize = 1 << 20;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

pub(crate) async fn receive_default(state: State<AppState>, request: Request) -> Response {
    receive(&state, DEFAULT_TENANT, request).await
}

pub(crate) async fn receive_for_tenant(
    state: State<AppState>,
    Segment(tenant): Segment,
    request: Request,
) -> Response {
    receive(&state, &tenant, request).await
}

async fn receive(state: &AppState, tenant: &str, request: Request) -> Response {
    let started = Instant::now();
    let meters = &state.ingest.meters;
    meters.received.increment(1);
    let answer = match answer(state, tenant, request).await {
        Ok(receipt) => accepted(&receipt),
        Err(problem) => problem.into_response(),
    };
    meters.seconds.record(started.elapsed().as_secs_f64());
    answer
}

async fn answer(state: &AppState, tenant: &str, request: Request) -> Result<Receipt, Problem> {
    let Some(served) = state.tenants.get(tenant) else {
        state.ingest.meters.rejected("unknown_tenant");
        return Err(Problem::NotFound("There is no such tenant."));
    };
    let (parts, body) = request.into_parts();
    let body = read(&parts.headers, body, BODY_TIMEOUT).await.inspect_err(|_| {
        state.ingest.meters.rejected("body_not_read");
    })?;
    let signature = parts.headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let taken = state.ingest.webhook(&served, signature.unwrap_or_default(), &body).await;
    taken.map_err(|rejected| {
        let reason = rejected.reason();
        state.ingest.meters.rejected(reason);
        let (tenant, bytes) = (&served.tenant, body.len());
        if matches!(rejected, Rejected::Unavailable(_)) {
            // The log of events tells of its outages itself, once and not for each webhook.
            tracing::debug!(%tenant, reason, bytes, "a webhook was not taken in");
        } else {
            tracing::warn!(%tenant, reason, bytes, "a webhook was not taken in");
        }
        problem(rejected, state)
    })
}

/// The whole body. A length that is told is believed only as far as it refuses.
async fn read(headers: &HeaderMap, body: Body, limit: Duration) -> Result<Bytes, Problem> {
    let told = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let told = told.and_then(|told| told.parse::<usize>().ok());
    if told.is_some_and(|told| told > BODY_BYTES_MAX) {
        return Err(Problem::TooLarge);
    }
    timeout(limit, collect(body, told.unwrap_or_default()))
        .await
        .unwrap_or_else(|_| Err(Problem::InvalidRequest("The body did not arrive in time.".into())))
}

async fn collect(body: Body, told: usize) -> Result<Bytes, Problem> {
    let mut chunks = body.into_data_stream();
    let mut whole = Bytes::new();
    let mut grown = Vec::new();
    while let Some(chunk) = chunks.next().await {
        // Its sender has gone, or sends no chunks where it said that it would.
        let chunk = chunk.map_err(|_| Problem::InvalidRequest("The body was cut off.".into()))?;
        if whole.len() + grown.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(Problem::TooLarge);
        }
        if whole.is_empty() && grown.is_empty() {
            // Nearly always the only one.
            whole = chunk;
            continue;
        }
        if grown.is_empty() {
            grown.reserve(told.max(whole.len() + chunk.len()));
            grown.extend_from_slice(&std::mem::take(&mut whole));
        }
        grown.extend_from_slice(&chunk);
    }
    Ok(if grown.is_empty() { whole } else { grown.into() })
}

/// Ids hold no character that JSON would escape.
fn accepted(receipt: &Receipt) -> Response {
    let status = if receipt.appended { "appended" } else { "already_appended" };
    let mut body = String::with_capacity(128);
    let Receipt { event_id, position, .. } = receipt;
    write!(body, r#"{{"status":"{status}","event_id":"{event_id}","position":{position}}}"#)
        .expect("writing to a string can't fail");
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], body).into_response()
}

fn problem(rejected: Rejected, state: &AppState) -> Problem {
    match rejected {
        Rejected::Signature(error) => Problem::InvalidRequest(sentence(&error)),
        Rejected::Body(error) => Problem::InvalidRequest(sentence(&error)),
        Rejected::Refused(why) => Problem::InvalidRequest(format!("The log refused it: {why}.")),
        Rejected::Unavailable(_) => {
            state.ingest.meters.unavailable.increment(1);
            Problem::Unavailable
        }
    }
}

/// The errors of signatures and bodies hold nothing of what was sent.
fn sentence(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    /// A body of these pieces, of which the last may be missing.
    async fn read_pieces(pieces: Vec<Result<Vec<u8>, &'static str>>) -> Result<Bytes, Problem> {
        let body = Body::from_stream(stream::iter(pieces));
        read(&HeaderMap::new(), body, Duration::from_secs(60)).await
    }

    #[tokio::test]
    async fn a_body_comes_in_pieces() {
        let pieces = [1, 700, 3, 0, 90_000].map(|n| vec![b'x'; n]);
        let whole = read_pieces(pieces.iter().cloned().map(Ok).collect()).await.unwrap();
        assert_eq!(whole, pieces.concat());
        assert_eq!(read_pieces(Vec::new()).await.unwrap(), Bytes::new());
        let full = (0..4).map(|_| Ok(vec![b'x'; BODY_BYTES_MAX / 4])).collect();
        assert_eq!(read_pieces(full).await.unwrap().len(), BODY_BYTES_MAX);
    }

    #[tokio::test]
    async fn only_what_is_too_large_is_called_so() {
        let cut = read_pieces(vec![Ok(b"{".to_vec()), Err("gone")]).await;
        assert!(matches!(cut, Err(Problem::InvalidRequest(_))), "{cut:?}");
        let large = vec![Ok(vec![b'x'; BODY_BYTES_MAX]), Ok(b"x".to_vec()), Err("gone")];
        let large = read_pieces(large).await;
        assert!(matches!(large, Err(Problem::TooLarge)), "{large:?}");
    }

    #[tokio::test]
    async fn a_body_that_does_not_end_is_not_waited_for() {
        let pieces = stream::iter([Ok::<_, &str>("{")]).chain(stream::pending());
        let (headers, body) = (HeaderMap::new(), Body::from_stream(pieces));
        let read = read(&headers, body, Duration::from_millis(20));
        let read = timeout(Duration::from_secs(60), read).await.expect("it gives up");
        assert!(matches!(read, Err(Problem::InvalidRequest(_))), "{read:?}");
    }
}
