//! The runner: reads the log and keeps the read models up to it.
//!
//! One page at a time: decode (`page`), find out whose each fact is (`plan`), fold (`units` and
//! `fold`), write rows and checkpoint in one transaction (`write`). What holds at every commit:
//!
//! - rows and checkpoint say the same: the checkpoint moves in the transaction that writes the
//!   rows, from the position that they were at, under the token of the lease that is in force;
//! - nothing is kept in memory that the database doesn't have: units go back into the cache after
//!   the commit, and any failure ends the session, with all that it remembers;
//! - the event at the checkpoint is the one that was folded: every page is read from there on, the
//!   first event included, and another event in its place halts the runner.
//!
//! Only the writing holds a transaction. A page with many facts to be read again, or a fold that
//! takes long, delays what comes after it, and can't make the server end the transaction.
//!
//! A fact that can't be taken in parks its unit, not the runner. The events of a parked unit queue
//! up in order and are tried again at growing intervals. A panic is traced to its event or unit
//! where that is possible (`panics`); any other one is a failure like those of the database.

mod cache;
mod failpoint;
mod fold;
mod given;
mod lease;
mod looks;
mod page;
mod panics;
mod plan;
mod retry;
mod session;
mod shown;
mod ties;
mod touched;
mod trouble;
mod units;
mod write;

use std::sync::Arc;
use std::time::Duration;

use ledger_domain::id::Tenant;
use ledger_log::EventLog;
use ledger_log::postgres::plain;
use sqlx::PgPool;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Feed, Positions, ReadModel, Schemas, Version};
#[cfg(feature = "failpoints")]
pub use failpoint::HOOK;
pub use failpoint::Point;
use page::PageSize;
use panics::survived;
pub(crate) use shown::News;
pub use trouble::Halt;
use trouble::Trouble;

/// How a runner works.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who this is, unique among all processes: the owner of its leases.
    pub owner: String,
    /// The lease's name. Runners on the same versions share one.
    pub lease: String,
    /// The versions that names of tables mean.
    pub schemas: Schemas,
    /// The read models that are written.
    pub models: Vec<ReadModel>,
    /// How long a lease holds unless it is renewed.
    pub lease_ttl: Duration,
    /// How often the log is looked at without being told that it moved.
    pub poll: Duration,
    /// How long to wait after a page for more to come, so that pages aren't needlessly small.
    pub linger: Duration,
    /// The same after a page of [`MANY`] events and more. Facts about one customer come together:
    /// the more of them a page has, the fewer times their rows are written.
    pub linger_busy: Duration,
    /// How many events a page has at most.
    pub page_events_max: usize,
    /// How long a page should take at most: pages are made smaller until they do.
    pub page_time: Duration,
    /// How many bytes of memory folded units may keep.
    pub cache_bytes: usize,
    /// How long one step of a unit's fold may take: a unit whose fold takes longer is parked.
    pub fold_time: Duration,
    /// How many events of a parked unit are taken in at once when it is tried again.
    pub retried_events_max: usize,
    /// What a test does before each event is folded: it may panic.
    #[cfg(feature = "failpoints")]
    pub before_fold: Option<fn(&ledger_domain::event::Entry)>,
}

impl Config {
    /// The usual settings for the versions that serve.
    #[must_use]
    pub fn live(owner: impl Into<String>) -> Self {
        Self {
            owner: owner.into(),
            lease: "live".into(),
            schemas: Schemas::LIVE,
            models: ReadModel::ALL.to_vec(),
            lease_ttl: Duration::from_secs(10),
            poll: Duration::from_secs(1),
            linger: Duration::from_millis(5),
            linger_busy: Duration::from_millis(40),
            page_events_max: 4_096,
            page_time: Duration::from_millis(250),
            cache_bytes: 64 << 20,
            fold_time: Duration::from_secs(10),
            retried_events_max: 1_000,
            #[cfg(feature = "failpoints")]
            before_fold: None,
        }
    }

    /// The schemas that are written.
    pub(crate) fn written(&self) -> Vec<String> {
        self.models.iter().map(|model| self.schemas.schema(*model)).collect()
    }

    /// Whether answers are made from what is written.
    pub(crate) fn serves(&self) -> bool {
        self.models.iter().any(|model| self.schemas.version(*model) == Version::Live)
    }
}

/// How long to wait after a failure that may pass, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// How long a halted tenant is left alone: somebody may have rebuilt its read models since.
const HALTED: Duration = Duration::from_secs(60);

/// So many events in a page, and many more are on their way.
pub const MANY: usize = 256;

/// How many tenants write a page at the same time. More would only queue for the same processors,
/// and leave no connections for leases.
const PAGES_AT_ONCE: usize = 4;

