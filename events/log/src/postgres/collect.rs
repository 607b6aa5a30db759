//! Collecting what concurrent callers want into one batch.

use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::statement::TENANTS_MAX;
use crate::command::{Answer, Command};
use crate::port::AppendError;

/// The most events of several commands in one batch; one command may have more.
const BATCH_EVENTS_MAX: usize = 4_096;
/// The most bytes of several commands in one batch; one command may have more.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// How often others get a turn to add to a batch that has stopped growing.
const TURNS: usize = 2;
/// How long a batch waits for callers that were answered a moment ago, and for what part of them.
const RETURN_MAX: Duration = Duration::from_micros(200);
const RETURNING: (usize, usize) = (3, 4);

/// A command and who waits for its answer.
pub(super) struct Request {
    pub(super) command: Command,
    pub(super) caller: Caller,
}

pub(super) struct Caller {
    pub(super) reply: oneshot::Sender<Result<Answer, AppendError>>,
    /// When it stops waiting.
    pub(super) deadline: Instant,
    /// Its part of the memory that waiting commands may take, given back with the answer.
    pub(super) _room: OwnedSemaphorePermit,
}

impl Caller {
    /// Tells it to come again later.
    pub(super) fn send_away(self, why: &'static str) {
        // Whoever has gone doesn't hear it.
        let _ = self.reply.send(Err(AppendError::Unavailable(why)));
    }
}

/// Commands that are carried out together; the nth caller waits for the nth.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) commands: Vec<Command>,
    pub(super) callers: Vec<Caller>,
}

impl Batch {
    /// Adds a request, unless its caller has gone already: then nothing of it is done.
    fn push(&mut self, request: Request, now: Instant) {
        if request.caller.deadline > now && !request.caller.reply.is_closed() {
            self.commands.push(request.command);
            self.callers.push(request.caller);
        }
    }

    /// Whether anybody still waits.
    pub(super) fn is_awaited(&self) -> bool {
        let now = Instant::now();
        self.callers.iter().any(|caller| caller.deadline > now && !caller.reply.is_closed())
    }

    /// One batch for each command.
    pub(super) fn split(self) -> impl DoubleEndedIterator<Item = Self> {
        let pairs = self.commands.into_iter().zip(self.callers);
        pairs.map(|(command, caller)| Self { commands: vec![command], callers: vec![caller] })
    }
}

/// The callers' end of the queue is elsewhere; this one is read by the appending task alone.
pub(super) struct Queue {
    requests: mpsc::Receiver<Request>,
    /// The request that didn't fit into the last batch.
    carried: Option<Request>,
    /// How many callers the last batch had.
    answered: usize,
}

impl Queue {
    pub(super) const fn new(requests: mpsc::Receiver<Request>) -> Self {
        Self { requests, carried: None, answered: 0 }
    }

    /// The next batch; none once the queue is closed and empty. After the token is cancelled no
    /// new requests come in, and those that wait are still handed out.
    pub(super) async fn next(&mut self, shutdown: &CancellationToken) -> Option<Batch> {
        let first = match self.carried.take() {
            Some(request) => request,
            None => self.first(shutdown).await?,
        };
        self.wait_for_returning();
        let batch = self.fill(first).await;
        self.answered = batch.callers.len();
        Some(batch)
    }

    /// Callers that were answered a moment ago are about to come back. Without giving them a turn
    /// the batches would be tiny, and each costs the database the same. The task has its thread for
    /// itself, and lets others have the processor meanwhile.
    fn wait_for_returning(&self) {
        let wanted = self.answered * RETURNING.0 / RETURNING.1;
        let until = Instant::now() + RETURN_MAX;
        while self.requests.len() + 1 < wanted && Instant::now() < until {
            std::thread::yield_now();
        }
    }

    /// A batch of this request and those that have come, as far as they fit.
    async fn fill(&mut self, first: Request) -> Batch {
        let (mut events, mut bytes) = (first.command.events(), first.command.bytes());
        let mut tenants = vec![first.command.tenant.clone()];
        let mut batch = Batch::default();
        batch.push(first, Instant::now());
        // Whoever is about to send gets a turn too.
        let mut idle = 0;
        while idle < TURNS {
            yield_now().await;
            idle += 1;
            let now = Instant::now();
            while let Ok(request) = self.requests.try_recv() {
                idle = 0;
                events += request.command.events();
                bytes += request.command.bytes();
                if !tenants.contains(&request.command.tenant) {
                    tenants.push(request.command.tenant.clone());
                }
                let full = events > BATCH_EVENTS_MAX || bytes > BATCH_BYTES_MAX;
                if full || tenants.len() > TENANTS_MAX {
                    self.carried = Some(request);
                    return batch;
                }
                batch.push(request, now);
            }
        }
        batch
    }

    /// Sends everybody away who comes, until the queue is closed and empty.
    pub(super) async fn refuse(&mut self, why: &'static str) {
        if let Some(request) = self.carried.take() {
            request.caller.send_away(why);
        }
        while let Some(request) = self.requests.recv().await {
            request.caller.send_away(why);
        }
    }

    async fn first(&mut self, shutdown: &CancellationToken) -> Option<Request> {
        // Receiving loses nothing when it is dropped, so it may stand in a select.
        tokio::select! {
            biased;
            request = self.requests.recv() => return request,
            () = shutdown.cancelled() => self.requests.close(),
        }
        self.requests.recv().await
    }
}
