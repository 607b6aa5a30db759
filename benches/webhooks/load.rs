//! The load: connections that each send a request, wait for its answer, and send the next.
//!
//! The generator shares two cores with what it measures, so it does little: one thread, bytes made
//! beforehand, two system calls a request, and an answer is searched for two values only.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::requests::Requests;

/// The largest answer that is understood.
const ANSWER_BYTES_MAX: usize = 4_096;

/// One acknowledgement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ack {
    /// When the request was due: in a steady load the moment the schedule gave, so that a request
    /// that had to wait for a free connection counts its wait.
    pub(crate) sent: Instant,
    /// When the answer was there.
    pub(crate) received: Instant,
    /// Where in the log the event is.
    pub(crate) position: i64,
}

/// What a load brought.
pub(crate) struct Outcome {
    pub(crate) started: Instant,
    pub(crate) ended: Instant,
    /// In the order of the answers.
    pub(crate) acks: Vec<Ack>,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.acks.len() as f64 / (self.ended - self.started).as_secs_f64()
    }

    pub(crate) fn last_position(&self) -> i64 {
        self.acks.iter().map(|ack| ack.position).max().unwrap_or(0)
    }
}

/// How fast requests are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// As soon as a connection is free.
    Full,
    /// At this many a second, evenly.
    Steady(u32),
}

/// Sends all requests over so many keep-alive connections, and waits for all answers.
///
/// # Errors
/// When an answer isn't 200 with a new position: then the figures would be of something else.
pub(crate) fn run(
    address: SocketAddr,
    connections: usize,
    requests: &Rc<Requests>,
    pace: Pace,
) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(LocalSet::new().run_until(async {
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let started = Instant::now();
        let acks = RefCell::new(Vec::with_capacity(requests.len()));
        let shared =
            Rc::new(Shared { requests: Rc::clone(requests), next: Cell::new(0), acks, started });
        let senders: Vec<_> = streams
            .into_iter()
            .map(|stream| tokio::task::spawn_local(send(stream, Rc::clone(&shared), pace)))
            .collect();
        for sender in senders {
            sender.await??;
        }
        let ended = Instant::now();
        Ok(Outcome { started, ended, acks: shared.acks.take() })
    }))
}

struct Shared {
    requests: Rc<Requests>,
    next: Cell<usize>,
    acks: RefCell<Vec<Ack>>,
    started: Instant,
}

async fn send(mut stream: TcpStream, shared: Rc<Shared>, pace: Pace) -> Result<()> {
    let mut answer = vec![0; ANSWER_BYTES_MAX];
    loop {
        let index = shared.next.get();
        if index >= shared.requests.len() {
            return Ok(());
        }
        shared.next.set(index + 1);
        let sent = match pace {
            Pace::Full => Instant::now(),
            Pace::Steady(per_second) => {
                let due = shared.started + Duration::from_secs(index as u64) / per_second;
                tokio::time::sleep_until(due.into()).await;
                due
            }
        };
        stream.write_all(shared.requests.get(index)).await?;
        let position = read_position(&mut stream, &mut answer).await?;
        shared.acks.borrow_mut().push(Ack { sent, received: Instant::now(), position });
    }
}

/// Reads one answer and takes the position out of it.
async fn read_position(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<i64> {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        ensure!(read > 0, "the connection was closed, or an answer is too long");
        filled += read;
        if let Some(body) = complete_body(&buffer[..filled])? {
            let appended = find(body, b"\"status\":\"appended\"").is_some();
            ensure!(appended, "not a new event: {}", String::from_utf8_lossy(body));
            return number_after(body, b"\"position\":").context("an answer without a position");
        }
    }
}

/// The body, when all of it has arrived.
fn complete_body(answer: &[u8]) -> Result<Option<&[u8]>> {
    let Some(head) = find(answer, b"\r\n\r\n") else { return Ok(None) };
    let length = number_after(&answer[..head], b"content-length: ");
    let length = usize::try_from(length.context("an answer without a length")?)?;
    let body = &answer[head + 4..];
    if !answer.starts_with(b"HTTP/1.1 200 ") {
        bail!("refused: {}", String::from_utf8_lossy(answer));
    }
    Ok((body.len() >= length).then_some(body))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn number_after(text: &[u8], name: &[u8]) -> Option<i64> {
    let start = find(text, name)? + name.len();
    let digits = text[start..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
}
