//! Calls of the HTTP API, and their answers.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

use super::wait::turns;

/// One who calls the API: a base URL and a bearer token.
#[derive(Clone)]
pub(crate) struct Caller {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// A client with limits.
pub(crate) fn http() -> reqwest::Client {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy();
    client.build().expect("a client without TLS needs nothing")
}

impl Caller {
    pub(crate) fn new(http: reqwest::Client, url: &str, token: Option<String>) -> Self {
        Self { http, url: url.to_owned(), token }
    }

    /// The same caller with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.try_get(path).await.unwrap_or_else(|error| panic!("GET {path}: {error:?}"))
    }

    /// GET, which may fail to be answered.
    pub(crate) async fn try_get(&self, path: &str) -> reqwest::Result<Answer> {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    /// POST of a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        let answer = self.send(request).await;
        answer.unwrap_or_else(|error| panic!("POST {path}: {error:?}"))
    }

    /// POST of a JSON body under an `Idempotency-Key`, which may fail to be answered.
    pub(crate) async fn try_post_keyed(
        &self,
        path: &str,
        body: &Value,
        key: &str,
    ) -> reqwest::Result<Answer> {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        self.send(request.header("idempotency-key", key)).await
    }

    /// PUT of a JSON body under an `Idempotency-Key`.
    pub(crate) async fn put_keyed(&self, path: &str, body: &Value, key: &str) -> Answer {
        let request = self.http.put(format!("{}{path}", self.url)).json(body);
        let answer = self.send(request.header("idempotency-key", key)).await;
        answer.unwrap_or_else(|error| panic!("PUT {path}: {error:?}"))
    }

    /// POST of any bytes.
    pub(crate) async fn post_bytes(&self, path: &str, body: Vec<u8>) -> Answer {
        let request = self.http.post(format!("{}{path}", self.url)).body(body);
        let answer = self.send(request.header("content-type", "application/json")).await;
        answer.unwrap_or_else(|error| panic!("POST {path}: {error:?}"))
    }

    /// A gateway's question about a feature.
    pub(crate) async fn authorize(&self, feature: &str) -> Answer {
        let request = self.http.get(format!("{}/api/v1/authorize", self.url));
        let answer = self.send(request.header("x-ledger-feature", feature)).await;
        answer.unwrap_or_else(|error| panic!("GET /api/v1/authorize: {error:?}"))
    }

    /// A request without a body.
    pub(crate) async fn request(&self, method: reqwest::Method, path: &str) -> Answer {
        let request = self.http.request(method.clone(), format!("{}{path}", self.url));
        let answer = self.send(request).await;
        answer.unwrap_or_else(|error| panic!("{method} {path}: {error:?}"))
    }

    /// GET of what holds at `position` or later. The service waits for its read models only
    /// shortly; on a busy machine they may need longer.
    pub(crate) async fn read_at(&self, path: &str, position: i64) -> Value {
        let separator = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{separator}min_position={position}");
        let mut turns = turns(&format!("GET {path} answers 200"));
        loop {
            let answer = self.get(&path).await;
            if answer.status != 503 {
                let json = answer.expect(200);
                let reached = json["position"].as_i64();
                assert!(reached >= Some(position), "{path} answered from {reached:?}");
                return json;
            }
            turns.next().await;
        }
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        Answer::read(request.send().await?).await
    }
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> reqwest::Result<Self> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Ok(Self { status, headers, body: response.text().await? })
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        let parsed = serde_json::from_str(&self.body);
        parsed.unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }

    /// The body as JSON, of an answer with this status.
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    /// Checks that this is an error as RFC 9457 has it, with a code of ours.
    pub(crate) fn expect_problem(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert_eq!(problem["status"], status, "{self:?}");
        assert_eq!(problem["code"], code, "{self:?}");
        for member in ["type", "title"] {
            assert!(problem[member].is_string(), "{member} of {self:?}");
        }
        problem
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
