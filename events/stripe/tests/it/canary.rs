//! No text gets through that an allow-list doesn't name: a canary is put into every place of every
//! example object of Stripe's, and looked for in what is stored.

use std::collections::BTreeSet;

use ledger_stripe::redact::{PERSONAL, is_personal};
use serde_json::{Value, json};

use crate::support::{about_people, event, fixtures, leaves, stored};

/// Free text, as a person's name and address are. No id and no code looks like this.
const FREE: &str = "canary 7 <c@example.test>";
/// Text that looks like an id and like a code, and would pass where one is allowed.
const IDLIKE: &str = "canary_7";

/// The only places for free text: what the business calls its products and prices.
const FREE_TEXT: [(&str, &[&str]); 5] = [
    ("product", &["name"]),
    ("price", &["nickname", "lookup_key"]),
    ("plan", &["name", "nickname"]),
    ("entitlements.active_entitlement", &["lookup_key"]),
    ("entitlements.feature", &["lookup_key"]),
];

/// Names that are about a person in these kinds of objects, and about other things elsewhere.
const PERSONAL_IN: [(&str, &[&str]); 4] = [
    ("payment_method", &["name"]),
    ("customer", &["name", "tax"]),
    ("card", &["name"]),
    ("source", &["name"]),
];

/// Replaces every leaf, adds unknown keys to every object and foreign keys to all metadata.
fn poison(value: &Value, canary: &str) -> Value {
    match value {
        Value::Object(map) => {
            let mut poisoned: serde_json::Map<String, Value> = map
                .iter()
                // The types stay what they are: they decide which allow-list applies.
                .map(|(key, value)| match key.as_str() {
                    "object" => (key.clone(), value.clone()),
                    _ => (key.clone(), poison(value, canary)),
                })
                .collect();
            poisoned.insert(format!("unknown {canary}"), json!(canary));
            poisoned.insert("unknown_object".into(), json!({"id": canary, canary: canary}));
            poisoned.insert("metadata".into(), metadata(canary));
            Value::Object(poisoned)
        }
        Value::Array(list) if list.is_empty() => json!([canary, {"id": canary, "name": canary}]),
        Value::Array(list) => list.iter().map(|value| poison(value, canary)).collect(),
        _ => json!(canary),
    }
}

fn metadata(canary: &str) -> Value {
    json!({
        "trainer_id": canary, "tenant": canary, "command_id": canary, "email": canary,
        canary: canary, "nested": {"trainer_id": canary},
    })
}

/// The object and its previous attributes, poisoned, redacted, as one list of leaves.
fn survivors(object: &Value, canary: &str) -> Vec<(String, Value)> {
    let poisoned = poison(object, canary);
    let mut body = event(&poisoned);
    body["request"] = json!({"id": canary, "idempotency_key": canary, canary: canary});
    body["data"]["previous_attributes"] = poisoned;
    body["data"][canary] = json!(canary);
    body[canary] = json!(canary);
    let stored = stored(&body);
    let found = leaves(&stored);
    found
        .into_iter()
        .filter(|(path, leaf)| path.contains(canary) || leaf.to_string().contains(canary))
        .map(|(path, leaf)| (path, leaf.clone()))
        .collect()
}

fn key_of(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path).trim_end_matches("[]")
}

#[test]
fn free_text_survives_only_as_the_name_of_a_product_or_a_price() {
    let mut seen = Vec::new();
    for (name, object) in fixtures() {
        for (path, leaf) in survivors(&object, FREE) {
            let allowed = FREE_TEXT.iter().any(|(_, keys)| keys.contains(&key_of(&path)));
            assert!(allowed, "{name}: {path} = {leaf}");
            seen.push(path);
        }
    }
    assert!(
        seen.iter().any(|path| path == ".data.object.nickname"),
        "the test sees what it looks for"
    );
}

#[test]
fn the_names_of_people_never_survive_beside_those_of_products() {
    // `name` is allowed in two tables; every other object's must be gone.
    for (name, object) in fixtures() {
        let kind = object["object"].as_str().unwrap_or_default();
        let allowed: Vec<&str> = FREE_TEXT
            .iter()
            .filter(|(of, _)| *of == kind)
            .flat_map(|(_, keys)| *keys)
            .copied()
            .collect();
        for (path, _) in survivors(&object, FREE) {
            if let Some(key) =
                path.strip_prefix(".data.object.").filter(|key| !key.contains(['.', '[']))
            {
                assert!(allowed.contains(&key), "{name}: {path}");
            }
        }
    }
}

