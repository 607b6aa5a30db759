//! The order of facts within one object.

use ledger_domain::account::{Change, CustomerUnit, Difference, FactAnomaly, difference};
use ledger_domain::event::stripe::Customer;
use ledger_domain::event::{Entry, Event};
use serde_json::json;

use crate::given::{
    DAY_0, anomalies, arrived, entry, folded, items, key, orders, reported, stripe_id, sub, view,
};

/// Every order of arrival gives this status, and these steps of history.
#[track_caller]
fn check(entries: &[Entry], status: &str, steps: &[Change]) {
    for order in orders(entries) {
        let changes = folded(&order).take_changes();
        assert_eq!(changes.subscriptions[0].status, *status, "{order:#?}");
        let history: Vec<Change> = changes.histories[0].steps.iter().map(|c| c.change).collect();
        assert_eq!(history, steps, "{order:#?}");
    }
}

#[test]
fn created_and_paid_within_one_second_is_active() {
    let entries = [
        sub("evt_b", DAY_0, "created", json!({"status": "incomplete"}), json!("no_object")),
        sub("evt_a", DAY_0, "updated", json!({}), json!({"status": "incomplete"})),
    ];
    check(&entries, "active", &[Change::Created]);
}

#[test]
fn three_chained_updates_of_one_second_follow_their_trail() {
    let status = |status: &str| json!({"status": status});
    let entries = [
        sub("evt_9", DAY_0, "created", status("trialing"), json!("no_object")),
        // The ids run against the order of what happened.
        sub("evt_3", DAY_0 + 5, "updated", status("active"), status("trialing")),
        sub("evt_2", DAY_0 + 5, "updated", status("past_due"), status("active")),
        sub("evt_1", DAY_0 + 5, "updated", status("unpaid"), status("past_due")),
    ];
    let steps = [Change::Created, Change::TrialStarted, Change::TrialEnded, Change::PaymentFailed];
    check(&entries, "unpaid", &steps);
}

#[test]
fn a_trial_that_is_given_later_begins_and_ends_too() {
    let (trial, active) = (json!({"status": "trialing"}), json!({"status": "active"}));
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        sub("evt_2", DAY_0 + 1, "updated", trial.clone(), active.clone()),
        sub("evt_3", DAY_0 + 2, "updated", active, trial),
    ];
    check(&entries, "active", &[Change::Created, Change::TrialStarted, Change::TrialEnded]);
}

#[test]
fn there_and_back_within_one_second_ends_where_it_began() {
    let until = |at: Option<i64>| json!({ "cancel_at": at });
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        sub("evt_3", DAY_0 + 1, "updated", until(Some(DAY_0 + 9)), until(None)),
        sub("evt_2", DAY_0 + 1, "updated", json!({}), until(Some(DAY_0 + 9))),
    ];
    for order in orders(&entries) {
        assert_eq!(view(&order).cancel_at, None);
    }
    check(&entries, "active", &[Change::Created, Change::CancelScheduled, Change::CancelWithdrawn]);
}

#[test]
fn a_change_of_nothing_that_is_kept_does_not_hide_what_follows() {
    // The label isn't kept, so that nothing differs: by its id alone it would come last.
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        sub("evt_9", DAY_0, "updated", json!({}), json!({})),
        sub("evt_2", DAY_0, "updated", json!({"cancel_at": DAY_0 + 9}), json!({"cancel_at": null})),
    ];
    check(&entries, "active", &[Change::Created, Change::CancelScheduled]);
}

#[test]
fn a_fact_without_old_values_comes_where_the_object_is_what_it_says() {
    // The announcement of a short trial's end comes with its beginning.
    let trial = json!({"status": "trialing"});
    let entries = [
        sub("evt_2", DAY_0, "created", trial.clone(), json!("no_object")),
        sub("evt_3", DAY_0, "trial_will_end", trial.clone(), json!("absent")),
        sub("evt_1", DAY_0, "updated", json!({}), trial),
    ];
    check(&entries, "active", &[Change::Created, Change::TrialStarted, Change::TrialEnded]);
}

#[test]
fn there_and_back_within_one_second_goes_on_where_it_began() {
    let until = |at: Option<i64>| json!({ "cancel_at": at });
    let past_due = json!({"status": "past_due"});
    let entries = [
        sub("evt_0", DAY_0, "created", json!({}), json!("no_object")),
        // By the smallest id alone the way would end before the cancellation and its withdrawal.
        sub("evt_1", DAY_0 + 1, "updated", past_due, json!({"status": "active"})),
        sub("evt_2", DAY_0 + 1, "updated", until(Some(DAY_0 + 9)), until(None)),
        sub("evt_3", DAY_0 + 1, "updated", json!({}), until(Some(DAY_0 + 9))),
    ];
    let steps =
        [Change::Created, Change::CancelScheduled, Change::CancelWithdrawn, Change::PaymentFailed];
    check(&entries, "past_due", &steps);
}

