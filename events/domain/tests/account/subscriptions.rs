//! What a subscription's view shows.

use ledger_domain::account::{
    CustomerChanges, CustomerUnit, FactAnomaly, ScheduledChange, linked_trainer,
};
use ledger_domain::event::stripe::{CheckoutSession, Customer, Invoice, Schedule};
use ledger_domain::event::{CustomerLinked, Entry, Event};
use ledger_domain::id::TrainerId;
use ledger_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::given::{DAY_0, anomalies, entry, folded, key, orders, reported, stripe_id, sub, view};

fn trainer(id: &str) -> Option<TrainerId> {
    Some(TrainerId::try_new(id).expect("an id"))
}

fn invoice(id: &str, at: i64, cause: &str, status: &str, attempts: i64) -> Entry {
    let snapshot = json!({
        "id": "in_2", "customer": "cus_1", "subscription": "sub_1", "currency": "usd",
        "status": status, "attempt_count": attempts, "created": DAY_0, "total": 2900,
    });
    let event = reported::<Invoice>(cause, snapshot, json!("absent"));
    entry(id, at, Event::InvoiceReported(event))
}

#[test]
fn it_is_past_due_since_the_first_failure_of_its_oldest_open_invoice() {
    let past_due = json!({"status": "past_due"});
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        invoice("evt_2", DAY_0 + 100, "payment_failed", "open", 1),
        sub("evt_3", DAY_0 + 160, "updated", past_due, json!({"status": "active"})),
        invoice("evt_4", DAY_0 + 90_000, "payment_failed", "open", 2),
    ];
    for order in orders(&entries) {
        assert_eq!(view(&order).past_due_since, Some(Timestamp::from_unix(DAY_0 + 100)));
    }
    // Without a word of the invoice, since Stripe first said so.
    let entries = [entries[0].clone(), entries[2].clone()];
    assert_eq!(view(&entries).past_due_since, Some(Timestamp::from_unix(DAY_0 + 160)));
}

#[test]
fn it_ends_when_it_is_said_to_or_with_its_period() {
    let end = DAY_0 + 30 * 86_400;
    let classic = json!({"cancel_at_period_end": true});
    let flexible = json!({"cancel_at": DAY_0 + 5});
    let at = |changes| view(&[sub("evt_1", DAY_0, "updated", changes, json!("absent"))]).cancel_at;
    assert_eq!(at(classic), Some(Timestamp::from_unix(end)));
    assert_eq!(at(flexible), Some(Timestamp::from_unix(DAY_0 + 5)));
    assert_eq!(at(json!({})), None);
}

#[test]
fn a_schedule_shows_what_comes_next_while_it_is_live() {
    let end = DAY_0 + 30 * 86_400;
    let schedule = |id, at, cause, status| {
        let snapshot = json!({
            "id": "sub_sched_1", "customer": "cus_1", "subscription": "sub_1", "status": status,
            "current_phase": {"start_date": DAY_0, "end_date": end},
            "phases": [
                {"start_date": DAY_0, "end_date": end, "items": [{"price": "price_enterprise_month"}]},
                {"start_date": end, "items": [{"price": "price_starter_month"}]},
            ],
        });
        let event = reported::<Schedule>(cause, snapshot, json!("absent"));
        entry(id, at, Event::ScheduleReported(event))
    };
    let entries = [
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        schedule("evt_2", DAY_0 + 5, "updated", "active"),
    ];
    let next = ScheduledChange {
        at: Timestamp::from_unix(end),
        prices: vec![stripe_id("price_starter_month")],
    };
    for order in orders(&entries) {
        assert_eq!(view(&order).scheduled, Some(next.clone()));
    }
    let released = schedule("evt_3", DAY_0 + 9, "released", "released");
    for order in orders(&[entries.to_vec(), vec![released]].concat()) {
        assert_eq!(view(&order).scheduled, None);
    }
    // The subscription itself tells whether the schedule has let go of it.
    for (named, scheduled) in [(json!("sub_sched_1"), Some(next)), (Value::Null, None)] {
        let later = sub("evt_3", DAY_0 + 9, "updated", json!({"schedule": named}), json!("absent"));
        for order in orders(&[entries.to_vec(), vec![later]].concat()) {
            assert_eq!(view(&order).scheduled, scheduled);
        }
    }
}

