//! Bodies that have a field in its new and in its old place: the new one counts.

use ledger_stripe::translate::translate;
use serde_json::{Value, json};

use crate::support::{event, redacted};

/// The snapshot that an event about `object` is translated to.
fn snapshot(event_type: &str, object: &Value) -> Value {
    let mut body = event(object);
    body["type"] = json!(event_type);
    let event = translate(&redacted(&body.to_string())).event;
    let mut data: Value = serde_json::from_slice(&event.to_data()).unwrap();
    data["snapshot"].take()
}

#[test]
fn of_a_subscription() {
    let found = snapshot(
        "customer.subscription.updated",
        &json!({
            "id": "sub_1", "object": "subscription", "status": "active",
            "billing": "old", "collection_method": "new", "quantity": 9,
            "current_period_start": 1, "current_period_end": 2, "plan": {"id": "old"},
            "discount": {"id": "di_old", "coupon": "old"},
            "discounts": [{"id": "di_new", "coupon": "old", "source": {"coupon": "new"}}],
            "items": {"data": [{
                "id": "si_1", "current_period_start": 3, "current_period_end": 4, "quantity": 5,
                "plan": {"id": "old", "amount": 1, "interval": "year"},
                "price": {"id": "new", "unit_amount": 2, "recurring": {"interval": "month"}},
            }]},
        }),
    );
    assert_eq!(
        found,
        json!({
            "id": "sub_1", "status": "active", "collection_method": "new",
            "discounts": [{"id": "di_new", "coupon": "new"}],
            "items": {"data": [{
                "id": "si_1", "current_period_start": 3, "current_period_end": 4, "quantity": 5,
                "price": {
                    "id": "new", "unit_amount": 2, "unit_amount_decimal": "2", "interval": "month",
                },
            }]},
        })
    );
}

#[test]
fn of_an_invoice() {
    let found = snapshot(
        "invoice.paid",
        &json!({
            "id": "in_1", "object": "invoice", "currency": "usd", "paid": false, "status": "paid",
            "amount_due": 1, "amount_paid": 1, "total": 1,
            "created": 2, "date": 1, "tax": 1, "total_taxes": [{"amount": 2}, {"amount": 3}],
            "total_tax_amounts": [{"amount": 7}], "subscription": "sub_old",
            "subscription_details": {"metadata": {"trainer_id": "old"}},
            "parent": {"subscription_details":
                {"subscription": "sub_new", "metadata": {"trainer_id": "new"}}},
            "payment_intent": "pi_old", "charge": "ch_old",
            "payments": {"data": [{"payment": {"payment_intent": "pi_new"}}]},
            "finalized_at": 1, "status_transitions": {"finalized_at": 2},
            "lines": {"data": [{
                "id": "old", "unique_id": "il_new", "amount": 1, "proration": false,
                "subscription": "sub_old", "subscription_item": "si_old",
                "price": {"id": "old", "product": "prod_old"}, "plan": {"id": "older"},
                "parent": {"subscription_item_details": {"proration": true,
                    "subscription": "sub_new", "subscription_item": "si_new"}},
                "pricing": {"price_details": {"price": "new", "product": "prod_new"}},
            }]},
        }),
    );
    assert_eq!(found["status"], "paid");
    assert_eq!(found["created"], 2);
    assert_eq!(found["tax"], 5);
    assert_eq!(found["subscription"], "sub_new");
    assert_eq!(found["subscription_metadata"], json!({"trainer_id": "new"}));
    assert_eq!(found["payments"], json!([{"payment_intent": "pi_new"}]));
    assert_eq!(found["status_transitions"], json!({"finalized_at": 2}));
    assert_eq!(
        found["lines"]["data"],
        json!([{
            "id": "il_new", "amount": 1, "price": "new", "product": "prod_new", "proration": true,
            "subscription": "sub_new", "subscription_item": "si_new",
        }])
    );
}

#[test]
fn of_a_payment() {
    let intent = json!({
        "id": "pi_1", "object": "payment_intent", "amount": 1, "currency": "usd",
        "status": "succeeded", "latest_charge": "ch_new", "charges": {"data": [{"id": "ch_old"}]},
    });
    assert_eq!(snapshot("payment_intent.succeeded", &intent)["latest_charge"], "ch_new");
    let charge = json!({
        "id": "ch_1", "object": "charge", "amount": 1, "currency": "usd",
        "disputed": false, "dispute": "dp_1",
    });
    assert_eq!(snapshot("charge.refunded", &charge).get("disputed"), None);
}

#[test]
fn the_oldest_bodies_tell_by_other_means() {
    let of = |closed: bool, paid: bool, forgiven: bool, attempted: bool| {
        let invoice = json!({
            "id": "in_1", "object": "invoice", "currency": "usd", "closed": closed, "paid": paid,
            "forgiven": forgiven, "attempted": attempted,
            "amount_due": 1, "amount_paid": 0, "total": 1,
        });
        snapshot("invoice.updated", &invoice)["status"].take()
    };
    assert_eq!(of(false, false, false, false), "draft");
    assert_eq!(of(false, false, false, true), "open");
    assert_eq!(of(true, false, false, true), "open");
    assert_eq!(of(true, false, true, true), "uncollectible");
    assert_eq!(of(true, true, false, true), "paid");
    let subscription = json!({
        "id": "sub_1", "object": "subscription", "status": "active", "quantity": 2,
        "current_period_start": 1, "current_period_end": 2, "plan": "gold",
    });
    assert_eq!(
        snapshot("customer.subscription.updated", &subscription)["items"]["data"],
        json!([{
            "current_period_start": 1, "current_period_end": 2, "price": {"id": "gold"},
            "quantity": 2,
        }])
    );
}

#[test]
fn an_old_invoice_that_was_finalised_is_open_and_one_that_was_voided_is_void() {
    let of = |event_type: &str, finalized_at: Value| {
        let invoice = json!({
            "id": "in_1", "object": "invoice", "currency": "usd", "closed": false, "paid": false,
            "forgiven": false, "attempted": false, "finalized_at": finalized_at,
            "amount_due": 1, "amount_paid": 0, "total": 1,
        });
        snapshot(event_type, &invoice)["status"].take()
    };
    assert_eq!(of("invoice.created", Value::Null), "draft");
    assert_eq!(of("invoice.finalized", json!(5)), "open");
    assert_eq!(of("invoice.voided", json!(5)), "void");
}
