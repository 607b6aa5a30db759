//! A database with a log and read models, and ways of looking at both.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ledger_cluster::Cluster;
use ledger_domain::id::Tenant;
use ledger_log::postgres::{Pools, PostgresLog, Settings, migrate};
use ledger_log::{EventLog, NewEvent, OpenLog, system_clock};
use ledger_projections::{Config, Runner, install};
use ledger_replay::{Progress, Report, Verifier, VerifyConfig, VerifyError};
use serde_json::json;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::given;

/// The login that takes on the service's roles.
const LOGIN: &str = "ledger_service";

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A database of its own, with the log of one tenant.
pub(crate) struct World {
    pub(crate) database: String,
    pub(crate) pools: Pools,
    pub(crate) log: Arc<PostgresLog>,
    pub(crate) tenant: Tenant,
}

impl World {
    /// With a log that was opened.
    pub(crate) async fn new() -> Self {
        let make = || {
            let cluster = Cluster::shared();
            let database = cluster.fresh_database_from(template()).unwrap();
            // Rights on the database itself are the one thing that isn't copied.
            let grant = format!("GRANT CREATE ON DATABASE {database} TO ledger_projector");
            cluster.execute(&database, &grant).unwrap();
            database
        };
        let database = tokio::task::spawn_blocking(make).await.unwrap();
        let url = Cluster::shared().url(&database, LOGIN);
        let pools = Pools::connect_lazy(&url, "test").unwrap();
        let settings = Settings { poll_interval: Duration::from_millis(50), ..Settings::default() };
        let log = PostgresLog::connect(&pools, system_clock(), settings).await.unwrap();
        let world = Self { database, pools, log: Arc::new(log), tenant: tenant("default") };
        world.open(&world.tenant).await;
        world
    }

    /// With a busy log, all of it projected in small pages.
    pub(crate) async fn busy(customers: usize, seed: u64) -> Self {
        let world = Self::new().await;
        world.append(given::busy(customers, seed)).await;
        world.project(7).await;
        world
    }

    pub(crate) async fn open(&self, tenant: &Tenant) {
        let log_id = Uuid::from_u128(1);
        let data = json!({"livemode": false, "log_id": log_id, "tenant": tenant});
        let event = given::act("opened", "tenant", 0, "LogOpened", &data);
        self.log.open(tenant, OpenLog { log_id, event }).await.unwrap();
    }

    /// Appends in order, in batches.
    pub(crate) async fn append(&self, events: Vec<NewEvent>) {
        for batch in events.chunks(200) {
            self.log.append(&self.tenant, batch.to_vec()).await.unwrap();
        }
    }

    /// The runner of the live read models.
    pub(crate) fn live(&self, page_events_max: usize) -> Runner {
        let config = Config {
            lease_ttl: Duration::from_millis(600),
            poll: Duration::from_millis(50),
            linger: Duration::ZERO,
            page_events_max,
            ..Config::live("test")
        };
        Runner::new(self.pools.projector.clone(), Arc::clone(&self.log) as _, config)
    }

    /// Projects all that the log holds.
    pub(crate) async fn project(&self, page_events_max: usize) {
        self.catch_up(self.live(page_events_max)).await;
    }

    /// Lets a runner take in all that the log holds.
    pub(crate) async fn catch_up(&self, runner: Runner) {
        let head = self.log.head(&self.tenant).await.unwrap().unwrap().position;
        let stop = CancellationToken::new();
        let reach = async {
            let deadline = Instant::now() + PATIENCE;
            let reached = runner.positions().wait_for(&self.tenant, head, deadline).await;
            stop.cancel();
            reached.unwrap()
        };
        let (ended, _) = tokio::join!(runner.run(&self.tenant, &stop), reach);
        ended.unwrap();
    }

    pub(crate) fn verifier(&self, config: VerifyConfig) -> Verifier {
        Verifier::new(self.pools.clone(), Arc::clone(&self.log) as _, config)
    }

    pub(crate) async fn try_verify(&self, config: VerifyConfig) -> Result<Report, VerifyError> {
        let progress = watch::Sender::new(Progress::default());
        let never = CancellationToken::new();
        let verifier = self.verifier(config);
        let verified = verifier.verify(&self.tenant, &never, &progress);
        tokio::time::timeout(PATIENCE, verified).await.expect("it ends in time")
    }

    pub(crate) async fn verify(&self) -> Report {
        self.try_verify(config()).await.unwrap()
    }

    /// What a query says as the superuser, who sees everything.
    pub(crate) fn sql(&self, sql: &str) -> String {
        Cluster::shared().execute(&self.database, sql).unwrap()
    }

    /// Every table of every live read model, with its schema.
    pub(crate) fn tables(&self) -> Vec<(String, String)> {
        let listed = self.sql(
            "SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
             WHERE relkind = 'r' AND nspname LIKE 'rm\\_%' AND nspname NOT LIKE '%\\_next'
             ORDER BY 1, 2",
        );
        let pair = |line: &str| {
            line.split_once('|').map(|(schema, table)| (schema.to_owned(), table.to_owned()))
        };
        listed.lines().filter_map(pair).collect()
    }

    /// What a verification may leave behind: schemas, checkpoints, leases, parked units.
    pub(crate) fn leftovers(&self) -> String {
        self.sql(
            r"SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'rm\_%\_next'
              UNION ALL SELECT 'checkpoint ' || read_model FROM projection.checkpoint
                  WHERE read_model LIKE '%\_next'
              UNION ALL SELECT 'parked ' || read_model FROM projection.parked_unit
                  WHERE read_model LIKE '%\_next'
              UNION ALL SELECT 'parked event ' || read_model FROM projection.parked_event
                  WHERE read_model LIKE '%\_next'
              UNION ALL SELECT 'lease ' || name FROM projection.lease WHERE name <> 'live'",
        )
    }
}

/// Settings that don't make a test wait.
pub(crate) fn config() -> VerifyConfig {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let owner = format!("test's {number}");
    VerifyConfig { lease_ttl: Duration::from_millis(600), ..VerifyConfig::new(owner) }
}

pub(crate) fn tenant(name: &str) -> Tenant {
    Tenant::try_new(name).unwrap()
}

/// A migrated database with empty read models, to be copied.
fn template() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let cluster = Cluster::shared();
        let name = cluster.fresh_database().unwrap();
        cluster.execute(&name, &format!("CREATE ROLE {LOGIN} LOGIN")).unwrap();
        let make = async {
            let owner = PgPool::connect(&cluster.url(&name, cluster.superuser())).await.unwrap();
            migrate(&owner, &[LOGIN]).await.unwrap();
            owner.close().await;
            let mut conn = PgConnection::connect(&cluster.url(&name, LOGIN)).await.unwrap();
            install(&mut conn).await.unwrap();
            conn.close().await.unwrap();
        };
        let block = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(make);
        };
        std::thread::scope(|scope| scope.spawn(block).join().unwrap());
        name
    })
}
