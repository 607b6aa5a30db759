//! Every object has every field of Stripe's example of its kind.

use std::collections::BTreeSet;

use ledger_simulator::world::World;
use ledger_simulator::world::life::{Step, life};
use serde_json::Value;

const OBJECTS: &str = include_str!("../../fixtures/objects.json");

/// A life in which every kind of object comes into being.
fn everything() -> World {
    life(&[
        Step::Customer { card: 0, clock: false },
        Step::Customer { card: 0, clock: true },
        Step::Checkout { customer: 0, price: 1, card: 0, trial_days: 7 },
        Step::Subscribe { customer: 0, price: 0, behavior: 0, classic: true },
        Step::Change { subscription: 1, price: 1, billing: 1, behavior: 0 },
        Step::Schedule { subscription: 0, price: 0 },
        Step::Wait { hours: 24 * 40 },
        Step::Refund { charge: 0, percent: 10 },
        Step::Dispute { charge: 1 },
        Step::Subscribe { customer: 1, price: 0, behavior: 0, classic: false },
        Step::Clock { hours: 24 * 40 },
    ])
}

#[test]
fn every_rendered_object_has_every_field_of_its_example() {
    let examples: Value = serde_json::from_str(OBJECTS).unwrap();
    let mut seen = BTreeSet::new();
    for event in everything().events() {
        let envelope = event.render();
        check(&examples["resources"], &envelope, &mut seen);
        check_deep(&examples["resources"], &event.object, &mut seen);
    }
    for kind in [
        "charge",
        "checkout.session",
        "customer",
        "dispute",
        "event",
        "invoice",
        "invoice_payment",
        "invoiceitem",
        "line_item",
        "payment_intent",
        "payment_method",
        "plan",
        "price",
        "product",
        "refund",
        "setup_intent",
        "subscription",
        "subscription_item",
        "subscription_schedule",
        "test_helpers.test_clock",
    ] {
        assert!(seen.contains(kind), "no {kind} among {seen:?}");
    }
}

fn check_deep(examples: &Value, value: &Value, seen: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            check(examples, value, seen);
            fields.values().for_each(|field| check_deep(examples, field, seen));
        }
        Value::Array(list) => list.iter().for_each(|one| check_deep(examples, one, seen)),
        _ => {}
    }
}

fn check(examples: &Value, object: &Value, seen: &mut BTreeSet<String>) {
    let Some(kind) = object["object"].as_str() else { return };
    let Some(example) = examples[kind].as_object() else { return };
    for field in example.keys() {
        assert!(object.get(field).is_some(), "{kind} lacks {field}: {object}");
    }
    seen.insert(kind.to_owned());
}
