//! The task that appends: one per process, one batch at a time.
//!
//! What it relies on:
//! - A batch is written only while every log ends where the plan says. So what is remembered may be
//!   out of date at any time, and costs a second try, never a wrong answer.
//! - After any failure everything that another may have changed is forgotten, and the batch is
//!   tried again under the lock, where nothing is assumed: heads, keys, streams and counters are
//!   read after the heads are locked.
//! - An attempt whose fate is unknown is looked up under the lock, where it can't happen any more:
//!   the lock waits for whoever is still writing, and whoever comes later finds the head moved.
//! - Callers are answered after the commit, or when nothing was and can be written.

use std::time::{Duration, Instant};

use ledger_domain::time::Timestamp;
use metrics::{counter, histogram};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::collect::{Batch, Queue};
use super::failpoint::Point;
use super::statement::{Keys, Written, write};
use super::{Shared, load};
use crate::batch::{Effects, Plan, plan};
use crate::command::{Answer, Answers};
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
}

/// Why a try came to nothing.
#[derive(Debug)]
enum Trouble {
    /// Somebody else has appended.
    Moved,
    /// The clock and the database's differ.
    ClockDiffers,
    /// The database said no to this batch.
    Rejected(sqlx::Error),
    /// The database can't be reached, or not now; what was sent may have been done.
    Lost(sqlx::Error),
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        let rejected =
            error.as_database_error().and_then(|error| error.code()).is_some_and(|code| {
                // Not: connection, rollback, resources, intervention, system.
                !["08", "40", "53", "55", "57", "58", "25"]
                    .iter()
                    .any(|class| code.starts_with(class))
            });
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
        let (logs, latest) = (Logs::default(), Timestamp::MIN);
        Self { shared, queue, options, connection: None, logs, latest, partitioned: 0, looks: 0 }
    }

    /// Appends until the queue is closed and empty.
    pub(super) async fn run(mut self) {
        while let Some(batch) = self.queue.next(&self.shared.shutdown).await {
            if !batch.commands.is_empty() {
                let started = Instant::now();
                self.settle(batch).await;
                histogram!("ledger_log_append_seconds").record(started.elapsed().as_secs_f64());
            }
        }
        if let Some(connection) = self.connection.take() {
            // The server notices either way.
            let _ = tokio::time::timeout(EXCHANGE_TIMEOUT, connection.close()).await;
        }
    }

    /// Tries until the batch is answered or nobody waits any more.
    async fn settle(&mut self, batch: Batch) {
        let mut work = vec![batch];
        while let Some(batch) = work.pop() {
            let mut attempt: Attempt = None;
            let mut backoff = BACKOFF_MIN;
            let mut rejections = 0;
            let mut result = self.try_remembered(&batch, &mut attempt).await;
            loop {
                let trouble = match result {
                    Ok(answers) => {
                        answer(batch, answers);
                        break;
                    }
                    Err(trouble) => trouble,
                };
                self.forget(&trouble);
                match trouble {
                    Trouble::Moved => counter!("ledger_log_guard_failures_total").increment(1),
                    Trouble::ClockDiffers => {
                        fail(batch, "the clock and the database's differ by more than a second");
                        break;
                    }
                    Trouble::Rejected(error) => {
                        rejections += 1;
                        if rejections > 1 && attempt.is_none() {
                            tracing::error!(%error, "the database rejects an append");
                            if batch.commands.len() == 1 {
                                fail(batch, "the database rejects the append");
                            } else {
                                // One command must not take the others down with it.
                                work.extend(batch.split().rev());
                            }
                            break;
                        }
                    }
                    Trouble::Lost(error) => {
                        tracing::warn!(%error, "the event log can't be written at the moment");
                        // Only an observer may stand here.
                        let _ = self.shared.reach(Point::Lost).await;
                        if !batch.is_awaited() {
                            fail(batch, "the database can't be reached");
                            break;
                        }
                        pause(backoff).await;
                        backoff = (backoff * 2).min(BACKOFF_MAX);
                    }
                }
                result = self.try_locked(&batch, &mut attempt).await;
            }
            self.logs.values_mut().for_each(LogState::settle);
        }
    }

    /// Writes the batch on what is remembered, in one statement and one round trip.
    async fn try_remembered(
        &mut self,
        batch: &Batch,
        attempt: &mut Attempt,
    ) -> Result<Answers, Trouble> {
        let (now, clock) = self.now();
        let mut connection = self.connection().await?;
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

    /// Writes the batch under the lock, relying on nothing that was remembered.
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
        let (now, clock) = self.now();
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
        self.logs.values_mut().for_each(LogState::forget);
        if !matches!(trouble, Trouble::Moved) {
            self.connection = None;
        }
    }

    /// The time for the plan, which never runs backwards, and the clock's own reading, which is
    /// compared with the database's.
    fn now(&mut self) -> (Timestamp, Timestamp) {
        let clock = (self.shared.clock)();
        self.latest = self.latest.max(clock);
        (self.latest, clock)
    }

    /// The connection, taken out: whoever fails drops it, and with it what was on its way.
    async fn connection(&mut self) -> Result<PgConnection, Trouble> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let mut connection = within(load::connect(&self.options)).await?;
        let reach = within(load::longest(&mut connection)).await? + PARTITION_MARGIN;
        self.partitioned = within(load::ensure_partition(&mut connection, reach)).await?;
        Ok(connection)
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

fn answer(batch: Batch, answers: Answers) {
    for (caller, answer) in batch.callers.into_iter().zip(answers) {
        // Whoever has gone doesn't hear it.
        let _ = caller.reply.send(answer);
    }
}

fn fail(batch: Batch, why: &'static str) {
    for caller in batch.callers {
        let _: Result<_, Result<Answer, _>> = caller.reply.send(Err(AppendError::Unavailable(why)));
    }
}
