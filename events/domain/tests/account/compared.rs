//! Every compared field counts: an event whose old values differ from the event before it in that
//! field alone lists a gap, which is told as exactly that difference.

use ledger_domain::account::{Difference, FactAnomaly, difference};
use ledger_domain::event::Event;
use ledger_domain::event::stripe::Reported;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::given::{DAY_0, anomalies, entry, key, reported};

const DAY_1: i64 = DAY_0 + 86_400;
/// How `DAY_0` and `DAY_1` are told.
const TOLD: (&str, &str) = ("2026-03-31T00:00:00Z", "2026-04-01T00:00:00Z");

/// A compared field: the old values that differ in it alone, and how the difference is told.
struct Row {
    old: Value,
    told: Difference,
}

/// Old values, and the name of the field with what is expected and seen of it.
fn row(old: Value, field: &str, expected: Value, seen: Value) -> Row {
    Row { old, told: Difference::new(field, expected, seen) }
}

/// A field of the object itself, that is told as it is.
fn plain(field: &str, is: Value, was: Value) -> Row {
    row(json!({ field: was }), field, is, was)
}

/// An instant of the object itself: `DAY_0`, and it was `DAY_1`.
fn instant(field: &str) -> Row {
    row(json!({ field: DAY_1 }), field, json!(TOLD.0), json!(TOLD.1))
}

/// An object in which all compared fields have a value, and a row for each.
#[track_caller]
fn check<S: DeserializeOwned>(event: fn(Reported<S>) -> Event, object: &Value, rows: &[Row]) {
    let fact = |id, at, cause, before: Value| {
        entry(id, at, event(reported(cause, object.clone(), before)))
    };
    let first = fact("evt_1", DAY_0, "created", json!("no_object"));
    for Row { old, told } in rows {
        let next = fact("evt_2", DAY_1, "updated", old.clone());
        let gap = FactAnomaly::GapSuspected(key("evt_2"), Some(key("evt_1")));
        assert_eq!(anomalies(&[first.clone(), next.clone()]), [gap], "{told:?}");
        assert_eq!(difference(Some(&first.event), &next.event), std::slice::from_ref(told));
    }
    let same = fact("evt_2", DAY_1, "updated", json!({}));
    assert_eq!(anomalies(&[first, same.clone()]), [], "nothing differs");
    // Where nothing was known, all compared fields are told.
    let all = difference(None, &same.event);
    let all: Vec<&str> = all.iter().map(|told| &*told.field).collect();
    let rows: Vec<&str> = rows.iter().map(|row| &*row.told.field).collect();
    assert_eq!(all, rows, "each has its row");
}

#[test]
fn of_subscriptions() {
    let item = json!({"price": {"id": "price_1"}, "quantity": 1, "current_period_start": DAY_0,
        "current_period_end": DAY_0});
    let object = json!({
        "id": "sub_1", "customer": "cus_1", "status": "active", "items": {"data": [item]},
        "metadata": {"trainer_id": "t1"}, "cancel_at": DAY_0, "cancel_at_period_end": true,
        "canceled_at": DAY_0, "ended_at": DAY_0, "trial_start": DAY_0, "trial_end": DAY_0,
        "billing_cycle_anchor": DAY_0, "schedule": "sub_sched_1",
        "pause_collection": {"behavior": "void"}, "pending_update": {"expires_at": DAY_0},
    });
    let of_item = |field: &str, was: Value, is: Value, told: Value| {
        let mut item = item.clone();
        item[field] = was;
        let name = format!("items[0].{field}");
        let seen = if field == "price" { item["price"]["id"].clone() } else { told };
        row(json!({"items": {"data": [item]}}), &name, is, seen)
    };
    let rows = [
        plain("status", json!("active"), json!("past_due")),
        of_item("price", json!({"id": "price_2"}), json!("price_1"), json!("price_2")),
        of_item("quantity", json!(2), json!(1), json!(2)),
        of_item("current_period_start", json!(DAY_1), json!(TOLD.0), json!(TOLD.1)),
        of_item("current_period_end", json!(DAY_1), json!(TOLD.0), json!(TOLD.1)),
        plain("customer", json!("cus_1"), json!("cus_2")),
        plain("metadata", json!({"trainer_id": "t1"}), json!({"trainer_id": "t2"})),
        instant("cancel_at"),
        plain("cancel_at_period_end", json!(true), json!(false)),
        instant("canceled_at"),
        instant("ended_at"),
        instant("trial_start"),
        instant("trial_end"),
        instant("billing_cycle_anchor"),
        plain("schedule", json!("sub_sched_1"), json!("sub_sched_2")),
        row(json!({"pause_collection": null}), "collection_paused", json!(true), json!(false)),
        row(json!({"pending_update": null}), "update_pending", json!(true), json!(false)),
    ];
    check(Event::SubscriptionReported, &object, &rows);
}

