//! Stripe's objects as version 2026-10-28.endive renders them, without anything about persons.

use serde_json::{Map, Value, json};

use super::offer::Offer;

/// The version whose shapes these are.
pub(super) const API_VERSION: &str = "2026-10-28.endive";
/// What everything is paid in.
pub(super) const CURRENCY: &str = "usd";

/// The envelope of a webhook.
pub(super) fn event(
    id: &str,
    kind: &str,
    created: i64,
    object: &Value,
    previous: Option<&Map<String, Value>>,
) -> Value {
    let mut data = json!({ "object": object });
    if let Some(previous) = previous {
        data["previous_attributes"] = json!(previous);
    }
    json!({
        "id": id, "object": "event", "api_version": API_VERSION, "created": created, "data": data,
        "livemode": false, "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null }, "type": kind,
    })
}

/// The old values of what changed between two states of an object: nested objects in part, lists
/// whole, null for what was not there.
pub(super) fn previous(before: &Value, after: &Value) -> Map<String, Value> {
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else {
        return Map::new();
    };
    let keys = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key)));
    let changed = keys.filter(|key| old.get(*key) != new.get(*key));
    changed
        .map(|key| {
            let (old, new) = (old.get(key).unwrap_or(&Value::Null), &after[key.as_str()]);
            let was = match (old, new) {
                (Value::Object(_), Value::Object(_)) => Value::Object(previous(old, new)),
                _ => old.clone(),
            };
            (key.clone(), was)
        })
        .collect()
}

pub(super) fn product(offer: &Offer, created: i64) -> Value {
    json!({
        "id": offer.product, "object": "product", "active": true, "created": created,
        "default_price": null, "livemode": false, "metadata": {}, "name": offer.name,
        "type": "service", "updated": created,
    })
}

pub(super) fn price(offer: &Offer, created: i64) -> Value {
    json!({
        "id": offer.price, "object": "price", "active": true, "billing_scheme": "per_unit",
        "created": created, "currency": CURRENCY, "livemode": false, "lookup_key": null,
        "metadata": {}, "nickname": null, "product": offer.product,
        "recurring": {
            "interval": if offer.yearly { "year" } else { "month" }, "interval_count": 1,
            "trial_period_days": null, "usage_type": "licensed",
        },
        "type": "recurring", "unit_amount": offer.amount,
        "unit_amount_decimal": offer.amount.to_string(),
    })
}

pub(super) fn customer(id: &str, trainer: &str, created: i64) -> Value {
    json!({
        "id": id, "object": "customer", "balance": 0, "created": created, "currency": null,
        "delinquent": false, "livemode": false, "metadata": { "trainer_id": trainer },
    })
}

/// One item of a subscription, with the period that runs.
pub(super) fn item(id: &str, subscription: &str, offer: &Offer, from: i64, until: i64) -> Value {
    json!({
        "id": id, "object": "subscription_item", "created": from, "current_period_end": until,
        "current_period_start": from, "discounts": [], "metadata": {},
        "price": price(offer, from), "quantity": 1, "subscription": subscription, "tax_rates": [],
    })
}

/// What names a new subscription.
pub(super) struct Names<'a> {
    pub(super) subscription: &'a str,
    pub(super) customer: &'a str,
    pub(super) trainer: &'a str,
}

pub(super) fn subscription(
    names: &Names<'_>,
    items: &Value,
    start: i64,
    trial_end: Option<i64>,
) -> Value {
    json!({
        "id": names.subscription, "object": "subscription", "application": null,
        "billing_cycle_anchor": trial_end.unwrap_or(start), "billing_mode": { "type": "flexible" },
        "cancel_at": null, "cancel_at_period_end": false, "canceled_at": null,
        "cancellation_details": { "feedback": null, "reason": null },
        "collection_method": "charge_automatically", "created": start, "currency": CURRENCY,
        "customer": names.customer, "days_until_due": null, "discounts": [], "ended_at": null,
        "items": { "object": "list", "data": [items], "has_more": false, "total_count": 1 },
        "latest_invoice": null, "livemode": false, "metadata": { "trainer_id": names.trainer },
        "pause_collection": null, "pending_update": null, "schedule": null, "start_date": start,
        "status": if trial_end.is_some() { "trialing" } else { "active" }, "test_clock": null,
        "trial_end": trial_end,
        "trial_settings": { "end_behavior": { "missing_payment_method": "cancel" } },
        "trial_start": trial_end.map(|_| start),
    })
}

