//! The task that appends: one per process, one batch at a time.
//!
//! What it relies on:
//! - A batch is written only while every log ends where the plan says. So what is remembered may be
//!   out of date at any time, and costs a second try, never a wrong answer.
//! - All that is remembered of a log follows from its events up to the remembered end, and what is
//!   looked up without the lock is looked up as it was there. So where another has appended, what
//!   is remembered is brought up to the new end (`catch_up`) by what came between, under the lock;
//!   or it is forgotten, where the log isn't known to be the same up to the old end.
//! - After any other failure everything that another may have changed is forgotten.
//! - Either way the batch is tried again under the lock: heads, keys, and whatever isn't
//!   remembered, are read after the heads are locked.
//! - An attempt whose fate is unknown is looked up under the lock, where it can't happen any more:
//!   the lock waits for whoever is still writing, and whoever comes later finds the head moved.
//! - Callers are answered after the commit, or when nothing was and can be written.
//!
//! What it does while nothing can be written is in `recover`.

mod ahead;
mod recover;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use ledger_domain::time::{SECOND, Timestamp};
use metrics::{counter, histogram};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::Instant;

use ahead::AheadOfClock;

use super::collect::{Batch, Queue};
use super::failpoint::Point;
use super::outage::{BROKEN_OFF, ENDED, Outage, UNREACHABLE};
use super::statement::{Keys, Written, write};
use super::{Shared, load};
use crate::batch::{Effects, Plan, plan};
use crate::command::Answers;
use crate::port::AppendError;
use crate::state::{LogState, Logs};

/// The longest that one exchange with the database may take before its connection counts as lost;
/// longer than the server's own limit for a statement.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a plan may find that something must be looked up, or that keys were known.
const ROUNDS_MAX: usize = 8;
/// How many batches look their keys up after one of them was found to be there.
const LOOKS: u32 = 256;
const BACKOFF_MIN: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_millis(400);
/// How often a batch is rejected before it is given up, where it may have been written.
const REJECTIONS_MAX: u32 = 8;
/// How often a batch may find that its reading of the clock came late.
const DELAYS_MAX: u32 = 3;
/// How far ahead of the longest log a partition is made.
const PARTITION_MARGIN: i64 = 2_000_000;

pub(super) struct Leader {
    pub(super) shared: std::sync::Arc<Shared>,
    pub(super) queue: Queue,
    pub(super) options: PgConnectOptions,
    connection: Option<PgConnection>,
    logs: Logs,
    /// The latest reading of the clock, so that a clock set back doesn't revive a hold.
    latest: Timestamp,
    /// The last position that has a partition.
    partitioned: i64,
    /// How many batches more look their keys up before they write.
    looks: u32,
    outage: Outage,
    ahead: AheadOfClock,
    /// How long to rest the next time; longer each time, until a batch was written.
    rest: Duration,
}

/// Why a try came to nothing.
#[derive(Debug)]
enum Trouble {
    /// Somebody else has appended.
    Moved,
    /// The clock and the database's differ.
    ClockDiffers,
    /// The database said no to this batch, or holds what the batch can't be built upon.
    Rejected(sqlx::Error),
    /// The database can't be reached, or not now; what was sent may have been done.
    Lost(sqlx::Error),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        let rejected = match &error {
            sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                // Not: connection, rollback, resources, intervention, system.
                !["08", "40", "53", "55", "57", "58", "25"]
                    .iter()
                    .any(|class| code.starts_with(class))
            }),
            // What is stored of one log can't be read; the others can.
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => true,
            _ => false,
        };
        if rejected { Self::Rejected(error) } else { Self::Lost(error) }
    }
}

/// A batch that was sent and whose fate isn't known.
type Attempt = Option<Effects>;

impl Leader {
    pub(super) fn new(
        shared: std::sync::Arc<Shared>,
        queue: Queue,
        options: PgConnectOptions,
    ) -> Self {
        let (logs, latest, outage) = (Logs::default(), Timestamp::MIN, Outage::default());
        let (connection, partitioned, looks, rest) = (None, 0, 0, recover::REST.0);
        let ahead = AheadOfClock::default();
        Self {
            shared,
            queue,
            options,
            connection,
            logs,
            latest,
            partitioned,
            looks,
            outage,
            ahead,
            rest,
        }
    }