#[test]
fn two_events_of_one_change_count_as_one() {
    let past_due = || json!({"status": "past_due"});
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        sub("evt_2", DAY_0, "created", json!({}), json!("no_object")),
        sub("evt_3", DAY_0 + 1, "updated", past_due(), json!({"status": "active"})),
        sub("evt_4", DAY_0 + 1, "updated", past_due(), json!({"status": "active"})),
        sub("evt_5", DAY_0 + 1, "updated", json!({"status": "unpaid"}), past_due()),
    ];
    check(&entries, "unpaid", &[Change::Created, Change::PaymentFailed]);
    assert!(folded(&entries).take_changes().anomalies.is_empty());
}

#[test]
fn a_second_event_of_a_change_in_a_later_second_changes_nothing() {
    let past_due = || json!({"status": "past_due"});
    let failed =
        |id: &str, at: i64| sub(id, at, "updated", past_due(), json!({"status": "active"}));
    // Before the next change, in its second, whichever id is smaller, or where nothing else comes.
    for (twin, at) in [("evt_4", 2), ("evt_4", 3), ("evt_6", 3)] {
        let entries = [
            sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
            sub("evt_2", DAY_0 + 2, "created", json!({}), json!("no_object")),
            failed("evt_3", DAY_0 + 3),
            failed(twin, DAY_0 + 3 + at - 1),
            sub("evt_5", DAY_0 + 5, "updated", json!({"status": "unpaid"}), past_due()),
        ];
        for order in orders(&entries) {
            let changes = folded(&order).take_changes();
            assert!(changes.anomalies.is_empty(), "{twin}: {:?}", changes.anomalies);
        }
        check(&entries, "unpaid", &[Change::Created, Change::PaymentFailed]);
    }
}

/// Also if what tells nothing of what was before came after the first event of the change.
#[test]
fn a_second_event_of_a_change_is_known_behind_a_fact_without_old_values() {
    let trial = json!({"status": "trialing"});
    let entries = [
        sub("evt_1", DAY_0, "created", trial.clone(), json!("no_object")),
        sub("evt_4", DAY_0, "updated", json!({}), trial.clone()),
        sub("evt_3", DAY_0 + 1, "updated", json!({}), json!("absent")),
        sub("evt_2", DAY_0 + 2, "updated", json!({}), trial),
    ];
    for order in orders(&entries) {
        assert_eq!(anomalies(&order), []);
    }
    check(&entries, "active", &[Change::Created, Change::TrialStarted, Change::TrialEnded]);
}

#[test]
fn the_same_change_long_after_shows_that_something_is_missing() {
    let past_due = || json!({"status": "past_due"});
    let failed =
        |id: &str, at: i64| sub(id, at, "updated", past_due(), json!({"status": "active"}));
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        failed("evt_2", DAY_0 + 3),
        failed("evt_3", DAY_0 + 6),
    ];
    for order in orders(&entries) {
        let found = anomalies(&order);
        assert_eq!(found, [FactAnomaly::GapSuspected(key("evt_3"), Some(key("evt_2")))]);
    }
}

#[test]
fn the_same_change_taken_back_in_a_later_second_is_a_conflict() {
    let until = |at: Option<i64>| json!({ "cancel_at": at });
    let on = |id: &str, at: i64| sub(id, at, "updated", until(Some(DAY_0 + 9)), until(None));
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        on("evt_2", DAY_0 + 1),
        sub("evt_3", DAY_0 + 2, "updated", json!({}), until(Some(DAY_0 + 9))),
        on("evt_4", DAY_0 + 2),
    ];
    for order in orders(&entries) {
        let found = anomalies(&order);
        assert_eq!(found, [FactAnomaly::OrderConflict(key("evt_4"), key("evt_3"))]);
    }
}

