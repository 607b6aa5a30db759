//! Endive, dahlia and clover.

use serde_json::Value;

use super::{Change, Scope};
use crate::shell::render::fields::{Fields, drop_all, set, take};

const ENDIVE: &str = "2026-09-30";
const DAHLIA_MAY: &str = "2026-05-27";
const DAHLIA: &str = "2026-03-25";
const CLOVER: &str = "2025-09-30";
const BASIL_JUNE: &str = "2025-06-30";

pub(super) const CHANGES: [Change; 14] = [
    Change { since: ENDIVE, kind: "subscription", undo: without_pauses },
    Change { since: ENDIVE, kind: "refund", undo: without_customer },
    Change { since: DAHLIA_MAY, kind: "subscription", undo: without_billing_schedules },
    Change { since: DAHLIA, kind: "subscription", undo: without_managed_payments },
    Change { since: DAHLIA, kind: "checkout.session", undo: short_ui_mode },
    Change { since: DAHLIA, kind: "payment_intent", undo: without_managed_payments },
    Change { since: DAHLIA, kind: "line_item", undo: without_decimal_quantity },
    Change { since: DAHLIA, kind: "invoiceitem", undo: without_decimal_quantity },
    Change { since: CLOVER, kind: "discount", undo: discount_of_coupon },
    Change { since: CLOVER, kind: "promotion_code", undo: promotion_of_coupon },
    Change { since: CLOVER, kind: "subscription", undo: without_customer_account },
    Change { since: CLOVER, kind: "invoice", undo: without_customer_account },
    Change { since: BASIL_JUNE, kind: "subscription", undo: without_billing_mode },
    Change { since: BASIL_JUNE, kind: "subscription_schedule", undo: without_billing_mode },
];

fn without_pauses(subscription: &mut Fields, _: &Scope<'_>) {
    drop_all(subscription, &["status_details", "pause_schedules"]);
}

fn without_customer(refund: &mut Fields, _: &Scope<'_>) {
    drop_all(refund, &["customer", "customer_account", "payment_method"]);
}

fn without_billing_schedules(subscription: &mut Fields, _: &Scope<'_>) {
    subscription.remove("billing_schedules");
    if let Some(Value::Object(update)) = subscription.get_mut("pending_update") {
        drop_all(update, &["discount", "discounts", "metadata"]);
    }
}

fn without_managed_payments(object: &mut Fields, _: &Scope<'_>) {
    object.remove("managed_payments");
}

fn short_ui_mode(session: &mut Fields, scope: &Scope<'_>) {
    without_managed_payments(session, scope);
    let mode = match session.get("ui_mode").and_then(Value::as_str) {
        Some("hosted_page") => "hosted",
        Some("embedded_page") => "embedded",
        Some("elements") => "custom",
        _ => return,
    };
    set(session, "ui_mode", mode);
}

fn without_decimal_quantity(line: &mut Fields, _: &Scope<'_>) {
    line.remove("quantity_decimal");
}

fn discount_of_coupon(discount: &mut Fields, scope: &Scope<'_>) {
    discount.remove("customer_account");
    let source = take(discount, "source");
    set(discount, "coupon", coupon(&source["coupon"], scope));
}

fn promotion_of_coupon(code: &mut Fields, scope: &Scope<'_>) {
    let promotion = take(code, "promotion");
    set(code, "coupon", coupon(&promotion["coupon"], scope));
}

/// The coupon was a whole object where it's an id now.
fn coupon(reference: &Value, scope: &Scope<'_>) -> Value {
    reference.as_str().map_or_else(|| reference.clone(), |id| scope.fetch_or_name(id, "coupon"))
}

fn without_customer_account(object: &mut Fields, _: &Scope<'_>) {
    object.remove("customer_account");
}

fn without_billing_mode(object: &mut Fields, _: &Scope<'_>) {
    object.remove("billing_mode");
}
