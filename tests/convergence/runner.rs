//! Where facts disagree about customers the ledger in memory folds everything afresh, and the
//! runner of read models moves what must move. So this is asked of the runner too, on PostgreSQL.

use std::collections::{BTreeMap, BTreeSet, HashMap};
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
use crate::positions::without_positions;

/// The login that takes on the service's roles.
const LOGIN: &str = "ledger_service";

/// How long the runner may take for a life.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the tables of subscriptions hold, but for what depends on the order of arrival. Stored
/// states and what names trainers are asked for otherwise.
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

    /// The rows that runners make of these in a log of their own, each of which takes in a share
    /// and ends.
    async fn rows_of(&self, name: &str, shares: &[&[Entry]], config: Config) -> Rows {
        let tenant = Tenant::try_new(name).unwrap();
        let log_id = Uuid::from_u128(1);
        let opened = LogOpened { account: None, livemode: false, log_id, tenant: tenant.clone() };
        let event = act(&Event::LogOpened(opened));
        self.log.open(&tenant, OpenLog { log_id, event }).await.unwrap();
        let mut places = HashMap::new();
        for share in shares {
            for entry in *share {
                let outcomes = self.log.append(&tenant, vec![webhook(entry)]).await.unwrap();
                places.insert(outcomes[0].position(), entry.key.id.to_string());
            }
            self.run(&tenant, config.clone()).await;
        }
        self.rows(&tenant, &places)
    }

    /// Runs a runner until it has read the log.
    async fn run(&self, tenant: &Tenant, config: Config) {
        let runner = Runner::new(self.pools.projector.clone(), self.log.clone(), config);
        let head = self.log.head(tenant).await.unwrap().unwrap().position;
        let shutdown = CancellationToken::new();
        let stop_at_the_end = async {
            let deadline = Instant::now() + PATIENCE;
            let reached = runner.positions().wait_for(tenant, head, deadline).await;
            shutdown.cancel();
            reached
        };
        let (ended, reached) = tokio::join!(runner.run(tenant, &shutdown), stop_at_the_end);
        ended.unwrap();
        assert!(reached.unwrap() >= head);
    }

    /// What the read models hold; `places` says which event is where in the log.
    fn rows(&self, tenant: &Tenant, places: &HashMap<i64, String>) -> Rows {
        let rows = |table: &&str| {
            format!(
                "SELECT to_jsonb(t) - '{{tenant,position,recorded_at}}'::text[]
                FROM rm_subscriptions.{table} t WHERE tenant = '{tenant}' ORDER BY 1"
            )
        };
        let all = TABLES.iter().map(rows).collect::<Vec<_>>().join(";\n");
        let lines = |columns: &str, table: &str| -> Vec<String> {
            let from = format!("FROM rm_subscriptions.{table} WHERE tenant = '{tenant}'");
            let rows = self.sql(&format!("SELECT {columns} {from}"));
            rows.lines().map(str::to_owned).collect()
        };
        let mut ties = lines("object_id || ' of ' || customer_id", "object_customer");
        let states =
            lines("unit || ' ' || part || ' ' || convert_from(state, 'UTF8')", "unit_part");
        let state = |row: String| {
            let fields: Vec<&str> = row.splitn(3, ' ').collect();
            let [unit, part, state] = fields[..] else { panic!("{row}") };
            let name = (unit.to_owned(), part.to_owned());
            (name, without_positions(state.as_bytes()).to_string())
        };
        let named = lines("position || ' ' || trainer_id", "trainer_event");
        let event = |row: String| {
            let (position, trainer) = row.split_once(' ').unwrap();
            (trainer.to_owned(), places[&position.parse().unwrap()].clone())
        };
        ties.sort();
        Rows {
            all: self.sql(&all),
            ties,
            states: states.into_iter().map(state).collect(),
            named: named.into_iter().map(event).collect(),
        }
    }

    fn sql(&self, sql: &str) -> String {
        Cluster::shared().execute(&self.database, sql).unwrap()
    }
}

/// What the read models hold.
struct Rows {
    all: String,
    /// Whose each object is.
    ties: Vec<String>,
    /// The stored states by unit and part, without positions.
    states: BTreeMap<(String, String), String>,
    /// Which trainers are named by which events.
    named: BTreeSet<(String, String)>,
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

/// How a runner reads pages of so many events.
fn config(page_events_max: usize) -> Config {
    Config {
        poll: Duration::from_millis(50),
        linger: Duration::ZERO,
        page_events_max,
        ..Config::live("test")
    }
}

async fn check(stage: &Stage, number: u32, case: &Case) -> Result<(), TestCaseError> {
    let told = case.tell_of_others(&case.live());
    let straight: Vec<Entry> = told.iter().map(|told| told.entry.clone()).collect();
    let name = |order: &str| format!("{order}{number}");
    let one = stage.rows_of(&name("straight"), &[&straight], config(1_000)).await;
    let delivered = shuffled(told.iter().map(|told| &told.entry), case.seed);
    let page = usize::try_from(case.seed % 40).expect("a small number") + 1;
    let mut config = config(page);
    // Some units are read back from their stored state for each page.
    if case.seed >> 8 & 1 == 0 {
        config.cache_bytes = 0;
    }
    // Some lives see a restart.
    let restart = if case.seed >> 9 & 1 == 0 { delivered.len() / 2 } else { 0 };
    let (before, after) = delivered.split_at(restart);
    let other = stage.rows_of(&name("shuffled"), &[before, after], config).await;
    prop_assert_eq!(&one.all, &other.all);
    prop_assert_eq!(&one.states, &other.states);
    prop_assert_eq!(&one.named, &other.named);
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
