//! An application behind a gateway, which tells what reached it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Runs until it is dropped.
pub(super) struct Upstream {
    pub(super) url: String,
    hits: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Upstream {
    pub(super) async fn start() -> Self {
        let hits = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&hits);
        let answer = async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            counted.fetch_add(1, Ordering::SeqCst);
            let all = |name: &str| -> Vec<String> {
                let values = headers.get_all(name).iter();
                values.map(|value| value.to_str().unwrap_or_default().to_owned()).collect()
            };
            Json::<Value>(json!({
                "method": method.as_str(),
                "path": uri.path(),
                "tier": all("x-tier"),
                "trainer": all("x-trainer"),
                "would_deny": all("x-would-deny"),
                "body_bytes": body.len(),
            }))
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer);
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, hits, _serving: serving }
    }

    /// How often anything reached it.
    pub(super) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}