pub(super) fn session(id: &str, names: &Names<'_>, created: i64, amount: i64) -> Value {
    json!({
        "id": id, "object": "checkout.session", "amount_subtotal": amount, "amount_total": amount,
        "client_reference_id": names.trainer, "created": created, "currency": CURRENCY,
        "customer": names.customer, "expires_at": created + 86_400, "livemode": false,
        "metadata": { "trainer_id": names.trainer }, "mode": "subscription",
        "payment_status": if amount == 0 { "no_payment_required" } else { "paid" },
        "status": "complete", "subscription": names.subscription,
    })
}

/// One line of an invoice: what it bills, from when to when.
pub(super) struct Line<'a> {
    pub(super) id: String,
    pub(super) offer: &'a Offer,
    pub(super) amount: i64,
    pub(super) period: (i64, i64),
    pub(super) proration: bool,
}

pub(super) fn invoice(
    id: &str,
    subscription: &Value,
    reason: &str,
    created: i64,
    lines: &[Line<'_>],
) -> Value {
    let total: i64 = lines.iter().map(|line| line.amount).sum();
    let lines: Vec<Value> =
        lines.iter().map(|one| line(one, id, &subscription["id"], subscription)).collect();
    json!({
        "id": id, "object": "invoice", "amount_due": total, "amount_paid": 0,
        "amount_remaining": total, "attempt_count": 0, "attempted": false, "auto_advance": true,
        "billing_reason": reason, "collection_method": "charge_automatically", "created": created,
        "currency": CURRENCY, "customer": subscription["customer"], "discounts": [],
        "due_date": null,
        "lines": { "object": "list", "data": lines, "has_more": false, "total_count": lines.len() },
        "livemode": false, "metadata": {}, "next_payment_attempt": created + 3600,
        "parent": {
            "quote_details": null, "type": "subscription_details",
            "subscription_details": {
                "metadata": subscription["metadata"], "subscription": subscription["id"],
            },
        },
        "period_end": created, "period_start": created, "status": "draft",
        "status_transitions": {
            "finalized_at": null, "marked_uncollectible_at": null, "paid_at": null,
            "voided_at": null,
        },
        "subtotal": total, "total": total, "total_taxes": [],
    })
}

fn line(line: &Line<'_>, invoice: &str, subscription: &Value, whole: &Value) -> Value {
    json!({
        "id": line.id, "object": "line_item", "amount": line.amount, "currency": CURRENCY,
        "invoice": invoice, "livemode": false, "metadata": {},
        "parent": {
            "invoice_item_details": null, "type": "subscription_item_details",
            "subscription_item_details": {
                "invoice_item": null, "proration": line.proration, "subscription": subscription,
                "subscription_item": whole["items"]["data"][0]["id"],
            },
        },
        "period": { "start": line.period.0, "end": line.period.1 },
        "pricing": {
            "price_details": { "price": line.offer.price, "product": line.offer.product },
            "type": "price_details", "unit_amount_decimal": line.offer.amount.to_string(),
        },
        "quantity": 1, "subtotal": line.amount, "taxes": [],
    })
}

/// The payment of an invoice, made when the invoice became final.
pub(super) fn payment_intent(id: &str, invoice: &Value) -> Value {
    let created = &invoice["status_transitions"]["finalized_at"];
    json!({
        "id": id, "object": "payment_intent", "amount": invoice["amount_due"],
        "amount_received": 0, "capture_method": "automatic", "created": created,
        "currency": CURRENCY, "customer": invoice["customer"], "last_payment_error": null,
        "latest_charge": null, "livemode": false, "metadata": {},
        "payment_method_types": ["card"], "status": "requires_payment_method",
    })
}

/// A charge; without a failure it succeeded.
pub(super) fn charge(id: &str, intent: &Value, created: i64, failure: Option<&str>) -> Value {
    let paid = failure.is_none();
    json!({
        "id": id, "object": "charge", "amount": intent["amount"],
        "amount_captured": if paid { intent["amount"].clone() } else { json!(0) },
        "amount_refunded": 0, "captured": paid, "created": created, "currency": CURRENCY,
        "customer": intent["customer"], "disputed": false, "failure_code": failure,
        "livemode": false, "metadata": {}, "paid": paid, "payment_intent": intent["id"],
        "payment_method_details": { "card": { "brand": "visa", "funding": "credit" }, "type": "card" },
        "refunded": false, "status": if paid { "succeeded" } else { "failed" },
    })
}

pub(super) fn invoice_payment(id: &str, invoice: &Value, intent: &str, at: i64) -> Value {
    json!({
        "id": id, "object": "invoice_payment", "amount_paid": invoice["amount_paid"],
        "amount_requested": invoice["amount_due"], "created": at, "currency": CURRENCY,
        "invoice": invoice["id"], "is_default": true, "livemode": false,
        "payment": { "payment_intent": intent, "type": "payment_intent" }, "status": "paid",
        "status_transitions": { "canceled_at": null, "paid_at": at },
    })
}

pub(super) fn refund(id: &str, charge: &Value, amount: i64, created: i64) -> Value {
    json!({
        "id": id, "object": "refund", "amount": amount, "charge": charge["id"],
        "created": created, "currency": CURRENCY, "customer": charge["customer"], "metadata": {},
        "payment_intent": charge["payment_intent"], "reason": "requested_by_customer",
        "status": "succeeded",
    })
}

pub(super) fn dispute(id: &str, charge: &Value, created: i64) -> Value {
    json!({
        "id": id, "object": "dispute", "amount": charge["amount"], "charge": charge["id"],
        "created": created, "currency": CURRENCY, "is_charge_refundable": false,
        "livemode": false, "metadata": {}, "payment_intent": charge["payment_intent"],
        "reason": "fraudulent", "status": "needs_response",
    })
}

/// A schedule taken over from a subscription: its present plan until `boundary`, then another.
pub(super) fn schedule(id: &str, subscription: &Value, created: i64) -> Value {
    let item = &subscription["items"]["data"][0];
    let (from, until) = (&item["current_period_start"], &item["current_period_end"]);
    json!({
        "id": id, "object": "subscription_schedule", "canceled_at": null, "completed_at": null,
        "created": created, "current_phase": { "end_date": until, "start_date": from },
        "customer": subscription["customer"], "end_behavior": "release", "livemode": false,
        "metadata": {},
        "phases": [phase(from, Some(until), item["price"]["id"].as_str().unwrap_or_default())],
        "released_at": null, "released_subscription": null, "status": "active",
        "subscription": subscription["id"], "test_clock": null,
    })
}

/// One phase of a schedule.
pub(super) fn phase(from: &Value, until: Option<&Value>, price: &str) -> Value {
    json!({
        "currency": CURRENCY, "end_date": until, "start_date": from, "trial_end": null,
        "items": [{ "metadata": {}, "price": price, "quantity": 1 }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told_and_only_what_it_was() {
        let before = json!({ "a": 1, "b": { "x": 1, "y": 2 }, "c": [1, 2], "d": 4 });
        let after = json!({ "a": 1, "b": { "x": 1, "y": 3 }, "c": [1], "e": 5, "d": 4 });
        let told = Value::Object(previous(&before, &after));
        assert_eq!(told, json!({ "b": { "y": 2 }, "c": [1, 2], "e": null }));
    }
}
