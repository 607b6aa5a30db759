//! From acacia back to the first version that knew prices.

use serde_json::Value;

use super::{Change, Scope};
use crate::shell::render::fields::{
    Fields, drop_all, members, plan_of, rename, set, set_new, text, whole_list,
};

const ACACIA_OCTOBER: &str = "2024-10-28";
const OF_2024: &str = "2024-04-10";
const OF_2022: &str = "2022-11-15";
const PRICES: &str = "2020-08-27";

pub(super) const CHANGES: [Change; 14] = [
    Change { since: ACACIA_OCTOBER, kind: "invoice", undo: without_credits },
    Change { since: ACACIA_OCTOBER, kind: "line_item", undo: without_credits },
    Change { since: ACACIA_OCTOBER, kind: "checkout.session", undo: without_adaptive_pricing },
    Change { since: OF_2024, kind: "product", undo: features_of_product },
    Change { since: OF_2024, kind: "subscription", undo: one_discount },
    Change { since: OF_2024, kind: "subscription_item", undo: one_discount },
    Change { since: OF_2022, kind: "charge", undo: with_refunds },
    Change { since: OF_2022, kind: "payment_intent", undo: with_charges },
    Change { since: PRICES, kind: "subscription", undo: with_tax_percent },
    Change { since: PRICES, kind: "subscription_item", undo: without_price },
    Change { since: PRICES, kind: "subscription_schedule", undo: phases_of_plans },
    Change { since: PRICES, kind: "invoice", undo: invoice_before_prices },
    Change { since: PRICES, kind: "line_item", undo: without_price },
    Change { since: PRICES, kind: "customer", undo: with_sources },
];

fn without_credits(object: &mut Fields, _: &Scope<'_>) {
    drop_all(object, &["pretax_credit_amounts", "total_pretax_credit_amounts"]);
    if let Some(Value::Object(tax)) = object.get_mut("automatic_tax") {
        tax.remove("disabled_reason");
    }
}

fn without_adaptive_pricing(session: &mut Fields, _: &Scope<'_>) {
    drop_all(session, &["adaptive_pricing", "currency_conversion"]);
}

fn features_of_product(product: &mut Fields, _: &Scope<'_>) {
    rename(product, "marketing_features", "features");
}

fn one_discount(object: &mut Fields, _: &Scope<'_>) {
    object.remove("discounts");
}

fn with_refunds(charge: &mut Fields, _: &Scope<'_>) {
    let id = text(charge, "id").unwrap_or_default();
    let url = format!("/v1/charges/{id}/refunds");
    set_new(charge, "refunds", whole_list(&[], &url));
}

/// The charges stood in their intent, the newest first.
fn with_charges(intent: &mut Fields, scope: &Scope<'_>) {
    let id = text(intent, "id").unwrap_or_default();
    let mut ids = scope.links.charges_of(id, scope.at);
    let latest = text(intent, "latest_charge");
    // The charge of the same moment may be told of only after its intent.
    ids.extend(latest.filter(|latest| !ids.contains(latest)));
    let charges: Vec<Value> = ids.iter().rev().filter_map(|charge| scope.fetch(charge)).collect();
    let list = whole_list(&charges, &format!("/v1/charges?payment_intent={id}"));
    set(intent, "charges", list);
    intent.remove("latest_charge");
}

fn with_tax_percent(subscription: &mut Fields, _: &Scope<'_>) {
    set(subscription, "tax_percent", Value::Null);
}

fn without_price(object: &mut Fields, _: &Scope<'_>) {
    object.remove("price");
}

fn invoice_before_prices(invoice: &mut Fields, _: &Scope<'_>) {
    invoice.remove("discounts");
    set(invoice, "tax_percent", Value::Null);
}

/// Phases had plans instead of items.
fn phases_of_plans(schedule: &mut Fields, _: &Scope<'_>) {
    let Some(phases) = schedule.get_mut("phases") else { return };
    for phase in members(phases) {
        rename(phase, "items", "plans");
        set(phase, "tax_percent", Value::Null);
        let Some(plans) = phase.get_mut("plans") else { continue };
        for item in members(plans) {
            let price = item.remove("price").unwrap_or_default();
            // A phase names its plan; only an expanded one is whole.
            let plan = if price.is_object() { plan_of(&price) } else { price };
            set(item, "plan", plan);
            item.remove("discounts");
        }
        phase.remove("discounts");
    }
}

fn with_sources(customer: &mut Fields, _: &Scope<'_>) {
    let id = text(customer, "id").unwrap_or_default();
    let url = format!("/v1/customers/{id}/sources");
    set_new(customer, "sources", whole_list(&[], &url));
}
