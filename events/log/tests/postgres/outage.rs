//! While nothing can be appended callers are sent away at once, and it passes by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ledger_cluster::Cluster;
use ledger_log::postgres::{Hook, Point, Pools, PostgresLog, Settings};
use ledger_log::testing::{opening, own, tenant};
use ledger_log::{AppendError, EventLog, Outcome, system_clock};
use tokio::time::timeout;

use crate::check::{RawLog, assert_no_violations};
use crate::load::PATIENCE;
use crate::support::{LOGIN, database, log_with, owner, prepare};

/// Panics at a point, as often as the number says.
fn panics(at: Point, left: &Arc<AtomicUsize>) -> Hook {
    let left = Arc::clone(left);
    Arc::new(move |point| {
        let one_less = |left: usize| left.checked_sub(1);
        let is_due =
            point == at && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
        Box::pin(async move {
            assert!(!is_due, "a test's panic");
            Ok(())
        })
    })
}

/// Tries until the event is in the log, as callers do.
async fn insist(log: &PostgresLog, id: &str) -> Outcome {
    let tries = async {
        let mut pauses = tokio::time::interval(Duration::from_millis(5));
        loop {
            match log.append(&tenant("one"), vec![own(id)]).await {
                Ok(outcomes) => return outcomes[0],
                Err(AppendError::Unavailable(_)) => pauses.tick().await,
                Err(error) => panic!("{error}"),
            };
        }
    };
    timeout(PATIENCE, tries).await.unwrap()
}

async fn until_unblocked(log: &PostgresLog) {
    let look = async {
        let mut pauses = tokio::time::interval(Duration::from_millis(1));
        while log.blocked().is_some() {
            pauses.tick().await;
        }
    };
    timeout(PATIENCE, look).await.unwrap();
}

async fn until_reachable(log: &PostgresLog, is_reachable: bool) {
    let look = async {
        let mut pauses = tokio::time::interval(Duration::from_millis(1));
        while log.is_unreachable() == is_reachable {
            pauses.tick().await;
        }
    };
    timeout(PATIENCE, look).await.unwrap();
}

/// Questions are another matter than the connections of those who ask much.
#[tokio::test]
async fn a_pool_in_use_is_no_server_that_is_away() {
    let database = database().await;
    let pools = crate::support::pools(&database);
    let settings = Settings { poll_interval: Duration::from_millis(10), ..Settings::default() };
    let log = PostgresLog::connect(&pools, system_clock(), settings).await.unwrap();
    let mut taken = Vec::new();
    while let Ok(connection) = pools.writer.acquire().await {
        taken.push(connection);
    }
    // The last one waited as long as a look does, so that a look has ended in vain as well.
    assert!(!taken.is_empty() && pools.writer.acquire().await.is_err());
    assert!(!log.is_unreachable());
    log.shutdown().await;
}

#[tokio::test]
async fn a_panic_sends_its_callers_away_and_ends_nothing_else() {
    for point in [Point::BeforeSend, Point::BeforeAnswer] {
        let (database, one) = (database().await, tenant("one"));
        let left = Arc::new(AtomicUsize::new(0));
        let settings = Settings { hook: Some(panics(point, &left)), ..Settings::default() };
        let log = log_with(&database, settings).await;
        log.open(&one, opening()).await.unwrap();
        left.store(1, Ordering::SeqCst);
        let told = log.append(&one, vec![own("evt_1")]).await;
        assert!(matches!(told, Err(AppendError::Unavailable(_))), "{point:?}: {told:?}");
        let again = insist(&log, "evt_1").await;
        assert_eq!(again.position(), 2, "{point:?}");
        assert_eq!(insist(&log, "evt_2").await.position(), 3);
        assert_eq!(log.blocked(), None);
        let raw = RawLog::read(&owner(&database).await, "one").await;
        assert_no_violations(&raw, &[]);
        log.shutdown().await;
    }
}

#[tokio::test]
async fn one_that_panics_always_says_that_it_cannot_append() {
    let (database, one) = (database().await, tenant("one"));
    let left = Arc::new(AtomicUsize::new(0));
    let hook = Some(panics(Point::BeforeSend, &left));
    let log = log_with(&database, Settings { hook, ..Settings::default() }).await;
    log.open(&one, opening()).await.unwrap();
    left.store(usize::MAX, Ordering::SeqCst);
    let says_so = async {
        let mut pauses = tokio::time::interval(Duration::from_millis(1));
        // Its rests grow, so that one of them is seen.
        while log.blocked().is_none() {
            let told = log.append(&one, vec![own("evt_0")]).await;
            assert!(matches!(told, Err(AppendError::Unavailable(_))), "{told:?}");
            pauses.tick().await;
        }
    };
    timeout(PATIENCE, says_so).await.unwrap();
    until_unblocked(&log).await;
    left.store(0, Ordering::SeqCst);
    assert_eq!(insist(&log, "evt_0").await.position(), 2);
    // Also in its rest it ends when it is told to.
    left.store(1, Ordering::SeqCst);
    let _ = log.append(&one, vec![own("last")]).await;
    timeout(PATIENCE, log.shutdown()).await.unwrap();
    assert!(log.blocked().is_some());
}

/// A caller's own deadline is an hour away: only the log can send it away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_nobody_waits_and_with_it_nobody_is_sent_away() {
    let cluster = Arc::new(Cluster::builder().start().unwrap());
    let name = cluster.fresh_database().unwrap();
    let prepared = (Arc::clone(&cluster), name.clone());
    tokio::task::spawn_blocking(move || prepare(&prepared.0, &prepared.1)).await.unwrap();
    let pools = Pools::connect_lazy(&cluster.url(&name, LOGIN), "outage").unwrap();
    let lost = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lost);
    let hook: Hook = Arc::new(move |point| {
        counted.fetch_add(usize::from(point == Point::Lost), Ordering::SeqCst);
        Box::pin(async { Ok(()) })
    });
    let append_timeout = Duration::from_secs(3_600);
    let settings = Settings { append_timeout, hook: Some(hook), ..Settings::default() };
    let log = PostgresLog::connect(&pools, system_clock(), settings).await.unwrap();
    let one = tenant("one");
    log.open(&one, opening()).await.unwrap();
    for round in 0..2 {
        cluster.stop().unwrap();
        let first = timeout(PATIENCE, log.append(&one, vec![own(&format!("evt_{round}"))])).await;
        assert!(matches!(first, Ok(Err(AppendError::Unavailable(_)))), "{first:?}");
        assert!(log.blocked().is_some());
        let tried = lost.load(Ordering::SeqCst);
        assert!(tried > round, "the first one has waited for the server to come back");
        for n in 0..100 {
            let next = log.append(&one, vec![own(&format!("away_{n}"))]);
            let next = timeout(PATIENCE, next).await;
            assert!(matches!(next, Ok(Err(AppendError::Unavailable(_)))), "{next:?}");
        }
        assert_eq!(lost.load(Ordering::SeqCst), tried, "the others were not even tried");
        until_reachable(&log, false).await;
        cluster.start().unwrap();
        until_unblocked(&log).await;
        until_reachable(&log, true).await;
        log.append(&one, vec![own(&format!("evt_{round}"))]).await.unwrap();
    }
    log.shutdown().await;
}
