//! Basil: periods moved to the items, invoices no longer name their payments.

use serde_json::{Value, json};

use super::basil_invoice::{invoice, invoice_item, line_item};
use super::{Change, Scope};
use crate::shell::render::fields::{Fields, plan_of, set, text};

const BASIL: &str = "2025-03-31";

pub(super) const CHANGES: [Change; 7] = [
    Change { since: BASIL, kind: "subscription", undo: subscription },
    Change { since: BASIL, kind: "subscription_item", undo: subscription_item },
    Change { since: BASIL, kind: "invoice", undo: invoice },
    Change { since: BASIL, kind: "line_item", undo: line_item },
    Change { since: BASIL, kind: "invoiceitem", undo: invoice_item },
    Change { since: BASIL, kind: "charge", undo: charge },
    Change { since: BASIL, kind: "payment_intent", undo: payment_intent },
];

/// One period for all items, and the only item's plan on the subscription itself.
fn subscription(fields: &mut Fields, scope: &Scope<'_>) {
    let items = fields.get("items").map_or(&Value::Null, |items| &items["data"]);
    let items = items.as_array().cloned().unwrap_or_default();
    let first = items.first().unwrap_or(&Value::Null);
    for key in ["current_period_start", "current_period_end"] {
        set(fields, key, first[key].clone());
    }
    let only = if items.len() == 1 { first } else { &Value::Null };
    let plan =
        if only["price"].is_object() { plan_of(&only["price"]) } else { only["plan"].clone() };
    set(fields, "plan", plan);
    set(fields, "quantity", only["quantity"].clone());
    first_discount(fields, scope);
    if let Some(Value::Object(list)) = fields.get_mut("items") {
        set(list, "total_count", items.len());
    }
}

fn subscription_item(item: &mut Fields, _: &Scope<'_>) {
    item.remove("current_period_start");
    item.remove("current_period_end");
    let Some(price @ Value::Object(_)) = item.get("price") else { return };
    let plan = plan_of(price);
    set(item, "plan", plan);
}

/// There was one discount beside the list of them.
pub(super) fn first_discount(fields: &mut Fields, scope: &Scope<'_>) {
    let first = fields.get("discounts").and_then(|all| all.get(0)).cloned().unwrap_or_default();
    let discount = match first.as_str() {
        Some(id) => scope.fetch(id).unwrap_or_default(),
        None => first,
    };
    set(fields, "discount", discount);
}

fn charge(charge: &mut Fields, scope: &Scope<'_>) {
    let intent = text(charge, "payment_intent").unwrap_or_default();
    let invoice = scope.links.invoice_of(intent, scope.at);
    set(charge, "invoice", json!(invoice));
}

fn payment_intent(intent: &mut Fields, scope: &Scope<'_>) {
    let id = text(intent, "id").unwrap_or_default();
    let invoice = scope.links.invoice_of(id, scope.at);
    set(intent, "invoice", json!(invoice));
}
