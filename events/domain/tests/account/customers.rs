//! Whose objects are, and what is kept of a customer's checkout sessions.

use std::collections::BTreeMap;

use ledger_domain::account::{CustomerUnit, FactAnomaly};
use ledger_domain::event::stripe::{CheckoutSession, Customer};
use ledger_domain::event::{CustomerLinked, Entry, Event};
use ledger_domain::id::TrainerId;
use serde_json::{Value, json};

use crate::given::{DAY_0, entry, key, orders, reported, stripe_id, sub};

fn of(id: &str, at: i64, customer: &str) -> Entry {
    let cause = if at == 0 { "created" } else { "updated" };
    sub(id, DAY_0 + at, cause, json!({ "customer": customer }), json!("absent"))
}

/// What is listed of the subscription's customer after these facts.
fn conflicts(facts: &[Entry]) -> Vec<FactAnomaly> {
    let mut unit = CustomerUnit::new(stripe_id("cus_1"));
    facts.iter().for_each(|fact| unit.evolve(fact));
    let found = unit.take_changes().anomalies.into_iter().flat_map(|(_, found)| found);
    found.filter(|found| matches!(found, FactAnomaly::ConflictingCustomer(..))).collect()
}

#[test]
fn an_object_whose_last_word_names_another_customer_is_listed_in_every_order() {
    let facts = [of("evt_1", 0, "cus_1"), of("evt_2", 5, "cus_2"), of("evt_3", 7, "cus_3")];
    let conflict = FactAnomaly::ConflictingCustomer(key("evt_3"), Some(key("evt_1")));
    for order in orders(&facts) {
        assert_eq!(conflicts(&order), std::slice::from_ref(&conflict));
    }
    // Nobody agrees with whom it is kept by: other objects tell whose it is.
    let alone = FactAnomaly::ConflictingCustomer(key("evt_3"), None);
    assert_eq!(conflicts(&facts[1..]), [alone]);
}

#[test]
fn the_conflict_is_gone_once_a_later_word_agrees_also_after_a_restart() {
    let facts = [of("evt_1", 0, "cus_1"), of("evt_2", 5, "cus_2"), of("evt_3", 7, "cus_1")];
    for order in orders(&facts) {
        assert_eq!(conflicts(&order), []);
    }
    let mut unit = CustomerUnit::new(stripe_id("cus_1"));
    facts[..2].iter().for_each(|fact| unit.evolve(fact));
    let changes = unit.take_changes();
    assert_eq!(changes.anomalies[0].1.len(), 1);
    let mut unit = CustomerUnit::restore(stripe_id("cus_1"), changes.parts).expect("stored");
    unit.evolve(&facts[2]);
    let cleared = [("subscription/sub_1".to_owned(), Vec::new())];
    assert_eq!(unit.take_changes().anomalies, cleared);
}

/// One of many sessions of a customer, of the same trainer.
fn session(n: i64) -> Entry {
    let snapshot = json!({"id": format!("cs_{n}"), "client_reference_id": "t1",
        "customer": "cus_1", "subscription": format!("sub_{n}"), "status": "complete"});
    let report = reported::<CheckoutSession>("completed", snapshot, json!("absent"));
    let event = Event::CheckoutSessionReported(report);
    let id = format!("evt_{n}");
    Entry { position: n, ..entry(&id, DAY_0 + n, event) }
}

#[test]
fn a_session_rewrites_no_other_session_and_each_is_found_again() {
    let sessions: Vec<Entry> = (1..=400).map(session).collect();
    let mut unit = CustomerUnit::new(stripe_id("cus_1"));
    let (mut stored, mut most) = (BTreeMap::new(), 0);
    for session in &sessions {
        unit.evolve(session);
        let parts = unit.take_changes().parts;
        most = most.max(parts.iter().map(|(name, bytes)| name.len() + bytes.len()).sum());
        stored.extend(parts);
    }
    assert!(most < 1_500, "{most} bytes for one session");

    let mut reversed = CustomerUnit::new(stripe_id("cus_1"));
    sessions.iter().rev().for_each(|session| reversed.evolve(session));
    assert_eq!(reversed.take_changes().parts.into_iter().collect::<BTreeMap<_, _>>(), stored);

    let restored = CustomerUnit::restore(stripe_id("cus_1"), stored).expect("stored");
    let mut positions: Vec<i64> = restored.positions().collect();
    positions.sort_unstable();
    positions.dedup();
    assert_eq!(positions, (1..=400).collect::<Vec<_>>());
}

#[test]
fn an_administrators_act_counts_again_once_the_session_after_it_is_anothers() {
    let linked = |position: i64, trainer: &str| {
        let trainer = TrainerId::try_new(trainer).expect("an id");
        let linked = CustomerLinked { customer: stripe_id("cus_1"), trainer };
        let id = format!("act_{position}");
        Entry { position, ..entry(&id, DAY_0 + position, Event::CustomerLinked(linked)) }
    };
    let acts = [linked(1, "t1"), linked(5, "t2"), linked(6, "t1")];
    let facts = [&acts[..], &[session(9)]].concat();
    for order in orders(&facts) {
        let mut unit = CustomerUnit::new(stripe_id("cus_1"));
        order.iter().for_each(|fact| unit.evolve(fact));
        let stored = unit.take_changes().parts;
        let unit = CustomerUnit::restore(stripe_id("cus_1"), stored).expect("stored");
        let kept: Vec<i64> = unit.positions().filter(|position| *position != 9).collect();
        let mut left = CustomerUnit::new(stripe_id("cus_1"));
        let of_kept = order.iter().filter(|fact| kept.contains(&fact.position));
        of_kept.for_each(|fact| left.evolve(fact));
        let link = left.take_changes().link.expect("a trainer");
        assert_eq!(link.trainer.as_str(), "t1");
    }
}

