//! Callers that go, clocks that differ, batches that the database rejects, damage.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use ledger_domain::id::Tenant;
use ledger_log::postgres::{Hook, Point, PostgresLog, Settings};
use ledger_log::seal::Frontier;
use ledger_log::testing::{key, opening, own, shared, tenant};
use ledger_log::{
    AppendError, Clock, EventLog, Expected, NewEvent, Outcome, ReadError, system_clock,
};
use sqlx::{AssertSqlSafe, PgPool};

use crate::check::{RawLog, assert_no_violations};
use crate::gate::{Gate, gated};
use crate::support::{database, log_on, log_with, owner, pools};

pub(crate) async fn execute(owner: &PgPool, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(owner).await.unwrap();
}

async fn assert_sound(database: &str, events: usize) {
    let log = RawLog::read(&owner(database).await, "one").await;
    assert_no_violations(&log, &[]);
    assert_eq!(log.events.len(), events);
}

#[tokio::test]
async fn a_batch_broken_off_anywhere_is_appended_once() {
    for point in [Point::BeforeSend, Point::Locked, Point::BeforeCommit] {
        let (database, one) = (database().await, tenant("one"));
        let gate = Gate::at(point);
        let log = gated(&database, &gate).await;
        log.open(&one, opening()).await.unwrap();
        // Somebody else's append sends the next one the long way.
        log_on(&database).await.append(&one, vec![own("other")]).await.unwrap();
        gate.stop(2);
        let append = log.append(&one, vec![own("evt_1"), own("evt_2")]);
        let breaks = async {
            for _ in 0..2 {
                gate.reached().await;
                gate.break_off();
                if point == Point::BeforeSend {
                    // It isn't passed a second time: the long way has other points.
                    break;
                }
            }
        };
        let (outcomes, ()) = tokio::join!(append, breaks);
        assert_eq!(outcomes.unwrap()[1], Outcome::Appended { position: 4, revision: 0 });
        assert_sound(&database, 4).await;
    }
}

#[tokio::test]
async fn a_process_that_dies_before_it_answers_has_appended() {
    let (database, one) = (database().await, tenant("one"));
    let gate = Gate::at(Point::BeforeAnswer);
    let log = gated(&database, &gate).await;
    log.open(&one, opening()).await.unwrap();
    gate.stop(1);
    let append = log.append(&one, vec![own("evt_1")]);
    let dies = async {
        gate.reached().await;
        gate.break_off();
    };
    let (untold, ()) = tokio::join!(append, dies);
    assert!(matches!(untold, Err(AppendError::Unavailable(_))), "{untold:?}");
    let again = log.append(&one, vec![own("evt_1")]).await.unwrap()[0];
    assert_eq!(again, Outcome::AlreadyAppended { position: 2, revision: 0 });
    assert_sound(&database, 2).await;
}

#[tokio::test]
async fn a_caller_that_goes_leaves_all_or_nothing() {
    let (database, one) = (database().await, tenant("one"));
    let gate = Gate::at(Point::BeforeSend);
    let log = gated(&database, &gate).await;
    log.open(&one, opening()).await.unwrap();
    gate.stop(1);
    {
        let sent = log.append(&one, vec![own("sent_1"), own("sent_2")]);
        tokio::pin!(sent);
        let gone = async { gate.reached().await };
        tokio::select! {
            outcome = &mut sent => panic!("{outcome:?}"),
            () = gone => {}
        }
        let waiting = log.append(&one, vec![own("waiting_1"), own("waiting_2")]);
        assert!(tokio::time::timeout(Duration::from_millis(20), waiting).await.is_err());
    }
    gate.release();
    // Whoever comes next is answered after both were done with.
    log.append(&one, vec![own("next")]).await.unwrap();
    let there = |id: &'static str| {
        let (log, one) = (Arc::clone(&log), one.clone());
        async move { log.find(&one, &key("stripe", id)).await.unwrap().is_some() }
    };
    assert!(there("sent_1").await && there("sent_2").await, "it was on its way");
    assert!(!there("waiting_1").await && !there("waiting_2").await, "nobody waited for it");
    assert_sound(&database, 4).await;
}

