//! The log on PostgreSQL.
//!
//! The tables are described in the migrations. One task per process appends (`leader`), for all
//! callers at once; any number of processes may do so on one database, since whoever writes holds
//! the lock on the log's head and has seen where it stands.

mod audit;
mod catch_up;
mod collect;
mod explain;
mod failpoint;
mod leader;
mod load;
mod migrate;
mod outage;
mod pools;
mod raw;
mod read;
mod statement;
mod wake;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ledger_domain::id::{EventKey, FeatureSlug, StreamName, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use sqlx::PgPool;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use audit::{AuditFilter, AuditPage, AuditReader, Audited};
pub use explain::{DatabaseTrouble, explain, plain};
#[cfg(feature = "failpoints")]
pub use failpoint::Hook;
pub use failpoint::Point;
pub use migrate::migrate;
pub use pools::{Pools, Role, Scope, begin_scoped};
pub use raw::{RawLog, RawReader, Seals, StoredLeaves};

use self::collect::{Caller, Queue, Request};
use self::leader::Leader;
use self::outage::{BROKEN_OFF, ENDED, Gate};
use self::wake::Wakes;
use crate::clock::Clock;
use crate::command::{Act, Answer, Command};
use crate::port::{
    AppendError, Decided, Decision, EventLog, Head, NewEvent, OpenLog, Outcome, ReadError, Recorded,
};
use crate::prepare::{Prepared, prepare};

/// Waiting commands in all.
const QUEUE_COMMANDS_MAX: usize = 8_192;
/// Bytes of waiting commands in all, in KiB; several times the largest append.
const QUEUE_KIB_MAX: usize = 256 << 10;

/// How the log behaves where its surroundings decide.
#[derive(Clone)]
pub struct Settings {
    /// How long a caller waits for its append.
    pub append_timeout: Duration,
    /// How long a batch is tried after the connection to the database is lost. Then callers are
    /// sent away at once, until the database can be reached again.
    pub outage_patience: Duration,
    /// The least time between two notifications of other processes.
    pub notify_interval: Duration,
    /// The time between two looks for what other processes have appended.
    pub poll_interval: Duration,
    /// What a test does while a batch is on its way.
    #[cfg(feature = "failpoints")]
    pub hook: Option<Hook>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            append_timeout: Duration::from_secs(10),
            outage_patience: Duration::from_millis(500),
            notify_interval: Duration::from_millis(50),
            poll_interval: Duration::from_secs(1),
            #[cfg(feature = "failpoints")]
            hook: None,
        }
    }
}

/// The log on PostgreSQL. Its tasks end when it is dropped; [`PostgresLog::shutdown`] waits for
/// what callers wait for.
pub struct PostgresLog {
    pool: PgPool,
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
    append_timeout: Duration,
    _shutdown: DropGuard,
}

/// What the log and its tasks share.
struct Shared {
    clock: Clock,
    wakes: Arc<Wakes>,
    shutdown: CancellationToken,
    gate: Gate,
    outage_patience: Duration,
    #[cfg(feature = "failpoints")]
    hook: Option<Hook>,
}

impl Shared {
    /// Lets a test interfere.
    #[cfg(feature = "failpoints")]
    async fn reach(&self, point: Point) -> Result<(), sqlx::Error> {
        match &self.hook {
            Some(hook) => hook(point).await.map_err(sqlx::Error::Io),
            None => Ok(()),
        }
    }

    #[cfg(not(feature = "failpoints"))]
    #[expect(clippy::unused_async, reason = "a test's hook waits here")]
    async fn reach(&self, _point: Point) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

impl PostgresLog {
    /// Starts appending and listening on a migrated database.
    ///
    /// # Errors
    /// If the database can't be reached, or isn't one.
    pub async fn connect(
        pools: &Pools,
        clock: Clock,
        settings: Settings,
    ) -> Result<Self, sqlx::Error> {
        let pool = pools.writer.clone();
        let wakes = Arc::new(Wakes::default());
        wakes.look(&pool).await?;
        let shutdown = CancellationToken::new();
        let shared = Arc::new(Shared {
            clock,
            wakes: Arc::clone(&wakes),
            shutdown: shutdown.clone(),
            gate: Gate::open(),
            outage_patience: settings.outage_patience,
            #[cfg(feature = "failpoints")]
            hook: settings.hook.clone(),
        });
        let (requests, queue) = mpsc::channel(QUEUE_COMMANDS_MAX);
        let options = pool.connect_options().as_ref().clone();
        let leader = Leader::new(Arc::clone(&shared), Queue::new(queue), options);
        let tasks = TaskTracker::new();
        lead(leader, &tasks).map_err(sqlx::Error::Io)?;
        let Settings { notify_interval, poll_interval, append_timeout, .. } = settings;
        wake::spawn(&tasks, &wakes, &pool, (notify_interval, poll_interval), &shutdown);
        tasks.close();
        let room = Arc::new(Semaphore::new(QUEUE_KIB_MAX));
        let guard = shutdown.drop_guard();
        Ok(Self { pool, shared, requests, room, tasks, append_timeout, _shutdown: guard })
    }

