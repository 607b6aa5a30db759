//! Before prices: 2019 and older.

use serde_json::{Value, json};

use super::{Change, Scope};
use crate::shell::render::fields::{Fields, drop_all, members, rename, set, text};

const LINE_IDS: &str = "2019-12-03";
const COLLECTION: &str = "2019-10-17";
const TRANSITIONS: &str = "2019-03-14";
const METHODS: &str = "2019-02-11";
const STATUSES: &str = "2018-11-08";
const PRODUCTS: &str = "2018-02-05";

pub(super) const CHANGES: [Change; 9] = [
    Change { since: LINE_IDS, kind: "line_item", undo: line_named_by_origin },
    Change { since: COLLECTION, kind: "subscription", undo: billing_of_subscription },
    Change { since: COLLECTION, kind: "subscription_schedule", undo: billing_of_schedule },
    Change { since: COLLECTION, kind: "invoice", undo: billing },
    Change { since: COLLECTION, kind: "customer", undo: balance_of_customer },
    Change { since: TRANSITIONS, kind: "invoice", undo: dated_invoice },
    Change { since: METHODS, kind: "payment_intent", undo: sources_of_intent },
    Change { since: STATUSES, kind: "invoice", undo: flags_of_invoice },
    Change { since: PRODUCTS, kind: "plan", undo: named_plan },
];

/// A line was called as the subscription or the item that it came from.
fn line_named_by_origin(line: &mut Fields, _: &Scope<'_>) {
    let origin = if text(line, "type") == Some("invoiceitem") {
        line.get("invoice_item")
    } else {
        line.get("subscription")
    };
    let Some(origin) = origin.filter(|origin| origin.is_string()).cloned() else { return };
    rename(line, "id", "unique_id");
    set(line, "id", origin);
}

fn billing(object: &mut Fields, _: &Scope<'_>) {
    rename(object, "collection_method", "billing");
}

fn billing_of_subscription(subscription: &mut Fields, scope: &Scope<'_>) {
    billing(subscription, scope);
    rename(subscription, "start_date", "start");
}

fn billing_of_schedule(schedule: &mut Fields, scope: &Scope<'_>) {
    billing(schedule, scope);
    if let Some(Value::Object(settings)) = schedule.get_mut("default_settings") {
        billing(settings, scope);
    }
    if let Some(phases) = schedule.get_mut("phases") {
        members(phases).for_each(|phase| billing(phase, scope));
    }
}

fn balance_of_customer(customer: &mut Fields, _: &Scope<'_>) {
    rename(customer, "balance", "account_balance");
    set(customer, "tax_info", Value::Null);
}

fn dated_invoice(invoice: &mut Fields, _: &Scope<'_>) {
    rename(invoice, "created", "date");
    rename(invoice, "application_fee_amount", "application_fee");
    let transitions = invoice.remove("status_transitions").unwrap_or_default();
    set(invoice, "finalized_at", transitions["finalized_at"].clone());
}

/// Methods of payment were sources.
fn sources_of_intent(intent: &mut Fields, _: &Scope<'_>) {
    rename(intent, "payment_method_types", "allowed_source_types");
    rename(intent, "next_action", "next_source_action");
    let older = match text(intent, "status") {
        Some("requires_payment_method") => "requires_source",
        Some("requires_action") => "requires_source_action",
        _ => return,
    };
    set(intent, "status", older);
}

/// An invoice had no status, but flags.
fn flags_of_invoice(invoice: &mut Fields, _: &Scope<'_>) {
    let status = invoice.remove("status").unwrap_or_default();
    let closed = ["paid", "void", "uncollectible"].iter().any(|closed| status == *closed);
    set(invoice, "closed", closed);
    set(invoice, "forgiven", status == "uncollectible");
    drop_all(invoice, &["auto_advance"]);
}

/// A plan had the name itself that its product has now.
fn named_plan(plan: &mut Fields, scope: &Scope<'_>) {
    let product = plan.remove("product").unwrap_or_default();
    let product = product.as_str().and_then(|id| scope.fetch(id)).unwrap_or(json!({}));
    set(plan, "name", product["name"].clone());
    set(plan, "statement_descriptor", product["statement_descriptor"].clone());
}