/// A second event of a session that was completed says nothing anew, however late it is.
#[test]
fn a_session_names_its_trainer_once() {
    let completed = |id: &str, at: i64, session: &str, trainer: &str| {
        let snapshot = json!({"id": session, "client_reference_id": trainer,
            "customer": "cus_1", "status": "complete"});
        let report = reported::<CheckoutSession>("completed", snapshot, json!("absent"));
        entry(id, DAY_0 + at, Event::CheckoutSessionReported(report))
    };
    let facts = [
        completed("evt_1", 0, "cs_1", "t1"),
        completed("evt_2", 30, "cs_2", "t2"),
        completed("evt_3", 45, "cs_1", "t1"),
        completed("evt_4", 60, "cs_1", "t1"),
    ];
    for order in orders(&facts) {
        let mut unit = CustomerUnit::new(stripe_id("cus_1"));
        let mut link = None;
        for fact in &order {
            unit.evolve(fact);
            link = unit.take_changes().link.or(link);
        }
        let link = link.expect("a trainer");
        assert_eq!((link.trainer.as_str(), link.event.id.as_str()), ("t2", "evt_2"));
        assert!(link.conflicting, "they disagree");
    }
}

/// Nor do the customer's metadata: a change that is told again later began no later.
#[test]
fn a_customer_is_named_once_however_often_that_is_told() {
    let named = |id: &str, at: i64, from: Value| {
        let snapshot = json!({"id": "cus_1", "metadata": {"trainer_id": "t1"}});
        let report = reported::<Customer>("updated", snapshot, json!({"metadata": from}));
        entry(id, DAY_0 + at, Event::CustomerReported(report))
    };
    let first = named("evt_1", 0, json!({}));
    for at in [12, 60] {
        let facts = [first.clone(), paid("evt_2", 11, "t2"), named("evt_3", at, json!({}))];
        for order in orders(&facts) {
            assert_eq!(linked(&order), "t2", "{at}");
        }
    }
    // Changed to somebody else in between, it is another change.
    let other = named("evt_3", 12, json!({"trainer_id": "t3"}));
    for order in orders(&[first, paid("evt_2", 11, "t2"), other]) {
        assert_eq!(linked(&order), "t1");
    }
}

/// Named, named no longer, and named again in the same words: that is another change. Where nobody
/// heard of it, the last fact that names nobody tells after what it was.
#[test]
fn a_customer_who_was_named_no_longer_is_named_anew() {
    let told = |id: &str, at: i64, names: Value, was: Value| {
        let snapshot = json!({"id": "cus_1", "metadata": names});
        let report = reported::<Customer>("updated", snapshot, was);
        entry(id, DAY_0 + at, Event::CustomerReported(report))
    };
    let (t1, nobody) = (json!({"trainer_id": "t1"}), json!({}));
    let was = |names: &Value| json!({"metadata": names});
    let begins = told("evt_1", 0, t1.clone(), was(&nobody));
    let ends = told("evt_2", 5, nobody.clone(), was(&t1));
    let anew = told("evt_4", 20, t1.clone(), was(&nobody));
    let still = told("evt_5", 30, t1, json!({"balance": 0}));
    let paid = paid("evt_3", 11, "t2");
    for order in orders(&[begins.clone(), ends.clone(), paid.clone(), anew]) {
        assert_eq!(linked(&order), "t1");
    }
    for order in orders(&[begins, ends, paid.clone(), still.clone()]) {
        assert_eq!(linked(&order), "t2", "nobody knows whether that was before the page");
    }
    let nobody = told("evt_4", 12, nobody, json!({"balance": 0}));
    for order in orders(&[paid, nobody, still]) {
        assert_eq!(linked(&order), "t1", "it was after the page");
    }
}

/// A page that was paid for a trainer.
fn paid(id: &str, at: i64, trainer: &str) -> Entry {
    let snapshot = json!({"id": format!("cs_{id}"), "client_reference_id": trainer,
        "customer": "cus_1", "status": "complete"});
    let report = reported::<CheckoutSession>("completed", snapshot, json!("absent"));
    entry(id, DAY_0 + at, Event::CheckoutSessionReported(report))
}

/// Whose customer it is, to a unit that was stored and read again.
fn linked(facts: &[Entry]) -> String {
    let mut unit = CustomerUnit::new(stripe_id("cus_1"));
    facts.iter().for_each(|fact| unit.evolve(fact));
    let changes = unit.take_changes();
    let link = changes.link.expect("a trainer").trainer.to_string();
    let mut again = CustomerUnit::restore(stripe_id("cus_1"), changes.parts).expect("stored");
    again.evolve(&facts[0]);
    let told_again = again.take_changes().link.map(|link| link.trainer.to_string());
    assert!(told_again.is_none_or(|told| told == link), "the same after a restart");
    link
}