    /// Why nothing can be appended at present; nothing if it can, as far as is known.
    #[must_use]
    pub fn blocked(&self) -> Option<&'static str> {
        self.shared.gate.closed()
    }

    /// Whether the database can't be reached, for reading either, as far as is known: it is asked
    /// every `poll_interval`.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.shared.wakes.is_unreachable()
    }

    /// Takes no more appends, answers those that wait, and ends.
    pub async fn shutdown(&self) {
        self.shared.shutdown.cancel();
        self.tasks.wait().await;
    }

    /// Hands a command to the appending task and waits for its answer, up to the deadline.
    async fn submit(&self, tenant: &Tenant, act: Act) -> Result<Answer, AppendError> {
        const CLOSED: AppendError = AppendError::Unavailable(ENDED);
        if let Some(why) = self.shared.gate.closed() {
            return Err(AppendError::Unavailable(why));
        }
        let deadline = Instant::now() + self.append_timeout;
        let command = Command { tenant: tenant.clone(), act };
        let kib = u32::try_from(command.bytes() >> 10).unwrap_or(u32::MAX).saturating_add(1);
        let answered = async {
            let room = Arc::clone(&self.room).acquire_many_owned(kib).await.map_err(|_| CLOSED)?;
            let (reply, answer) = oneshot::channel();
            let caller = Caller { reply, deadline, _room: room };
            self.requests.send(Request { command, caller }).await.map_err(|_| CLOSED)?;
            // Nobody is left without an answer but by a panic.
            answer.await.map_err(|_| AppendError::Unavailable(BROKEN_OFF))?
        };
        match timeout_at(deadline, answered).await {
            Ok(answer) => answer,
            Err(_) => Err(AppendError::Unavailable("the append took too long")),
        }
    }
}

/// Runs the appending task on a thread of its own. Among the tasks of thousands of requests it
/// would wait for a turn at every step of a batch, and everybody who appends waits for it.
fn lead(leader: Leader, tasks: &TaskTracker) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tracked = tasks.token();
    std::thread::Builder::new().name("ledger-append".into()).spawn(move || {
        runtime.block_on(leader.run());
        drop(tracked);
    })?;
    Ok(())
}

#[async_trait]
impl EventLog for PostgresLog {
    async fn open(&self, tenant: &Tenant, first: OpenLog) -> Result<Head, AppendError> {
        let event = Box::new(Prepared::try_new(first.event)?);
        match self.submit(tenant, Act::Open { log_id: first.log_id, event }).await? {
            Answer::Opened(head) => Ok(head),
            _ => unreachable!("opening is answered with a head"),
        }
    }

    async fn append(
        &self,
        tenant: &Tenant,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Outcome>, AppendError> {
        match self.submit(tenant, Act::Append(prepare(events)?)).await? {
            Answer::Appended(outcomes) => Ok(outcomes),
            _ => unreachable!("an append is answered with outcomes"),
        }
    }

    async fn append_decided(
        &self,
        tenant: &Tenant,
        decision: Decision,
    ) -> Result<Decided, AppendError> {
        match self.submit(tenant, Act::Decide(decision)).await? {
            Answer::Decided(decided) => Ok(decided),
            _ => unreachable!("a decision is answered with how it ended"),
        }
    }

    async fn head(&self, tenant: &Tenant) -> Result<Option<Head>, ReadError> {
        read::head(&self.pool, tenant).await
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, ReadError> {
        read::tenants(&self.pool).await
    }

    async fn read(
        &self,
        tenant: &Tenant,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        read::page(&self.pool, tenant, after, limit).await
    }

    async fn read_at(
        &self,
        tenant: &Tenant,
        positions: &[i64],
    ) -> Result<Vec<Recorded>, ReadError> {
        read::at(&self.pool, tenant, positions).await
    }

    async fn read_stream(
        &self,
        tenant: &Tenant,
        stream: &StreamName,
        from_revision: i64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        read::stream(&self.pool, tenant, stream, from_revision, limit).await
    }

    async fn find(&self, tenant: &Tenant, key: &EventKey) -> Result<Option<Recorded>, ReadError> {
        read::find(&self.pool, tenant, key).await
    }

    async fn body(&self, tenant: &Tenant, key: &EventKey) -> Result<Option<Vec<u8>>, ReadError> {
        read::body(&self.pool, tenant, key).await
    }

    async fn usage(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        feature: &FeatureSlug,
        within: Interval,
        up_to: i64,
    ) -> Result<Vec<(Timestamp, i64)>, ReadError> {
        read::usage(&self.pool, tenant, trainer, feature, within, up_to).await
    }

    fn watch(&self, tenant: &Tenant) -> watch::Receiver<i64> {
        self.shared.wakes.subscribe(tenant)
    }
}