#[test]
fn a_scheduled_change_is_the_first_phase_that_sells_something_else() {
    let month = 30 * 86_400;
    let next = |sold: &[&[&str]]| {
        let phases = (0..).zip(sold).map(|(n, prices)| {
            let items: Vec<Value> = prices.iter().map(|price| json!({ "price": price })).collect();
            let (start, end) = (DAY_0 + n * month, DAY_0 + (n + 1) * month);
            json!({"start_date": start, "end_date": end, "items": items})
        });
        let snapshot = json!({
            "id": "sub_sched_1", "customer": "cus_1", "subscription": "sub_1", "status": "active",
            "current_phase": {"start_date": DAY_0, "end_date": DAY_0 + month},
            "phases": phases.collect::<Vec<_>>(),
        });
        let report = reported::<Schedule>("updated", snapshot, json!("absent"));
        let told = view(&[
            sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
            entry("evt_2", DAY_0 + 5, Event::ScheduleReported(report)),
        ]);
        told.scheduled.map(|change| ((change.at.unix() - DAY_0) / month, change.prices))
    };
    let at = |n: i64, price: &str| Some((n, vec![stripe_id(price)]));
    assert_eq!(next(&[&["a"], &["b"], &["c"]]), at(1, "b"));
    assert_eq!(next(&[&["a"], &["a"], &["c"]]), at(2, "c"));
    assert_eq!(next(&[&["a"], &["a"], &["a"]]), None);
    assert_eq!(next(&[&["a", "x"], &["x", "a"], &["a"]]), at(2, "a"));
    assert_eq!(next(&[&["a"], &["a"], &["b"], &["a"]]), at(2, "b"));
}

#[test]
fn it_belongs_to_the_trainer_it_names_else_to_the_customers() {
    let anonymous = sub("evt_1", DAY_0, "created", json!({"metadata": {}}), json!("no_object"));
    let session = entry(
        "evt_2",
        DAY_0 + 1,
        Event::CheckoutSessionReported(reported::<CheckoutSession>(
            "completed",
            json!({"id": "cs_1", "customer": "cus_1", "client_reference_id": "t7"}),
            json!("absent"),
        )),
    );
    for order in orders(&[anonymous.clone(), session.clone()]) {
        let mut unit = folded(&order);
        let changes = unit.take_changes();
        assert_eq!(changes.subscriptions[0].trainer, trainer("t7"));
        assert_eq!(changes.histories[0].steps[0].trainer, trainer("t7"));
        assert!(!changes.link.expect("a link").conflicting);
    }
    let named = sub("evt_3", DAY_0 + 2, "updated", json!({}), json!({"metadata": {}}));
    for order in orders(&[anonymous, session, named]) {
        assert_eq!(view(&order).trainer, trainer("t1"));
    }
}

/// What the customer itself says of its trainer; none = nothing.
fn customer(id: &str, at: i64, cause: &str, named: Option<&str>, before: Value) -> Entry {
    let metadata = named.map_or(json!({}), |trainer| json!({ "trainer_id": trainer }));
    let snapshot = json!({ "id": "cus_1", "metadata": metadata });
    entry(id, at, Event::CustomerReported(reported::<Customer>(cause, snapshot, before)))
}

/// In every order of arrival the customer is this trainer, and that is said to be disputed: both
/// where the facts come one by one, and where they come at once.
#[track_caller]
fn check_link(entries: &[Entry], named: &str) {
    let disputes = |changes: &CustomerChanges| {
        let found = changes.anomalies.iter().find(|(about, _)| about == "customer_link/cus_1");
        found.map(|(_, disputes)| disputes.clone())
    };
    for order in orders(entries) {
        let at_once = folded(&order).take_changes();
        let mut unit = CustomerUnit::new(stripe_id("cus_1"));
        let (mut link, mut listed) = (None, None);
        for entry in &order {
            unit.evolve(entry);
            let changes = unit.take_changes();
            listed = disputes(&changes).or(listed);
            link = changes.link.or(link);
        }
        assert_eq!(link, at_once.link, "{order:#?}");
        assert_eq!(listed, disputes(&at_once), "{order:#?}");
        let link = link.expect("a link");
        assert_eq!(Some(link.trainer), trainer(named), "{order:#?}");
        assert!(link.conflicting && listed.is_some_and(|listed| listed.len() == 1));
    }
}

