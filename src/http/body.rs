//! Bodies of requests to the API: read as far as they may go, and no longer than they may take.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::problem::Problem;

/// How long a body may take to arrive. How large it may be, the router says.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A body in JSON. `T` denies unknown fields, so that a misspelt one doesn't go unnoticed.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = whole(request, state, TIMEOUT).await?;
        // What is read into a struct may also be a list of its fields' values, says serde.
        if body.trim_ascii_start().first().is_some_and(|first| *first == b'[') {
            return Err(Problem::InvalidRequest("The body: a JSON object is expected.".into()));
        }
        let parsed = serde_json::from_slice(&body);
        parsed.map(Self).map_err(|error| Problem::InvalidRequest(format!("The body: {error}.")))
    }
}

/// The whole body.
async fn whole<S: Send + Sync>(
    request: Request,
    state: &S,
    limit: Duration,
) -> Result<Bytes, Problem> {
    match timeout(limit, Bytes::from_request(request, state)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(Problem::TooLarge)
        }
        Ok(Err(_)) => Err(Problem::InvalidRequest("The body was cut off.".into())),
        Err(_) => Err(Problem::InvalidRequest("The body did not arrive in time.".into())),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures::{StreamExt, stream};
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Named {
        name: String,
    }

    async fn read(body: Body) -> Result<String, Problem> {
        let request = Request::new(body);
        JsonBody::<Named>::from_request(request, &()).await.map(|JsonBody(named)| named.name)
    }

    #[tokio::test]
    async fn a_body_is_an_object_with_known_fields() {
        assert_eq!(read(Body::from(r#"{"name":"t1"}"#)).await.unwrap(), "t1");
        for wrong in ["", "{", r#"{"name":"t1","colour":"red"}"#, r#"{"name":1}"#] {
            let read = read(Body::from(wrong)).await;
            assert!(matches!(read, Err(Problem::InvalidRequest(_))), "{wrong}: {read:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_does_not_end_is_not_waited_for() {
        let pieces = stream::iter([Ok::<_, &str>("{")]).chain(stream::pending());
        let request = Request::new(Body::from_stream(pieces));
        let endless = whole(request, &(), Duration::from_millis(20));
        let endless = timeout(Duration::from_secs(60), endless).await.expect("it gives up");
        assert!(matches!(endless, Err(Problem::InvalidRequest(_))), "{endless:?}");
        let pieces = stream::iter([Ok("{"), Err("gone")]);
        let cut = read(Body::from_stream(pieces)).await;
        assert!(matches!(cut, Err(Problem::InvalidRequest(_))), "{cut:?}");
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_called_so() {
        // Without a router, the limit is the framework's own.
        let large = read(Body::from(vec![b' '; 3 << 20])).await;
        assert!(matches!(large, Err(Problem::TooLarge)), "{large:?}");
    }
}
