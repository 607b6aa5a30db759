//! The wiring: log, read models, HTTP; and their end.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ledger_log::postgres::{AuditReader, Pools, PostgresLog, Settings};
use ledger_log::{EventLog, system_clock};
use ledger_projections::{Feed, Positions, Runner};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::commands::catalog::Publisher;
use crate::config::{Config, ConfigErrors, DatabaseConfig};
use crate::handles;
use crate::http::{self, Authenticator, Budget, Keyring, Limits};
use crate::ids;
use crate::ingest::Ingest;
use crate::keyrings::{self, Keyrings};
use crate::lag::{self, LagMeter};
use crate::meters::{Meters, UPKEEP_INTERVAL};
use crate::panics::{AFTER_PANIC, survived};
use crate::readiness::Readiness;
use crate::reads::{Cache, Reads, Shared};
use crate::rotation::Rotation;
use crate::seldom;
use crate::service::Service;
use crate::signer::Signer;
use crate::tenants::{self, Keeper, Tenants};
use crate::throttle::Throttle;
use crate::ticks::Ticks;

/// How long requests may take to finish once the service is asked to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);
/// How long everything else may take to end after that: tasks at first, then the log and pools.
const END_TIMEOUT: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));
/// How often the folders of tenants, and secrets that are files, are read again.
const REREAD_INTERVAL: Duration = Duration::from_secs(5);

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings can't be used.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The database can't be reached, or wasn't migrated.
    #[error("the database can't be used")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A tenant's log can't be opened.
    #[error("the log of tenant {tenant} can't be opened")]
    Open {
        /// Whose.
        tenant: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A tenant's folder does not say yet what its log is to be opened with.
    #[error("the log of tenant {tenant} is not opened yet: its folder lacks {missing}")]
    Incomplete {
        /// Whose.
        tenant: String,
        /// Which files.
        missing: String,
    },
    /// A tenant's settings contradict what its log was opened with.
    #[error("tenant {tenant} can't be served")]
    Contradiction {
        /// Whose.
        tenant: String,
        /// What the log and the settings say, and what to do.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A catalogue can't be published.
    #[error("a catalogue can't be published")]
    Catalog(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The system gives no thread.
    #[error("the system gives no thread to fold the log on")]
    Thread(#[source] std::io::Error),
    /// No server can be known by its certificate.
    #[error(
        "LEDGER_JWKS can't be fetched by https: this machine has no CA certificates (Debian's \
         package ca-certificates)"
    )]
    Certificates(#[source] std::io::Error),
    /// Nobody can listen on the address.
    #[error(
        "nothing can listen on {address}: if another program does, name another address \
         (LEDGER_LISTEN, or --listen of `ledger dev`)"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// A service that runs. Dropped, it ends without waiting.
pub struct Running {
    address: SocketAddr,
    service: Arc<Service>,
    connections: TaskTracker,
    tasks: TaskTracker,
    stop_connections: DropGuard,
    stop_tasks: DropGuard,
    log: Arc<PostgresLog>,
    pools: Pools,
    reread: Arc<Notify>,
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether everything that the logs hold can be asked for. `/readyz` asks for less: it allows
    /// for what has just come.
    pub async fn is_current(&self) -> bool {
        self.service.readiness.is_current().await
    }

    /// Whether `/readyz` says so.
    pub async fn is_ready(&self) -> bool {
        self.service.readiness.check().await.is_ok()
    }

    /// Reads secrets that are files, and the folders of tenants, again now and not in a while.
    pub fn reread(&self) {
        self.reread.notify_one();
    }

    /// Takes no more requests, finishes those under way, and ends everything. What doesn't end in
    /// time is left behind: the log and the read models bear a process that is killed.
    pub async fn shutdown(self) {
        tracing::info!("shutting down");
        drop(self.stop_connections);
        self.connections.close();
        if timeout(DRAIN_TIMEOUT, self.connections.wait()).await.is_err() {
            tracing::warn!("some requests did not finish in time");
        }
        drop(self.stop_tasks);
        self.tasks.close();
        let deadline = Instant::now() + END_TIMEOUT.0;
        if timeout_at(deadline, self.tasks.wait()).await.is_err() {
            let left = self.tasks.len();
            tracing::warn!(left, "some tasks did not end in time, among them perhaps the runner");
        }
        let deadline = Instant::now() + END_TIMEOUT.1;
        if timeout_at(deadline, self.log.shutdown()).await.is_err() {
            tracing::warn!("the log did not end in time");
        }
        if timeout_at(deadline, self.pools.close()).await.is_err() {
            tracing::warn!("some connections to the database were not closed in time");
        }
        tracing::info!("ended");
    }
}

/// Starts the service: connects, opens logs, publishes catalogues where none was, listens.
///
/// # Errors
/// When anything that it needs isn't there.
pub async fn start(config: Config, clock: Clock) -> Result<Running, StartError> {
    let listening = listen(&config).await?;
    start_as(config, clock, Publisher::Start, listening).await
}

/// [`start`], with a say in which catalogues the settings may replace.
pub(crate) async fn start_as(
    config: Config,
    clock: Clock,
    publisher: Publisher,
    Listening { address, listener }: Listening,
) -> Result<Running, StartError> {
    let keyring = Keyring::try_new(&config.auth, None, clock.clone());
    let keyring = Arc::new(keyring.map_err(StartError::Certificates)?);
    // Before anything that is counted.
    let meters = Arc::new(Meters::new());
    let pools = pools(&config.database)?;
    let log = connect(&pools).await?;
    let (connections, tasks) = (TaskTracker::new(), TaskTracker::new());
    let (stop_connections, stop_tasks) = (CancellationToken::new(), CancellationToken::new());
    let keyrings = Keyrings::new(clock.clone(), &tasks, &stop_tasks);
    let opened = tenants::open_all(config.tenants.clone(), keyrings, publisher, &*log, &clock);
    let (tenants, keeper) = opened.await?;
    let tenants = Arc::new(tenants);
    let (cache, shared) = remembered(&config, &clock);
    let base = Base { clock, pools, log, tenants, meters, cache, shared };

    let owner = ledger_projections::Config::live(format!("ledger {}", ids::fresh()));
    let runner = Runner::new(base.pools.projector.clone(), base.log(), owner);
    runner.spawn(&tasks, stop_tasks.clone()).map_err(StartError::Thread)?;
    base.follow_answers(runner.feed(), &tasks, &stop_tasks);
    let service = Arc::new(base.service(&config, runner.positions(), &keyring));
    let router = http::router(Arc::clone(&service));
    let (tracker, stop) = (connections.clone(), stop_connections.clone());
    let limits = Limits::default();
    let limits = Limits { connections: handles::for_connections(limits.connections), ..limits };
    connections.spawn(http::serve(listener, router, tracker, stop, limits));
    keyrings::follow(&keyring, &tasks, stop_tasks.clone());
    let rotation =
        Rotation::new((config.auth, keyring), (config.tokens, Arc::clone(&service.signer)));
    let reread = Arc::new(Notify::new());
    let ticks = Ticks::or_at(Arc::clone(&reread), REREAD_INTERVAL, stop_tasks.clone());
    base.keep_house(keeper, rotation, ticks, &tasks, &stop_tasks);
    let lag = LagMeter::new(base.log(), runner.positions().clone());
    tasks.spawn(lag.follow(Ticks::new(lag::INTERVAL, stop_tasks.clone())));
    tracing::info!(%address, "listening");
    let (stop_connections, stop_tasks) = (stop_connections.drop_guard(), stop_tasks.drop_guard());
    let Base { log, pools, .. } = base;
    Ok(Running {
        address,
        service,
        connections,
        tasks,
        stop_connections,
        stop_tasks,
        log,
        pools,
        reread,
    })
}

/// What everything else is made from.
struct Base {
    clock: Clock,
    pools: Pools,
    log: Arc<PostgresLog>,
    tenants: Arc<Tenants>,
    meters: Arc<Meters>,
    cache: Arc<Cache>,
    shared: Option<Arc<Shared>>,
}

impl Base {
    fn log(&self) -> Arc<dyn EventLog> {
        Arc::clone(&self.log) as Arc<dyn EventLog>
    }

    /// What the handlers of requests share.
    fn service(&self, config: &Config, positions: &Positions, keyring: &Arc<Keyring>) -> Service {
        let (clock, positions) = (self.clock.clone(), positions.clone());
        let auth = Authenticator::new(Arc::clone(keyring), Arc::clone(&self.tenants));
        Service {
            auth: Arc::new(auth),
            signer: Arc::new(Signer::new(config.tokens.as_ref())),
            throttle: Throttle::new(config.rates, clock.clone()),
            tenants: Arc::clone(&self.tenants),
            bodies: Budget::default(),
            reads: Reads::new(
                self.pools.clone(),
                self.log(),
                positions.clone(),
                (clock.clone(), Arc::clone(&self.tenants)),
                (Arc::clone(&self.cache), self.shared.clone()),
            ),
            audit: AuditReader::new(self.pools.auditor.clone()),
            readiness: Readiness {
                log: Arc::clone(&self.log),
                positions,
                tenants: Arc::clone(&self.tenants),
                first_heads: Mutex::default(),
            },
            ingest: Ingest {
                log: self.log(),
                clock: clock.clone(),
                meters: Arc::clone(&self.meters),
            },
            clock,
        }
    }

    /// Follows what changes answers, where any are remembered.
    fn follow_answers(&self, feed: &Feed, tasks: &TaskTracker, stop: &CancellationToken) {
        if !self.cache.is_on() {
            return;
        }
        let (listening, stopped) = (feed.clone(), stop.clone());
        tasks.spawn(async move {
            survived("hearing of changed answers", listening.listen(&stopped)).await;
        });
        let (cache, feed, stopped) = (Arc::clone(&self.cache), feed.clone(), stop.clone());
        tasks.spawn(async move {
            while !stopped.is_cancelled() {
                let following = Arc::clone(&cache).follow(feed.clone(), stopped.clone());
                survived("following changed answers", following).await;
                // Nothing but a panic ends it before the service ends.
                let _ = timeout(AFTER_PANIC, stopped.cancelled()).await;
            }
        });
        let Some(shared) = self.shared.clone() else { return };
        let stop = stop.clone();
        tasks.spawn(async move {
            while !stop.is_cancelled() {
                survived("sharing what is remembered", shared.run(&stop)).await;
                let _ = timeout(AFTER_PANIC, stop.cancelled()).await;
            }
        });
    }

    /// Starts what is done at intervals.
    fn keep_house(
        &self,
        keeper: Keeper,
        rotation: Rotation,
        ticks: Ticks,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) {
        let (tenants, clock) = (Arc::clone(&self.tenants), self.clock.clone());
        tasks.spawn(tenants::follow(keeper, rotation, tenants, self.log(), clock, ticks));
        let (meters, mut ticks) =
            (Arc::clone(&self.meters), Ticks::new(UPKEEP_INTERVAL, stop.clone()));
        tasks.spawn(async move {
            while ticks.next().await {
                let turn = async {
                    meters.upkeep();
                    seldom::tell_left_over();
                };
                survived("the upkeep of the metrics", turn).await;
            }
        });
    }
}

/// What is remembered of trainers here, and what nodes share of it: nothing where nothing is
/// remembered.
fn remembered(config: &Config, clock: &Clock) -> (Arc<Cache>, Option<Arc<Shared>>) {
    let cache = Cache::new(config.cache.bytes());
    let redis = config.redis.as_ref().filter(|_| cache.is_on());
    match redis.map(|redis| Arc::new(Shared::new(redis, clock.clone()))) {
        Some(shared) => (Arc::new(cache.with_others()), Some(shared)),
        None => (Arc::new(cache), None),
    }
}

/// An address that is ours.
pub(crate) struct Listening {
    address: SocketAddr,
    listener: TcpListener,
}

/// Comes first of all: a taken address is the likeliest mistake, and nothing has begun yet. Whoever
/// connects now waits until there is something to answer with.
pub(crate) async fn listen(config: &Config) -> Result<Listening, StartError> {
    config.check_reach()?;
    let address = config.http.listen;
    let listening = async {
        let listener = TcpListener::bind(address).await?;
        Ok(Listening { address: listener.local_addr()?, listener })
    };
    listening.await.map_err(|source| StartError::Listen { address, source })
}

/// The log alone, for commands that need nothing else.
pub(crate) async fn open_log(config: &DatabaseConfig) -> Result<Arc<PostgresLog>, StartError> {
    connect(&pools(config)?).await
}

fn pools(config: &DatabaseConfig) -> Result<Pools, StartError> {
    let process = format!("ledger {}", ids::fresh().simple());
    Pools::connect_lazy(config.url.reveal(), &process)
        .map_err(|error| StartError::Database(Box::new(error)))
}

/// The log always asks the machine's clock: it refuses to write when that differs from the
/// database's, as a clock set by a test would.
pub(crate) async fn connect(pools: &Pools) -> Result<Arc<PostgresLog>, StartError> {
    let connected = PostgresLog::connect(pools, system_clock(), Settings::default());
    match connected.await {
        Ok(log) => Ok(Arc::new(log)),
        Err(error) => Err(StartError::Database(Box::new(pools.explain(error).await))),
    }
}
