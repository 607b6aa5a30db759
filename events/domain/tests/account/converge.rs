//! Whatever the order and however often: the same facts, the same state. And a state that was
//! stored and restored between any two facts goes on the same way.

use std::collections::BTreeMap;

use ledger_domain::account::{CustomerChanges, CustomerUnit};
use ledger_domain::event::Entry;
use proptest::prelude::*;
use serde_json::json;

use crate::explain::expect_explained;
use crate::given::{DAY_0, items, stripe_id, sub};

/// A life of one subscription: each step changes something, at most a second after the last. Of
/// some there is a second event, up to two seconds later, also after what came next.
fn life(steps: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Entry>> {
    let twin = prop::option::weighted(0.2, 0..3i64);
    let step = (0..5usize, 0..2i64, any::<bool>(), 0..1000u32, twin);
    prop::collection::vec(step, steps).prop_map(|steps| {
        let mut at = DAY_0;
        let mut state = json!({"status": "incomplete"});
        let mut entries =
            vec![sub("evt_created", at, "created", state.clone(), json!("no_object"))];
        for (i, (what, seconds, tells, id, twin)) in steps.into_iter().enumerate() {
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
            let tell = |id: &str, at| sub(id, at, "updated", state.clone(), before.clone());
            entries.push(tell(&format!("evt_{id}_{i}"), at));
            entries.extend(twin.map(|later| tell(&format!("evt_{}_{i}t", 999 - id), at + later)));
        }
        for (position, entry) in (1..).zip(&mut entries) {
            entry.position = position;
        }
        entries
    })
}

/// Everything that a unit ever showed, the latest of each.
fn shown(unit: &mut CustomerUnit, into: &mut BTreeMap<String, String>) {
    let CustomerChanges { parts, subscriptions, payments, histories, link, anomalies, .. } =
        unit.take_changes();
    for (name, state) in parts {
        into.insert(format!("part {name}"), String::from_utf8_lossy(&state).into_owned());
    }
    for view in subscriptions {
        into.insert(format!("subscription {}", view.id), format!("{view:?}"));
    }
    for view in payments {
        into.insert(format!("payment {}", view.object), format!("{view:?}"));
    }
    for history in histories {
        let subject = format!("step {} ", history.subscription);
        let name = |at, ordinal: i32| format!("{subject}{at}{ordinal:06}");
        let told = name(*history.seconds.start(), 0)..=name(*history.seconds.end(), i32::MAX);
        into.retain(|name, _| !told.contains(name));
        for step in history.steps {
            into.insert(name(step.at, step.ordinal), format!("{step:?}"));
        }
    }
    for (name, anomalies) in anomalies {
        into.remove(&format!("anomalies {name}"));
        if !anomalies.is_empty() {
            into.insert(format!("anomalies {name}"), format!("{anomalies:?}"));
        }
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

/// The same, stored and restored after every so many facts, looking after each time.
fn step_by_step(entries: &[Entry], facts: usize) -> BTreeMap<String, String> {
    let mut stored: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for entries in entries.chunks(facts) {
        let parts = stored.clone();
        let mut unit = CustomerUnit::restore(stripe_id("cus_1"), parts).expect("a stored state");
        entries.iter().for_each(|entry| unit.evolve(entry));
        let mut parts = unit.clone();
        stored.extend(parts.take_changes().parts);
        shown(&mut unit, &mut all);
    }
    all
}

/// What fails is printed whole, and not kept in a file.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(cases()))]

    #[test]
    fn order_and_repetition_do_not_matter(
        (life, shuffled) in life(1..12).prop_flat_map(|life| {
            let twice = [life.clone(), life.clone()].concat();
            (Just(life), Just(twice).prop_shuffle())
        }),
    ) {
        let straight = at_once(&life);
        prop_assert_eq!(&straight, &at_once(&shuffled));
        prop_assert_eq!(&straight, &step_by_step(&shuffled, 1));
        expect_explained(&life);
        let lossy = life.iter().enumerate().filter(|(i, _)| i % 3 != 1);
        expect_explained(&lossy.map(|(_, entry)| entry.clone()).collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(config(cases() / 50))]

    /// Lives that are stored in many chunks, cut at other places by each order of arrival.
    #[test]
    fn nor_do_they_in_long_lives(
        (life, shuffled) in life(150..300).prop_flat_map(|life| {
            (Just(life.clone()), Just(life).prop_shuffle())
        }),
        facts in 1..40usize,
    ) {
        let straight = at_once(&life);
        prop_assert_eq!(&straight, &step_by_step(&life, facts));
        prop_assert_eq!(&straight, &step_by_step(&shuffled, facts));
    }
}

#[test]
fn one_more_fact_stores_what_lies_around_it() {
    let cancel = |at: i64| json!({ "cancel_at": at });
    let mut unit = CustomerUnit::new(stripe_id("cus_1"));
    for i in 0..5_000 {
        let (was, is) = (cancel(DAY_0 + i), cancel(DAY_0 + i + 1));
        unit.evolve(&sub(&format!("evt_{i}"), DAY_0 + 10 * i, "updated", is, was));
    }
    let all = unit.take_changes();
    let bytes = |parts: &[(String, Vec<u8>)]| parts.iter().map(|(_, b)| b.len()).sum::<usize>();
    let (whole, parts) = (bytes(&all.parts), all.parts.len());
    for at in [DAY_0 + 60_000, DAY_0 + 25_003] {
        unit.evolve(&sub("evt_late", at, "updated", cancel(at), json!("absent")));
        let changes = unit.take_changes();
        let stored = bytes(&changes.parts);
        assert!(changes.parts.len() <= 3 && stored * 20 < whole, "{stored} of {whole}, {parts}");
    }
}

/// How many lives are lived: many more in the long form.
fn cases() -> u32 {
    if std::env::var_os("LEDGER_SOAK").is_some_and(|value| value == "1") { 200_000 } else { 2_000 }
}