#[tokio::test]
async fn nobody_waits_longer_than_the_deadline() {
    let (database, one) = (database().await, tenant("one"));
    let gate = Gate::at(Point::BeforeSend);
    let append_timeout = Duration::from_millis(200);
    let settings = Settings { append_timeout, hook: Some(gate.hook()), ..Settings::default() };
    let log = log_with(&database, settings).await;
    let patient = log_on(&database).await;
    patient.open(&one, opening()).await.unwrap();
    patient.append(&one, vec![own("evt_0")]).await.unwrap();
    gate.stop(1);
    let calls = (1..20).map(|n| {
        let event = own(&format!("evt_{n}"));
        log.append(&one, vec![event])
    });
    let answers = join_all(calls).await;
    assert!(answers.iter().all(|a| matches!(a, Err(AppendError::Unavailable(_)))), "{answers:?}");
    gate.release();
    // What waited may still be written, or not; a busy machine may take longer than the deadline.
    let retried = patient.append(&one, vec![own("evt_1")]).await.unwrap()[0];
    assert!(retried.position() >= 3);
}

#[tokio::test]
async fn a_shutdown_answers_who_waits_and_takes_no_more() {
    let (database, one) = (database().await, tenant("one"));
    let gate = Gate::at(Point::BeforeSend);
    let log = gated(&database, &gate).await;
    log.open(&one, opening()).await.unwrap();
    gate.stop(1);
    let ids: Vec<_> = (0..200).map(|n| format!("evt_{n}")).collect();
    let calls = join_all(ids.iter().map(|id| log.append(&one, vec![own(id)])));
    let stops = async {
        gate.reached().await;
        let ends = log.shutdown();
        tokio::pin!(ends);
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut ends).await.is_err());
        gate.release();
        ends.await;
    };
    let (answers, ()) = tokio::join!(calls, stops);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let late = log.append(&one, vec![own("late")]).await;
    assert!(matches!(late, Err(AppendError::Unavailable(_))), "{late:?}");
    assert_sound(&database, 201).await;
}

fn shifted(shift: &Arc<AtomicI64>) -> Clock {
    let (shift, clock) = (Arc::clone(shift), system_clock());
    Arc::new(move || clock().plus(shift.load(Ordering::SeqCst)))
}

#[tokio::test]
async fn who_has_another_time_than_the_database_does_not_lead() {
    const HOUR: i64 = 3_600_000_000;
    let (database, one) = (database().await, tenant("one"));
    let shift = Arc::new(AtomicI64::new(0));
    let (pools, clock) = (pools(&database), shifted(&shift));
    let log = PostgresLog::connect(&pools, clock, Settings::default()).await.unwrap();
    log.open(&one, opening()).await.unwrap();
    for (n, micros) in [(0, HOUR), (1, -HOUR)] {
        shift.store(micros, Ordering::SeqCst);
        let refused = log.append(&one, vec![own(&format!("evt_{n}"))]).await;
        assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
        assert_eq!(log.head(&one).await.unwrap().unwrap().position, n + 1, "none of it");
        shift.store(0, Ordering::SeqCst);
        log.append(&one, vec![own(&format!("evt_{n}"))]).await.unwrap();
    }
    // What was refused has left no trace in what came after it.
    let said = "SELECT count(*) FROM event
        WHERE recorded_at NOT BETWEEN now() - interval '50 minutes' AND now()";
    let wrong: i64 = sqlx::query_scalar(said).fetch_one(&owner(&database).await).await.unwrap();
    assert_eq!(wrong, 0, "times that the database didn't have");
    assert_sound(&database, 3).await;
}

/// What comes between a look at the clock and the answer to it is no difference of clocks.
#[tokio::test]
async fn a_slow_way_to_the_database_is_no_difference_of_clocks() {
    const LATE: i64 = -5_000_000;
    let (database, one) = (database().await, tenant("one"));
    let (shift, reading) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(i64::MAX)));
    // One reading is five seconds old by the time it is used.
    let clock: Clock = {
        let (shifted, reading) = (shifted(&shift), Arc::clone(&reading));
        Arc::new(move || {
            let is_late = reading.fetch_sub(1, Ordering::SeqCst) == 1;
            shifted().plus(if is_late { LATE } else { 0 })
        })
    };
    let end_of_stall = Arc::clone(&shift);
    let hook: Hook = Arc::new(move |point| {
        if point == Point::BeforeSend {
            end_of_stall.store(0, Ordering::SeqCst);
        }
        Box::pin(async { Ok(()) })
    });
    let settings = Settings { hook: Some(hook), ..Settings::default() };
    let log = PostgresLog::connect(&pools(&database), clock, settings).await.unwrap();
    log.open(&one, opening()).await.unwrap();
    // Five seconds between the plan and the statement.
    shift.store(LATE, Ordering::SeqCst);
    log.append(&one, vec![own("stalled")]).await.unwrap();
    // Five seconds on the way, whichever reading it is.
    for late in 1..=3 {
        reading.store(late, Ordering::SeqCst);
        log.append(&one, vec![own(&format!("late_{late}"))]).await.unwrap();
    }
    assert_sound(&database, 5).await;
}

