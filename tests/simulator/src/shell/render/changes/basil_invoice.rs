//! Basil: invoices, their lines, and the items that wait for one.

use serde_json::{Value, json};

use super::Scope;
use super::basil::first_discount;
use crate::shell::render::fields::{Fields, drop_all, plan_of, set, take, text};

/// The subscription, the payment and the taxes stood on the invoice itself.
pub(super) fn invoice(invoice: &mut Fields, scope: &Scope<'_>) {
    let parent = take(invoice, "parent");
    let subscription = &parent["subscription_details"];
    set(invoice, "subscription", subscription["subscription"].clone());
    let details = subscription.is_object().then(|| json!({ "metadata": subscription["metadata"] }));
    set(invoice, "subscription_details", details);
    set(invoice, "quote", parent["quote_details"]["quote"].clone());

    let id = text(invoice, "id").unwrap_or_default();
    let intent = scope.links.intent_of(id, scope.at).map(str::to_owned);
    let charge = intent.as_deref().and_then(|intent| {
        scope.links.charges_of(intent, scope.at).last().map(|&charge| charge.to_owned())
    });
    set(invoice, "charge", charge);
    set(invoice, "payment_intent", intent);
    let paid = text(invoice, "status") == Some("paid");
    set(invoice, "paid", paid);
    set(invoice, "paid_out_of_band", false);

    first_discount(invoice, scope);
    let taxes = take(invoice, "total_taxes");
    set(invoice, "tax", sum(&taxes));
    set(invoice, "total_tax_amounts", older_taxes(&taxes));
    for key in ["application_fee_amount", "transfer_data"] {
        set(invoice, key, Value::Null);
    }
    drop_all(invoice, &["amount_overpaid", "confirmation_secret"]);
}

fn sum(taxes: &Value) -> Option<i64> {
    let amounts = taxes.as_array()?.iter().map(|tax| tax["amount"].as_i64().unwrap_or_default());
    (!taxes.as_array()?.is_empty()).then(|| amounts.sum())
}

fn older_taxes(taxes: &Value) -> Value {
    let older = |tax: &Value| {
        json!({
            "amount": tax["amount"],
            "inclusive": tax["tax_behavior"] == "inclusive",
            "tax_rate": tax["tax_rate_details"]["tax_rate"],
            "taxability_reason": tax["taxability_reason"],
            "taxable_amount": tax["taxable_amount"],
        })
    };
    taxes.as_array().into_iter().flatten().map(older).collect()
}

/// A line named its subscription and held its price.
pub(super) fn line_item(line: &mut Fields, scope: &Scope<'_>) {
    let parent = take(line, "parent");
    let of_item = parent["type"] == "invoice_item_details";
    let details =
        &parent[if of_item { "invoice_item_details" } else { "subscription_item_details" }];
    set(line, "type", if of_item { "invoiceitem" } else { "subscription" });
    for key in ["invoice_item", "proration_details", "subscription", "subscription_item"] {
        set(line, key, details[key].clone());
    }
    set(line, "proration", details["proration"] == true);
    price_and_plan(line, scope);
    let taxes = take(line, "taxes");
    set(line, "tax_amounts", older_taxes(&taxes));
    set(line, "tax_rates", json!([]));
    line.remove("subtotal");
}

/// An item named its subscription and held its price.
pub(super) fn invoice_item(item: &mut Fields, scope: &Scope<'_>) {
    let parent = take(item, "parent");
    let details = &parent["subscription_details"];
    for key in ["subscription", "subscription_item"] {
        set(item, key, details[key].clone());
    }
    let pricing = item.get("pricing").cloned().unwrap_or_default();
    price_and_plan(item, scope);
    let amount = &pricing["unit_amount_decimal"];
    set(item, "unit_amount", amount.as_str().and_then(|amount| amount.parse::<i64>().ok()));
    set(item, "unit_amount_decimal", amount.clone());
    item.remove("net_amount");
}

/// Puts the whole price, and the plan that it was before, where only their id is now.
fn price_and_plan(fields: &mut Fields, scope: &Scope<'_>) {
    let pricing = take(fields, "pricing");
    let reference = &pricing["price_details"]["price"];
    let price = match reference.as_str() {
        Some(id) => scope.fetch(id).unwrap_or_else(|| {
            json!({
                "id": id, "object": "price", "currency": fields.get("currency"),
                "product": pricing["price_details"]["product"],
                "unit_amount_decimal": pricing["unit_amount_decimal"],
            })
        }),
        None => reference.clone(),
    };
    // What is paid once never was a plan.
    let is_plan = price.is_object() && price["type"] != "one_time";
    let plan = if is_plan { plan_of(&price) } else { Value::Null };
    set(fields, "price", price);
    set(fields, "plan", plan);
}
