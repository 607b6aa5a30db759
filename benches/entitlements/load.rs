//! The load: connections that each send a request, wait for its answer, and send the next. One
//! thread, since it shares two cores with what it measures.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::questions::Questions;
use crate::stats::Times;

/// The largest answer that is understood.
const ANSWER_BYTES_MAX: usize = 8_192;

/// What a load brought.
pub(crate) struct Outcome {
    took: Duration,
    times: Vec<Duration>,
}

impl Outcome {
    pub(crate) fn seconds(&self) -> f64 {
        self.took.as_secs_f64()
    }

    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    pub(crate) fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.seconds()
    }

    pub(crate) fn times(&self) -> Times {
        Times::of(self.times.iter().copied())
    }
}

/// Sends requests over so many keep-alive connections, and waits for all answers.
///
/// # Errors
/// When an answer isn't 200: then the figures would be of something else.
pub(crate) fn run(address: SocketAddr, connections: usize, all: &Questions) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let connect = (0..connections).map(|_| async {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            anyhow::Ok(stream)
        });
        let streams = try_join_all(connect).await?;
        let (next, times) = (Cell::new(0), RefCell::new(Vec::with_capacity(all.len())));
        let started = Instant::now();
        try_join_all(streams.into_iter().map(|stream| send(stream, all, &next, &times))).await?;
        Ok(Outcome { took: started.elapsed(), times: times.into_inner() })
    })
}

async fn send(
    mut stream: TcpStream,
    all: &Questions,
    next: &Cell<usize>,
    times: &RefCell<Vec<Duration>>,
) -> Result<()> {
    let mut answer = vec![0; ANSWER_BYTES_MAX];
    loop {
        let nth = next.get();
        if nth >= all.len() {
            return Ok(());
        }
        next.set(nth + 1);
        let sent = Instant::now();
        stream.write_all(all.get(nth)).await?;
        read(&mut stream, &mut answer).await?;
        times.borrow_mut().push(sent.elapsed());
    }
}

/// Reads one answer.
async fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<()> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        ensure!(read > 0, "the connection was closed, or an answer is too long");
        filled += read;
        let answer = &buffer[..filled];
        let Some(head) = find(answer, b"\r\n\r\n") else { continue };
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            bail!("refused: {}", String::from_utf8_lossy(answer));
        }
        let length = find(&answer[..head], b"content-length: ").context("no length")?;
        let digits = answer[length + 16..].iter().take_while(|byte| byte.is_ascii_digit());
        let length = digits.fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        if filled >= head + 4 + length {
            return Ok(());
        }
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}