    /// Appends until the queue is closed and empty. A panic ends the batch that it happened in,
    /// whose callers are told to come again, and nothing else.
    pub(super) async fn run(mut self) {
        while AssertUnwindSafe(self.append_all()).catch_unwind().await.is_err() {
            // What the panic said is on standard error, by the hook that prints it.
            tracing::error!("the task that appends broke off a batch and begins anew");
            counter!("ledger_log_panics_total").increment(1);
            self.connection = None;
            (self.logs, self.partitioned, self.looks) = (Logs::default(), 0, 0);
            self.shared.gate.set(Some(BROKEN_OFF));
        }
        self.shared.gate.set(Some(ENDED));
        if let Some(connection) = self.connection.take() {
            // The server notices either way.
            let _ = tokio::time::timeout(EXCHANGE_TIMEOUT, connection.close()).await;
        }
    }

    async fn append_all(&mut self) {
        loop {
            if let Some(closed) = self.shared.gate.closed() {
                self.recover(closed).await;
            }
            let Some(batch) = self.queue.next(&self.shared.shutdown).await else { return };
            if !batch.commands.is_empty() {
                let started = Instant::now();
                self.settle(batch).await;
                histogram!("ledger_log_append_seconds").record(started.elapsed().as_secs_f64());
            }
        }
    }

    async fn settle(&mut self, batch: Batch) {
        let mut work = vec![batch];
        while let Some(batch) = work.pop() {
            work.extend(self.carry_out(batch).await.into_iter().rev());
            self.logs.values_mut().for_each(LogState::settle);
        }
    }

