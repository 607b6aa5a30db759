//! Every object has every field of Stripe's example of its kind.

use std::collections::BTreeSet;

use ledger_simulator::world::life::{Step, life};
use ledger_simulator::world::{Answer, Method, Request, World};
use serde_json::{Map, Value, json};

const OBJECTS: &str = include_str!("../../fixtures/objects.json");

/// A life in which every kind of object comes into being.
fn everything() -> World {
    life(&[
        Step::Customer { card: 0, clock: false },
        Step::Customer { card: 0, clock: true },
        Step::Checkout { customer: 0, price: 1, card: 0, trial_days: 7, missing: 0 },
        Step::Subscribe { customer: 0, price: 0, behavior: 0, classic: true, missing: 0 },
        Step::Change { subscription: 1, price: 1, billing: 1, behavior: 0 },
        Step::Schedule { subscription: 0, price: 0, form: 0 },
        Step::Wait { hours: 24 * 40 },
        Step::Refund { charge: 0, percent: 10 },
        Step::Dispute { charge: 1, inquiry: false },
        Step::Subscribe { customer: 1, price: 0, behavior: 0, classic: false, missing: 0 },
        Step::Clock { hours: 24 * 40 },
    ])
}

#[test]
fn every_rendered_object_has_every_field_of_its_example() {
    let examples: Value = serde_json::from_str(OBJECTS).unwrap();
    let mut seen = BTreeSet::new();
    let mut world = everything();
    let session = world.events().iter().find(|event| event.kind == "checkout.session.completed");
    let session = session.unwrap().object["id"].as_str().unwrap().to_owned();
    let customer = world.truth()[0].customer.clone();
    let portal = call(&mut world, Method::Post, "billing_portal/sessions", &customer);
    let lines = format!("checkout/sessions/{session}/line_items");
    let lines = call(&mut world, Method::Get, &lines, &customer);
    for answer in [portal, lines] {
        check_deep(&examples["resources"], &answer, &mut seen);
    }
    for event in world.events() {
        let envelope = event.render();
        check(&examples["resources"], &envelope, &mut seen);
        check_deep(&examples["resources"], &event.object, &mut seen);
    }
    for kind in [
        "balance_transaction",
        "billing_portal.session",
        "charge",
        "checkout.session",
        "customer",
        "dispute",
        "event",
        "invoice",
        "invoice_payment",
        "invoiceitem",
        "item",
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

/// A call that names a customer, if it makes something.
fn call(world: &mut World, method: Method, path: &str, customer: &str) -> Value {
    let named = (method == Method::Post).then(|| ("customer".to_owned(), json!(customer)));
    let request = Request {
        method,
        path: format!("/v1/{path}"),
        params: named.into_iter().collect::<Map<_, _>>(),
        id: None,
        idempotency_key: None,
    };
    match world.call(&request) {
        Ok(Answer::Object(object)) => object,
        Ok(Answer::List { data, .. }) => Value::Array(data),
        Err(refused) => panic!("{path}: {refused:?}"),
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
    if kind == "list" {
        return;
    }
    let Some(example) = examples[kind].as_object() else { panic!("no example of {object}") };
    for field in example.keys() {
        assert!(object.get(field).is_some(), "{kind} lacks {field}: {object}");
    }
    seen.insert(kind.to_owned());
}