#[test]
fn of_schedules() {
    let phase = json!({"start_date": DAY_0, "end_date": DAY_0, "items": [{"price": "price_1"}],
        "trial_end": DAY_0});
    let current = json!({"start_date": DAY_0, "end_date": DAY_0});
    let object = json!({
        "id": "sub_sched_1", "customer": "cus_1", "status": "active", "phases": [phase],
        "current_phase": current, "subscription": "sub_1", "end_behavior": "release",
    });
    let within = |part: &Value, field: &str, was: Value| {
        let mut part = part.clone();
        part[field] = was;
        part
    };
    let of_phase = |field: &str| {
        let old = json!({"phases": [within(&phase, field, json!(DAY_1))]});
        row(old, &format!("phases[0].{field}"), json!(TOLD.0), json!(TOLD.1))
    };
    let of_current = |field: &str| {
        let old = json!({"current_phase": within(&current, field, json!(DAY_1))});
        row(old, &format!("current_phase.{field}"), json!(TOLD.0), json!(TOLD.1))
    };
    let (items, old) = (json!([{"price": "price_1"}]), json!([{"price": "price_2"}]));
    let old_phases = json!({"phases": [within(&phase, "items", old.clone())]});
    let rows = [
        plain("status", json!("active"), json!("not_started")),
        of_phase("start_date"),
        of_phase("end_date"),
        row(old_phases, "phases[0].items", items, old),
        of_phase("trial_end"),
        of_current("start_date"),
        of_current("end_date"),
        plain("subscription", json!("sub_1"), json!("sub_2")),
        plain("end_behavior", json!("release"), json!("cancel")),
    ];
    check(Event::ScheduleReported, &object, &rows);
}

#[test]
fn of_invoices_and_their_payments() {
    let object = json!({
        "id": "in_1", "customer": "cus_1", "currency": "usd", "status": "open", "total": 1,
        "amount_due": 1, "amount_paid": 1, "amount_remaining": 1, "attempt_count": 1,
        "next_payment_attempt": DAY_0,
    });
    let rows = [
        plain("status", json!("open"), json!("uncollectible")),
        plain("total", json!(1), json!(2)),
        plain("amount_due", json!(1), json!(2)),
        plain("amount_paid", json!(1), json!(2)),
        plain("amount_remaining", json!(1), json!(2)),
        plain("attempt_count", json!(1), json!(2)),
        instant("next_payment_attempt"),
    ];
    check(Event::InvoiceReported, &object, &rows);
    let object = json!({"id": "inpay_1", "invoice": "in_1", "status": "open", "amount_paid": 1,
        "payment_intent": "pi_1", "charge": "ch_1"});
    let rows = [
        plain("status", json!("open"), json!("paid")),
        plain("amount_paid", json!(1), json!(2)),
        plain("payment_intent", json!("pi_1"), json!("pi_2")),
        plain("charge", json!("ch_1"), json!("ch_2")),
    ];
    check(Event::InvoicePaymentReported, &object, &rows);
}

