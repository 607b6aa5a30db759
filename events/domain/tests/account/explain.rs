//! What people are told of an anomaly, and that it is what the order of facts went by.

use ledger_domain::account::{
    CustomerUnit, Difference, FactAnomaly, TenantUnit, difference, disagreement, linked_trainer,
};
use ledger_domain::event::stripe::{CheckoutSession, Customer, Price};
use ledger_domain::event::{Entry, Event};
use serde_json::{Value, json};

use crate::given::{DAY_0, anomalies, entry, items, key, orders, reported, stripe_id, sub};

const END: i64 = DAY_0 + 30 * 86_400;

fn differing(field: &str, expected: Value, seen: Value) -> Difference {
    Difference::new(field, expected, seen)
}

#[test]
fn a_gap_is_told_field_by_field() {
    let starter = items("price_starter_month", DAY_0, END);
    let next = items("price_starter_month", END, END + 30 * 86_400);
    let created = sub("evt_1", DAY_0, "created", json!({}), json!("no_object"));
    let upgraded = sub(
        "evt_3",
        END + 9,
        "updated",
        json!({"items": items("price_professional_month", END, END + 30 * 86_400)}),
        json!({"items": next, "status": "past_due"}),
    );
    assert_eq!(
        anomalies(&[created.clone(), upgraded.clone()]),
        [FactAnomaly::GapSuspected(key("evt_3"), Some(key("evt_1")))]
    );
    let told = difference(Some(&created.event), &upgraded.event);
    assert_eq!(
        told,
        [
            differing("status", json!("active"), json!("past_due")),
            differing(
                "items[0].current_period_start",
                json!("2026-03-31T00:00:00Z"),
                json!("2026-04-30T00:00:00Z"),
            ),
            differing(
                "items[0].current_period_end",
                json!("2026-04-30T00:00:00Z"),
                json!("2026-05-30T00:00:00Z"),
            ),
        ],
        "{starter}"
    );
}

#[test]
fn an_item_that_nobody_knew_of_is_told_by_its_fields() {
    let two = json!({"data": [
        {"price": {"id": "price_starter_month"}, "quantity": 1,
            "current_period_start": DAY_0, "current_period_end": END},
        {"price": {"id": "price_seats"}, "quantity": 3},
    ]});
    let created = sub("evt_1", DAY_0, "created", json!({}), json!("no_object"));
    let dropped = sub("evt_2", DAY_0 + 5, "updated", json!({}), json!({"items": two}));
    assert_eq!(
        difference(Some(&created.event), &dropped.event),
        [
            differing("items[1].price", Value::Null, json!("price_seats")),
            differing("items[1].quantity", Value::Null, json!(3)),
        ]
    );
}

#[test]
fn without_an_event_before_it_all_is_new() {
    let update = sub("evt_2", DAY_0, "updated", json!({}), json!({"status": "past_due"}));
    assert_eq!(
        anomalies(std::slice::from_ref(&update)),
        [FactAnomaly::GapSuspected(key("evt_2"), None)]
    );
    let told = difference(None, &update.event);
    assert_eq!(told[0], differing("status", Value::Null, json!("past_due")));
    assert!(told.iter().all(|told| told.expected.is_null() && !told.seen.is_null()), "{told:?}");
}

#[test]
fn a_creation_of_what_is_there_already_should_not_have_been() {
    let update = sub("evt_1", DAY_0, "updated", json!({}), json!("absent"));
    let created = sub("evt_2", DAY_0 + 1, "created", json!({}), json!("no_object"));
    let told = difference(Some(&update.event), &created.event);
    assert_eq!(told[0], differing("status", json!("active"), Value::Null));
    // The update lacks a creation before it, too.
    assert_eq!(anomalies(&[update, created]).len(), 2);
}

#[test]
fn a_subscription_that_is_first_heard_of_at_its_end_lacks_its_creation() {
    let created = sub("evt_1", DAY_0, "created", json!({}), json!("no_object"));
    let ending = json!({"status": "canceled"});
    let deleted = sub("evt_2", DAY_0 + 9, "deleted", ending, json!("absent"));
    let gap = FactAnomaly::GapSuspected(key("evt_2"), None);
    assert_eq!(anomalies(std::slice::from_ref(&deleted)), [gap]);
    assert_eq!(anomalies(&[deleted, created]), []);
}

#[test]
fn what_does_not_say_what_was_before_contradicts_nothing() {
    let created = sub("evt_1", DAY_0, "created", json!({}), json!("no_object"));
    let silent = sub("evt_2", DAY_0, "updated", json!({"status": "unpaid"}), json!("absent"));
    assert_eq!(difference(Some(&created.event), &silent.event), []);
    let told = difference(None, &silent.event);
    assert!(
        told.iter().all(|told| told.expected.is_null()),
        "it says that there was one: {told:?}"
    );
}

#[test]
fn an_undecided_order_is_told_by_what_either_event_says() {
    let at = DAY_0 + 5;
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        sub("evt_2", at, "updated", json!({"status": "past_due"}), json!("absent")),
        sub("evt_3", at, "updated", json!({"status": "unpaid"}), json!("absent")),
    ];
    for order in orders(&entries) {
        let conflict = FactAnomaly::OrderConflict(key("evt_3"), key("evt_2"));
        assert_eq!(anomalies(&order), [conflict]);
    }
    assert_eq!(
        disagreement(&entries[1].event, &entries[2].event),
        [differing("status", json!("past_due"), json!("unpaid"))]
    );
}

