//! Connections: up to a limit, of which the one that has waited longest for its client makes room
//! for another; timed out when idle or slow, drained at the end.
//!
//! Heads beyond the limits below are refused with a problem. A head beyond [`BUFFER_BYTES_MAX`]
//! can't even be read: the server refuses it by its status alone.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Request, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::awaited::Awaited;
use super::problem::Problem;
use super::slots::{Slot, Slots};
use super::stream::Hurried;
use crate::seldom;

/// Longest path with its query.
const URI_BYTES_MAX: usize = 8 * 1024;
/// Largest headers, names and values together.
const HEADERS_BYTES_MAX: usize = 32 * 1024;
/// Most headers.
const HEADERS_MAX: usize = 100;
/// Largest head of a request, and what is read ahead of a body.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long to wait when the system has no file handle left for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How many connections there may be, and how long one may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at the same time.
    pub(crate) connections: usize,
    /// To send the head of a request, from its first byte on.
    pub(crate) head: Duration,
    /// To begin with the next request; longer than the proxies in front of us keep a connection,
    /// since one that ends just when it is used costs a request.
    pub(crate) idle: Duration,
    /// To take some more of an answer that doesn't fit into the buffers on the way.
    pub(crate) write: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(20),
        }
    }
}

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Serves until `stop`, then finishes what is under way; `tasks` ends with the last connection.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    tasks: TaskTracker,
    stop: CancellationToken,
    limits: Limits,
) {
    let slots = Slots::new(limits.connections);
    let accept = async {
        loop {
            // Accepted first, since nobody has to go as long as nobody comes.
            let (stream, peer) = accept(&listener).await;
            let slot = Arc::clone(&slots).take().await;
            let accepted = Accepted { stream, peer: Peer(peer), slot };
            tasks.spawn(connection(accepted, router.clone(), limits, stop.clone()));
        }
    };
    stop.run_until_cancelled(accept).await;
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                if let Some(left_out) = seldom::tell("accept") {
                    tracing::warn!(%error, left_out, "a connection could not be accepted");
                }
                pause().await;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "dropped together with the loop that accepts")]
async fn pause() {
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// A connection that has a slot.
struct Accepted {
    stream: TcpStream,
    peer: Peer,
    slot: Slot,
}

async fn connection(
    Accepted { stream, peer, slot }: Accepted,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    // Answers are small: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let phase = slot.phase();
    let stream = Hurried::new(stream, phase.clone(), limits.head, limits.write);
    let service = service_fn(|mut request: Request<Incoming>| {
        phase.begin();
        request.extensions_mut().insert(peer);
        let (router, phase) = (router.clone(), phase.clone());
        async move {
            let awaited = |body| Body::new(Awaited::new(body, phase.clone()));
            let answer = match check_head(&request) {
                Ok(()) => router.oneshot(request.map(awaited)).await,
                Err(problem) => Ok(problem.into_response()),
            };
            phase.end();
            answer
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .max_headers(4 * HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX);
    let mut served = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        // What has come by now is looked at before it is said that nothing has.
        biased;
        ended = served.as_mut() => ended,
        () = phase.dismissed() => {
            served.as_mut().graceful_shutdown();
            // What it is answering is finished. Its client is waited for no more.
            poll_fn(|cx| match served.as_mut().poll(cx) {
                Poll::Pending if phase.waits_since().is_some() => Poll::Ready(Ok(())),
                polled => polled,
            })
            .await
        }
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        // Clients hang up as they like; that is no news.
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Refuses a head that is larger than any of ours.
fn check_head(request: &Request<Incoming>) -> Result<(), Problem> {
    let (uri, headers) = (request.uri(), request.headers());
    if uri.path_and_query().map_or(0, |path| path.as_str().len()) > URI_BYTES_MAX {
        return Err(Problem::UriTooLong);
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > HEADERS_MAX || bytes > HEADERS_BYTES_MAX {
        return Err(Problem::HeadersTooLarge);
    }
    Ok(())
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
