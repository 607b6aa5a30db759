//! Several processes on one database, as several logs in this one.

use std::sync::Arc;
use std::time::Duration;

use ledger_log::postgres::{Point, Settings};
use ledger_log::testing::{consume, opening, own, shared, tenant};
use ledger_log::{AppendError, Decided, EventLog, Expected, Outcome};
use tokio::time::timeout;

use crate::check::{RawLog, assert_no_violations};
use crate::gate::{Gate, gated};
use crate::load::{LIMIT, Load, PATIENCE};
use crate::support::{database, log_on, log_with, owner};
use crate::trouble::execute;

async fn assert_sound(database: &str, events: usize) {
    let log = RawLog::read(&owner(database).await, "one").await;
    assert_no_violations(&log, &[]);
    assert_eq!(log.events.len(), events);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_processes_keep_one_order_under_load() {
    let database = database().await;
    let mut logs: Vec<Arc<dyn EventLog>> = Vec::new();
    for _ in 0..3 {
        logs.push(Arc::new(log_on(&database).await));
    }
    let load = Load::start(logs, "one", 24).await;
    load.more(3_000).await;
    let told = load.finish().await;
    let owner = owner(&database).await;
    let log = RawLog::read(&owner, "one").await;
    assert_no_violations(&log, &told.acks);
    let used: i64 = sqlx::query_scalar("SELECT sum(quantity)::bigint FROM usage_entry")
        .fetch_one(&owner)
        .await
        .unwrap();
    assert_eq!((used, told.granted), (LIMIT, u64::try_from(LIMIT).unwrap()));
}

#[tokio::test]
async fn a_leader_that_slept_is_fenced() {
    for point in [Point::BeforeSend, Point::BeforeAnswer] {
        let (database, one) = (database().await, tenant("one"));
        let gate = Gate::at(point);
        let (sleeper, other) = (gated(&database, &gate).await, log_on(&database).await);
        sleeper.open(&one, opening()).await.unwrap();
        sleeper.append(&one, vec![own("known")]).await.unwrap();
        gate.stop(1);
        let asleep = sleeper.append(&one, vec![own("same"), own("mine")]);
        let meanwhile = async {
            gate.reached().await;
            other.append(&one, vec![own("theirs")]).await.unwrap();
            let same = other.append(&one, vec![own("same")]).await.unwrap()[0];
            gate.release();
            same
        };
        let (mine, theirs) = tokio::join!(asleep, meanwhile);
        let mine = mine.unwrap();
        assert_eq!(mine[0].position(), theirs.position(), "both are told the same place");
        let slept_before = point == Point::BeforeSend;
        assert_eq!(matches!(theirs, Outcome::Appended { .. }), slept_before);
        assert_eq!(matches!(mine[0], Outcome::AlreadyAppended { .. }), slept_before);
        assert_sound(&database, 5).await;
        sleeper.append(&one, vec![own("later")]).await.unwrap();
        assert_sound(&database, 6).await;
    }
}

#[tokio::test]
async fn a_leader_that_sleeps_with_the_lock_is_waited_for() {
    for point in [Point::Locked, Point::BeforeCommit] {
        let (database, one) = (database().await, tenant("one"));
        let gate = Gate::at(point);
        let (sleeper, other) = (gated(&database, &gate).await, log_on(&database).await);
        sleeper.open(&one, opening()).await.unwrap();
        other.append(&one, vec![own("moved")]).await.unwrap();
        gate.stop(1);
        let asleep = sleeper.append(&one, vec![own("same")]);
        let meanwhile = async {
            gate.reached().await;
            let waits = other.append(&one, vec![own("same"), own("theirs")]);
            tokio::pin!(waits);
            assert!(timeout(Duration::from_millis(100), &mut waits).await.is_err());
            gate.release();
            waits.await
        };
        let (mine, theirs) = tokio::join!(asleep, meanwhile);
        let (mine, theirs) = (mine.unwrap(), theirs.unwrap());
        assert_eq!(mine[0], Outcome::Appended { position: 3, revision: 0 });
        assert_eq!(theirs[0], Outcome::AlreadyAppended { position: 3, revision: 0 });
        assert_eq!(theirs[1], Outcome::Appended { position: 4, revision: 0 });
        assert_sound(&database, 4).await;
    }
}

#[tokio::test]
async fn what_is_remembered_is_never_the_last_word() {
    let (database, one) = (database().await, tenant("one"));
    let (first, second) = (log_on(&database).await, log_on(&database).await);
    first.open(&one, opening()).await.unwrap();
    let at = |n| {
        shared(
            &format!("id{n}"),
            "trainer-t1",
            if n == 0 { Expected::NoStream } else { Expected::Revision(n - 1) },
        )
    };
    // Each remembers the stream and the counter as they were before the other's turn.
    for n in 0..6 {
        let log = if n % 2 == 0 { &first } else { &second };
        let stale = shared(&format!("stale{n}"), "trainer-t1", Expected::Revision(n));
        let refused = log.append(&one, vec![stale]).await;
        let actual = (n > 0).then_some(n - 1);
        let Err(AppendError::WrongExpectedRevision { actual: told, .. }) = &refused else {
            panic!("{refused:?}");
        };
        assert_eq!(*told, actual);
        log.append(&one, vec![at(n)]).await.unwrap();
        let decided = log.append_decided(&one, consume(&format!("use{n}"), "t1", 1, 5)).await;
        let Ok(Decided::Granted(_, counter) | Decided::Refused(counter)) = decided else {
            panic!("{decided:?}")
        };
        assert_eq!(counter.used, (n + 1).min(5));
        assert_eq!(matches!(decided, Ok(Decided::Granted(..))), n < 5);
    }
    // A refusal that rests on memory alone would miss what the other has given back.
    let down = ledger_log::testing::usage("down", "t1", 0, ledger_log::UsageChange::Count(-1));
    first.append_decided(&one, consume("full", "t1", 1, 5)).await.unwrap();
    let back =
        ledger_log::testing::within_limit(down, ledger_log::testing::counter("t1", None), 0, 5);
    second.append_decided(&one, back).await.unwrap();
    let again = first.append_decided(&one, consume("full", "t1", 1, 5)).await.unwrap();
    assert!(matches!(again, Decided::Granted(..)), "{again:?}");
    // A key that the other has appended, under an expectation that is wrong by now.
    let done = second.append(&one, vec![at(6)]).await.unwrap()[0];
    second.append(&one, vec![at(7)]).await.unwrap();
    let repeated = first.append(&one, vec![at(6)]).await.unwrap()[0];
    assert_eq!(repeated.position(), done.position());
    let granted = second.append_decided(&one, consume("elsewhere", "t2", 5, 5)).await.unwrap();
    let Decided::Granted(granted, _) = granted else { panic!("{granted:?}") };
    let repeated = first.append_decided(&one, consume("elsewhere", "t2", 5, 5)).await.unwrap();
    let Decided::Granted(repeated, _) = repeated else { panic!("{repeated:?}") };
    assert_eq!(repeated.position(), granted.position());
}

#[tokio::test]
async fn others_are_woken_by_notification_and_find_out_without_one() {
    let hour = Duration::from_secs(3_600);
    let notified = Settings { poll_interval: hour, ..Settings::default() };
    let often = Duration::from_millis(20);
    let looking = Settings { notify_interval: hour, poll_interval: often, ..Settings::default() };
    for settings in [notified, looking] {
        let (database, one) = (database().await, tenant("one"));
        let here = log_with(&database, settings.clone()).await;
        let there = log_with(&database, settings).await;
        here.open(&one, opening()).await.unwrap();
        let mut watch = there.watch(&one);
        let append = async {
            // The listener may start listening a moment after its log is there; later appends are
            // told of too.
            for n in 0.. {
                here.append(&one, vec![own(&format!("evt_{n}"))]).await.unwrap();
                if timeout(Duration::from_millis(50), watch.wait_for(|p| *p > 1)).await.is_ok() {
                    break;
                }
            }
        };
        timeout(PATIENCE, append).await.unwrap();
        let told = *watch.borrow();
        assert!(there.head(&one).await.unwrap().unwrap().position >= told);
    }
}

/// Whoever may connect may notify, and a backup that is put back ends the log earlier.
#[tokio::test]
async fn a_head_that_is_wrong_is_believed_until_the_next_look() {
    let often = Duration::from_millis(20);
    let settings = Settings { poll_interval: often, ..Settings::default() };
    let (database, one) = (database().await, tenant("one"));
    let log = log_with(&database, settings).await;
    log.open(&one, opening()).await.unwrap();
    let mut watch = log.watch(&one);
    let owner = owner(&database).await;
    let lie = async {
        // The listener may start listening a moment after its log is there.
        loop {
            execute(&owner, "NOTIFY ledger_log, 'one 9223372036854775807'").await;
            let told = watch.wait_for(|position| *position == i64::MAX);
            if timeout(Duration::from_millis(50), told).await.is_ok() {
                break;
            }
        }
        watch.wait_for(|position| *position == 1).await.unwrap();
    };
    timeout(PATIENCE, lie).await.unwrap();
    log.append(&one, vec![own("evt_1")]).await.unwrap();
    timeout(PATIENCE, watch.wait_for(|position| *position == 2)).await.unwrap().unwrap();
}