#[tokio::test]
async fn time_never_runs_back_from_one_leader_to_the_next() {
    let (database, one) = (database().await, tenant("one"));
    let mut logs = Vec::new();
    for micros in [700_000, -700_000] {
        let clock = shifted(&Arc::new(AtomicI64::new(micros)));
        let settings = Settings::default();
        logs.push(PostgresLog::connect(&pools(&database), clock, settings).await.unwrap());
    }
    logs[0].open(&one, opening()).await.unwrap();
    for n in 0..10 {
        logs[n % 2].append(&one, vec![own(&format!("evt_{n}"))]).await.unwrap();
    }
    assert_sound(&database, 11).await;
}

#[tokio::test]
async fn one_event_that_the_database_rejects_takes_no_other_with_it() {
    let (database, one) = (database().await, tenant("one"));
    let log = log_on(&database).await;
    log.open(&one, opening()).await.unwrap();
    let poison = "CREATE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'rejected' USING ERRCODE = '22000'; END $$;
        CREATE TRIGGER reject BEFORE INSERT ON event FOR EACH ROW
            WHEN (new.event_id = 'poison') EXECUTE FUNCTION reject()";
    execute(&owner(&database).await, poison).await;
    let ids = ["evt_1", "poison", "evt_2", "evt_3"];
    let calls = ids.map(|id| log.append(&one, vec![own(id)]));
    let answers = join_all(calls).await;
    for (id, answer) in ids.iter().zip(answers) {
        assert_eq!(matches!(answer, Err(AppendError::Unavailable(_))), *id == "poison", "{id}");
    }
    assert_sound(&database, 4).await;
}

#[tokio::test]
async fn a_terminated_backend_costs_a_second_try() {
    let (database, one) = (database().await, tenant("one"));
    let log = log_on(&database).await;
    log.open(&one, opening()).await.unwrap();
    let owner = owner(&database).await;
    for n in 0..5 {
        execute(&owner, TERMINATE).await;
        let outcome = log.append(&one, vec![own(&format!("evt_{n}"))]).await.unwrap()[0];
        assert!(matches!(outcome, Outcome::Appended { .. }));
    }
    assert_sound(&database, 6).await;
}

/// A log with two events, and a backup of it.
async fn backed_up(database: &str, tenant: &Tenant) -> (PostgresLog, PgPool) {
    let (log, owner) = (log_on(database).await, owner(database).await);
    log.open(tenant, opening()).await.unwrap();
    log.append(tenant, vec![own("kept")]).await.unwrap();
    execute(&owner, "CREATE TABLE backup AS SELECT * FROM log_head").await;
    (log, owner)
}

/// Puts the backup back, which has two events, and says so by the epoch or not: a standby that
/// takes over says nothing.
pub(crate) fn restore(epochs: i32) -> String {
    format!(
        "BEGIN;
        DELETE FROM event WHERE position > 2; DELETE FROM event_dedup WHERE position > 2;
        DELETE FROM log_seal WHERE size > 2; DELETE FROM log_head;
        INSERT INTO log_head (tenant, position, recorded_at, root, frontier, epoch)
            SELECT tenant, position, recorded_at, root, frontier, epoch + {epochs} FROM backup;
        COMMIT"
    )
}

pub(crate) const TERMINATE: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[tokio::test]
async fn a_restored_log_is_not_taken_for_the_one_before() {
    for (connections_end, first, epochs) in [
        (true, "lost", 1),
        (false, "lost", 1),
        (false, "new", 1),
        (true, "lost", 0),
        (false, "lost", 0),
        (false, "new", 0),
    ] {
        let (database, one) = (database().await, tenant("one"));
        let (log, owner) = backed_up(&database, &one).await;
        let in_stream = shared("s", "trainer-t1", Expected::NoStream);
        log.append(&one, vec![own("lost"), in_stream.clone()]).await.unwrap();
        execute(&owner, &restore(epochs)).await;
        if connections_end {
            execute(&owner, TERMINATE).await;
        }
        let again = log.append(&one, vec![own("kept"), own(first)]).await.unwrap();
        assert_eq!(again[0], Outcome::AlreadyAppended { position: 2, revision: 0 });
        assert_eq!(again[1], Outcome::Appended { position: 3, revision: 0 });
        let again = log.append(&one, vec![in_stream]).await.unwrap();
        assert_eq!(again[0], Outcome::Appended { position: 4, revision: 0 });
        assert_eq!(log.head(&one).await.unwrap().unwrap().epoch, 1 + epochs);
        assert_sound(&database, 4).await;
    }
}