#[test]
fn the_latest_word_on_a_customers_trainer_stands_and_the_conflict_is_shown() {
    for (first, last) in [("t5", "t6"), ("t6", "t5")] {
        // Neither the ids nor the names tell which is the later one.
        for (one, other) in [("evt_1", "evt_2"), ("evt_2", "evt_1")] {
            let linked = Event::CustomerLinked(CustomerLinked {
                customer: stripe_id("cus_1"),
                trainer: trainer(last).expect("an id"),
            });
            let entries = [
                customer(one, DAY_0, "created", Some(first), json!("no_object")),
                entry(other, DAY_0 + 50, linked),
            ];
            check_link(&entries, last);
        }
    }
}

#[test]
fn within_one_second_a_customers_facts_name_its_trainer_in_their_own_order() {
    let was = |trainer: &str| json!({"metadata": {"trainer_id": trainer}});
    for (first, last) in [("t5", "t6"), ("t6", "t5")] {
        for (one, other) in [("evt_1", "evt_2"), ("evt_2", "evt_1")] {
            let entries = [
                customer(one, DAY_0, "created", Some(first), json!("no_object")),
                customer(other, DAY_0, "updated", Some(last), was(first)),
            ];
            check_link(&entries, last);
        }
        // Away and back, then another one; what names nobody takes no name back, and tells of the
        // order of the others.
        let entries = [
            customer("evt_9", DAY_0, "created", Some(first), json!("no_object")),
            customer("evt_2", DAY_0 + 5, "updated", None, was(first)),
            customer("evt_8", DAY_0 + 5, "updated", Some(first), json!({"metadata": {}})),
            customer("evt_1", DAY_0 + 5, "updated", Some(last), was(first)),
            customer("evt_3", DAY_0 + 9, "updated", None, json!("absent")),
        ];
        check_link(&entries, last);
    }
}

/// An administrator's word on who the customer is.
fn linked(id: &str, at: i64, named: &str) -> Entry {
    let trainer = trainer(named).expect("an id");
    let linked = CustomerLinked { customer: stripe_id("cus_1"), trainer };
    entry(id, DAY_0 + at, Event::CustomerLinked(linked))
}

#[test]
fn metadata_that_stay_as_they_are_take_no_later_word_back() {
    let created = customer("evt_1", DAY_0, "created", Some("t1"), json!("no_object"));
    let told = |cause: &str, named: &str, before: Value| {
        customer("evt_9", DAY_0 + 9, cause, Some(named), before)
    };
    let act = linked("act_5", 5, "t2");
    let was = |named: &str| json!({"metadata": {"trainer_id": named}});
    let weak = [
        told("updated", "t1", json!({"delinquent": true})),
        told("updated", "t1", json!({})),
        told("updated", "t1", json!({"metadata": {"trainer_id": "t1", "tenant": "x"}})),
        told("deleted", "t1", json!("absent")),
    ];
    for again in weak {
        let facts = [created.clone(), act.clone(), again];
        check_link(&facts, "t2");
        // The same where nothing but the repetition tells what the metadata say.
        check_link(&facts[1..], "t2");
        let conflict = |other| FactAnomaly::ConflictingLink(key("act_5"), key(other));
        for order in orders(&facts) {
            assert!(anomalies(&order).contains(&conflict("evt_1")), "{order:#?}");
        }
        for order in orders(&facts[1..]) {
            assert!(anomalies(&order).contains(&conflict("evt_9")), "{order:#?}");
        }
    }
    let strong = [
        told("updated", "t3", was("t1")),
        told("updated", "t1", was("t3")),
        told("updated", "t1", json!({"metadata": {}})),
        told("updated", "t3", json!("absent")),
    ];
    for anew in strong {
        let named = linked_trainer(&anew.event).expect("it names one");
        check_link(&[created.clone(), act.clone(), anew], named.as_str());
    }
}

#[test]
fn what_nothing_else_tells_repeated_metadata_tell_and_the_latest_of_them_count() {
    let again = |id: &str, at: i64, named: &str| {
        customer(id, DAY_0 + at, "updated", Some(named), json!({"delinquent": true}))
    };
    let mut alone = folded(&[again("evt_3", 3, "t1")]);
    let link = alone.take_changes().link.expect("a link");
    assert_eq!((Some(link.trainer), link.conflicting), (trainer("t1"), false));
    for (first, last) in [("t5", "t6"), ("t6", "t5")] {
        for (one, other) in [("evt_1", "evt_2"), ("evt_2", "evt_1")] {
            check_link(&[again(one, 3, first), again(other, 9, last)], last);
            // Of one second as well: what is said anew counts more.
            let was = json!({"metadata": {"trainer_id": "t1"}});
            let anew = customer(one, DAY_0 + 9, "updated", Some(first), was);
            check_link(&[anew, again(other, 9, last), again("evt_3", 9, last)], first);
        }
    }
}