#[test]
fn of_payment_intents_and_charges() {
    let object = json!({"id": "pi_1", "customer": "cus_1", "currency": "usd", "amount": 1,
        "amount_received": 1, "status": "canceled", "latest_charge": "ch_1",
        "canceled_at": DAY_0});
    let rows = [
        plain("status", json!("canceled"), json!("processing")),
        plain("amount", json!(1), json!(2)),
        plain("amount_received", json!(1), json!(2)),
        instant("canceled_at"),
    ];
    check(Event::PaymentIntentReported, &object, &rows);
    let object = json!({"id": "ch_1", "customer": "cus_1", "currency": "usd", "amount": 1,
        "amount_refunded": 1, "status": "succeeded", "refunded": true, "disputed": true});
    let rows = [
        plain("status", json!("succeeded"), json!("pending")),
        plain("amount", json!(1), json!(2)),
        plain("amount_refunded", json!(1), json!(2)),
        plain("refunded", json!(true), json!(false)),
        plain("disputed", json!(true), json!(false)),
    ];
    check(Event::ChargeReported, &object, &rows);
}

#[test]
fn of_refunds_and_disputes() {
    let object = json!({"id": "re_1", "customer": "cus_1", "currency": "usd", "amount": 1,
        "status": "failed", "failure_reason": "unknown"});
    let rows = [
        plain("status", json!("failed"), json!("succeeded")),
        plain("amount", json!(1), json!(2)),
        plain("failure_reason", json!("unknown"), json!("declined")),
    ];
    check(Event::RefundReported, &object, &rows);
    let object = json!({"id": "dp_1", "currency": "usd", "amount": 1, "status": "lost",
        "reason": "fraudulent"});
    let rows = [
        plain("status", json!("lost"), json!("under_review")),
        plain("amount", json!(1), json!(2)),
        plain("reason", json!("fraudulent"), json!("duplicate")),
    ];
    check(Event::DisputeReported, &object, &rows);
}

#[test]
fn of_customers_and_their_sessions() {
    let object = json!({"id": "cus_1", "delinquent": true, "metadata": {"trainer_id": "t1"},
        "currency": "usd"});
    let rows = [
        plain("deleted", json!(false), json!(true)),
        plain("delinquent", json!(true), json!(false)),
        plain("metadata", json!({"trainer_id": "t1"}), json!({"trainer_id": "t2"})),
        plain("currency", json!("usd"), json!("eur")),
    ];
    check(Event::CustomerReported, &object, &rows);
    let object = json!({"id": "cs_1", "customer": "cus_1", "status": "complete",
        "payment_status": "paid", "subscription": "sub_1"});
    let rows = [
        plain("status", json!("complete"), json!("open")),
        plain("payment_status", json!("paid"), json!("unpaid")),
        plain("customer", json!("cus_1"), json!("cus_2")),
        plain("subscription", json!("sub_1"), json!("sub_2")),
    ];
    check(Event::CheckoutSessionReported, &object, &rows);
}

#[test]
fn of_what_is_sold() {
    let object = json!({"id": "price_1", "active": true, "currency": "usd", "product": "prod_1",
        "lookup_key": "one", "nickname": "One", "unit_amount": 1, "unit_amount_decimal": "1.5"});
    let rows = [
        plain("active", json!(true), json!(false)),
        plain("currency", json!("usd"), json!("eur")),
        plain("lookup_key", json!("one"), json!("two")),
        plain("nickname", json!("One"), json!("Two")),
        plain("product", json!("prod_1"), json!("prod_2")),
        plain("unit_amount", json!(1), json!(2)),
        plain("unit_amount_decimal", json!("1.5"), json!("2.5")),
    ];
    check(Event::PriceReported, &object, &rows);
    let object = json!({"id": "prod_1", "active": true, "name": "One", "default_price": "price_1"});
    let rows = [
        plain("active", json!(true), json!(false)),
        plain("name", json!("One"), json!("Two")),
        plain("default_price", json!("price_1"), json!("price_2")),
    ];
    check(Event::ProductReported, &object, &rows);
}
