//! Processes that take turns at one log: each brings what it remembers up to what the others wrote.

use std::sync::Arc;

use ledger_domain::id::Tenant;
use ledger_domain::time::Timestamp;
use ledger_log::postgres::PostgresLog;
use ledger_log::testing::{
    WHEN, consume, counter, entry, key, opening, own, shared, stream, tenant, usage, within_limit,
};
use ledger_log::{
    AppendError, Counter, Decided, Decision, EventLog, Expected, NewEvent, Outcome, UsageChange,
    Verdict,
};
use sqlx::PgPool;
use tokio::time::timeout;
use uuid::Uuid;

use crate::check::{RawLog, assert_no_violations};
use crate::load::PATIENCE;
use crate::support::{LOGIN, database, log_on, owner};
use crate::trouble::{TERMINATE, execute, restore};

/// More than is caught up with.
const FAR: usize = 10_001;
/// What a trainer has used before the turns begin.
const USED_BEFORE: usize = 2_000;

async fn two(database: &str) -> (PostgresLog, PostgresLog, Tenant) {
    let (first, second, one) = (log_on(database).await, log_on(database).await, tenant("one"));
    first.open(&one, opening()).await.unwrap();
    (first, second, one)
}

/// Usage that is counted beside other events, in no stream of usage.
fn counted(id: &str, trainer: &str) -> NewEvent {
    let usage = entry(trainer, Timestamp::from_unix(WHEN), UsageChange::Count(1));
    NewEvent { usage: Some(usage), ..own(id) }
}

async fn append(log: &PostgresLog, tenant: &Tenant, events: Vec<NewEvent>) {
    // What is known isn't appended again, so that halves are enough.
    for events in events.chunks(events.len().div_ceil(2)) {
        log.append(tenant, events.to_vec()).await.unwrap();
    }
}

async fn decide(log: &PostgresLog, tenant: &Tenant, decision: Decision) -> (bool, Counter) {
    match log.append_decided(tenant, decision).await.unwrap() {
        Decided::Granted(_, counter) => (true, counter),
        Decided::Refused(counter) => (false, counter),
    }
}

async fn ask(log: &PostgresLog, tenant: &Tenant, trainer: &str) -> Counter {
    let decision = Decision {
        decide: Arc::new(|_| Verdict::Refuse),
        ..consume("never_appended", trainer, 1, 0)
    };
    decide(log, tenant, decision).await.1
}

#[test]
fn engines_that_take_turns_follow_the_model() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let engines = runtime.block_on(async {
        let database = database().await;
        let engine = async || Arc::new(log_on(&database).await) as Arc<dyn EventLog>;
        [engine().await, engine().await]
    });
    ledger_log::contract::follows_the_model(&runtime, &engines);
}

