//! Objects that a later fact ties to something else: what they belonged to shows it, too, however
//! the facts come.

use std::collections::BTreeMap;

use ledger_domain::account::{CustomerUnit, PaymentView, SubscriptionView};
use ledger_domain::event::stripe::{Charge, Dispute, Invoice, PaymentIntent, Refund, Schedule};
use ledger_domain::event::{Entry, Event};
use serde_json::{Value, json};

use crate::given::{DAY_0, entry, orders, reported, stripe_id, sub, with};

const END: i64 = DAY_0 + 30 * 86_400;

/// What is shown, by id.
#[derive(Debug, Default, PartialEq)]
struct Shown {
    subscriptions: BTreeMap<String, SubscriptionView>,
    payments: BTreeMap<String, PaymentView>,
}

impl Shown {
    /// What read models hold that take the changes after so many facts each.
    fn of(facts: &[Entry], each: usize) -> Self {
        let mut shown = Self::default();
        let mut unit = CustomerUnit::new(stripe_id("cus_1"));
        for some in facts.chunks(each) {
            some.iter().for_each(|fact| unit.evolve(fact));
            let changes = unit.take_changes();
            for id in changes.gone_payments {
                shown.payments.remove(id.as_str());
            }
            let subscriptions = changes.subscriptions.into_iter();
            shown.subscriptions.extend(subscriptions.map(|view| (view.id.to_string(), view)));
            let payments = changes.payments.into_iter();
            shown.payments.extend(payments.map(|view| (view.object.to_string(), view)));
        }
        shown
    }
}

/// In every order what is shown fact by fact is what all facts show at once, and passes a check.
#[track_caller]
fn check(facts: &[Entry], check: impl Fn(&Shown)) {
    for order in orders(facts) {
        let shown = Shown::of(&order, 1);
        assert_eq!(shown, Shown::of(&order, order.len()), "{order:#?}");
        check(&shown);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "tests read better with json!(..)")]
fn schedule(id: &str, after: i64, changes: Value) -> Entry {
    let snapshot = json!({
        "id": "sub_sched_1", "customer": "cus_1", "subscription": "sub_1", "status": "active",
        "current_phase": {"start_date": DAY_0, "end_date": END},
        "phases": [
            {"start_date": DAY_0, "end_date": END, "items": [{"price": "price_starter_month"}]},
            {"start_date": END, "items": [{"price": "price_enterprise_month"}]},
        ],
    });
    let report = reported::<Schedule>("updated", with(&snapshot, &changes), json!("absent"));
    entry(id, DAY_0 + after, Event::ScheduleReported(report))
}

#[test]
fn a_schedule_that_lets_go_of_a_subscription_changes_it_no_more() {
    let steered = json!({"schedule": "sub_sched_1"});
    let other = json!({"id": "sub_2", "schedule": "sub_sched_1"});
    let (steering, made) = (
        schedule("evt_2", 1, json!({})),
        sub("evt_1", DAY_0, "created", steered, json!("no_object")),
    );
    check(&[made.clone(), steering.clone()], |shown| {
        assert!(shown.subscriptions["sub_1"].scheduled.is_some());
    });
    for later in [
        json!({"subscription": null, "released_subscription": "sub_1", "status": "released"}),
        json!({"subscription": null, "status": "canceled"}),
        json!({"subscription": null}),
        json!({"subscription": "sub_2"}),
    ] {
        let facts = [
            made.clone(),
            sub("evt_3", DAY_0, "created", other.clone(), json!("no_object")),
            steering.clone(),
            schedule("evt_4", 5, later.clone()),
        ];
        check(&facts, |shown| {
            assert_eq!(shown.subscriptions["sub_1"].scheduled, None, "{later}");
            let takes_over = later["subscription"] == "sub_2";
            assert_eq!(shown.subscriptions["sub_2"].scheduled.is_some(), takes_over, "{later}");
        });
    }
}

#[expect(clippy::needless_pass_by_value, reason = "tests read better with json!(..)")]
fn invoice(id: &str, after: i64, changes: Value) -> Entry {
    let snapshot = json!({
        "id": "in_1", "customer": "cus_1", "subscription": "sub_1", "currency": "usd",
        "status": "open", "attempt_count": 1, "created": DAY_0, "total": 2900,
    });
    let cause = if after == 5 { "payment_failed" } else { "updated" };
    let report = reported::<Invoice>(cause, with(&snapshot, &changes), json!("absent"));
    entry(id, DAY_0 + after, Event::InvoiceReported(report))
}

