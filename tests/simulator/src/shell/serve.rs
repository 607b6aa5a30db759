//! Connections. They are served by hand, since a fault may have to end one without an answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;
use tower::Service;

use super::state::Shared;
use super::{api, control};

/// How long a request under way may take once the simulator is to stop.
const LAST_ANSWER: Duration = Duration::from_secs(5);

/// Marks an answer that is never given: the connection ends instead.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a fault cut the connection")]
pub(crate) struct Cut;

/// An answer that ends the connection.
pub(crate) fn cut() -> Response {
    let mut response = Response::default();
    response.extensions_mut().insert(Cut);
    response
}

/// Accepts connections until the simulator stops.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>, tasks: TaskTracker) {
    let router = Router::new()
        .nest("/simulator", control::router())
        .fallback(api::answer)
        .with_state(Arc::clone(&shared));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                tasks.spawn(serve(stream, router.clone(), Arc::clone(&shared)));
            }
            Err(error) => tracing::warn!(%error, "couldn't accept a connection"),
        }
    }
}

async fn serve(stream: TcpStream, router: Router, shared: Arc<Shared>) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut router = router.clone();
        async move {
            let response = router.call(request).await.map_err(|never| match never {})?;
            let cut = response.extensions().get::<Cut>().copied();
            cut.map_or(Ok(response), Err)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shared.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            // A caller in the middle of a request may take its time, but not for ever.
            tokio::time::timeout(LAST_ANSWER, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