#[test]
fn what_is_about_a_person_is_dropped_whatever_it_looks_like() {
    let personal = about_people();
    let mut survived = 0;
    for (name, object) in fixtures() {
        let kind = object["object"].as_str().unwrap_or_default();
        let of_kind = PERSONAL_IN.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, of)| of);
        let expect_free = |path: &str| {
            let mut parts = path.split(['.', '[', ']']);
            assert!(
                !parts.any(|part| personal.contains(part) || of_kind.contains(&part)),
                "{name}: {path}"
            );
        };
        // Stripe's own values: numbers, too, can tell who somebody is.
        let mut as_it_is = event(&object);
        as_it_is["data"]["previous_attributes"] = object.clone();
        leaves(&stored(&as_it_is)).iter().for_each(|(path, _)| expect_free(path));
        for (path, _) in survivors(&object, IDLIKE) {
            survived += 1;
            expect_free(&path);
            let in_metadata = path.contains(".metadata.");
            let chosen = ["trainer_id", "tenant", "command_id"].contains(&key_of(&path));
            assert!(!in_metadata || chosen, "{name}: {path}");
            assert!(!path.contains(IDLIKE) && !path.contains("unknown"), "{name}: {path}");
        }
    }
    assert!(survived > 1000, "ids survive where ids are allowed: {survived}");
}

#[test]
fn what_is_about_a_person_is_personal_to_the_program_too() {
    let listed = about_people();
    assert!(listed.len() > 150, "{} names", listed.len());
    let kept: Vec<_> = listed.iter().filter(|name| !is_personal(name)).collect();
    assert!(kept.is_empty(), "an allow-list could name {kept:?}");
    // The list was written for objects that there are.
    let seen: BTreeSet<String> = fixtures().iter().flat_map(|(_, object)| names(object)).collect();
    let found = listed.iter().filter(|name| seen.contains(**name)).count();
    assert!(found * 2 > listed.len(), "{found} of {} are in example objects", listed.len());
}

/// The names of all fields of an object, and of those within.
fn names(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => {
            let within = map.values().flat_map(names);
            map.keys().cloned().chain(within).collect()
        }
        Value::Array(list) => list.iter().flat_map(names).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn names_are_personal_as_a_whole_or_by_their_end() {
    assert!(PERSONAL.is_sorted(), "in alphabetical order");
    assert!(PERSONAL.iter().all(|name| is_personal(name)));
    for name in ["email", "exp_month", "hosted_invoice_url", "return_url"] {
        assert!(is_personal(name), "{name}");
    }
    for name in ["", "mail", "exp", "_month", "exp_month_", "url_", "status", "amount_shipping"] {
        assert!(!is_personal(name), "{name}");
    }
}

#[test]
fn every_known_object_is_kept_as_far_as_it_is_allowed() {
    // Stripe's own values have the form that the allow-lists ask for: a field that is kept from
    // the example is kept in the field.
    let by_name: std::collections::BTreeMap<String, Value> = fixtures().into_iter().collect();
    for (name, fields) in [
        (
            "subscription",
            &["status", "items.data.0.price.id", "billing_mode.type", "pause_collection.behavior"]
                [..],
        ),
        (
            "invoice",
            &[
                "lines.data.0.parent.subscription_item_details.subscription_item",
                "parent.subscription_details.subscription",
                "status_transitions.paid_at",
            ],
        ),
        (
            "charge",
            &[
                "payment_method_details.card.brand",
                "payment_method_details.card.country",
                "outcome.type",
            ],
        ),
        ("dispute", &["reason", "payment_method_details.card.network_reason_code"]),
        ("card", &["brand", "funding", "country"]),
        ("price", &["unit_amount_decimal", "recurring.interval", "product"]),
        (
            "entitlements.active_entitlement_summary",
            &["customer", "entitlements.data.0.lookup_key"],
        ),
        ("deleted_customer", &["deleted"]),
        ("coupon", &["percent_off", "duration"]),
        ("payout", &["id", "status", "amount"]),
    ] {
        let kept = stored(&event(&by_name[name]))["data"]["object"].take();
        for field in fields {
            let pointer = format!("/{}", field.replace('.', "/"));
            assert!(
                kept.pointer(&pointer).is_some_and(|v| !v.is_string() || v != ""),
                "{name}.{field}: {kept}"
            );
        }
    }
}

#[test]
fn what_is_stored_is_redacted_to_itself() {
    for (name, object) in fixtures() {
        let mut body = event(&object);
        body["data"]["previous_attributes"] = object;
        let once = stored(&body);
        assert_eq!(stored(&once), once, "{name}");
    }
}
