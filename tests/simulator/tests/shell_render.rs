//! Rendering whole lives: what an event says of the time before is what the event before it said, in
//! every API version.

#![cfg(test)]

use std::collections::HashMap;

use ledger_simulator::shell::render::{CATALOGUE, Links, NEWEST, Renderer, Version};
use ledger_simulator::world::diff::put_back;
use ledger_simulator::world::{Answer, Config, Event, Method, Request, World};
use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::test_runner::TestCaseError;
use serde_json::{Map, Value, json};

const DAY: i64 = 24 * 60 * 60;

/// Calls the world; what it refuses didn't happen.
fn call(world: &mut World, method: Method, path: &str, params: Value) -> Value {
    let params = match params {
        Value::Object(params) => params,
        _ => Map::new(),
    };
    let path = path.to_owned();
    let id = Some("req_1".to_owned());
    let request = Request { method, path, params, id, idempotency_key: None };
    match world.call(&request) {
        Ok(Answer::Object(object)) => object,
        Ok(Answer::List { data, .. }) => Value::Array(data),
        Err(_) => Value::Null,
    }
}

fn post(world: &mut World, path: &str, params: Value) -> Value {
    call(world, Method::Post, path, params)
}

/// Months of one customer's life; each step does something else with its subscription.
fn life(steps: &[u8]) -> Vec<Event> {
    let mut world = World::new(Config::default());
    let product = post(&mut world, "/v1/products", json!({"name": "Product"}));
    let mut prices = Vec::new();
    for amount in ["2900", "7900"] {
        let price = json!({"product": product["id"], "currency": "usd", "unit_amount": amount,
            "recurring": {"interval": "month"}});
        prices.push(post(&mut world, "/v1/prices", price)["id"].clone());
    }
    let card = "pm_card_visa";
    let card =
        json!({"payment_method": card, "invoice_settings": {"default_payment_method": card}});
    let customer = post(&mut world, "/v1/customers", card)["id"].clone();
    let subscribe = json!({"customer": customer, "items": [{"price": prices[0]}]});
    let mut subscription = post(&mut world, "/v1/subscriptions", subscribe.clone());
    assert_eq!(subscription["status"], "active");
    for step in steps {
        let id = subscription["id"].as_str().expect("an id");
        let path = format!("/v1/subscriptions/{id}");
        let item = subscription["items"]["data"][0]["id"].clone();
        match step % 9 {
            0 => drop(post(
                &mut world,
                &path,
                json!({"items": [{"id": item, "price": prices[1]}],
                "proration_behavior": "always_invoice"}),
            )),
            1 => {
                drop(post(&mut world, &path, json!({"items": [{"id": item, "price": prices[0]}]})))
            }
            2 => drop(post(&mut world, &path, json!({"cancel_at_period_end": "true"}))),
            3 => drop(post(&mut world, &path, json!({"metadata": {"trainer_id": "t1"}}))),
            4 => {
                let charges = call(&mut world, Method::Get, "/v1/charges", Value::Null);
                let refund = json!({"charge": charges[0]["id"], "amount": "100"});
                post(&mut world, "/v1/refunds", refund);
            }
            5 => {
                let path = "/v1/payment_methods/pm_card_chargeCustomerFail/attach";
                let method = post(&mut world, path, json!({"customer": customer}));
                let settings = json!({"default_payment_method": method["id"]});
                let path = format!("/v1/customers/{}", customer.as_str().expect("an id"));
                post(&mut world, &path, json!({"invoice_settings": settings}));
            }
            6 => {
                subscription = {
                    let again = post(&mut world, "/v1/subscriptions", subscribe.clone());
                    if again.is_null() { subscription } else { again }
                }
            }
            7 => world.advance_to(world.now() + 3 * DAY),
            _ => world.advance_to(world.now() + 31 * DAY),
        }
    }
    world.events().to_vec()
}

/// Null and absent mean the same in old values.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect()
        }
        Value::Array(values) => values.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

fn check(events: &[Event], name: &str) -> Result<usize, TestCaseError> {
    let (links, version) = (Links::of(events), Version::parse(name).expect("a version"));
    let renderer = Renderer { links: &links };
    let mut last: HashMap<String, Value> = HashMap::new();
    let mut compared = 0;
    for (at, event) in events.iter().enumerate() {
        let rendered = renderer.event(at, event, &version, 0);
        let data = &rendered["data"];
        let id = data["object"]["id"].as_str().unwrap_or_default().to_owned();
        if let (Some(previous), Some(before)) =
            (data["previous_attributes"].as_object(), last.get(&id))
        {
            let restored = without_nulls(&put_back(&data["object"], previous));
            proptest::prop_assert_eq!(&restored, &without_nulls(before), "{} {}", name, event.kind);
            compared += 1;
        }
        last.insert(id, data["object"].clone());
    }
    Ok(compared)
}

#[test]
fn a_long_life_has_much_to_compare() {
    let events = life(&[0, 8, 8, 4, 3, 5, 8, 7, 7, 1, 2, 8, 6, 8]);
    for name in CATALOGUE {
        let compared = check(&events, name).expect(name);
        assert!(compared > 10, "{name}: {compared} of {}", events.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn old_values_are_those_of_the_event_before(steps in proptest::collection::vec(any::<u8>(), 1..20)) {
        let events = life(&steps);
        for name in [NEWEST, "2024-06-20", "2020-08-27", "2019-03-14", "2017-08-15"] {
            check(&events, name)?;
        }
    }
}
