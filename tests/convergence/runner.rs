//! Where facts disagree about customers the ledger in memory folds everything afresh, and the
//! runner of read models moves what must move. So this is asked of the runner too, on PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use ledger_cluster::Cluster;
use ledger_domain::event::{Entry, Event, LogOpened, Metadata};
use ledger_domain::id::{EventId, EventKey, Namespace, Tenant};
use ledger_domain::time::Timestamp;
use ledger_log::postgres::{Pools, migrate};
use ledger_log::{EventLog, Expected, MemoryLog, NewEvent, OpenLog, system_clock};
use ledger_projections::{Config, Runner, install};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use sqlx::{Connection, PgConnection, PgPool};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::delivery::shuffled;
use crate::ledger::Ledger;
use crate::lives::{Case, case};

/// The login that takes on the service's roles.
const LOGIN: &str = "ledger_service";

/// How long the runner may take for a life.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the tables of subscriptions hold, but for what depends on the order of arrival.
const TABLES: [&str; 8] = [
    "trainer_subscriptions",
    "subscription_items",
    "tier_history",
    "payment_logs",
    "customer_link",
    "anomaly",
    "object_customer",
    "waiting_fact",
];

/// A database with read models, and a log in memory.
struct Stage {
    database: String,
    pools: Pools,
    log: Arc<MemoryLog>,
}

impl Stage {
    async fn new() -> Self {
        let cluster = Cluster::shared();
        let database = cluster.fresh_database().unwrap();
        cluster.execute(&database, &format!("CREATE ROLE {LOGIN} LOGIN")).unwrap();
        let owner = PgPool::connect(&cluster.url(&database, cluster.superuser())).await.unwrap();
        migrate(&owner, &[LOGIN]).await.unwrap();
        owner.close().await;
        let url = cluster.url(&database, LOGIN);
        let mut conn = PgConnection::connect(&url).await.unwrap();
        install(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        let pools = Pools::connect_lazy(&url, "test").unwrap();
        Self { database, pools, log: Arc::new(MemoryLog::new(system_clock())) }
    }

    /// The rows that a runner makes of these in a log of their own.
    async fn rows_of(&self, name: &str, entries: &[Entry], page_events_max: usize) -> Rows {
        let tenant = Tenant::try_new(name).unwrap();
        let log_id = Uuid::from_u128(1);
        let opened = LogOpened { account: None, livemode: false, log_id, tenant: tenant.clone() };
        let event = act(&Event::LogOpened(opened));
        self.log.open(&tenant, OpenLog { log_id, event }).await.unwrap();
        for entry in entries {
            self.log.append(&tenant, vec![webhook(entry)]).await.unwrap();
        }
        let config = Config {
            poll: Duration::from_millis(50),
            linger: Duration::ZERO,
            page_events_max,
            ..Config::live("test")
        };
        let runner = Runner::new(self.pools.projector.clone(), self.log.clone(), config);
        let head = self.log.head(&tenant).await.unwrap().unwrap().position;
        let shutdown = CancellationToken::new();
        let stop_at_the_end = async {
            let deadline = Instant::now() + PATIENCE;
            let reached = runner.positions().wait_for(&tenant, head, deadline).await;
            shutdown.cancel();
            reached
        };
        let (ended, reached) = tokio::join!(runner.run(&tenant, &shutdown), stop_at_the_end);
        ended.unwrap();
        assert!(reached.unwrap() >= head);
        self.rows(&tenant)
    }

    fn rows(&self, tenant: &Tenant) -> Rows {
        let rows = |table: &&str| {
            format!(
                "SELECT to_jsonb(t) - '{{tenant,position,recorded_at}}'::text[]
                FROM rm_subscriptions.{table} t WHERE tenant = '{tenant}' ORDER BY 1"
            )
        };
        let ties = format!(
            "SELECT object_id || ' of ' || customer_id FROM rm_subscriptions.object_customer
            WHERE tenant = '{tenant}'"
        );
        let all = TABLES.iter().map(rows).collect::<Vec<_>>().join(";\n");
        let sql = |sql: &str| Cluster::shared().execute(&self.database, sql).unwrap();
        let mut ties: Vec<String> = sql(&ties).lines().map(str::to_owned).collect();
        ties.sort();
        Rows { all: sql(&all), ties }
    }
}

/// What the read models hold.
struct Rows {
    all: String,
    /// Whose each object is.
    ties: Vec<String>,
}

/// What the ledger itself states, here that its log was opened.
fn act(event: &Event) -> NewEvent {
    let key =
        EventKey::new(Namespace::try_new("api").unwrap(), EventId::try_new("opened").unwrap());
    let metadata = Metadata { actor: "admin-1".into(), ..Metadata::default() };
    new_event(key, "tenant", Timestamp::from_unix(0), &metadata, event)
}

fn webhook(entry: &Entry) -> NewEvent {
    let stream = entry.key.own_stream();
    let key = entry.key.clone();
    new_event(key, stream.as_str(), entry.occurred_at, &entry.metadata, &entry.event)
}

fn new_event(
    key: EventKey,
    stream: &str,
    occurred_at: Timestamp,
    metadata: &Metadata,
    event: &Event,
) -> NewEvent {
    NewEvent {
        stream: stream.parse().unwrap(),
        key,
        expected: Expected::NoStream,
        event_type: event.type_name().into(),
        schema_version: event.schema_version(),
        occurred_at,
        data: event.to_data(),
        metadata: metadata.to_bytes(),
        content_hash: [0; 32],
        body: None,
        text: None,
        usage: None,
    }
}

async fn check(stage: &Stage, number: u32, case: &Case) -> Result<(), TestCaseError> {
    let told = case.tell_of_others(&case.live());
    let straight: Vec<Entry> = told.iter().map(|told| told.entry.clone()).collect();
    let name = |order: &str| format!("{order}{number}");
    let page = usize::try_from(case.seed % 40).expect("a small number") + 1;
    let one = stage.rows_of(&name("straight"), &straight, 1_000).await;
    let delivered = shuffled(&told, case.seed);
    let other = stage.rows_of(&name("shuffled"), &delivered, page).await;
    prop_assert_eq!(&one.all, &other.all);
    let in_memory = Ledger::of(&straight).shown.ties;
    let mut ties: Vec<String> =
        in_memory.iter().map(|(object, customer)| format!("{object} of {customer}")).collect();
    ties.sort();
    prop_assert_eq!(ties, other.ties);
    Ok(())
}

#[test]
fn the_runner_decides_whose_an_object_is_by_no_order_either() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let stage = runtime.block_on(Stage::new());
    let lived = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(crate::config(20, 500));
    let result = runner.run(&case(crate::STEPS_MAX), |case| {
        lived.set(lived.get() + 1);
        runtime.block_on(check(&stage, lived.get(), &case))
    });
    result.unwrap_or_else(|failed| panic!("{failed}"));
}
