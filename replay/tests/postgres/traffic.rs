//! While live traffic goes on.

use std::time::Duration;

use ledger_log::EventLog;
use ledger_projections::Runner;
use ledger_replay::{Progress, VerifyConfig};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::given;
use crate::world::{PATIENCE, World, config};

/// Appends customers, from a number on, until told to end; tells how many. Each waits for the live
/// read models, so that there is traffic all the time and a slow machine isn't flooded with it.
async fn keep_appending(
    world: &World,
    live: &Runner,
    from: usize,
    stop: &CancellationToken,
) -> usize {
    let mut customers = 0;
    let deadline = Instant::now() + PATIENCE;
    while !stop.is_cancelled() {
        // Webhooks before the link, so that facts wait for a page or two.
        let mut events = given::customer(from + customers);
        events.reverse();
        events.extend(given::trainer(from + customers));
        for event in events {
            world.log.append(&world.tenant, vec![event]).await.unwrap();
        }
        let head = *world.log.watch(&world.tenant).borrow();
        let reached = live.positions().wait_for(&world.tenant, head, deadline);
        tokio::select! {
            reached = reached => drop(reached.unwrap()),
            () = stop.cancelled() => break,
        }
        customers += 1;
    }
    customers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_never_rests_is_verified() {
    let world = World::busy(20, 1).await;
    let before = world.log.watch(&world.tenant);
    let at_first = *before.borrow();
    let stop = CancellationToken::new();
    let live = world.live(50);
    let verify = async {
        let mut reports = Vec::new();
        for page_events_max in [10, 100, 1_000] {
            let config = VerifyConfig { page_events_max, ..config() };
            reports.push(world.try_verify(config).await.unwrap());
        }
        stop.cancel();
        reports
    };
    let all = async {
        let traffic = keep_appending(&world, &live, 100, &stop);
        tokio::join!(live.run(&world.tenant, &stop), traffic, verify)
    };
    let (ended, customers, reports) = tokio::time::timeout(PATIENCE, all).await.unwrap();
    ended.unwrap();
    assert!(customers > 0);
    for report in &reports {
        assert!(report.equal, "{report:#?}");
        assert!(report.position > at_first, "it moved on meanwhile");
    }
    assert_eq!(world.leftovers(), "");
    // The live read models took no harm from being held.
    world.project(100).await;
    assert!(world.verify().await.equal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_is_found_under_traffic_too() {
    let world = World::busy(5, 2).await;
    world.sql("UPDATE rm_grants.trainer SET registered_at = 'epoch' WHERE trainer_id = 't0'");
    let (stop, live) = (CancellationToken::new(), world.live(50));
    let verify = async {
        let report = world.verify().await;
        stop.cancel();
        report
    };
    let all = async {
        let traffic = keep_appending(&world, &live, 100, &stop);
        tokio::join!(live.run(&world.tenant, &stop), traffic, verify)
    };
    let (_, _, report) = tokio::time::timeout(PATIENCE, all).await.unwrap();
    let tables = report.read_models.iter().flat_map(|model| &model.tables);
    let found: Vec<_> = tables.flat_map(|table| &table.differences).collect();
    let [difference] = found[..] else { panic!("{found:#?}") };
    assert_eq!(difference.key["trainer_id"], "t0");
}

#[tokio::test]
async fn progress_is_told() {
    let world = World::busy(20, 3).await;
    let (progress, never) = (watch::Sender::new(Progress::default()), CancellationToken::new());
    let mut told = progress.subscribe();
    let verifier = world.verifier(VerifyConfig { page_events_max: 16, ..config() });
    let verify = async {
        let report = verifier.verify(&world.tenant, &never, &progress).await.unwrap();
        drop(progress);
        report
    };
    let look = async {
        let mut seen = Vec::new();
        while tokio::time::timeout(Duration::from_secs(20), told.changed()).await.unwrap().is_ok() {
            seen.push(told.borrow_and_update().clone());
        }
        seen
    };
    let (report, seen) = tokio::join!(verify, look);
    assert!(seen.iter().all(|it| it.target <= report.position));
    let positions: Vec<_> = seen.iter().map(|it| it.position).collect();
    assert!(positions.is_sorted() && positions.len() > 2, "{positions:?}");
    let json: Vec<_> = seen.iter().map(|it| serde_json::to_value(it).unwrap()).collect();
    let building = json.iter().find(|it| it["phase"] == "building" && it["position"] != 0).unwrap();
    assert!(building["events_per_second"].as_f64().unwrap() > 0.0);
    // Who looks late misses some of them.
    let tables = json.iter().filter_map(|it| it["table"].as_str());
    let tables: Vec<_> = tables.filter(|table| table.starts_with("rm_")).collect();
    assert!(!tables.is_empty(), "{json:?}");
}