/// Keeps read models up to the log.
#[derive(Clone)]
pub struct Runner {
    /// Connections as `ledger_projector`.
    pool: PgPool,
    log: Arc<dyn EventLog>,
    config: Arc<Config>,
    positions: Positions,
    feed: Feed,
    pages: Arc<Semaphore>,
    stuck: fold::Stuck,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Runner {
    /// A runner over connections of the role `ledger_projector`.
    #[must_use]
    pub fn new(pool: PgPool, log: Arc<dyn EventLog>, config: Config) -> Self {
        let positions = Positions::new(pool.clone(), config.written());
        let feed = Feed::new(pool.clone(), positions.clone());
        let pages = Arc::new(Semaphore::new(PAGES_AT_ONCE));
        Self {
            pool,
            log,
            config: Arc::new(config),
            positions,
            feed,
            pages,
            stuck: fold::Stuck::default(),
        }
    }

    /// Where the read models are, told as they move.
    #[must_use]
    pub const fn positions(&self) -> &Positions {
        &self.positions
    }

    /// Whose answers changed, told as they do.
    #[must_use]
    pub const fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Runs every tenant that has a log, and those to come, on a thread of their own: a page keeps
    /// a processor for milliseconds, and requests would wait behind it. A tenant that halts is
    /// looked at again every minute; the others go on.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn spawn(&self, tracker: &TaskTracker, shutdown: CancellationToken) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (runner, tracked) = (self.clone(), tracker.token());
        std::thread::Builder::new().name("ledger-project".into()).spawn(move || {
            runtime.block_on(runner.run_all(&shutdown));
            // A fold that doesn't end must not keep the process from ending.
            runtime.shutdown_background();
            drop(tracked);
        })?;
        Ok(())
    }

    async fn run_all(&self, shutdown: &CancellationToken) {
        let tasks = TaskTracker::new();
        let (feed, told) = (self.feed.clone(), shutdown.clone());
        tasks.spawn(async move { feed.tell(&told).await });
        let mut running = std::collections::HashSet::<Tenant>::new();
        let mut is_listed = true;
        loop {
            match survived(async { Ok(self.log.tenants().await?) }).await {
                Ok(tenants) => {
                    if !is_listed {
                        tracing::info!("the tenants can be listed again");
                    }
                    is_listed = true;
                    for tenant in tenants {
                        if running.insert(tenant.clone()) {
                            self.spawn_tenant(tenant, &tasks, shutdown.clone());
                        }
                    }
                }
                Err(error) if is_listed => {
                    is_listed = false;
                    tracing::warn!(error = chain(&error), "the tenants can't be listed");
                }
                Err(error) => {
                    tracing::debug!(error = chain(&error), "the tenants still can't be listed");
                }
            }
            if !wait(self.config.poll, shutdown).await {
                break;
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    fn spawn_tenant(&self, tenant: Tenant, tracker: &TaskTracker, shutdown: CancellationToken) {
        let runner = self.clone();
        tracker.spawn(async move {
            while runner.run(&tenant, &shutdown).await.is_err() {
                wait(HALTED, &shutdown).await;
            }
        });
    }

    /// Runs one tenant until shutdown. The page that is being written is finished first.
    ///
    /// # Errors
    /// If going on would make the read models wrong. Trouble that may pass is waited out.
    pub async fn run(&self, tenant: &Tenant, shutdown: &CancellationToken) -> Result<(), Halt> {
        let page_events = PageSize::new(self.config.page_events_max);
        let mut pause = BACKOFF.0;
        // The same trouble is told once; that it is over, by the session that begins then.
        let (mut told, mut is_halted) = (None, false);
        while !shutdown.is_cancelled() {
            let begun = Instant::now();
            match survived(self.lead(tenant, &page_events, shutdown)).await {
                Ok(()) => {
                    // What came to a halt here by panics, somebody else does now.
                    if is_halted {
                        self.positions.set_halted(tenant, None);
                    }
                    (pause, told, is_halted) = (BACKOFF.0, None, false);
                }
                Err(Trouble::Halt(halt)) => {
                    if self.positions.set_halted(tenant, Some(halt.to_string())) {
                        tracing::error!(%tenant, error = %halt, "the read models are halted");
                    }
                    return Err(halt);
                }
                Err(trouble) => {
                    if begun.elapsed() > BACKOFF.1 {
                        (pause, told) = (BACKOFF.0, None);
                    }
                    // Perhaps the page was too much for the server's patience.
                    page_events.shrink();
                    is_halted |= self.tell(tenant, &trouble, &mut told);
                    wait(pause, shutdown).await;
                    pause = (pause * 2).min(BACKOFF.1);
                }
            }
        }
        Ok(())
    }

    /// Tells of trouble that may pass, unless it was told already. A panic that comes again halts
    /// the read models, as is told in turn: it comes from what is to be taken in.
    fn tell(&self, tenant: &Tenant, trouble: &Trouble, told: &mut Option<String>) -> bool {
        let error = chain(trouble);
        let is_told = told.as_ref() == Some(&error);
        let is_panic = matches!(trouble, Trouble::Panicked(_));
        if matches!(trouble, Trouble::Fenced) {
            tracing::warn!(%tenant, "somebody else writes the read models now");
            return false;
        }
        if is_told {
            tracing::debug!(%tenant, error, "the read models still don't advance");
        } else if is_panic {
            tracing::error!(%tenant, error, "the read models don't advance");
        } else {
            tracing::warn!(%tenant, error, "the read models don't advance");
        }
        let halts = is_panic && is_told;
        if halts {
            self.positions.set_halted(tenant, Some(error.clone()));
        }
        *told = Some(error);
        halts
    }
}

/// An error with its causes, in one line; the database's error ends it, in plain words.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(plain) = plain(cause) {
            return format!("{text}: {plain}");
        }
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Waits; false = shutdown came first.
async fn wait(duration: Duration, shutdown: &CancellationToken) -> bool {
    tokio::time::timeout(duration, shutdown.cancelled()).await.is_err()
}