/// How many entries of an index were read so far, after all who read have gone.
async fn entries_read(owner: &PgPool, index: &str) -> i64 {
    let others = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = $1";
    // A backend tells what it has read before it goes.
    let gone = async {
        loop {
            execute(owner, TERMINATE).await;
            let query = sqlx::query_scalar::<_, i64>(others).bind(LOGIN);
            if query.fetch_one(owner).await.unwrap() == 0 {
                break;
            }
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    let sql = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = $1";
    sqlx::query_scalar(sql).bind(index).fetch_one(owner).await.unwrap()
}

#[tokio::test]
async fn a_turn_reads_what_the_other_wrote_and_not_the_window() {
    const TURNS: i64 = 40;
    let database = database().await;
    let (first, second, one) = two(&database).await;
    let before = (0..USED_BEFORE).map(|n| counted(&format!("evt_{n}"), "t1")).collect();
    append(&first, &one, before).await;
    let used_before = i64::try_from(USED_BEFORE).unwrap();
    for turn in 0..TURNS {
        let log = if turn % 2 == 0 { &first } else { &second };
        let decision = consume(&format!("use{turn}"), "t1", 1, i64::MAX);
        let (granted, counter) = decide(log, &one, decision).await;
        assert_eq!((granted, counter.used), (true, used_before + turn + 1));
    }
    first.shutdown().await;
    second.shutdown().await;
    let owner = owner(&database).await;
    // Each sums the window once. Under load a process may lose its connection, and with it what
    // it remembers; it doesn't at every turn.
    let of_windows = entries_read(&owner, "usage_entry_pkey").await;
    assert!((2 * used_before..6 * used_before).contains(&of_windows), "{of_windows} of windows");
    let of_turns = entries_read(&owner, "usage_entry_position_idx").await;
    assert!((TURNS - 4..2 * TURNS).contains(&of_turns), "{of_turns} of turns");
}

#[tokio::test]
async fn who_was_away_for_long_forgets() {
    let database = database().await;
    let (first, second, one) = two(&database).await;
    assert_eq!(ask(&first, &one, "t1").await.used, 0);
    let many = (0..FAR).map(|n| counted(&format!("evt_{n}"), "t1")).collect();
    append(&second, &one, many).await;
    let (_, counter) = decide(&first, &one, consume("use", "t1", 1, i64::MAX)).await;
    assert_eq!(counter.used, i64::try_from(FAR).unwrap() + 1);
    first.shutdown().await;
    second.shutdown().await;
    let owner = owner(&database).await;
    assert_eq!(entries_read(&owner, "usage_entry_position_idx").await, 0, "nothing is caught up");
    let of_window = entries_read(&owner, "usage_entry_pkey").await;
    assert_eq!(of_window, i64::try_from(FAR).unwrap(), "the window is summed once");
}

/// Between the end that is remembered and the look, another has counted: that is caught up with,
/// and must not have been in what was looked up.
#[tokio::test]
async fn what_is_looked_up_late_counts_once() {
    let database = database().await;
    let (first, second, one) = two(&database).await;
    let until = Timestamp::MAX;
    let held = |n: u128| UsageChange::Hold { id: Uuid::from_u128(n), quantity: 2, until };
    let settled = UsageChange::Settle { id: Uuid::from_u128(1), quantity: 1 };
    decide(
        &second,
        &one,
        within_limit(usage("h1", "t1", WHEN, held(1)), counter("t1", None), 2, 9),
    )
    .await;
    first.append(&one, vec![own("remembers_the_end")]).await.unwrap();
    for event in [
        usage("h2", "t1", WHEN, held(2)),
        usage("s1", "t1", WHEN, settled),
        usage("c1", "t1", WHEN, UsageChange::Count(3)),
    ] {
        let decision = within_limit(event, counter("t1", None), 0, 9);
        assert!(decide(&second, &one, decision).await.0);
    }
    let seen = ask(&first, &one, "t1").await;
    assert_eq!((seen.used, seen.held), (4, 2));
    let (granted, after) = decide(&first, &one, consume("c2", "t1", 4, 9)).await;
    assert_eq!((granted, after.used, after.held), (false, 4, 2));
    let (granted, after) = decide(&first, &one, consume("c3", "t1", 3, 9)).await;
    assert_eq!((granted, after.used, after.held), (true, 7, 2));
    let log = RawLog::read(&owner(&database).await, "one").await;
    assert_no_violations(&log, &[]);
}

#[tokio::test]
async fn holds_are_settled_and_expire_wherever_they_were_placed() {
    let database = database().await;
    let (first, second, one) = two(&database).await;
    let (now, id) = (ask(&first, &one, "t1").await.now, Uuid::from_u128(1));
    ask(&second, &one, "t1").await;
    let soon = now.plus(300_000);
    let hold = |key: &str, id: Uuid, quantity, until| {
        let event = usage(key, "t1", WHEN, UsageChange::Hold { id, quantity, until });
        within_limit(event, counter("t1", None), quantity, 9)
    };
    assert!(decide(&first, &one, hold("h1", id, 4, Timestamp::MAX)).await.0);
    assert!(decide(&second, &one, hold("h2", Uuid::from_u128(2), 5, soon)).await.0);
    // The one settles what the other holds, and is told what is held.
    let event = usage("s1", "t1", WHEN, UsageChange::Settle { id, quantity: 3 });
    let decision = within_limit(event.clone(), counter("t1", None), 0, 9);
    let runs = move |counter: &Counter| match counter.hold {
        Some(4) => Verdict::Append(Box::new(event.clone())),
        _ => Verdict::Refuse,
    };
    let settle = Decision { hold: Some(id), decide: Arc::new(runs), ..decision };
    let (granted, after) = decide(&second, &one, settle.clone()).await;
    assert_eq!((granted, after.used), (true, 3));
    let again = Decision { key: key("api", "s2"), ..settle };
    assert!(!decide(&first, &one, again).await.0, "it was settled elsewhere");
    // Asking in turns is what passes the time.
    let freed = async {
        for log in [&first, &second].into_iter().cycle() {
            let seen = ask(log, &one, "t1").await;
            assert_eq!(seen.used, 3);
            assert_eq!(seen.held, if seen.now < soon { 5 } else { 0 });
            let (granted, _) = decide(log, &one, consume("rest", "t1", 6, 9)).await;
            if granted {
                break;
            }
        }
    };
    timeout(PATIENCE, freed).await.unwrap();
    for log in [&first, &second] {
        let seen = ask(log, &one, "t1").await;
        assert_eq!((seen.used, seen.held), (9, 0));
        let (again, _) = decide(log, &one, consume("rest", "t1", 6, 9)).await;
        assert!(again, "a retry is granted again, whoever was asked first");
    }
}

/// Where a stream ends is known to who has seen only the other write to it.
#[tokio::test]
async fn revisions_are_exact_by_turns() {
    let database = database().await;
    let (first, second, one) = two(&database).await;
    let mut expected = Expected::NoStream;
    for turn in 0..12i64 {
        let (log, other) = if turn % 2 == 0 { (&first, &second) } else { (&second, &first) };
        let event = shared(&format!("id{turn}"), "trainer-t1", expected);
        let outcome = log.append(&one, vec![event.clone()]).await.unwrap()[0];
        let Outcome::Appended { position, revision } = outcome else { panic!("{outcome:?}") };
        assert_eq!(revision, turn);
        let late = shared(&format!("late{turn}"), "trainer-t1", expected);
        let refused = other.append(&one, vec![late]).await;
        let (name, actual) = (stream("trainer-t1"), Some(turn));
        let wrong = AppendError::WrongExpectedRevision { stream: name, actual };
        assert_eq!(refused, Err(wrong));
        let retried = other.append(&one, vec![event]).await.unwrap()[0];
        assert_eq!(retried, Outcome::AlreadyAppended { position, revision });
        expected = Expected::Revision(turn);
    }
}

/// A standby that took over lacks the last events, and others have appended as many since: the end
/// lies beyond the remembered one, and doesn't follow on it.
#[tokio::test]
async fn a_log_that_took_another_way_is_not_caught_up_with() {
    for batches in [vec![6], vec![2, 4], vec![1, 1, 4]] {
        let database = database().await;
        let (first, second, one) = two(&database).await;
        let owner = owner(&database).await;
        first.append(&one, vec![own("kept")]).await.unwrap();
        execute(&owner, "CREATE TABLE backup AS SELECT * FROM log_head").await;
        // Two events that will be lost, of which the first process remembers all.
        let in_stream = shared("lost", "trainer-t1", Expected::NoStream);
        first.append(&one, vec![in_stream.clone()]).await.unwrap();
        assert!(decide(&first, &one, consume("used", "t1", 5, 9)).await.0);
        execute(&owner, &restore(0)).await;
        execute(&owner, "DELETE FROM usage_entry WHERE position > 2").await;
        let mut ids = 0..;
        for count in &batches {
            let events = ids.by_ref().take(*count).map(|n| counted(&format!("evt_{n}"), "t1"));
            second.append(&one, events.collect()).await.unwrap();
        }
        let seen = ask(&first, &one, "t1").await;
        assert_eq!(seen.used, 6, "{batches:?}");
        let again = first.append(&one, vec![in_stream]).await.unwrap()[0];
        assert_eq!(again, Outcome::Appended { position: 9, revision: 0 });
        assert!(decide(&first, &one, consume("used", "t1", 3, 9)).await.0);
        let log = RawLog::read(&owner, "one").await;
        assert_no_violations(&log, &[]);
    }
}
