use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;

const UNTIL: i64 = 1_780_000_000;

fn sample() -> History {
    sample_until(UNTIL)
}

fn sample_until(until: i64) -> History {
    let text = std::fs::read_to_string("catalogs/trainers.toml").unwrap();
    let price = |name: &str| Some(format!("price_{}", name.to_lowercase()));
    let parsed = Catalog::parse(&text, &price).unwrap();
    history(&parsed.catalog, until).expect("a product with tiers")
}

fn events(history: &History) -> Vec<Value> {
    history.webhooks.iter().map(|one| serde_json::from_slice(&one.body).unwrap()).collect()
}

#[test]
fn the_same_life_is_lived_again() {
    assert_eq!(sample().webhooks, sample().webhooks);
}

#[test]
fn every_turn_of_a_subscription_is_there() {
    let history = sample();
    assert!(history.trainers >= 200);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for event in events(&history) {
        *counts.entry(event["type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for kind in [
        "checkout.session.completed",
        "customer.subscription.trial_will_end",
        "customer.subscription.deleted",
        "invoice.payment_failed",
        "invoice_payment.paid",
        "subscription_schedule.updated",
        "subscription_schedule.released",
        "refund.created",
        "charge.refunded",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
        "price.created",
    ] {
        assert!(counts.get(kind).is_some_and(|count| *count > 0), "no {kind} in {counts:?}");
    }
}

#[test]
fn every_situation_can_be_looked_at_whatever_the_day() {
    for week in 0..4 {
        let cast = sample_until(UNTIL + week * 7 * DAY + week * 12_345).cast;
        assert_eq!(cast.len(), SITUATIONS.len(), "{cast:?}");
    }
}

#[test]
fn every_change_tells_what_was_before() {
    for event in events(&sample()) {
        if event["type"] == "customer.subscription.updated" {
            let previous = event["data"]["previous_attributes"].as_object().unwrap();
            let object = event["data"]["object"].as_object().unwrap();
            assert!(!previous.is_empty());
            assert!(previous.iter().all(|(key, old)| object[key] != *old), "{previous:?}");
        }
    }
}

#[test]
fn the_states_of_each_subscription_follow_one_another() {
    let mut last: BTreeMap<String, Value> = BTreeMap::new();
    for event in events(&sample()) {
        let object = &event["data"]["object"];
        if object["object"] != "subscription" {
            continue;
        }
        let id = object["id"].as_str().unwrap().to_owned();
        if event["type"] == "customer.subscription.updated" {
            let told = &event["data"]["previous_attributes"];
            let changed = Value::Object(objects::previous(&last[&id], object));
            assert_eq!(*told, changed, "what {id} was before");
        }
        last.insert(id, object.clone());
    }
}

#[test]
fn nothing_happens_in_the_future_and_no_id_is_used_twice() {
    let history = sample();
    let ids: BTreeSet<String> =
        events(&history).iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), history.webhooks.len());
    assert!(history.webhooks.iter().all(|webhook| webhook.created <= UNTIL));
    assert!(history.webhooks.is_sorted_by_key(|webhook| webhook.created));
}

#[test]
fn nobody_can_be_recognised() {
    for event in events(&sample()) {
        let text = event.to_string();
        assert!(!text.contains('@') && !text.contains("email"), "{text}");
    }
}
