//! Telling who waits for new events: at once in this process, by notification in others, and by a
//! slow look in case a notification was lost.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use ledger_domain::id::Tenant;
use sqlx::postgres::PgListener;
use sqlx::{PgPool, Row};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::explain;
use super::outage::Outage;

const CHANNEL: &str = "ledger_log";

/// Each tenant's last position, as far as this process knows.
const HEADS: &str = "SELECT i.tenant, h.position FROM log_identity i
CROSS JOIN LATERAL (
    SELECT position FROM log_head h WHERE h.tenant = i.tenant ORDER BY h.position DESC LIMIT 1
) h";

/// The receivers of positions, and what is still to be told to other processes.
#[derive(Default)]
pub(super) struct Wakes {
    positions: Mutex<HashMap<Tenant, watch::Sender<i64>>>,
    untold: Mutex<HashMap<Tenant, i64>>,
    told: Notify,
    /// Whether the last look found nobody to ask.
    unreachable: AtomicBool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wakes {
    pub(super) fn subscribe(&self, tenant: &Tenant) -> watch::Receiver<i64> {
        let mut positions = locked(&self.positions);
        positions.entry(tenant.clone()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// This process has made everything up to the position durable.
    pub(super) fn appended(&self, tenant: &Tenant, position: i64) {
        self.seen(tenant, position);
        locked(&self.untold).insert(tenant.clone(), position);
        self.told.notify_one();
    }

    /// The log ends there, as was read before it could be told of later events: it may end earlier
    /// than was believed, where a backup was put back or a notification was wrong.
    fn ends(&self, tenant: &Tenant, position: i64, believed: i64) {
        let mut positions = locked(&self.positions);
        let sender = positions.entry(tenant.clone()).or_insert_with(|| watch::Sender::new(0));
        sender.send_if_modified(|known| {
            let moves = position > *known || (*known == believed && position != believed);
            if moves {
                *known = position;
            }
            moves
        });
    }

    /// What is believed of each tenant's end.
    fn believed(&self) -> HashMap<Tenant, i64> {
        let positions = locked(&self.positions);
        positions.iter().map(|(tenant, sender)| (tenant.clone(), *sender.borrow())).collect()
    }

    /// Everything up to the position is durable.
    fn seen(&self, tenant: &Tenant, position: i64) {
        let mut positions = locked(&self.positions);
        let sender = positions.entry(tenant.clone()).or_insert_with(|| watch::Sender::new(0));
        sender.send_if_modified(|known| {
            let moves = position > *known;
            *known = position.max(*known);
            moves
        });
    }

    /// Whether the database can't be reached, as far as is known.
    pub(super) fn is_unreachable(&self) -> bool {
        self.unreachable.load(Ordering::Relaxed)
    }

    /// Reads every head.
    pub(super) async fn look(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let believed = self.believed();
        for row in sqlx::query(HEADS).fetch_all(pool).await? {
            let tenant: &str = row.try_get("tenant")?;
            if let Ok(tenant) = Tenant::try_new(tenant) {
                let before = believed.get(&tenant).copied().unwrap_or(0);
                self.ends(&tenant, row.try_get("position")?, before);
            }
        }
        Ok(())
    }

    /// Tells other processes, at most once per interval whatever the number of appends, since
    /// notifications commit one after another across the database.
    pub(super) async fn tell(
        self: Arc<Self>,
        pool: PgPool,
        every: Duration,
        shutdown: CancellationToken,
    ) {
        while wait(&shutdown, self.told.notified()).await {
            let untold = std::mem::take(&mut *locked(&self.untold));
            let payloads: Vec<_> =
                untold.iter().map(|(tenant, position)| format!("{tenant} {position}")).collect();
            let sql = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) payload";
            let sent = sqlx::query(sql).bind(CHANNEL).bind(payloads).execute(&pool).await;
            if let Err(error) = sent {
                // The others will look by themselves.
                tracing::debug!(%error, "other processes weren't told of new events");
            }
            pause(&shutdown, every).await;
        }
    }

    /// Hears what other processes tell.
    pub(super) async fn listen(
        self: Arc<Self>,
        pool: PgPool,
        every: Duration,
        shutdown: CancellationToken,
    ) {
        while !shutdown.is_cancelled() {
            let heard = self.hear(&pool);
            // Dropping the listener in the middle of a message loses the connection, no more.
            let Some(heard) = shutdown.run_until_cancelled(heard).await else { return };
            if let Err(error) = heard {
                tracing::debug!(%error, "listening for new events was interrupted");
            }
            pause(&shutdown, every).await;
        }
    }

    async fn hear(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen(CHANNEL).await?;
        loop {
            let notification = listener.recv().await?;
            let Some((tenant, position)) = notification.payload().split_once(' ') else { continue };
            if let (Ok(tenant), Ok(position)) = (Tenant::try_new(tenant), position.parse()) {
                self.seen(&tenant, position);
            }
        }
    }

    /// Looks from time to time. Whether the database can be reached is told here, since this asks
    /// it when nobody else does.
    pub(super) async fn poll(
        self: Arc<Self>,
        pool: PgPool,
        every: Duration,
        shutdown: CancellationToken,
    ) {
        let mut outage = Outage::default();
        while !shutdown.is_cancelled() {
            pause(&shutdown, every).await;
            let Some(looked) = shutdown.run_until_cancelled(self.look(&pool)).await else { return };
            let now = Instant::now();
            match looked {
                Ok(()) => {
                    self.unreachable.store(false, Ordering::Relaxed);
                    if let Some(ms) = outage.end(now) {
                        tracing::info!(ms, "the database can be used again");
                    }
                }
                Err(error) => {
                    let options = pool.connect_options();
                    let cause = explain::cause(&options, error);
                    let Some(cause) = shutdown.run_until_cancelled(cause).await else { return };
                    let is_unreachable = explain::is_unreachable(&cause);
                    self.unreachable.store(is_unreachable, Ordering::Relaxed);
                    let error = explain::of(&options, &cause);
                    if outage.is_due(now) {
                        let seconds = outage.lasts(now).as_secs();
                        tracing::warn!(%error, seconds, "the database can't be used at the moment");
                    } else {
                        tracing::debug!(%error, "the database still can't be used");
                    }
                }
            }
        }
    }
}

/// Starts telling, listening and looking.
pub(super) fn spawn(
    tasks: &TaskTracker,
    wakes: &Arc<Wakes>,
    pool: &PgPool,
    (notify, poll): (Duration, Duration),
    shutdown: &CancellationToken,
) {
    let with = || (Arc::clone(wakes), pool.clone(), shutdown.clone());
    let own = with();
    tasks.spawn(kept(poll, shutdown.clone(), move || {
        let (wakes, pool, shutdown) = own.clone();
        wakes.tell(pool, notify, shutdown)
    }));
    let own = with();
    tasks.spawn(kept(poll, shutdown.clone(), move || {
        let (wakes, pool, shutdown) = own.clone();
        wakes.listen(pool, poll, shutdown)
    }));
    let own = with();
    tasks.spawn(kept(poll, shutdown.clone(), move || {
        let (wakes, pool, shutdown) = own.clone();
        wakes.poll(pool, poll, shutdown)
    }));
}

/// Does what goes on until shutdown, and begins again after a panic.
async fn kept<F: Future<Output = ()>>(
    rest: Duration,
    shutdown: CancellationToken,
    begin: impl Fn() -> F,
) {
    while AssertUnwindSafe(begin()).catch_unwind().await.is_err() {
        // What the panic said is on standard error, by the hook that prints it.
        tracing::error!("a task that looks for new events broke off and begins anew");
        pause(&shutdown, rest).await;
    }
}

/// Waits for something unless it is time to end.
async fn wait(shutdown: &CancellationToken, what: impl Future<Output = ()>) -> bool {
    shutdown.run_until_cancelled(what).await.is_some()
}

async fn pause(shutdown: &CancellationToken, time: Duration) {
    // Either end of the wait is fine.
    let _ = tokio::time::timeout(time, shutdown.cancelled()).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn what_panics_begins_again() {
        let begun = AtomicUsize::new(0);
        let begin = || async { assert!(begun.fetch_add(1, Ordering::Relaxed) >= 2, "a mistake") };
        kept(Duration::ZERO, CancellationToken::new(), begin).await;
        assert_eq!(begun.into_inner(), 3);
    }
}