    /// Tries until the batch is answered, or nothing more can be done for it at present. What it
    /// gives back is to be tried in its place.
    async fn carry_out(&mut self, batch: Batch) -> Vec<Batch> {
        let mut attempt: Attempt = None;
        let mut backoff = BACKOFF_MIN;
        let (mut moves, mut rejections, mut delays) = (0, 0, 0);
        let mut result = self.try_remembered(&batch, &mut attempt).await;
        loop {
            let trouble = match result {
                Ok(answers) => {
                    self.outage.is_over(Instant::now());
                    self.rest = recover::REST.0;
                    answer(batch, answers);
                    return Vec::new();
                }
                Err(trouble) => trouble,
            };
            self.forget(&trouble);
            match trouble {
                Trouble::Moved => {
                    counter!("ledger_log_guard_failures_total").increment(1);
                    moves += 1;
                    // Under the lock nothing moves, but for a log that is being opened.
                    if moves > 1 {
                        if !batch.is_awaited() {
                            fail(batch, "others append all the time");
                            return Vec::new();
                        }
                        pause(backoff).await;
                        backoff = (backoff * 2).min(BACKOFF_MAX);
                    }
                }
                Trouble::ClockDiffers => {
                    delays += 1;
                    match self.clocks_differ().await {
                        Ok(false) if delays <= DELAYS_MAX => {}
                        Ok(_) => {
                            fail(batch, "the clock and the database's differ by over a second");
                            return Vec::new();
                        }
                        Err(trouble) => {
                            result = Err(trouble);
                            continue;
                        }
                    }
                }
                Trouble::Rejected(error) => {
                    rejections += 1;
                    if rejections > 1 && (attempt.is_none() || rejections > REJECTIONS_MAX) {
                        return reject(batch, &error);
                    }
                }
                Trouble::Lost(error) => {
                    let now = Instant::now();
                    self.outage.lost(&error, now);
                    // Only an observer may stand here.
                    let _ = self.shared.reach(Point::Lost).await;
                    let is_closing = self.outage.lasts(now) >= self.shared.outage_patience;
                    if is_closing {
                        self.shared.gate.set(Some(UNREACHABLE));
                    }
                    if is_closing || !batch.is_awaited() {
                        fail(batch, UNREACHABLE);
                        return Vec::new();
                    }
                    pause(backoff).await;
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
            result = self.try_locked(&batch, &mut attempt).await;
        }
    }

    /// Writes the batch on what is remembered, in one statement and one round trip.
    async fn try_remembered(
        &mut self,
        batch: &Batch,
        attempt: &mut Attempt,
    ) -> Result<Answers, Trouble> {
        let mut connection = self.connection().await?;
        let now = self.now();
        for _ in 0..ROUNDS_MAX {
            let plan = match plan(&batch.commands, &mut self.logs, now) {
                Ok(plan) => plan,
                Err(missing) => {
                    let load = load::missing(&mut connection, &mut self.logs, *missing, now);
                    within(load).await?;
                    continue;
                }
            };
            self.partition(&mut connection, &plan).await?;
            self.shared.reach(Point::BeforeSend).await?;
            let keys = if self.looks > 0 { Keys::LookUp } else { Keys::Trust };
            let written = if plan.rows.is_empty() {
                within(verify(&mut connection, &plan)).await?
            } else {
                self.looks = self.looks.saturating_sub(1);
                let clock = self.clock_after(now)?;
                match within(write(&mut connection, &plan, clock, keys)).await {
                    Err(error) if is_duplicate(&error) => {
                        self.looks = LOOKS;
                        let known = load::keys(&mut connection, &mut self.logs, &batch.commands);
                        within(known).await?;
                        continue;
                    }
                    Ok(written) => written,
                    Err(error) => {
                        *attempt = Some(plan.effects);
                        return Err(error.into());
                    }
                }
            };
            match written {
                Written::Yes => {
                    self.connection = Some(connection);
                    return self.finish(plan.effects, true).await;
                }
                Written::Duplicates(known) => {
                    self.looks = LOOKS;
                    for (slot, key, known) in known {
                        let tenant = plan.effects.slots[slot].tenant.clone();
                        self.logs.entry(tenant).or_default().learn(key, known);
                    }
                }
                Written::Moved => {
                    self.connection = Some(connection);
                    return Err(Trouble::Moved);
                }
                Written::ClockDiffers => return Err(Trouble::ClockDiffers),
            }
        }
        self.connection = Some(connection);
        Err(Trouble::Moved)
    }

    /// Writes the batch under the lock, on what was read under it or brought up to what it holds.
    async fn try_locked(
        &mut self,
        batch: &Batch,
        attempt: &mut Attempt,
    ) -> Result<Answers, Trouble> {
        let mut connection = self.connection().await?;
        let mut transaction = within(connection.begin()).await?;
        within(load::lock(&mut transaction, &mut self.logs, &batch.commands)).await?;
        self.shared.reach(Point::Locked).await?;
        if let Some(effects) = attempt {
            let written = within(load::is_written(&mut transaction, &effects.slots)).await?;
            let effects = attempt.take();
            if let (true, Some(effects)) = (written, effects) {
                drop(transaction);
                return self.finish(effects, false).await;
            }
        }
        within(load::keys(&mut transaction, &mut self.logs, &batch.commands)).await?;
        let now = self.now();
        for _ in 0..ROUNDS_MAX {
            let plan = match plan(&batch.commands, &mut self.logs, now) {
                Ok(plan) => plan,
                Err(missing) => {
                    let load = load::missing(&mut transaction, &mut self.logs, *missing, now);
                    within(load).await?;
                    continue;
                }
            };
            if !plan.rows.is_empty() {
                let clock = self.clock_after(now)?;
                match within(write(&mut transaction, &plan, clock, Keys::Trust)).await? {
                    Written::Yes => {}
                    Written::ClockDiffers => return Err(Trouble::ClockDiffers),
                    // A log that was made meanwhile, and so wasn't locked.
                    Written::Moved | Written::Duplicates(_) => return Err(Trouble::Moved),
                }
            }
            self.shared.reach(Point::BeforeCommit).await?;
            let effects = plan.effects;
            if let Err(error) = within(transaction.commit()).await {
                *attempt = Some(effects);
                return Err(Trouble::Lost(error));
            }
            self.connection = Some(connection);
            return self.finish(effects, true).await;
        }
        Err(Trouble::Moved)
    }

    /// The batch is durable: remembers what it changed and wakes who waits for events.
    async fn finish(&mut self, effects: Effects, is_newest: bool) -> Result<Answers, Trouble> {
        if let Err(error) = self.shared.reach(Point::BeforeAnswer).await {
            // As when this process dies here: durable, and nobody is told.
            tracing::warn!(%error, "stopped before answering");
            self.logs.values_mut().for_each(LogState::forget);
            return Ok(effects.answers.iter().map(|_| Err(UNTOLD)).collect());
        }
        let appended: i64 =
            effects.slots.iter().map(|slot| slot.after.position - slot.before.position).sum();
        for slot in effects.slots.iter().filter(|slot| slot.writes()) {
            self.shared.wakes.appended(&slot.tenant, slot.after.position);
            self.ahead.look(slot, self.latest);
        }
        if appended > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a batch is far smaller than 2^53")]
            histogram!("ledger_log_batch_events").record(appended as f64);
        }
        counter!("ledger_log_duplicates_total").increment(effects.duplicates);
        counter!("ledger_log_conflicts_total").increment(effects.conflicts);
        if is_newest {
            return Ok(effects.apply(&mut self.logs));
        }
        // Others may have appended since: what was locked is the newer state.
        self.logs.values_mut().for_each(LogState::forget);
        Ok(effects.answers)
    }

    /// Forgets what can't be relied on after this.
    fn forget(&mut self, trouble: &Trouble) {
        if matches!(trouble, Trouble::Moved) {
            return;
        }
        self.logs.values_mut().for_each(LogState::forget);
        if matches!(trouble, Trouble::ClockDiffers) {
            // The database refused this time, so nothing rests on it.
            self.latest = Timestamp::MIN;
        }
        self.connection = None;
    }

    /// The time for the plan, which never runs backwards.
    fn now(&mut self) -> Timestamp {
        self.latest = self.latest.max((self.shared.clock)());
        self.latest
    }

    /// The time that is compared with the database's, read as late as can be: what comes between
    /// would count as a difference. The time of the plan, which will stand in the events, isn't
    /// compared with the database's; so it must not be ahead of this one.
    fn clock_after(&self, planned: Timestamp) -> Result<Timestamp, Trouble> {
        let clock = (self.shared.clock)();
        if planned > clock.plus(SECOND) {
            return Err(Trouble::ClockDiffers);
        }
        Ok(clock)
    }

    /// Makes the next partition ahead of need.
    async fn partition(
        &mut self,
        connection: &mut PgConnection,
        plan: &Plan<'_>,
    ) -> Result<(), Trouble> {
        let last = plan.effects.slots.iter().map(|slot| slot.after.position).max().unwrap_or(0);
        if last + PARTITION_MARGIN / 2 > self.partitioned {
            let reach = load::ensure_partition(connection, last + PARTITION_MARGIN);
            self.partitioned = within(reach).await?;
        }
        Ok(())
    }
}

const UNTOLD: AppendError = AppendError::Unavailable("the append wasn't answered");

/// Whether a statement ended because a key is in the log already; then it has changed nothing.
fn is_duplicate(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.is_some_and(|e| e.is_unique_violation() && e.table().is_some_and(is_dedupe_table))
}

fn is_dedupe_table(name: &str) -> bool {
    name.starts_with("event_dedup")
}

/// A plan without rows needs no more than a look, and none if no answer rests on it.
async fn verify(connection: &mut PgConnection, plan: &Plan<'_>) -> Result<Written, sqlx::Error> {
    if plan.effects.slots.iter().any(|slot| slot.relied_on) {
        load::verify(connection, plan).await
    } else {
        Ok(Written::Yes)
    }
}

async fn within<T>(
    exchange: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(EXCHANGE_TIMEOUT, exchange).await {
        Ok(result) => result,
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

async fn pause(time: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "short, and a shutdown waits for the batch anyway"
    )]
    tokio::time::sleep(time).await;
}

/// A batch that the database said no to. One command must not take the others down with it.
fn reject(batch: Batch, error: &sqlx::Error) -> Vec<Batch> {
    tracing::error!(%error, "the database rejects an append");
    if batch.commands.len() == 1 {
        fail(batch, "the database rejects the append");
        return Vec::new();
    }
    batch.split().collect()
}

fn answer(batch: Batch, answers: Answers) {
    for (caller, answer) in batch.callers.into_iter().zip(answers) {
        // Whoever has gone doesn't hear it.
        let _ = caller.reply.send(answer);
    }
}

fn fail(batch: Batch, why: &'static str) {
    for caller in batch.callers {
        caller.send_away(why);
    }
}
