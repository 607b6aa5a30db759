//! Fetching a set of keys by HTTP: one request, within limits.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use super::set::{KeySet, KeySetError};
use crate::config::JwksUrl;

/// Largest set that is read.
pub(crate) const BYTES_MAX: usize = 256 * 1024;
/// How long all of it may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Fetches the set from one place.
pub(super) struct Fetcher {
    client: Transport,
    uri: Uri,
}

/// With TLS only where it is needed: then the machine's certificates are read.
enum Transport {
    Plain(Client<HttpConnector, Empty<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>),
}

/// Why a set wasn't fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("nobody answers")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("the answer is {0}, and not 200")]
    Status(StatusCode),
    #[error("the answer breaks off, or has more than 256 KiB")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the answer doesn't come within {} seconds", TIMEOUT.as_secs())]
    TooLate,
    #[error("the answer can't be used")]
    Set(#[from] KeySetError),
}

impl Fetcher {
    /// # Errors
    /// When there is no certificate on this machine to know a server by.
    pub(super) fn try_new(url: &JwksUrl) -> std::io::Result<Self> {
        let client = if url.is_encrypted() {
            let provider = rustls::crypto::aws_lc_rs::default_provider();
            let connector = HttpsConnectorBuilder::new()
                .with_provider_and_platform_verifier(provider)?
                .https_only()
                .enable_http1()
                .build();
            Transport::Tls(Client::builder(TokioExecutor::new()).build(connector))
        } else {
            let connector = HttpConnector::new();
            Transport::Plain(Client::builder(TokioExecutor::new()).build(connector))
        };
        Ok(Self { client, uri: url.uri().clone() })
    }

    /// The set as it is now. Nobody is followed elsewhere: keys come from where the setting says.
    pub(super) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let fetching = async {
            let answer = self.ask().await.map_err(FetchError::Unreachable)?;
            if answer.status() != StatusCode::OK {
                return Err(FetchError::Status(answer.status()));
            }
            let body = Limited::new(answer.into_body(), BYTES_MAX).collect().await;
            Ok(KeySet::parse(&body.map_err(FetchError::Body)?.to_bytes())?)
        };
        timeout(TIMEOUT, fetching).await.unwrap_or(Err(FetchError::TooLate))
    }

    async fn ask(&self) -> Result<Response<Incoming>, hyper_util::client::legacy::Error> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        let accept = "application/jwk-set+json, application/json";
        headers.insert(ACCEPT, accept.parse().expect("a constant"));
        headers.insert(USER_AGENT, "billing-ledger".parse().expect("a constant"));
        match &self.client {
            Transport::Plain(client) => client.request(request).await,
            Transport::Tls(client) => client.request(request).await,
        }
    }
}
