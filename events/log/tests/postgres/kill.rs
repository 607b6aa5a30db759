//! The server killed at any instant, under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ledger_cluster::Cluster;
use ledger_log::postgres::{Hook, Point, Pools, PostgresLog, Settings};
use ledger_log::{EventLog, system_clock};
use rand::RngExt as _;
use sqlx::PgPool;

use crate::check::{RawLog, assert_no_violations};
use crate::load::{LIMIT, Load, PATIENCE, Told};
use crate::support::{LOGIN, prepare};

fn kills() -> usize {
    if std::env::var_os("LEDGER_SOAK").is_some() { 1_000 } else { 20 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_killed_server() {
    // A careless server: what is acknowledged must be durable whatever its default is.
    let careless = Cluster::builder().setting("synchronous_commit", "off");
    let cluster = Arc::new(careless.start().unwrap());
    let database = cluster.fresh_database().unwrap();
    let ready = {
        let (cluster, database) = (Arc::clone(&cluster), database.clone());
        move || prepare(&cluster, &database)
    };
    tokio::task::spawn_blocking(ready).await.unwrap();
    let lost = Arc::new(AtomicUsize::new(0));
    let connect = |append_timeout| {
        let hook = Some(count(&lost));
        let outage_patience = append_timeout;
        let settings = Settings { append_timeout, outage_patience, hook, ..Settings::default() };
        connect(cluster.url(&database, LOGIN), settings)
    };
    // The callers of one wait the time out, those of the other are sent away and come back.
    let logs = vec![connect(PATIENCE).await, connect(Duration::from_millis(100)).await];
    let load = Load::start(logs, "killed", 24).await;
    let mut interrupted = 0;
    let mut rng = rng();
    for _ in 0..kills() {
        load.more(rng.random_range(1..300)).await;
        let (waiting, lost_before) = (load.in_flight(), lost.load(Ordering::SeqCst));
        let killed = Arc::clone(&cluster);
        tokio::task::spawn_blocking(move || killed.kill_postmaster()).await.unwrap().unwrap();
        let started = Arc::clone(&cluster);
        tokio::task::spawn_blocking(move || started.start()).await.unwrap().unwrap();
        load.more(1).await;
        interrupted += usize::from(waiting > 0 && lost.load(Ordering::SeqCst) > lost_before);
    }
    load.more(100).await;
    let Told { acks, retries, granted } = load.finish().await;
    // Else the test would prove nothing: calls waited and an exchange was cut off. A kill may fall
    // between two exchanges.
    assert!(interrupted * 10 >= kills() * 9, "{interrupted} kills met work in flight");
    let owner = PgPool::connect(&cluster.url(&database, cluster.superuser())).await.unwrap();
    let log = RawLog::read(&owner, "killed").await;
    assert!(retries > 0, "somebody was sent away and came back");
    let (events, answers) = (log.events.len(), acks.len());
    println!(
        "{interrupted} kills, {events} events, {answers} answers, {retries} tries without one"
    );
    assert_no_violations(&log, &acks);
    let used: i64 = sqlx::query_scalar("SELECT sum(quantity)::bigint FROM usage_entry")
        .fetch_one(&owner)
        .await
        .unwrap();
    assert!(used <= LIMIT && used == i64::try_from(granted).unwrap(), "{used} for {granted}");
}

async fn connect(url: String, settings: Settings) -> Arc<dyn EventLog> {
    let pools = Pools::connect_lazy(&url, "kill").unwrap();
    Arc::new(PostgresLog::connect(&pools, system_clock(), settings).await.unwrap())
}

/// Counts the exchanges that were lost.
fn count(lost: &Arc<AtomicUsize>) -> Hook {
    let lost = Arc::clone(lost);
    Arc::new(move |point| {
        lost.fetch_add(usize::from(point == Point::Lost), Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    })
}

fn rng() -> impl rand::Rng {
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    rand::rng()
}
