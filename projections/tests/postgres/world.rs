//! A database with read models, a log, and ways of looking at both.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ledger_cluster::Cluster;
use ledger_domain::event::{Event, LogOpened};
use ledger_domain::id::{Tenant, TrainerId};
use ledger_log::postgres::{Pools, migrate};
use ledger_log::{EventLog, MemoryLog, OpenLog, system_clock};
use ledger_projections::{Config, Halt, Reader, Runner, as_reader, install};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::given;
use crate::positions::without_positions;

/// The login that takes on the service's roles.
pub(crate) const LOGIN: &str = "ledger_service";

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A database of its own, and a log in memory.
pub(crate) struct World {
    pub(crate) database: String,
    pub(crate) pools: Pools,
    pub(crate) log: Arc<MemoryLog>,
}

impl World {
    pub(crate) fn new() -> Self {
        let cluster = Cluster::shared();
        let database = cluster.fresh_database_from(template()).unwrap();
        let pools = Pools::connect_lazy(&cluster.url(&database, LOGIN), "test").unwrap();
        Self { database, pools, log: Arc::new(MemoryLog::new(system_clock())) }
    }

    /// Opens a tenant's log.
    pub(crate) async fn open(&self, name: &str) -> Tenant {
        open(&*self.log, name, 1).await
    }

    pub(crate) fn runner(&self, config: Config) -> Runner {
        Runner::new(self.pools.projector.clone(), self.log.clone(), config)
    }

    /// Projects all that the log holds, with the usual settings.
    pub(crate) async fn project(&self, tenant: &Tenant) {
        let runner = self.runner(config("test"));
        catch_up(&runner, &*self.log, tenant).await.unwrap();
    }

    pub(crate) async fn reader(&self, tenant: &Tenant, trainer: Option<&TrainerId>) -> Reader {
        as_reader(&self.pools.api, tenant, trainer).await.unwrap()
    }

    /// What a query says as the superuser, who sees everything.
    pub(crate) fn sql(&self, sql: &str) -> String {
        Cluster::shared().execute(&self.database, sql).unwrap()
    }

    /// Every row of every read model of a tenant, without what depends on order of arrival or on
    /// the tenant's name.
    pub(crate) fn rows(&self, tenant: &Tenant) -> String {
        const TABLES: [&str; 14] = [
            "rm_subscriptions.trainer_subscriptions",
            "rm_subscriptions.subscription_items",
            "rm_subscriptions.tier_history",
            "rm_subscriptions.payment_logs",
            "rm_subscriptions.customer_link",
            "rm_subscriptions.anomaly",
            "rm_subscriptions.object_customer",
            "rm_subscriptions.waiting_fact",
            "rm_subscriptions.dead_letter",
            "rm_grants.trainer",
            "rm_grants.entitlement_grants",
            "rm_usage.tier_usage_tracking",
            "rm_catalog.price",
            "rm_catalog.sold_anomaly",
        ];
        let rows = |table: &&str| {
            let without = "'{tenant,position,recorded_at}'::text[]";
            let sql = format!(
                "SELECT to_jsonb(t) - {without} FROM {table} t WHERE tenant = '{tenant}' ORDER BY 1"
            );
            format!("{table}\n{}\n", self.sql(&sql))
        };
        let parts = self.sql(&format!(
            "SELECT unit || ' ' || part || ' ' || convert_from(state, 'UTF8')
            FROM rm_subscriptions.unit_part WHERE tenant = '{tenant}' ORDER BY unit, part"
        ));
        let parts = parts.lines().map(|line| {
            let fields: Vec<&str> = line.splitn(3, ' ').collect();
            let state = without_positions(fields[2].as_bytes());
            format!("{} {} {state}\n", fields[0], fields[1])
        });
        TABLES.iter().map(rows).chain(parts).collect()
    }
}

/// A migrated database with empty read models, to be copied.
fn template() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let cluster = Cluster::shared();
        let name = cluster.fresh_database().unwrap();
        let url = cluster.url(&name, cluster.superuser());
        cluster.execute(&name, &format!("CREATE ROLE {LOGIN} LOGIN")).unwrap();
        let login = cluster.url(&name, LOGIN);
        let make = async {
            let owner = PgPool::connect(&url).await.unwrap();
            migrate(&owner, &[LOGIN]).await.unwrap();
            owner.close().await;
            let mut conn = PgConnection::connect(&login).await.unwrap();
            install(&mut conn).await.unwrap();
            // What is there stays.
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

/// Opens a log with an id that its number makes.
pub(crate) async fn open(log: &dyn EventLog, name: &str, number: u128) -> Tenant {
    let tenant = Tenant::try_new(name).unwrap();
    let log_id = Uuid::from_u128(number);
    let opened = LogOpened { account: None, livemode: false, log_id, tenant: tenant.clone() };
    let event = given::act("opened", "tenant", 0, Event::LogOpened(opened));
    log.open(&tenant, OpenLog { log_id, event }).await.unwrap();
    tenant
}

/// Settings that don't make a test wait.
pub(crate) fn config(owner: &str) -> Config {
    Config {
        lease_ttl: Duration::from_millis(600),
        poll: Duration::from_millis(50),
        linger: Duration::ZERO,
        ..Config::live(owner)
    }
}

/// A runner at work.
pub(crate) struct Running {
    pub(crate) task: JoinHandle<Result<(), Halt>>,
    pub(crate) shutdown: CancellationToken,
}

pub(crate) fn start(runner: &Runner, tenant: &Tenant) -> Running {
    let shutdown = CancellationToken::new();
    let (runner, tenant, token) = (runner.clone(), tenant.clone(), shutdown.clone());
    #[expect(clippy::disallowed_methods, reason = "the test keeps the handle")]
    let task = tokio::spawn(async move { runner.run(&tenant, &token).await });
    Running { task, shutdown }
}

impl Running {
    pub(crate) async fn stop(self) -> Result<(), Halt> {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap()
    }

    /// How it ends by itself.
    pub(crate) async fn end(self) -> Result<(), Halt> {
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap()
    }

    /// Ends it at once, wherever it is: what a crash leaves behind.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// Runs until the end of the log is projected, and stops.
pub(crate) async fn catch_up(
    runner: &Runner,
    log: &dyn EventLog,
    tenant: &Tenant,
) -> Result<(), Halt> {
    let head = log.head(tenant).await.unwrap().unwrap().position;
    let running = start(runner, tenant);
    let deadline = Instant::now() + PATIENCE;
    let reached = runner.positions().wait_for(tenant, head, deadline).await;
    let ended = running.stop().await;
    if ended.is_ok() {
        assert!(reached.unwrap() >= head);
    }
    ended
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep_until(Instant::now() + Duration::from_millis(20)).await;
    }
}

pub(crate) fn trainer(id: &str) -> TrainerId {
    TrainerId::try_new(id).unwrap()
}
