//! Rules of deciding and of usage.

use std::sync::Arc;

use futures::future::join_all;
use ledger_domain::id::{FeatureSlug, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use uuid::Uuid;

use super::{Log, open, read_all};
use crate::port::{AppendError, Counter, Decided, Decision, Outcome, UsageChange, Verdict};
use crate::testing::{WHEN, consume, counter, key, own, stream, usage, within_limit};

fn granted(decided: &Result<Decided, AppendError>) -> bool {
    matches!(decided, Ok(Decided::Granted(..)))
}

/// What the counter says, without changing anything.
async fn ask(log: &Log, tenant: &Tenant, trainer: &str, window: Option<Interval>) -> Counter {
    let decision = Decision {
        key: key("api", "never_appended"),
        content_hash: [0; 32],
        counter: counter(trainer, window),
        hold: None,
        decide: Arc::new(|_| Verdict::Refuse),
    };
    match log.append_decided(tenant, decision).await {
        Ok(Decided::Refused(counter)) => counter,
        other => panic!("{other:?}"),
    }
}

async fn sum(log: &Log, tenant: &Tenant, trainer: &str) -> i64 {
    let trainer = TrainerId::try_new(trainer).expect("a trainer");
    let feature = FeatureSlug::try_new("customers").expect("a feature");
    let always = Interval { from: Timestamp::MIN, until: Timestamp::MAX };
    let entries = log.usage(tenant, &trainer, &feature, always, i64::MAX).await.expect("reads");
    entries.iter().map(|(_, quantity)| quantity).sum()
}

/// Under any concurrency exactly what fits is granted.
pub async fn a_limit_is_never_overshot(log: Log) {
    let tenant = open(&log).await;
    let ids: Vec<String> = (0..200).map(|n| format!("use_{n}")).collect();
    let calls = ids.iter().map(|id| log.append_decided(&tenant, consume(id, "t1", 1, 9)));
    let decided = join_all(calls).await;
    assert_eq!(decided.iter().filter(|d| granted(d)).count(), 9);
    assert!(decided.iter().all(Result::is_ok));
    let mut used: Vec<i64> = decided
        .iter()
        .filter_map(|decided| match decided {
            Ok(Decided::Granted(_, counter)) => Some(counter.used),
            _ => None,
        })
        .collect();
    used.sort_unstable();
    assert_eq!(used, (1..=9).collect::<Vec<_>>(), "each is told the counter after it");
    assert_eq!(sum(&log, &tenant, "t1").await, 9);
    let name = stream("usage-t1-customers");
    let events = log.read_stream(&tenant, &name, 0, 100).await.expect("reads");
    assert_eq!(events.len(), 9);
    read_all(&log, &tenant).await;
}

/// A retry is told its first result, also when there is no room any more.
pub async fn a_granted_decision_is_granted_again(log: Log) {
    let tenant = open(&log).await;
    let first = log.append_decided(&tenant, consume("one", "t1", 2, 2)).await.expect("decides");
    let Decided::Granted(Outcome::Appended { position, revision }, _) = first else {
        panic!("{first:?}")
    };
    assert!(!granted(&log.append_decided(&tenant, consume("two", "t1", 1, 2)).await));
    let again = log.append_decided(&tenant, consume("one", "t1", 2, 2)).await.expect("decides");
    let Decided::Granted(outcome, counter) = again else { panic!("{again:?}") };
    assert_eq!(outcome, Outcome::AlreadyAppended { position, revision });
    assert_eq!(counter.used, 2);
    let calls = (0..50).map(|_| log.append_decided(&tenant, consume("three", "t1", 1, 3)));
    let decided = join_all(calls).await;
    assert!(decided.iter().all(granted), "one consumes, the others repeat it");
    assert_eq!(sum(&log, &tenant, "t1").await, 3);
}

/// A key that was refused may be granted later.
pub async fn a_refusal_is_not_remembered(log: Log) {
    let tenant = open(&log).await;
    assert!(granted(&log.append_decided(&tenant, consume("one", "t1", 1, 1)).await));
    assert!(!granted(&log.append_decided(&tenant, consume("two", "t1", 1, 1)).await));
    let down = usage("down", "t1", WHEN, UsageChange::Count(-1));
    let down = within_limit(down, counter("t1", None), -1, 1);
    assert!(granted(&log.append_decided(&tenant, down).await));
    assert!(granted(&log.append_decided(&tenant, consume("two", "t1", 1, 1)).await));
    assert_eq!(sum(&log, &tenant, "t1").await, 1);
}

/// A key decides one question.
pub async fn a_decision_with_another_content_is_refused(log: Log) {
    let tenant = open(&log).await;
    assert!(granted(&log.append_decided(&tenant, consume("one", "t1", 1, 9)).await));
    let mut other = usage("one", "t1", WHEN, UsageChange::Count(2));
    other.content_hash = [2; 32];
    let other = within_limit(other, counter("t1", None), 2, 9);
    let refused = log.append_decided(&tenant, other).await;
    assert_eq!(refused, Err(AppendError::IdReused { position: 2, revision: 0 }));
    assert_eq!(ask(&log, &tenant, "t1", None).await.used, 1);
}

/// A closure that panics, or answers with an event that wasn't asked for, is refused alone.
pub async fn a_decision_that_misbehaves_hurts_nobody(log: Log) {
    let tenant = open(&log).await;
    let mut panics = consume("one", "t1", 1, 9);
    panics.decide = Arc::new(|_| panic!("a decision of a test panics"));
    let mut other = consume("two", "t1", 1, 9);
    other.key = key("api", "three");
    let mut calls = vec![panics, other];
    calls.extend((0..9).map(|n| consume(&format!("id{n}"), "t1", 1, 9)));
    let decided = join_all(calls.into_iter().map(|d| log.append_decided(&tenant, d))).await;
    assert!(matches!(decided[0], Err(AppendError::Refused(_))));
    assert!(matches!(decided[1], Err(AppendError::Refused(_))));
    assert!(decided[2..].iter().all(granted));
}

/// The counter knows what was appended without a decision.
pub async fn decisions_see_plain_appends(log: Log) {
    let tenant = open(&log).await;
    assert_eq!(ask(&log, &tenant, "t1", None).await.used, 0);
    let plain = usage("plain", "t1", WHEN, UsageChange::Count(8));
    log.append(&tenant, vec![plain]).await.expect("appends");
    assert_eq!(ask(&log, &tenant, "t1", None).await.used, 8);
    assert!(!granted(&log.append_decided(&tenant, consume("two", "t1", 2, 9)).await));
    assert!(granted(&log.append_decided(&tenant, consume("three", "t1", 1, 9)).await));
    assert!(granted(&log.append_decided(&tenant, consume("four", "t2", 2, 9)).await));
}

/// What is held isn't there for others; settling counts what was really used.
pub async fn holds_keep_their_quantity_until_settled(log: Log) {
    let tenant = open(&log).await;
    let (now, id) = (ask(&log, &tenant, "t1", None).await.now, Uuid::from_u128(7));
    let until = now.plus(3_600_000_000);
    let hold = usage("hold", "t1", WHEN, UsageChange::Hold { id, quantity: 5, until });
    let hold = within_limit(hold, counter("t1", None), 5, 9);
    let Ok(Decided::Granted(_, after)) = log.append_decided(&tenant, hold).await else { panic!() };
    assert_eq!((after.used, after.held), (0, 5));
    assert!(!granted(&log.append_decided(&tenant, consume("one", "t1", 5, 9)).await));
    assert!(granted(&log.append_decided(&tenant, consume("two", "t1", 4, 9)).await));
    assert_eq!(sum(&log, &tenant, "t1").await, 4, "what is held isn't used");
    let settle = usage("settle", "t1", WHEN, UsageChange::Settle { id, quantity: 3 });
    let settle = within_limit(settle, counter("t1", None), 0, 9);
    let Ok(Decided::Granted(_, after)) = log.append_decided(&tenant, settle).await else {
        panic!()
    };
    assert_eq!((after.used, after.held), (7, 0));
    assert_eq!(sum(&log, &tenant, "t1").await, 7);
}

/// A decision that names a hold is told what it keeps, for as long as it runs.
pub async fn a_decision_sees_the_hold_that_it_names(log: Log) {
    let tenant = open(&log).await;
    let (now, id) = (ask(&log, &tenant, "t1", None).await.now, Uuid::from_u128(7));
    let until = now.plus(3_600_000_000);
    let hold = usage("hold", "t1", WHEN, UsageChange::Hold { id, quantity: 5, until });
    let hold = within_limit(hold, counter("t1", None), 5, 9);
    assert!(granted(&log.append_decided(&tenant, hold).await));
    let settle = async |key: &str, named: u128| {
        let event = usage(key, "t1", WHEN, UsageChange::Settle { id, quantity: 3 });
        let decision = within_limit(event.clone(), counter("t1", None), 0, 9);
        let running = move |counter: &Counter| match counter.hold {
            Some(5) => Verdict::Append(Box::new(event.clone())),
            _ => Verdict::Refuse,
        };
        let hold = Some(Uuid::from_u128(named));
        log.append_decided(&tenant, Decision { hold, decide: Arc::new(running), ..decision }).await
    };
    assert!(!granted(&settle("other", 8).await), "another hold");
    // Both want to settle it; one does.
    let both = join_all(["one", "two"].map(|key| settle(key, 7))).await;
    assert_eq!(both.iter().filter(|decided| granted(decided)).count(), 1);
    let seen = ask(&log, &tenant, "t1", None).await;
    assert_eq!((seen.used, seen.held), (3, 0));
}

/// An unsettled hold frees itself.
pub async fn holds_end_by_themselves(log: Log) {
    let tenant = open(&log).await;
    let now = ask(&log, &tenant, "t1", None).await.now;
    for (number, until) in [(1, now.plus(-1)), (2, now.plus(200_000))] {
        let id = Uuid::from_u128(number);
        let hold = UsageChange::Hold { id, quantity: 9, until };
        let hold = usage(&format!("hold{number}"), "t1", WHEN, hold);
        let hold = within_limit(hold, counter("t1", None), 0, 9);
        assert!(granted(&log.append_decided(&tenant, hold).await));
    }
    // Asking is what passes the time; the test's own limit bounds it.
    loop {
        let seen = ask(&log, &tenant, "t1", None).await;
        assert_eq!(seen.held, if seen.now < now.plus(200_000) { 9 } else { 0 });
        if seen.held == 0 {
            break;
        }
    }
    assert!(granted(&log.append_decided(&tenant, consume("one", "t1", 9, 9)).await));
}

/// Usage counts in the window that contains its instant, in whatever order it comes.
pub async fn usage_counts_in_its_window(log: Log) {
    let tenant = open(&log).await;
    let window = |month: i64| {
        let at = |month| Timestamp::from_unix(WHEN + month * 1_000);
        Some(Interval { from: at(month), until: at(month + 1) })
    };
    assert_eq!(ask(&log, &tenant, "t1", window(1)).await.used, 0);
    for (id, at, quantity) in [("a", 1_000, 1), ("b", 999, 2), ("c", 1_999, 4), ("d", 2_000, 8)] {
        let event = usage(id, "t1", WHEN + at, UsageChange::Count(quantity));
        let decision = within_limit(event, counter("t1", None), 0, 1_000);
        assert!(granted(&log.append_decided(&tenant, decision).await));
    }
    let mut used = Vec::new();
    for month in 0..3 {
        used.push(ask(&log, &tenant, "t1", window(month)).await.used);
    }
    assert_eq!(used, [2, 5, 8], "the second was remembered, the others are summed up");
    assert_eq!(ask(&log, &tenant, "t1", None).await.used, 15);
    let trainer = TrainerId::try_new("t1").expect("a trainer");
    let feature = FeatureSlug::try_new("customers").expect("a feature");
    let month = window(1).expect("a window");
    let mut entries = log.usage(&tenant, &trainer, &feature, month, i64::MAX).await.expect("reads");
    entries.sort_unstable();
    let at = |seconds| Timestamp::from_unix(WHEN + seconds);
    assert_eq!(entries, [(at(1_000), 1), (at(1_999), 4)]);
    let none = log.usage(&tenant, &trainer, &feature, month, 1).await.expect("reads");
    assert_eq!(none, [], "as it was at position 1, before any usage");
}

/// A decision is told the last event that isn't usage, and so is whoever asks for the head.
pub async fn usage_is_no_fact(log: Log) {
    let tenant = open(&log).await;
    let facts = async || {
        let head = log.head(&tenant).await.expect("reads").expect("is open");
        assert_eq!(ask(&log, &tenant, "t1", None).await.facts, head.facts);
        (head.facts, head.position)
    };
    let (opened, _) = facts().await;
    assert!(opened >= 1, "that the log was opened is a fact");
    assert!(granted(&log.append_decided(&tenant, consume("one", "t1", 1, 9)).await));
    let recorded = usage("two", "t2", WHEN, UsageChange::Count(1));
    log.append(&tenant, vec![recorded]).await.expect("appends");
    let (still, position) = facts().await;
    assert_eq!((still, position), (opened, opened + 2));
    let events = vec![own("evt_1"), usage("three", "t3", WHEN, UsageChange::Count(1))];
    log.append(&tenant, events).await.expect("appends");
    assert_eq!(facts().await, (opened + 3, opened + 4));
}