/// The first content was lost with its key, so that nothing stands against another one.
#[tokio::test]
async fn a_key_that_was_lost_is_free_for_another_content() {
    for epochs in [1, 0] {
        let (database, one) = (database().await, tenant("one"));
        let (log, owner) = backed_up(&database, &one).await;
        log.append(&one, vec![own("lost")]).await.unwrap();
        execute(&owner, &restore(epochs)).await;
        let other = NewEvent { content_hash: [9; 32], ..own("lost") };
        let outcomes = log.append(&one, vec![other]).await.unwrap();
        assert_eq!(outcomes, [Outcome::Appended { position: 3, revision: 0 }]);
        assert_sound(&database, 3).await;
    }
}

#[tokio::test]
async fn damage_is_reported_by_who_reads() {
    let (database, one) = (database().await, tenant("one"));
    let log = log_on(&database).await;
    log.open(&one, opening()).await.unwrap();
    log.append(&one, (0..9).map(|n| own(&format!("evt_{n}"))).collect()).await.unwrap();
    let owner = owner(&database).await;
    let corrupt_at = |expected: i64| {
        let (log, one) = (&log, &one);
        async move {
            match log.read(one, 0, 100).await {
                Err(ReadError::Corrupt { position, .. }) => assert_eq!(position, expected),
                other => panic!("{other:?}"),
            }
        }
    };
    for (sql, position) in [
        ("UPDATE event SET content_hash = '' WHERE position = 8", 8),
        ("UPDATE event SET stream = 'a b' WHERE position = 7", 7),
        ("UPDATE event SET format = 9 WHERE position = 6", 6),
    ] {
        execute(&owner, sql).await;
        corrupt_at(position).await;
    }
    execute(&owner, "DELETE FROM event WHERE position > 5; DELETE FROM event WHERE position = 3")
        .await;
    corrupt_at(4).await;
    // A head whose frontier was altered isn't built upon.
    execute(&owner, "UPDATE log_head SET frontier = frontier || frontier").await;
    let fresh = Settings { append_timeout: Duration::from_millis(300), ..Settings::default() };
    let refused = log_with(&database, fresh).await.append(&one, vec![own("evt_9")]).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn the_next_partition_is_there_before_it_is_needed() {
    let (database, one) = (database().await, tenant("one"));
    let log = log_on(&database).await;
    let owner = owner(&database).await;
    log.open(&one, opening()).await.unwrap();
    log.append(&one, (2..=8).map(|n| own(&format!("evt_{n}"))).collect()).await.unwrap();
    log.shutdown().await;
    // As if almost thirty million events lay between; the peaks are made up.
    let size: i64 = 29_999_995;
    let frontier = vec![[7; 32]; size.count_ones() as usize].concat();
    let root = Frontier::from_bytes(size.unsigned_abs(), &frontier).unwrap().root();
    sqlx::query("UPDATE log_head SET position = $1, frontier = $2, root = $3")
        .bind(size)
        .bind(frontier)
        .bind(root)
        .execute(&owner)
        .await
        .unwrap();
    let partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'event'::regclass";
    assert_eq!(sqlx::query_scalar::<_, i64>(partitions).fetch_one(&owner).await.unwrap(), 1);
    let log = log_on(&database).await;
    let events = (0..20).map(|n| own(&format!("next_{n}"))).collect();
    let outcomes = log.append(&one, events).await.unwrap();
    assert_eq!(outcomes.last().unwrap().position(), size + 20);
    let chain = [Expected::NoStream, Expected::Revision(0)];
    let chain = chain.into_iter().zip(["a", "b"]).map(|(e, id)| shared(id, "trainer-t1", e));
    log.append(&one, chain.collect()).await.unwrap();
    assert_eq!(sqlx::query_scalar::<_, i64>(partitions).fetch_one(&owner).await.unwrap(), 2);
    assert_eq!(log.read(&one, size, 100).await.unwrap().len(), 22, "read across the border");
    let stream = ledger_log::testing::stream("trainer-t1");
    assert_eq!(log.read_stream(&one, &stream, 0, 9).await.unwrap().len(), 2);
    let unguarded = "SELECT count(*) FROM pg_class
        WHERE relispartition AND relkind = 'r' AND NOT (relrowsecurity AND relforcerowsecurity)";
    assert_eq!(sqlx::query_scalar::<_, i64>(unguarded).fetch_one(&owner).await.unwrap(), 0);
}
