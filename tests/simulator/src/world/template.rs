//! Stripe's own example objects, from which all objects here are rendered: so each has every field
//! that Stripe's has. What an example makes up and no state stands behind is unset.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::{Value, json};

const OBJECTS: &str = include_str!("../../fixtures/objects.json");

/// Fields of an example that mean a feature not in use here, by kind of object.
const UNSET: [(&str, &[&str]); 16] = [
    ("balance_transaction", &["description"]),
    ("billing_portal.session", &["flow", "livemode"]),
    (
        "charge",
        &[
            "balance_transaction",
            "description",
            "shipping",
            "source",
            "transfer_data",
            "receipt_url",
            "refunds",
        ],
    ),
    (
        "checkout.session",
        &[
            "after_expiration",
            "collected_information",
            "consent",
            "consent_collection",
            "currency_conversion",
            "invoice_creation",
            "managed_payments",
            "payment_intent",
            "payment_method_configuration_details",
            "shipping_address_collection",
            "shipping_cost",
            "total_details",
        ],
    ),
    ("customer", &["address", "discount", "shipping"]),
    (
        "invoice",
        &[
            "customer_shipping",
            "due_date",
            "effective_at",
            "from_invoice",
            "last_finalization_error",
            "next_payment_attempt",
            "shipping_cost",
            "shipping_details",
            "webhooks_delivered_at",
            "rendering",
            "customer_address",
        ],
    ),
    ("invoiceitem", &["quantity_decimal"]),
    ("item", &["adjustable_quantity"]),
    (
        "payment_intent",
        &[
            "canceled_at",
            "last_payment_error",
            "managed_payments",
            "next_action",
            "payment_method_configuration_details",
            "processing",
            "shipping",
            "transfer_data",
        ],
    ),
    ("plan", &["transform_usage"]),
    ("price", &["custom_unit_amount", "transform_quantity"]),
    ("product", &["default_price", "description", "package_dimensions"]),
    ("setup_intent", &["last_setup_error", "next_action", "payment_method_configuration_details"]),
    (
        "subscription",
        &[
            "billing_cycle_anchor_config",
            "billing_schedules",
            "billing_thresholds",
            "cancel_at",
            "canceled_at",
            "ended_at",
            "managed_payments",
            "next_pending_invoice_item_invoice",
            "pause_collection",
            "pending_invoice_item_interval",
            "pending_update",
            "transfer_data",
            "trial_end",
            "trial_start",
        ],
    ),
    ("subscription_item", &["billing_thresholds"]),
    ("subscription_schedule", &["canceled_at", "completed_at", "current_phase", "released_at"]),
];

/// The example of a kind of object, such as `checkout.session`.
pub(super) fn template(kind: &str) -> Value {
    static TEMPLATES: OnceLock<BTreeMap<String, Value>> = OnceLock::new();
    TEMPLATES.get_or_init(read).get(kind).cloned().unwrap_or_else(|| json!({ "object": kind }))
}

fn read() -> BTreeMap<String, Value> {
    let mut file: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_str(OBJECTS).expect("the fixture is part of the program");
    let mut templates = file.remove("resources").expect("the fixture lists resources");
    for (kind, fields) in UNSET {
        if let Some(object) = templates.get_mut(kind) {
            for field in fields {
                object[*field] = Value::Null;
            }
        }
    }
    if let Some(method) = templates.get_mut("payment_method") {
        method["metadata"] = json!({});
        method["card"]["generated_from"] = Value::Null;
        method["card"]["wallet"] = Value::Null;
        method["billing_details"] = json!({
            "address": { "city": null, "country": null, "line1": null, "line2": null,
                "postal_code": null, "state": null },
            "email": null, "name": null, "phone": null, "tax_id": null,
        });
    }
    if let Some(charge) = templates.get_mut("charge") {
        charge["billing_details"]["name"] = Value::Null;
        charge["payment_method_details"]["card"]["wallet"] = Value::Null;
        charge["payment_method_details"]["card"]["installments"] = Value::Null;
    }
    templates
}

/// A template with fields filled in.
pub(super) fn filled(kind: &str, fields: Value) -> Value {
    let mut object = template(kind);
    fill(&mut object, fields);
    object
}

/// Sets the fields of an object that are given, each as a whole.
pub(super) fn fill(object: &mut Value, fields: Value) {
    if let Value::Object(fields) = fields {
        for (name, value) in fields {
            object[name.as_str()] = value;
        }
    }
}

/// A list inside an object.
pub(super) fn list(url: &str, data: &[Value]) -> Value {
    json!({ "object": "list", "data": data, "has_more": false, "url": url })
}

/// A field's text, or nothing.
pub(super) fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

pub(super) fn integer(object: &Value, field: &str) -> i64 {
    object[field].as_i64().unwrap_or_default()
}

/// A field's reference.
pub(super) fn reference(object: &Value, field: &str) -> Option<String> {
    object[field].as_str().map(str::to_owned)
}