#[test]
fn a_second_event_of_a_change_that_was_taken_back_leads_nowhere() {
    let until = |at: Option<i64>| json!({ "cancel_at": at });
    let on = |id: &str| sub(id, DAY_0 + 1, "updated", until(Some(DAY_0 + 9)), until(None));
    let past_due = |id: &str| {
        let is = json!({"status": "past_due"});
        sub(id, DAY_0 + 1, "updated", is, json!({"status": "active"}))
    };
    // Whichever way out of the first state its id would lead first.
    for onwards in ["evt_00", "evt_4"] {
        let entries = [
            sub("evt_0", DAY_0, "created", json!({}), json!("no_object")),
            on("evt_1"),
            on("evt_2"),
            sub("evt_3", DAY_0 + 1, "updated", json!({}), until(Some(DAY_0 + 9))),
            past_due(onwards),
        ];
        for order in orders(&entries) {
            let changes = folded(&order).take_changes();
            assert_eq!(changes.subscriptions[0].status, *"past_due");
            assert!(changes.anomalies.is_empty(), "{:?}", changes.anomalies);
        }
    }
}

#[test]
fn the_same_change_before_and_after_it_was_taken_back_is_a_conflict() {
    let until = |at: Option<i64>| json!({ "cancel_at": at });
    let on = |id: &str| sub(id, DAY_0 + 1, "updated", until(Some(DAY_0 + 9)), until(None));
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        on("evt_2"),
        sub("evt_3", DAY_0 + 1, "updated", json!({}), until(Some(DAY_0 + 9))),
        on("evt_4"),
    ];
    for order in orders(&entries) {
        let mut changes = folded(&order).take_changes();
        let (_, anomalies) = changes.anomalies.remove(0);
        assert_eq!(anomalies, [FactAnomaly::OrderConflict(key("evt_4"), key("evt_3"))]);
        assert!(changes.subscriptions[0].cancel_at.is_some());
    }
}

#[test]
fn a_late_update_brings_no_deleted_subscription_back() {
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        sub("evt_3", DAY_0 + 9, "deleted", json!({"status": "canceled"}), json!("absent")),
        sub("evt_2", DAY_0 + 9, "updated", json!({"latest_invoice": "in_2"}), json!("absent")),
        // Stripe's clocks disagree: even a later second doesn't bring it back.
        sub("evt_4", DAY_0 + 10, "updated", json!({"latest_invoice": "in_3"}), json!("absent")),
    ];
    check(&entries, "canceled", &[Change::Created, Change::Cancelled]);
}

#[test]
fn a_stale_update_with_an_old_item_list_changes_only_the_past() {
    let end = DAY_0 + 30 * 86_400;
    let starter = items("price_starter_month", DAY_0, end);
    let pro = items("price_professional_month", DAY_0, end);
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        sub("evt_2", DAY_0 + 5, "updated", json!({"latest_invoice": "in_1"}), json!("absent")),
        sub("evt_3", DAY_0 + 9, "updated", json!({"items": pro}), json!({"items": starter})),
    ];
    for order in orders(&entries) {
        assert_eq!(view(&order).items[0].price.id.as_str(), "price_professional_month");
    }
    check(&entries, "active", &[Change::Created, Change::PlanChanged]);
}

#[test]
fn a_missing_fact_is_suspected_until_it_arrives() {
    let created = sub("evt_1", DAY_0, "created", json!({}), json!("no_object"));
    let past_due = sub(
        "evt_2",
        DAY_0 + 5,
        "updated",
        json!({"status": "past_due"}),
        json!({"status": "active"}),
    );
    let active = sub("evt_3", DAY_0 + 9, "updated", json!({}), json!({"status": "past_due"}));
    let anomalies = |entries: &[Entry]| {
        let changes = folded(entries).take_changes();
        changes.anomalies.into_iter().flat_map(|(_, anomalies)| anomalies).collect::<Vec<_>>()
    };
    let gap = FactAnomaly::GapSuspected(key("evt_3"), Some(key("evt_1")));
    assert_eq!(anomalies(&[created.clone(), active.clone()]), [gap]);
    assert_eq!(anomalies(&[active, created, past_due.clone()]), []);
    let nothing_before = FactAnomaly::GapSuspected(key("evt_2"), None);
    assert_eq!(anomalies(&[past_due]), [nothing_before]);
}

/// Stripe ends all subscriptions of a customer that it deletes.
#[test]
fn the_missing_end_of_a_deleted_customers_subscription_is_suspected_until_it_arrives() {
    let created = sub("evt_1", DAY_0, "created", json!({}), json!("no_object"));
    let end = sub("evt_2", DAY_0 + 9, "deleted", json!({"status": "canceled"}), json!("absent"));
    let customer = reported::<Customer>("deleted", json!({"id": "cus_1"}), json!("absent"));
    let deleted = entry("evt_3", DAY_0 + 9, Event::CustomerReported(customer));
    let gap = FactAnomaly::GapSuspected(key("evt_3"), Some(key("evt_1")));
    let told = difference(Some(&created.event), &deleted.event);
    assert_eq!(told, [Difference::new("status", "active", "canceled")]);
    for order in orders(&[created.clone(), deleted.clone()]) {
        assert_eq!(anomalies(&order), std::slice::from_ref(&gap));
        let mut unit = folded(&order);
        assert_eq!(
            unit.take_changes().anomalies,
            [("subscription/sub_1".into(), vec![gap.clone()])]
        );
        unit.evolve(&end);
        assert_eq!(unit.take_changes().anomalies, [("subscription/sub_1".into(), vec![])]);
    }
    for order in orders(&[created, end, deleted]) {
        assert_eq!(anomalies(&order), []);
    }
}

