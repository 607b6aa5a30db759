//! A server that tells public keys.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::harness::Certified;

/// What it answers.
#[derive(Clone)]
pub(super) enum Said {
    Keys(String),
    Broken,
}

/// Runs until it is dropped.
pub(super) struct KeyServer {
    url: String,
    told: Arc<Told>,
    _serving: JoinSet<()>,
}

struct Told {
    said: Mutex<Said>,
    hits: AtomicUsize,
}

impl KeyServer {
    /// By HTTP.
    pub(super) async fn plain(said: Said) -> Self {
        Self::start(said, None).await
    }

    /// By HTTPS, with the certificate of the authority that vouches for it.
    pub(super) async fn with_tls(said: Said) -> (Self, String) {
        let (acceptor, authority) = certified();
        (Self::start(said, Some(acceptor)).await, authority)
    }

    async fn start(said: Said, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = match tls {
            Some(_) => format!("https://localhost:{port}/keys"),
            None => format!("http://127.0.0.1:{port}/keys"),
        };
        let told = Arc::new(Told { said: Mutex::new(said), hits: AtomicUsize::new(0) });
        let telling = Arc::clone(&told);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (told, tls) = (Arc::clone(&telling), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => tell(stream, told).await,
                        // Who doesn't trust us hangs up.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                tell(stream, told).await;
                            }
                        }
                    }
                });
            }
        });
        Self { url, told, _serving: serving }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn say(&self, said: Said) {
        *self.told.said.lock().unwrap() = said;
    }

    /// How often it was asked.
    pub(super) fn hits(&self) -> usize {
        self.told.hits.load(Ordering::SeqCst)
    }
}

async fn tell(stream: impl AsyncRead + AsyncWrite + Unpin, told: Arc<Told>) {
    let answer = service_fn(async |_| {
        told.hits.fetch_add(1, Ordering::SeqCst);
        let said = told.said.lock().unwrap().clone();
        Ok::<Response, Infallible>(match said {
            Said::Keys(keys) => keys.into_response(),
            Said::Broken => StatusCode::BAD_GATEWAY.into_response(),
        })
    });
    // A client may end the connection as it likes.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

/// A certificate for this machine, and that of the authority behind it.
fn certified() -> (TlsAcceptor, String) {
    let Certified { authority, own, key } = Certified::new();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), authority)
}
