//! What may be a second event of a change that was told before, and may as well be another change
//! of the same kind: whatever the state is then, it is said to be a guess.

use ledger_domain::account::{CustomerUnit, FactAnomaly};
use ledger_domain::event::stripe::PaymentIntent;
use ledger_domain::event::{Entry, Event};
use serde_json::json;

use crate::given::{DAY_0, anomalies, entry, key, orders, reported, stripe_id, sub};

fn status(id: &str, at: i64, from: &str, to: &str) -> Entry {
    sub(id, DAY_0 + at, "updated", json!({"status": to}), json!({"status": from}))
}

/// The later and the earlier event of each order conflict that every order of arrival lists.
fn conflicts(facts: &[Entry]) -> Vec<(String, String)> {
    let listed = |order: &Vec<Entry>| -> Vec<(String, String)> {
        let found = anomalies(order).into_iter();
        let conflicts = found.filter_map(|anomaly| match anomaly {
            FactAnomaly::OrderConflict(later, earlier) => {
                Some((later.id.to_string(), earlier.id.to_string()))
            }
            _ => None,
        });
        conflicts.collect()
    };
    let mut all: Vec<_> = orders(facts).iter().map(listed).collect();
    all.dedup();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// A payment fails, succeeds a second later, and the failure is told once more.
#[test]
fn a_change_that_is_told_again_after_it_was_taken_back_is_in_doubt() {
    let created = sub("evt_1", DAY_0, "created", json!({}), json!("no_object"));
    let failed = status("evt_2", 100, "active", "past_due");
    let paid = status("evt_3", 101, "past_due", "active");
    for at in [102, 160] {
        let again = status("evt_4", at, "active", "past_due");
        let facts = [created.clone(), failed.clone(), paid.clone(), again];
        assert_eq!(conflicts(&facts), [("evt_4".into(), "evt_3".into())], "{at}");
    }
    // After so long it is another failure.
    let later = status("evt_4", 161, "active", "past_due");
    assert_eq!(conflicts(&[created, failed, paid, later]), []);
}

#[test]
fn a_second_event_without_a_change_in_between_is_in_no_doubt() {
    let created = sub("evt_1", DAY_0, "created", json!({}), json!("no_object"));
    let failed = status("evt_2", 100, "active", "past_due");
    let again = status("evt_3", 102, "active", "past_due");
    assert_eq!(conflicts(&[created, failed, again]), []);
}

#[test]
fn a_creation_that_is_told_after_a_change_is_in_doubt() {
    let created = |id, at| sub(id, DAY_0 + at, "created", json!({}), json!("no_object"));
    let changed = status("evt_2", 1, "active", "past_due");
    let facts = [created("evt_1", 0), changed, created("evt_3", 2)];
    assert_eq!(conflicts(&facts), [("evt_3".into(), "evt_2".into())]);
}

/// Until it is over, a payment of one second may have been tried, and failed, in any order.
#[test]
fn what_a_payment_waits_for_is_in_doubt_if_it_failed_in_that_second() {
    let intent = |id: &str, cause: &str, status: &str| {
        let object = json!({"id": "pi_1", "customer": "cus_1", "status": status,
            "amount": 5, "amount_received": 0, "currency": "usd"});
        let report = reported::<PaymentIntent>(cause, object, json!("absent"));
        entry(id, DAY_0, Event::PaymentIntentReported(report))
    };
    let waits = intent("evt_1", "requires_action", "requires_action");
    let failed = intent("evt_2", "payment_failed", "requires_payment_method");
    assert_eq!(conflicts(&[waits.clone(), failed]).len(), 1);
    let paid = intent("evt_3", "succeeded", "succeeded");
    assert_eq!(conflicts(&[waits, paid]), []);
}

/// Nothing is made twice: what became of it since is known, whenever its creation is told again.
#[test]
fn a_creation_that_is_told_again_takes_nothing_back() {
    let created = |id, at| {
        sub(id, DAY_0 + at, "created", json!({"status": "incomplete"}), json!("no_object"))
    };
    for at in [0, 1, 5, 300] {
        let active = status("evt_2", 1, "incomplete", "active");
        let facts = [created("evt_1", 0), active, created("evt_3", at)];
        for order in orders(&facts) {
            assert_eq!(current(&order), "active", "{at}");
        }
    }
}

/// What a notice shows is what the object was already.
#[test]
fn a_notice_that_shows_something_else_tells_of_a_gap() {
    let begun = json!({"status": "trialing"});
    let created = sub("evt_1", DAY_0, "created", begun.clone(), json!("no_object"));
    let paid = status("evt_2", 100, "trialing", "active");
    let notice = |at| sub("evt_3", DAY_0 + at, "trial_will_end", begun.clone(), json!("absent"));
    assert_eq!(anomalies(&[created.clone(), notice(50), paid.clone()]), []);
    for order in orders(&[created, paid, notice(101)]) {
        let gap = FactAnomaly::GapSuspected(key("evt_3"), Some(key("evt_2")));
        assert_eq!(anomalies(&order), [gap]);
    }
}

/// One event tells of two changes of an invoice; of a subscription it can't, and one is missing.
#[test]
fn old_values_from_before_an_event_without_any_tell_of_a_gap() {
    let created = sub("evt_1", DAY_0, "created", json!({}), json!("no_object"));
    let paused = sub("evt_2", DAY_0 + 10, "paused", json!({"status": "paused"}), json!("absent"));
    let renewed = json!({"cancel_at_period_end": true});
    let before = json!({"cancel_at_period_end": false});
    let updated = sub("evt_4", DAY_0 + 12, "updated", renewed, before);
    for order in orders(&[created, paused, updated]) {
        let gap = FactAnomaly::GapSuspected(key("evt_4"), Some(key("evt_2")));
        assert_eq!(anomalies(&order), [gap]);
    }
}

#[test]
fn a_payment_that_is_over_fails_no_more() {
    let intent = |id: &str, at: i64, cause: &str, status: &str| {
        let object = json!({"id": "pi_1", "customer": "cus_1", "status": status,
            "amount": 5, "amount_received": 0, "currency": "usd"});
        let report = reported::<PaymentIntent>(cause, object, json!("absent"));
        entry(id, DAY_0 + at, Event::PaymentIntentReported(report))
    };
    for over in ["succeeded", "canceled"] {
        let facts = [
            intent("evt_1", 0, "payment_failed", "requires_payment_method"),
            intent("evt_2", 5, over, over),
            intent("evt_3", 6, "payment_failed", "requires_payment_method"),
        ];
        for order in orders(&facts) {
            let mut unit = CustomerUnit::new(stripe_id("cus_1"));
            order.iter().for_each(|fact| unit.evolve(fact));
            let payments = unit.take_changes().payments;
            assert_eq!(payments[0].status, over);
        }
    }
}

fn current(facts: &[Entry]) -> String {
    let mut unit = CustomerUnit::new(stripe_id("cus_1"));
    facts.iter().for_each(|fact| unit.evolve(fact));
    unit.take_changes().subscriptions[0].status.as_str().to_owned()
}