#[test]
fn what_only_an_id_decided_is_said() {
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        sub("evt_2", DAY_0 + 5, "updated", json!({"status": "past_due"}), json!("absent")),
        sub("evt_3", DAY_0 + 5, "updated", json!({"status": "unpaid"}), json!("absent")),
    ];
    for order in orders(&entries) {
        let changes = folded(&order).take_changes();
        assert_eq!(
            changes.anomalies[0].1,
            [FactAnomaly::OrderConflict(key("evt_3"), key("evt_2"))]
        );
        assert_eq!(changes.subscriptions[0].status, *"unpaid");
    }
}

/// Every order of arrival shows the same, and which events these conflicts are between.
#[track_caller]
fn conflicts(entries: &[Entry]) -> Vec<(String, String)> {
    let found = orders(entries).into_iter().map(|order| {
        let changes = folded(&order).take_changes();
        let anomalies = changes.anomalies.into_iter().flat_map(|(_, found)| found);
        let conflicts = anomalies.filter_map(|found| match found {
            FactAnomaly::OrderConflict(later, earlier) => {
                Some((later.id.to_string(), earlier.id.to_string()))
            }
            _ => None,
        });
        (conflicts.collect::<Vec<_>>(), changes.subscriptions)
    });
    let mut found: Vec<_> = found.collect();
    found.dedup();
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0).0
}

/// A resumption, an update of trial and a notice of the trial's end, of which one tells what was
/// before it; and a resumption beside an update that was applied, of which neither does.
#[test]
fn facts_without_old_values_follow_what_leads_to_them_or_are_a_conflict() {
    let at = DAY_0 + 9;
    let (paused, trial) = (json!({"status": "paused"}), json!({"status": "trialing"}));
    let begin = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        sub("evt_2", DAY_0 + 5, "paused", paused, json!("absent")),
    ];
    let resumed = sub("evt_9", at, "resumed", json!({}), json!("absent"));
    let told = [
        resumed.clone(),
        sub("evt_8", at, "updated", trial.clone(), json!({"status": "active"})),
        sub("evt_7", at, "trial_will_end", trial, json!("absent")),
    ];
    let entries = [&begin[..], &told].concat();
    assert_eq!(conflicts(&entries), []);
    assert_eq!(view(&entries).status, "trialing");
    let items = json!({"items": items("price_professional_month", DAY_0, at)});
    let applied = sub("evt_3", at, "pending_update_applied", items, json!("absent"));
    assert_eq!(conflicts(&[&begin[..], &[resumed, applied]].concat()).len(), 1);
}

#[test]
fn facts_that_lead_to_each_other_alone_are_a_conflict() {
    let status = |status: &str| json!({ "status": status });
    let entries = [
        sub("evt_0", DAY_0, "created", json!({}), json!("no_object")),
        sub("evt_1", DAY_0 + 5, "updated", status("past_due"), status("unpaid")),
        sub("evt_2", DAY_0 + 5, "updated", status("unpaid"), status("past_due")),
    ];
    assert_eq!(conflicts(&entries), [("evt_2".into(), "evt_1".into())]);
    // What led to one of them decides.
    let missing = sub("evt_3", DAY_0 + 5, "updated", status("past_due"), status("active"));
    let missing = [&entries[..], &[missing]].concat();
    assert_eq!(conflicts(&missing), []);
}

/// The pause was lost. What changes nothing of what is kept comes before the end of the pause, also
/// where a second event tells of it: two of them don't lead to each other.
#[test]
fn facts_that_change_nothing_do_not_come_last_where_no_trail_leads() {
    let (at, paused) = (DAY_0 + 9, json!({"status": "paused"}));
    let same = |id: &str| sub(id, at, "updated", paused.clone(), json!({}));
    let entries = [
        sub("evt_1", DAY_0, "created", json!({"status": "trialing"}), json!("no_object")),
        sub("evt_2", at, "resumed", json!({}), json!("absent")),
        same("evt_3"),
        same("evt_4"),
    ];
    for entries in [&entries[..3], &entries] {
        let conflict = [("evt_2".into(), "evt_3".into())];
        assert_eq!(conflicts(entries), conflict);
        assert_eq!(view(entries).status, "active");
    }
}

