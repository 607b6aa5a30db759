//! Whatever the order and however often: the same facts, the same state. And a state that was
//! stored and restored between any two facts goes on the same way.

use std::collections::BTreeMap;

use ledger_domain::account::{CustomerChanges, CustomerUnit};
use ledger_domain::event::Entry;
use proptest::prelude::*;
use serde_json::json;

use crate::given::{DAY_0, items, stripe_id, sub};

/// A life of one subscription: each step changes something, at most a second after the last.
fn life() -> impl Strategy<Value = Vec<Entry>> {
    let step = (0..5usize, 0..2i64, any::<bool>(), 0..1000u32);
    prop::collection::vec(step, 1..12).prop_map(|steps| {
        let mut at = DAY_0;
        let mut state = json!({"status": "incomplete"});
        let mut entries =
            vec![sub("evt_created", at, "created", state.clone(), json!("no_object"))];
        for (i, (what, seconds, tells, id)) in steps.into_iter().enumerate() {
            at += seconds;
            let (field, value) = match what {
                0 => ("status", json!(["active", "past_due", "trialing"][i % 3])),
                1 => ("cancel_at", json!(DAY_0 + i64::from(id))),
                2 => ("items", items("price_professional_month", at, at + 86_400)),
                3 => ("latest_invoice", json!(format!("in_{id}"))),
                _ => ("metadata", json!({"trainer_id": format!("t{}", id % 3)})),
            };
            let old = sub("evt_x", at, "updated", state.clone(), json!("absent"));
            let old = old.event.to_data();
            let old: serde_json::Value = serde_json::from_slice(&old).expect("JSON");
            let old = old["snapshot"].get(field).cloned().unwrap_or_default();
            state[field] = value;
            let before = if tells { json!({ field: old }) } else { json!("absent") };
            entries.push(sub(&format!("evt_{id}_{i}"), at, "updated", state.clone(), before));
        }
        for (position, entry) in (1..).zip(&mut entries) {
            entry.position = position;
        }
        entries
    })
}

/// Everything that a unit ever showed, the latest of each.
fn shown(unit: &mut CustomerUnit, into: &mut BTreeMap<String, String>) {
    let CustomerChanges { subscriptions, payments, histories, link, anomalies, .. } =
        unit.take_changes();
    for view in subscriptions {
        into.insert(format!("subscription {}", view.id), format!("{view:?}"));
    }
    for view in payments {
        into.insert(format!("payment {}", view.object), format!("{view:?}"));
    }
    for (id, history) in histories {
        into.insert(format!("history {id}"), format!("{history:?}"));
    }
    for (name, anomalies) in anomalies {
        into.insert(format!("anomalies {name}"), format!("{anomalies:?}"));
    }
    if let Some(link) = link {
        into.insert("link".into(), format!("{link:?}"));
    }
}

fn at_once(entries: &[Entry]) -> BTreeMap<String, String> {
    let mut unit = CustomerUnit::new(stripe_id("cus_1"));
    for entry in entries {
        unit.evolve(entry);
    }
    let mut all = BTreeMap::new();
    shown(&mut unit, &mut all);
    all
}

/// The same, stored and restored after every fact, looking after each.
fn step_by_step(entries: &[Entry]) -> BTreeMap<String, String> {
    let mut stored: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for entry in entries {
        let parts = stored.clone();
        let mut unit = CustomerUnit::restore(stripe_id("cus_1"), parts).expect("a stored state");
        unit.evolve(entry);
        let mut parts = unit.clone();
        stored.extend(parts.take_changes().parts);
        shown(&mut unit, &mut all);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn order_and_repetition_do_not_matter(
        (life, shuffled) in life().prop_flat_map(|life| {
            let twice = [life.clone(), life.clone()].concat();
            (Just(life), Just(twice).prop_shuffle())
        }),
    ) {
        let straight = at_once(&life);
        prop_assert_eq!(&straight, &at_once(&shuffled));
        prop_assert_eq!(&straight, &step_by_step(&shuffled));
    }
}

/// How many lives are lived: many more in the long form.
fn cases() -> u32 {
    if std::env::var_os("LEDGER_SOAK").is_some() { 1_000_000 } else { 2_000 }
}