#[test]
fn a_status_that_should_not_follow_is_listed_until_one_between_explains_it() {
    let status =
        |id, at, status: &str| sub(id, at, "updated", json!({"status": status}), json!("absent"));
    let active = sub("evt_1", DAY_0, "created", json!({}), json!("no_object"));
    let unpaid = status("evt_3", DAY_0 + 9, "unpaid");
    let listed = FactAnomaly::UnexpectedTransition(key("evt_3"), key("evt_1"));
    for order in orders(&[active.clone(), unpaid.clone()]) {
        assert_eq!(anomalies(&order), std::slice::from_ref(&listed));
    }
    let between = status("evt_2", DAY_0 + 5, "past_due");
    for order in orders(&[active.clone(), unpaid, between]) {
        assert_eq!(anomalies(&order), []);
    }
    // Where a fact is missing, nothing is said of the step over it.
    let before = json!({"status": "past_due"});
    let after = sub("evt_4", DAY_0 + 9, "updated", json!({"status": "unpaid"}), before);
    assert_eq!(
        anomalies(&[active, after]),
        [FactAnomaly::GapSuspected(key("evt_4"), Some(key("evt_1")))]
    );
}

#[test]
fn events_that_disagree_about_a_customer_are_listed_whatever_the_order() {
    let session = |id, at, trainer: &str| {
        let session = json!({
            "id": format!("cs_{id}"), "customer": "cus_1", "client_reference_id": trainer,
        });
        let session = reported::<CheckoutSession>("completed", session, json!("absent"));
        entry(id, at, Event::CheckoutSessionReported(session))
    };
    let customer = json!({"id": "cus_1", "metadata": {"trainer_id": "t2"}});
    let customer = reported::<Customer>("updated", customer, json!("absent"));
    let entries = [
        session("evt_1", DAY_0, "t1"),
        entry("evt_2", DAY_0 + 5, Event::CustomerReported(customer)),
        session("evt_3", DAY_0 + 9, "t2"),
    ];
    for order in orders(&entries) {
        let conflict = FactAnomaly::ConflictingLink(key("evt_2"), key("evt_1"));
        assert_eq!(anomalies(&order), [conflict]);
    }
    assert_eq!(anomalies(&entries[1..]), [], "one trainer alone is no conflict");
    let named = linked_trainer(&entries[1].event).expect("it names a trainer");
    assert_eq!(named.as_str(), "t2");
    let back = [session("evt_0", DAY_0, "t2"), entries[0].clone(), session("evt_9", END, "t2")];
    let mut back = back.to_vec();
    back[1].key = key("evt_5");
    back[1].occurred_at = back[1].occurred_at.plus(1_000_000);
    let conflict = FactAnomaly::ConflictingLink(key("evt_9"), key("evt_5"));
    assert_eq!(anomalies(&back), [conflict], "the word that holds now overrules the other");
}

#[test]
fn facts_of_prices_are_odd_like_all_others() {
    let price = |id, at, amount: i64, before: Value| {
        let price = json!({"id": "price_1", "currency": "usd", "unit_amount": amount});
        let price = reported::<Price>("updated", price, before);
        entry(id, at, Event::PriceReported(price))
    };
    let first = price("evt_1", DAY_0, 2900, json!("no_object"));
    let third = price("evt_3", DAY_0 + 9, 3900, json!({"unit_amount": 3400}));
    let mut unit = TenantUnit::default();
    unit.evolve(&first);
    unit.evolve(&third);
    let gap = FactAnomaly::GapSuspected(key("evt_3"), Some(key("evt_1")));
    let found = unit.take_changes().anomalies;
    assert_eq!(found, [("price/price_1".to_owned(), vec![gap])]);
    assert_eq!(
        difference(Some(&first.event), &third.event),
        [differing("unit_amount", json!(2900), json!(3400))]
    );
    unit.evolve(&price("evt_2", DAY_0 + 5, 3400, json!({"unit_amount": 2900})));
    assert_eq!(unit.take_changes().anomalies, [("price/price_1".to_owned(), Vec::new())]);
}

/// Whatever the fold finds odd is explained by the events that it names.
pub(crate) fn expect_explained(entries: &[Entry]) {
    let mut unit = CustomerUnit::new(stripe_id("cus_1"));
    entries.iter().for_each(|entry| unit.evolve(entry));
    let event = |id: &ledger_domain::id::EventKey| {
        let found = entries.iter().find(|entry| entry.key == *id);
        &found.expect("an anomaly is about known events").event
    };
    let found = unit.take_changes().anomalies;
    for anomaly in found.iter().flat_map(|(_, anomalies)| anomalies) {
        let told = match anomaly {
            FactAnomaly::GapSuspected(seen, previous) => {
                difference(previous.as_ref().map(event), event(seen))
            }
            FactAnomaly::OrderConflict(one, other) => disagreement(event(other), event(one)),
            FactAnomaly::UnexpectedTransition(..)
            | FactAnomaly::ConflictingLink(..)
            | FactAnomaly::ConflictingCustomer(..) => continue,
        };
        assert!(!told.is_empty(), "{anomaly:?} is not explained");
    }
}
