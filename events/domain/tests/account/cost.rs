//! One more fact costs the same, however many its object has: it never folds them again.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ledger_domain::account::{CustomerChanges, CustomerUnit};
use ledger_domain::event::stripe::Invoice;
use ledger_domain::event::{Entry, Event};
use serde_json::{Value, json};

use crate::given::{DAY_0, entry, reported, stripe_id, sub};

/// How many facts the objects have that are compared.
const FEW: i64 = 100;
const MANY: i64 = 10_000;

/// How often it may take longer with a hundred times as many facts. Going through all of them would
/// take about a hundred times as long; memory that is no longer near takes up to twice.
const TIMES_MAX: f64 = 10.0;

/// How many facts are measured, and how often.
const MEASURED: i64 = 20;
const ROUNDS: i64 = 7;

/// Seconds from one fact to the next: after so long it is another change.
const STEP: i64 = 100;

/// The `i`th change of a subscription: its cancellation is asked for and taken back.
fn turn(i: i64, at: i64, changes: &Value) -> Entry {
    let turned = json!({"cancel_at_period_end": i % 2 == 0});
    let changes = crate::given::with(changes, &turned);
    let before = json!({"cancel_at_period_end": i % 2 != 0});
    sub(&format!("evt_{at}_{i}"), at, "updated", changes, before)
}

/// The shortest time that it takes to add facts to an object of so many and to look at each change.
fn time(facts: i64, beginning: &[Entry], more: impl Fn(i64) -> Entry) -> Duration {
    let mut unit = CustomerUnit::new(stripe_id("cus_1"));
    beginning.iter().for_each(|entry| unit.evolve(entry));
    (0..facts).for_each(|i| unit.evolve(&more(i)));
    let mut stored = unit.take_changes();
    assert_eq!(stored.subscriptions.len(), 1);
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let first = facts + round * MEASURED;
        let added: Vec<Entry> = (first..first + MEASURED).map(&more).collect();
        let start = Instant::now();
        for entry in &added {
            unit.evolve(entry);
            stored = unit.take_changes();
            black_box(&stored);
        }
        rounds.push(start.elapsed());
        assert!(told(&stored) < 20, "{stored:?}");
    }
    rounds.into_iter().min().expect("rounds")
}

/// How much one fact changes: parts, steps and anomalies.
fn told(changes: &CustomerChanges) -> usize {
    let steps = changes.histories.iter().map(|history| history.steps.len()).sum::<usize>();
    let anomalies = changes.anomalies.iter().map(|(_, anomalies)| anomalies.len()).sum::<usize>();
    changes.parts.len() + steps + anomalies
}

#[track_caller]
fn check(beginning: &[Entry], more: impl Fn(i64) -> Entry) {
    let few = time(FEW, beginning, &more);
    let many = time(MANY, beginning, &more);
    let times = many.as_secs_f64() / few.as_secs_f64();
    assert!(times < TIMES_MAX, "{few:?} beside {FEW} facts, {many:?} beside {MANY}");
}

/// The first of them tells of a change whose beginning is missing, so that something is odd.
#[test]
fn the_latest_fact() {
    check(&[], |i| turn(i, DAY_0 + i * STEP, &json!({})));
}

#[test]
fn a_fact_of_a_subscription_that_has_long_been_past_due() {
    check(&[], |i| turn(i, DAY_0 + i * STEP, &json!({"status": "past_due"})));
}

#[test]
fn a_fact_of_a_purchase_that_is_never_paid() {
    check(&[], |i| turn(i, DAY_0 + i * STEP, &json!({"status": "incomplete"})));
}

#[test]
fn a_late_fact_after_the_end() {
    for status in ["canceled", "incomplete_expired"] {
        let end = sub("evt_end", DAY_0, "updated", json!({"status": status}), json!("absent"));
        check(&[end], |i| turn(i, DAY_0 + (i + 1) * STEP, &json!({})));
    }
}

#[test]
fn a_fact_that_names_another_customer_than_the_one_that_has_it() {
    let named = |i| if i == 1 { json!({"customer": "cus_2"}) } else { json!({}) };
    check(&[], |i| turn(i, DAY_0 + i * STEP, &named(i)));
}

/// Facts arrive in pairs: the later one of each tells its change before the earlier one does.
#[test]
fn a_fact_that_arrives_after_the_next_one() {
    check(&[], |i| turn(i ^ 1, DAY_0 + (i ^ 1) * STEP, &json!({})));
}

/// The invoices of a subscription that is old, each paid.
#[test]
fn an_invoice_beside_the_others_of_its_subscription() {
    let start = sub("evt_start", DAY_0, "created", json!({}), json!("no_object"));
    let another = |i: i64| {
        let (id, at) = (format!("in_{i}"), DAY_0 + i * STEP);
        let invoice = json!({
            "id": id, "subscription": "sub_1", "customer": "cus_1", "status": "paid",
            "currency": "usd", "amount_due": 5, "amount_paid": 5, "total": 5,
        });
        let report = reported::<Invoice>("paid", invoice, json!("absent"));
        entry(&format!("evt_{id}"), at, Event::InvoiceReported(report))
    };
    check(&[start], another);
}
