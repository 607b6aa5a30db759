//! Bodies of requests: read as far as they may go, and no longer than they may take.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::Problem;

/// How long a body may take to arrive.
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);
/// Largest body of a request to the API.
pub(super) const BYTES_MAX: usize = 64 * 1024;

/// A body in JSON. `T` denies unknown fields, so that a misspelt one doesn't go unnoticed.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = read(&parts.headers, body, BYTES_MAX, TIMEOUT).await?;
        let parsed = serde_json::from_slice(&body);
        parsed.map(Self).map_err(|error| Problem::InvalidRequest(format!("The body: {error}.")))
    }
}

/// The whole body. A length that is told is believed only as far as it refuses.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
    limit: Duration,
) -> Result<Bytes, Problem> {
    let told = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let told = told.and_then(|told| told.parse::<usize>().ok());
    if told.is_some_and(|told| told > bytes_max) {
        return Err(Problem::TooLarge);
    }
    timeout(limit, collect(body, bytes_max, told.unwrap_or_default()))
        .await
        .unwrap_or_else(|_| Err(Problem::InvalidRequest("The body did not arrive in time.".into())))
}

async fn collect(body: Body, bytes_max: usize, told: usize) -> Result<Bytes, Problem> {
    let mut chunks = body.into_data_stream();
    let mut whole = Bytes::new();
    let mut grown = Vec::new();
    while let Some(chunk) = chunks.next().await {
        // Its sender has gone, or sends no chunks where it said that it would.
        let chunk = chunk.map_err(|_| Problem::InvalidRequest("The body was cut off.".into()))?;
        if whole.len() + grown.len() + chunk.len() > bytes_max {
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

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    const WHOLE_MAX: usize = 1 << 20;

    /// A body of these pieces, of which the last may be missing.
    async fn read_pieces(pieces: Vec<Result<Vec<u8>, &'static str>>) -> Result<Bytes, Problem> {
        let body = Body::from_stream(stream::iter(pieces));
        read(&HeaderMap::new(), body, WHOLE_MAX, Duration::from_secs(60)).await
    }

    #[tokio::test]
    async fn a_body_comes_in_pieces() {
        let pieces = [1, 700, 3, 0, 90_000].map(|n| vec![b'x'; n]);
        let whole = read_pieces(pieces.iter().cloned().map(Ok).collect()).await.unwrap();
        assert_eq!(whole, pieces.concat());
        assert_eq!(read_pieces(Vec::new()).await.unwrap(), Bytes::new());
        let full = (0..4).map(|_| Ok(vec![b'x'; WHOLE_MAX / 4])).collect();
        assert_eq!(read_pieces(full).await.unwrap().len(), WHOLE_MAX);
    }

    #[tokio::test]
    async fn only_what_is_too_large_is_called_so() {
        let cut = read_pieces(vec![Ok(b"{".to_vec()), Err("gone")]).await;
        assert!(matches!(cut, Err(Problem::InvalidRequest(_))), "{cut:?}");
        let large = vec![Ok(vec![b'x'; WHOLE_MAX]), Ok(b"x".to_vec()), Err("gone")];
        let large = read_pieces(large).await;
        assert!(matches!(large, Err(Problem::TooLarge)), "{large:?}");
    }

    #[tokio::test]
    async fn a_body_that_does_not_end_is_not_waited_for() {
        let pieces = stream::iter([Ok::<_, &str>("{")]).chain(stream::pending());
        let (headers, body) = (HeaderMap::new(), Body::from_stream(pieces));
        let read = read(&headers, body, WHOLE_MAX, Duration::from_millis(20));
        let read = timeout(Duration::from_secs(60), read).await.expect("it gives up");
        assert!(matches!(read, Err(Problem::InvalidRequest(_))), "{read:?}");
    }
}
