//! A connection that breaks off heads of requests that come too slowly.
//!
//! The server's own limit begins with the end of the request before, so that it has to be as long
//! as a proxy keeps an idle connection. This one begins with the first byte of a head.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How many heads were read and how many requests answered, in turn: while the number is odd, a
/// request is being answered, and what is read belongs to its body.
#[derive(Debug, Clone, Default)]
pub(super) struct Phase(Arc<AtomicU64>);

impl Phase {
    /// A head was read, or a request answered.
    pub(super) fn advance(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

/// See above.
pub(super) struct HeadLimited {
    stream: TcpStream,
    phase: Phase,
    limit: Duration,
    /// Runs from the first byte of a head to its last.
    timer: Pin<Box<Sleep>>,
    is_running: bool,
    /// The phase in which it runs.
    seen: u64,
}

impl HeadLimited {
    pub(super) fn new(stream: TcpStream, phase: Phase, limit: Duration) -> Self {
        let timer = Box::pin(sleep_until(Instant::now()));
        Self { stream, phase, limit, timer, is_running: false, seen: 0 }
    }
}

impl AsyncRead for HeadLimited {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        let phase = this.phase.get();
        if std::mem::replace(&mut this.seen, phase) != phase {
            this.is_running = false;
        }
        if phase % 2 == 1 {
            return read;
        }
        let has_come = matches!(read, Poll::Ready(Ok(()))) && buf.filled().len() > before;
        if has_come && !this.is_running {
            this.timer.as_mut().reset(Instant::now() + this.limit);
            this.is_running = true;
        }
        // Also where bytes keep coming, one at a time.
        if this.is_running && this.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for HeadLimited {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
