//! A connection that breaks off whoever is too slow: heads of requests that don't come to their
//! end, and clients that don't take their answers.
//!
//! The server's own limit of heads begins with the end of the request before, so that it has to be
//! as long as a proxy keeps an idle connection. This one begins with the first byte of a head.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::slots::Phase;

/// See above.
pub(super) struct Hurried {
    stream: TcpStream,
    phase: Phase,
    /// Runs from the first byte of a head to its last.
    head: Timer,
    /// Runs while nothing can be written.
    write: Timer,
    /// The count of the phase in which the head's timer runs.
    seen: u64,
}

/// A limit of time for something.
struct Timer {
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
    is_running: bool,
}

impl Timer {
    fn new(limit: Duration) -> Self {
        Self { limit, sleep: Box::pin(sleep_until(Instant::now())), is_running: false }
    }

    /// Lets it run, if it doesn't yet.
    fn start(&mut self) {
        if !self.is_running {
            self.sleep.as_mut().reset(Instant::now() + self.limit);
            self.is_running = true;
        }
    }

    /// Whether the time is up; if not, the task is woken then.
    fn poll_is_up(&mut self, cx: &mut Context<'_>) -> bool {
        self.is_running && self.sleep.as_mut().poll(cx).is_ready()
    }
}

impl Hurried {
    pub(super) fn new(stream: TcpStream, phase: Phase, head: Duration, write: Duration) -> Self {
        Self { stream, phase, head: Timer::new(head), write: Timer::new(write), seen: 0 }
    }

    /// Breaks off what makes no progress for too long.
    fn timed<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write.is_running = false;
            return written;
        }
        self.write.start();
        if self.write.poll_is_up(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncRead for Hurried {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        let count = this.phase.count();
        if std::mem::replace(&mut this.seen, count) != count {
            this.head.is_running = false;
        }
        if this.phase.is_answering() {
            return read;
        }
        let has_come = matches!(read, Poll::Ready(Ok(()))) && buf.filled().len() > before;
        if has_come && !this.head.is_running {
            this.head.start();
            this.phase.speaks();
        }
        // Also where bytes keep coming, one at a time.
        if this.head.poll_is_up(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Hurried {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.timed(cx, written)
    }

    /// The server flushes once it has written everything.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        if matches!(flushed, Poll::Ready(Ok(()))) {
            this.phase.written();
        }
        this.timed(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.timed(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