#[test]
fn a_delayed_payment_of_a_session_takes_no_later_word_back() {
    let session = |id: &str, at: i64, cause: &str| {
        let session = json!({"id": "cs_1", "customer": "cus_1", "client_reference_id": "t1"});
        let reported = reported::<CheckoutSession>(cause, session, json!("absent"));
        entry(id, DAY_0 + at, Event::CheckoutSessionReported(reported))
    };
    for how in ["async_payment_succeeded", "async_payment_failed"] {
        let facts = [session("evt_1", 0, "completed"), session("evt_9", 9, how)];
        let [completed, paid] = &facts;
        let act = linked("act_5", 5, "t2");
        check_link(&[completed.clone(), act.clone(), paid.clone()], "t2");
        check_link(&[act, paid.clone()], "t2");
        let link = folded(std::slice::from_ref(paid)).take_changes().link.expect("a link");
        assert_eq!(Some(link.trainer), trainer("t1"));
    }
    // Who completes a session says so; that a page nobody paid at runs out is no word at all.
    check_link(&[linked("act_5", 5, "t2"), session("evt_9", 9, "completed")], "t1");
    check_link(&[linked("act_5", 5, "t2"), session("evt_9", 9, "expired")], "t2");
}

/// The event that moved the customer is missing: what the metadata say later counts, but not
/// against a word that may have come after.
#[test]
fn metadata_that_changed_unheard_are_believed() {
    let created = customer("evt_1", DAY_0, "created", Some("t1"), json!("no_object"));
    let again = |id: &str, at: i64, named: &str| {
        customer(id, DAY_0 + at, "updated", Some(named), json!({"delinquent": true}))
    };
    let (act, still) = (linked("act_5", 5, "t2"), again("evt_6", 6, "t1"));
    let (moved, later) = (again("evt_7", 9, "t3"), again("evt_8", 10, "t3"));
    check_link(&[created.clone(), moved.clone(), later.clone()], "t3");
    check_link(&[created.clone(), act.clone(), moved.clone()], "t2");
    check_link(&[created, act, still, moved, later], "t3");
}

/// Within a second the ids say nothing: what the customer was before each fact does.
#[test]
fn within_a_second_a_customers_own_facts_say_who_it_is_last() {
    let named = |id: &str, cause: &str, trainer: &str, before: Value| {
        let object = json!({"id": "cus_1", "metadata": {"trainer_id": trainer}});
        let reported = reported::<Customer>(cause, object, before);
        entry(id, DAY_0, Event::CustomerReported(reported))
    };
    let was = |trainer: &str| json!({"metadata": {"trainer_id": trainer}});
    for [first, second, third] in [["evt_1", "evt_2", "evt_3"], ["evt_3", "evt_2", "evt_1"]] {
        let created = named(first, "created", "t6", json!("no_object"));
        let moved = named(second, "updated", "t5", was("t6"));
        let again = named(third, "updated", "t7", was("t5"));
        for order in orders(&[created, moved, again]) {
            let mut unit = folded(&order);
            let link = unit.take_changes().link.expect("a link");
            assert_eq!(Some(link.trainer), trainer("t7"), "{order:#?}");
        }
    }
}

#[test]
fn facts_without_a_trainer_move_whole_when_the_trainer_is_known() {
    let mut unit =
        folded(&[sub("evt_1", DAY_0, "created", json!({"metadata": {}}), json!("absent"))]);
    assert_eq!(unit.take_changes().subscriptions[0].trainer, None);
    unit.evolve(&invoice("evt_2", DAY_0, "finalized", "open", 0));
    assert_eq!(unit.take_changes().payments[0].trainer, None);
    unit.evolve(&entry(
        "act_1",
        DAY_0,
        Event::CustomerLinked(CustomerLinked {
            customer: stripe_id("cus_1"),
            trainer: trainer("t1").expect("an id"),
        }),
    ));
    let changes = unit.take_changes();
    assert_eq!(changes.subscriptions[0].trainer, trainer("t1"));
    assert_eq!(changes.payments[0].trainer, trainer("t1"));
}