/// A recovery whose failure was lost, and a change of plan: one goes on from what was before the
/// second, the other leads to that.
#[test]
fn a_gap_within_a_second_leaves_its_order_open() {
    let (at, month) = (DAY_0 + 9, DAY_0 + 30 * 86_400);
    let plan = |name: &str| json!({ "items": items(name, DAY_0, month) });
    let (starter, professional) = (plan("price_starter_month"), plan("price_professional_month"));
    let status = |status: &str| json!({ "status": status });
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        sub("evt_2", at, "updated", json!({}), status("past_due")),
        sub("evt_3", at, "updated", professional, starter),
    ];
    assert_eq!(conflicts(&entries), [("evt_2".into(), "evt_3".into())]);
    let failed = sub("evt_4", DAY_0 + 5, "updated", status("past_due"), status("active"));
    let entries = [&entries[..], &[failed]].concat();
    assert_eq!(conflicts(&entries), []);
    assert_eq!(view(&entries).items[0].price.id.as_str(), "price_professional_month");
}

#[test]
fn two_ways_on_from_one_state_are_a_conflict_until_the_way_back_arrives() {
    let until = |at: Option<i64>| json!({ "cancel_at": at });
    let (near, far) = (Some(DAY_0 + 90), Some(DAY_0 + 900));
    let entries = [
        sub("evt_0", DAY_0, "created", json!({}), json!("no_object")),
        sub("evt_1", DAY_0 + 5, "updated", until(near), until(None)),
        sub("evt_2", DAY_0 + 5, "updated", until(far), until(None)),
    ];
    assert_eq!(conflicts(&entries), [("evt_2".into(), "evt_1".into())]);
    let back = sub("evt_3", DAY_0 + 5, "updated", until(None), until(near));
    assert_eq!(conflicts(&[&entries[..], &[back]].concat()), []);
    // A second event of the one change is no other way.
    let twin = sub("evt_4", DAY_0 + 5, "updated", until(near), until(None));
    assert_eq!(conflicts(&[&entries[..2], &[twin]].concat()), []);
}

#[test]
fn the_same_fact_again_changes_nothing() {
    let fact = sub("evt_1", DAY_0, "created", json!({}), json!("no_object"));
    let mut unit = folded(std::slice::from_ref(&fact));
    assert_eq!(unit.take_changes().subscriptions.len(), 1);
    unit.evolve(&fact);
    let changes = unit.take_changes();
    assert!(changes.parts.is_empty() && changes.subscriptions.is_empty(), "{changes:?}");
}

#[test]
fn a_flood_within_one_second_is_taken_in_and_told() {
    let prices = |i: usize| json!({"cancel_at": DAY_0 + i64::try_from(i).unwrap()});
    let flood = |reversed: bool| {
        let mut entries: Vec<_> = (0..1_000)
            .map(|i| sub(&format!("evt_{i:04}"), DAY_0, "updated", prices(i), json!("absent")))
            .collect();
        // The same positions in both: they are stored.
        entries = arrived(&entries);
        if reversed {
            entries.reverse();
        }
        let mut unit = CustomerUnit::new(stripe_id("cus_1"));
        entries.iter().for_each(|entry| unit.evolve(entry));
        unit.take_changes()
    };
    let (straight, reversed) = (flood(false), flood(true));
    assert_eq!(straight.subscriptions[0].last_event, key("evt_0999"));
    assert_eq!(straight.anomalies[0].1.len(), 1, "{:?}", straight.anomalies);
    assert_eq!(straight.subscriptions, reversed.subscriptions);
    assert_eq!((straight.anomalies, straight.parts), (reversed.anomalies, reversed.parts));
}

#[test]
fn of_a_flood_whose_order_nobody_knows_no_step_is_called_unexpected() {
    // From active to trialing is no step that Stripe takes.
    let status =
        |i: usize| json!({"status": if i.is_multiple_of(2) { "active" } else { "trialing" }});
    let flood = |facts: usize| {
        let mut unit = CustomerUnit::new(stripe_id("cus_1"));
        for i in 0..facts {
            unit.evolve(&sub(&format!("evt_{i:04}"), DAY_0, "updated", status(i), json!("absent")));
        }
        unit.take_changes().anomalies
    };
    let [(_, found)] = &flood(66)[..] else { panic!("one object is odd") };
    let [FactAnomaly::OrderConflict(..)] = &found[..] else { panic!("{found:?}") };
}