fn intent() -> Entry {
    let snapshot = json!({
        "id": "pi_1", "customer": "cus_1", "currency": "usd", "amount": 2900, "invoice": "in_1",
        "status": "requires_payment_method",
    });
    let report = reported::<PaymentIntent>("payment_failed", snapshot, json!("absent"));
    entry("evt_5", DAY_0 + 5, Event::PaymentIntentReported(report))
}

#[test]
fn an_invoice_that_lets_go_of_a_subscription_says_no_more_since_when_it_is_past_due() {
    let past_due = sub("evt_1", DAY_0 + 9, "updated", json!({"status": "past_due"}), json!({}));
    for named in [Value::Null, json!("sub_2")] {
        let facts = [
            past_due.clone(),
            intent(),
            invoice("evt_3", 5, json!({})),
            invoice("evt_4", 12, json!({ "subscription": named })),
        ];
        check(&facts, |shown| {
            let since = shown.subscriptions["sub_1"].past_due_since;
            assert_eq!(since.map(|since| since.unix()), Some(DAY_0 + 9), "{named}");
            for object in ["in_1", "pi_1"] {
                let of = shown.payments[object].subscription.as_ref();
                assert_eq!(of.map(|id| id.as_str()), named.as_str(), "{object}");
            }
        });
    }
}

/// One API version names an invoice's charge and no intent, another one the charge's intent and no
/// invoice.
#[test]
fn a_payment_finds_its_subscription_through_its_charges_invoice() {
    let charge = json!({
        "id": "ch_1", "customer": "cus_1", "currency": "usd", "amount": 2900, "status": "succeeded",
        "payment_intent": "pi_1",
    });
    let refund = json!({
        "id": "re_1", "currency": "usd", "amount": 1000, "charge": "ch_1", "status": "succeeded",
    });
    let dispute = json!({
        "id": "dp_1", "currency": "usd", "amount": 1900, "charge": "ch_1", "status": "lost",
    });
    let absent = || json!("absent");
    let facts = [
        invoice("evt_1", 5, json!({"payments": [{"charge": "ch_1"}]})),
        entry("evt_2", DAY_0, Event::ChargeReported(reported::<Charge>("ok", charge, absent()))),
        entry("evt_3", DAY_0, Event::RefundReported(reported::<Refund>("ok", refund, absent()))),
        entry(
            "evt_4",
            DAY_0,
            Event::DisputeReported(reported::<Dispute>("closed", dispute, absent())),
        ),
    ];
    check(&facts, |shown| {
        for object in ["pi_1", "re_1", "dp_1"] {
            let of = shown.payments[object].subscription.as_ref();
            assert_eq!(of.map(|id| id.as_str()), Some("sub_1"), "{object}");
        }
    });
}

#[test]
fn a_payment_that_a_refund_lets_go_of_has_given_nothing_back() {
    let refund = |id: &str, after: i64, of: &str| {
        let snapshot = json!({
            "id": "re_1", "currency": "usd", "amount": 1000, "payment_intent": of,
            "status": "succeeded",
        });
        let report = reported::<Refund>("updated", snapshot, json!("absent"));
        entry(id, DAY_0 + after, Event::RefundReported(report))
    };
    let facts = [intent(), refund("evt_1", 6, "pi_1"), refund("evt_2", 9, "pi_2")];
    check(&facts, |shown| assert_eq!(shown.payments["pi_1"].refunded_minor, 0));
}

/// Nothing told of the first payment but the charge that has left it.
#[test]
fn a_payment_that_its_only_charge_lets_go_of_is_shown_no_more() {
    let charge = |id: &str, after: i64, of: &str| {
        let snapshot = json!({
            "id": "ch_1", "customer": "cus_1", "currency": "usd", "amount": 2900,
            "status": "succeeded", "payment_intent": of,
        });
        let report = reported::<Charge>("updated", snapshot, json!("absent"));
        entry(id, DAY_0 + after, Event::ChargeReported(report))
    };
    for (first, last) in [("pi_1", "pi_2"), ("pi_2", "pi_1")] {
        let facts = [charge("evt_1", 6, first), charge("evt_2", 9, last)];
        check(&facts, |shown| assert!(shown.payments.keys().eq([last]), "{shown:#?}"));
    }
}
