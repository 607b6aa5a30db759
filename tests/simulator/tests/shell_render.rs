//! Rendering whole lives: what an event says of the time before is what the event before it said,
//! in every API version.

#![cfg(test)]

use std::collections::HashMap;

use ledger_simulator::shell::render::{CATALOGUE, Links, NEWEST, Renderer, Version};
use ledger_simulator::world::Event;
use ledger_simulator::world::diff::put_back;
use ledger_simulator::world::life::random_life;
use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::test_runner::TestCaseError;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

/// What happens in a random life.
fn life(seed: u64, steps: usize) -> Vec<Event> {
    random_life(&mut StdRng::seed_from_u64(seed), steps).0.events().to_vec()
}

/// What an object says of itself. Null and absent mean the same in old values; and the oldest
/// versions give a plan its product's name, which changes by an event of the product.
fn own(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let is_plan = fields.get("object").is_some_and(|object| object == "plan");
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            let kept = kept.filter(|(key, _)| !(is_plan && *key == "name"));
            kept.map(|(key, value)| (key.clone(), own(value))).collect()
        }
        Value::Array(values) => values.iter().map(own).collect(),
        other => other.clone(),
    }
}

/// Whether a draft became final and paid by one update. Such an update leaves what was paid and
/// what remained out of its old values, as Stripe was seen to do.
fn spans(event: &Event) -> bool {
    let previous = event.previous_attributes.as_ref();
    let was_draft = previous.and_then(|old| old.get("status")).is_some_and(|was| was == "draft");
    event.kind == "invoice.updated" && was_draft && event.object["status"] == "paid"
}

fn check(events: &[Event], name: &str) -> Result<usize, TestCaseError> {
    let (links, version) = (Links::of(events), Version::parse(name).expect("a version"));
    let renderer = Renderer { links: &links };
    // A price and its plan share an id.
    let mut last: HashMap<(String, String), Value> = HashMap::new();
    let mut compared = 0;
    for (at, event) in events.iter().enumerate() {
        let rendered = renderer.event(at, event, &version, 0);
        let data = &rendered["data"];
        let said = |name: &str| data["object"][name].as_str().unwrap_or_default().to_owned();
        let id = (said("object"), said("id"));
        if let (Some(previous), Some(before)) =
            (data["previous_attributes"].as_object(), last.get(&id))
        {
            let (mut restored, mut before) =
                (own(&put_back(&data["object"], previous)), own(before));
            if spans(event) {
                for side in [&mut restored, &mut before] {
                    let fields = side.as_object_mut().expect("an invoice");
                    fields
                        .retain(|name, _| !["amount_paid", "amount_remaining"].contains(&&**name));
                }
            }
            proptest::prop_assert_eq!(&restored, &before, "{} {}", name, event.kind);
            compared += 1;
        }
        // The update beside it tells what was before.
        if event.kind != "invoice.finalized" {
            last.insert(id, data["object"].clone());
        }
    }
    Ok(compared)
}

#[test]
fn a_long_life_has_much_to_compare() {
    let events = life(1, 100);
    for name in CATALOGUE {
        let compared = check(&events, name).expect(name);
        assert!(compared > 30, "{name}: {compared} of {}", events.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 16,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn old_values_are_those_of_the_event_before(seed in any::<u64>()) {
        let events = life(seed, 40);
        for name in [NEWEST, "2024-06-20", "2020-08-27", "2019-03-14", "2017-08-15"] {
            check(&events, name)?;
        }
    }
}
