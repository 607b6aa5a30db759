//! Every type in its old and new shapes, and what it is translated to.

use std::collections::{BTreeMap, BTreeSet};

use ledger_domain::event::Event;
use ledger_domain::event::stripe::{Before, Unread};
use ledger_stripe::redact::{MetadataKeys, Redacted, redact};
use ledger_stripe::signature::Verified;
use ledger_stripe::translate::{TRANSLATOR_VERSION, translate};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::render::{event_of, render, text, translated, webhooks};

/// Every type that the ledger must understand.
const UNDERSTOOD: &[&str] = &[
    "charge.dispute.closed",
    "charge.dispute.created",
    "charge.dispute.funds_reinstated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.updated",
    "charge.refunded",
    "checkout.session.async_payment_failed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.completed",
    "checkout.session.expired",
    "customer.created",
    "customer.deleted",
    "customer.subscription.created",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.pending_update_applied",
    "customer.subscription.pending_update_expired",
    "customer.subscription.resumed",
    "customer.subscription.trial_will_end",
    "customer.subscription.updated",
    "customer.updated",
    "entitlements.active_entitlement_summary.updated",
    "invoice.created",
    "invoice.finalized",
    "invoice.marked_uncollectible",
    "invoice.paid",
    "invoice.payment_action_required",
    "invoice.payment_failed",
    "invoice.payment_succeeded",
    "invoice.upcoming",
    "invoice.voided",
    "invoice_payment.paid",
    "payment_intent.payment_failed",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
    "price.created",
    "price.deleted",
    "price.updated",
    "product.created",
    "product.deleted",
    "product.updated",
    "refund.created",
    "refund.failed",
    "refund.updated",
    "subscription_schedule.aborted",
    "subscription_schedule.canceled",
    "subscription_schedule.completed",
    "subscription_schedule.created",
    "subscription_schedule.expiring",
    "subscription_schedule.released",
    "subscription_schedule.updated",
];

#[test]
fn every_webhook_is_translated_as_its_golden_file_says() {
    for webhook in webhooks() {
        let golden = std::fs::read_to_string(event_of(&webhook)).unwrap_or_default();
        assert_eq!(text(&translated(&webhook)), golden, "{}", webhook.display());
    }
}

/// Every event in a log tells the version of the rules that translated it. Where a file is new the
/// hash alone changes; where one changed, the rules did, and so must their version.
#[test]
fn the_version_of_the_rules_stands_for_these_translations() {
    let mut hash = Sha256::new();
    for webhook in webhooks() {
        for file in [event_of(&webhook), webhook] {
            hash.update(std::fs::read(file).unwrap());
        }
    }
    let hash: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((TRANSLATOR_VERSION, hash.as_str()), (1, "0a73d4e849943c13"));
}

#[test]
fn every_type_is_understood_in_every_golden_shape() {
    let mut seen = BTreeSet::new();
    for webhook in webhooks() {
        let event = translated(&webhook);
        let folder = webhook.parent().and_then(|f| f.file_name()).unwrap().to_str().unwrap();
        if UNDERSTOOD.contains(&folder) {
            assert_ne!(event.event.type_name(), "StripeEventRecorded", "{}", webhook.display());
        }
        assert_eq!(event.dead_letter, None, "{}", webhook.display());
        seen.insert(folder.to_owned());
    }
    for event_type in UNDERSTOOD {
        assert!(seen.contains(*event_type), "{event_type} has no golden file");
    }
}

#[test]
fn golden_webhooks_hold_personal_data_and_golden_events_hold_none() {
    for webhook in webhooks() {
        let body = std::fs::read_to_string(&webhook).unwrap();
        let redacted =
            redact(Verified::from_api(body.as_bytes()), &MetadataKeys::default()).unwrap();
        let stored = String::from_utf8(redacted.to_bytes()).unwrap();
        let event = text(&translate(&redacted));
        for secret in ["Jenny", "jenny", "@", "Berlin", "+1555", "_secret", "https://", "4242"] {
            assert!(!stored.contains(secret), "{secret}: {stored}");
            assert!(!event.contains(secret), "{secret}: {event}");
        }
    }
}

#[test]
fn what_is_stored_translates_to_the_same() {
    for webhook in webhooks() {
        let body = std::fs::read(&webhook).unwrap();
        let redacted = redact(Verified::from_api(&body), &MetadataKeys::default()).unwrap();
        let again = Redacted::from_stored(&redacted.to_bytes()).unwrap();
        assert_eq!(again, redacted, "{}", webhook.display());
        assert_eq!(translate(&again), translate(&redacted), "{}", webhook.display());
    }
}

/// Fields that some API versions lack altogether, by the beginning of the type. Only by what all
/// versions tell may two facts be compared.
const NOT_EVERYWHERE: &[(&str, &[&str])] = &[
    (
        "customer.subscription.",
        &[
            "billing_mode",
            "cancellation",
            "discounts",
            "product",
            "start_date",
            "trial_end_behavior",
            "usage_type",
        ],
    ),
    ("customer.", &["test_clock"]),
    ("charge.dispute.", &[]),
    ("charge.", &["invoice", "payment_intent"]),
    ("checkout.", &["created", "expires_at", "invoice"]),
    ("invoice.", &["payments", "product", "subscription_metadata"]),
    ("payment_intent.", &["invoice"]),
    ("refund.", &["customer"]),
    ("", &[]),
];

/// See [`NOT_EVERYWHERE`].
fn not_everywhere(event_type: &str) -> &'static [&'static str] {
    NOT_EVERYWHERE.iter().find(|(of, _)| event_type.starts_with(of)).unwrap().1
}

fn without(value: &mut Value, fields: &[&str]) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !fields.contains(&key.as_str()));
            map.values_mut().for_each(|value| without(value, fields));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| without(value, fields)),
        _ => {}
    }
}

#[test]
fn one_event_has_one_meaning_in_every_shape() {
    let mut by_type: BTreeMap<String, Vec<(String, Value, Value)>> = BTreeMap::new();
    for webhook in webhooks() {
        let name = webhook.file_name().unwrap().to_string_lossy().into_owned();
        if name.contains("expanded") {
            continue;
        }
        let kind = webhook.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let event = render(&translated(&webhook));
        let mut data = event["data"].clone();
        without(&mut data, not_everywhere(&kind));
        by_type.entry(kind).or_default().push((name, data, event["content_hash"].clone()));
    }
    for (event_type, shapes) in by_type {
        let (first, data, hash) = &shapes[0];
        for (name, other, other_hash) in &shapes {
            assert_eq!(other, data, "{event_type}: {name} is not {first}");
            assert_eq!(other_hash, hash, "{event_type}: {name} is not {first}");
        }
    }
}

/// The shapes that each kind of object ever had, by an API version that has it.
const SHAPES: &[(&str, &[&str])] = &[
    ("charge", &["2017-08-15", "2020-08-27", "2026-10-28.endive"]),
    ("checkout.session", &["2020-08-27", "2026-10-28.endive"]),
    ("customer", &["2017-08-15", "2026-10-28.endive"]),
    ("dispute", &["2020-08-27", "2026-10-28.endive"]),
    ("entitlements.active_entitlement_summary", &["2026-10-28.endive"]),
    ("invoice", VERSIONS),
    ("invoice_payment", &["2025-05-28.basil", "2026-10-28.endive"]),
    ("payment_intent", &["2020-08-27", "2023-10-16", "2026-10-28.endive"]),
    ("price", &["2020-08-27", "2026-10-28.endive"]),
    ("product", &["2020-08-27", "2026-10-28.endive"]),
    ("refund", &["2020-08-27", "2026-10-28.endive"]),
    ("subscription", VERSIONS),
    ("subscription_schedule", &["2019-12-03", "2026-10-28.endive"]),
];

/// The versions that changed a subscription or an invoice.
const VERSIONS: &[&str] = &[
    "2017-08-15",
    "2020-08-27",
    "2023-10-16",
    "2024-11-20.acacia",
    "2025-03-31.basil",
    "2025-09-30.clover",
    "2026-03-25.dahlia",
    "2026-10-28.endive",
];

/// Shapes belong to objects: an event of a type that isn't kept in all of them is made of those of
/// the type that is.
#[test]
fn every_type_is_read_alike_in_every_shape_of_its_object() {
    let mut kinds: BTreeMap<String, BTreeMap<String, Vec<(String, Value)>>> = BTreeMap::new();
    for path in webhooks().iter().filter(|path| !path.to_string_lossy().contains("expanded")) {
        let body: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let Some(kind) = body["data"]["object"]["object"].as_str() else { continue };
        let name = path.file_name().unwrap().to_string_lossy().replace(".webhook.json", "");
        let event_type = body["type"].as_str().unwrap().to_owned();
        let types = kinds.entry(kind.to_owned()).or_default();
        types.entry(event_type).or_default().push((name, body));
    }
    let mut read = BTreeSet::new();
    for (kind, versions) in SHAPES {
        let types = &kinds[*kind];
        let whole = types.values().max_by_key(|shapes| shapes.len()).unwrap();
        let names: Vec<&str> = whole.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, *versions, "{kind}");
        let understood = types.iter().filter(|(name, _)| UNDERSTOOD.contains(&name.as_str()));
        for (event_type, own) in understood {
            let shapes = if own.len() == versions.len() { own } else { whole };
            let meanings: Vec<Value> =
                shapes.iter().map(|(_, of)| retold(of, event_type)).collect();
            assert_ne!(meanings[0]["type"], "StripeEventRecorded", "{event_type}");
            for (version, meaning) in versions.iter().zip(&meanings) {
                assert_eq!(*meaning, meanings[0], "{event_type} in {version}");
            }
            read.insert(event_type.as_str());
        }
    }
    assert_eq!(read, UNDERSTOOD.iter().copied().collect());
}

/// What a webhook means if it is of some type, as far as every version can tell.
fn retold(webhook: &Value, event_type: &str) -> Value {
    let mut webhook = webhook.clone();
    webhook["type"] = json!(event_type);
    // 2017's invoices have no status: their events and flags tell it.
    let told: &[(&str, Value)] = match event_type {
        "invoice.voided" => &[("status", json!("void"))],
        "invoice.marked_uncollectible" => {
            &[("status", json!("uncollectible")), ("forgiven", json!(true))]
        }
        _ => &[],
    };
    let object = webhook["data"]["object"].as_object_mut().unwrap();
    for (field, value) in told {
        object.entry(*field).and_modify(|now| *now = value.clone());
    }
    let mut event = render(&translate(&crate::support::redacted(&webhook.to_string())));
    without(&mut event["data"], not_everywhere(event_type));
    event.as_object_mut().unwrap().remove("metadata");
    event
}

#[test]
fn expanding_changes_nothing_but_the_details_it_adds() {
    let of = |version: &str| {
        let path = format!("tests/golden/customer.subscription.updated/{version}.webhook.json");
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let mut data = render(&translated(&path))["data"]["snapshot"].take();
        for field in ["discounts", "latest_invoice", "schedule", "test_clock"] {
            data.as_object_mut().unwrap().remove(field);
        }
        data
    };
    assert_eq!(of("2024-11-20.acacia-expanded"), of("2024-11-20.acacia"));
}

/// Translates an event about an object.
fn of(event_type: &str, object: &Value, previous: Option<Value>) -> (Event, Option<Box<str>>) {
    let mut body = crate::support::event(object);
    body["type"] = json!(event_type);
    if let Some(previous) = previous {
        body["data"]["previous_attributes"] = previous;
    }
    let translated = translate(&crate::support::redacted(&body.to_string()));
    (translated.event, translated.dead_letter)
}

#[test]
fn what_cannot_be_used_says_what_it_lacks() {
    let price = json!({"id": "price_1"});
    let subscription = |items: Value| json!({"id": "sub_1", "status": "active", "items": items});
    for (event_type, object, lacks) in [
        ("customer.subscription.updated", json!({"id": "sub_1"}), "data.object.status"),
        ("customer.subscription.updated", json!(null), "data.object"),
        ("customer.subscription.updated", json!({"status": "active"}), "data.object.id"),
        (
            "customer.subscription.updated",
            subscription(json!({"data": [{"price": price}, {"id": "si_2"}]})),
            "data.object.items.data.1.price",
        ),
        ("customer.updated", json!({"object": "card", "id": "card_1"}), "data.object.object"),
        ("invoice.paid", json!({"currency": "usd"}), "data.object.id"),
        (
            "invoice.upcoming",
            json!({"currency": "dollars", "amount_due": 1, "amount_paid": 0, "total": 1}),
            "data.object.currency",
        ),
        ("refund.created", json!({"id": "re_1", "currency": "usd"}), "data.object.amount"),
        (
            "subscription_schedule.updated",
            json!({"id": "s", "object": "subscription_schedule", "status": "active",
                "phases": [{"start_date": 1, "items": [{"quantity": 1}]}]}),
            "data.object.phases.0.items.0.price",
        ),
    ] {
        let mut object = object;
        if let Some(map) = object.as_object_mut().filter(|map| !map.contains_key("object")) {
            let kind = match event_type.split('.').next().unwrap() {
                "customer" => "subscription",
                kind => kind,
            };
            map.insert("object".to_owned(), json!(kind));
        }
        let (event, dead_letter) = of(event_type, &object, None);
        assert_eq!(dead_letter.as_deref(), Some(lacks), "{event_type}");
        let Event::StripeEventRecorded(recorded) = event else { panic!("{event:?}") };
        assert_eq!(recorded.reason, Unread::Unusable(lacks.into()));
    }
}

#[test]
fn the_least_that_stripe_may_send_is_enough() {
    for (event_type, object) in [
        ("customer.subscription.updated", json!({"id": "sub_1", "status": "new_in_2027"})),
        (
            "invoice.paid",
            json!({"id": "in_1", "currency": "usd", "amount_due": 1, "amount_paid": 1, "total": 1}),
        ),
        ("customer.updated", json!({"id": "cus_1"})),
        ("charge.pending", json!({"id": "ch_1", "amount": 1, "currency": "usd"})),
        ("checkout.session.completed", json!({"id": "cs_1"})),
        ("price.created", json!({"id": "p", "currency": "eur"})),
        ("product.updated", json!({"id": "p"})),
        ("subscription_schedule.created", json!({"id": "s", "status": "active"})),
    ] {
        let mut object = object;
        object["object"] = json!(match event_type {
            "customer.subscription.updated" => "subscription",
            "checkout.session.completed" => "checkout.session",
            other => other.split('.').next().unwrap(),
        });
        let (event, dead_letter) = of(event_type, &object, None);
        assert_eq!(dead_letter, None, "{event_type}: {event:?}");
        assert_ne!(event.type_name(), "StripeEventRecorded", "{event_type}");
    }
}

#[test]
fn before_tells_only_what_differs_and_null_is_not_missing() {
    let subscription = json!({
        "id": "sub_1", "object": "subscription", "status": "active", "cancel_at": 5,
        "latest_invoice": {"id": "in_2", "object": "invoice"}, "default_payment_method": "pm_2",
        "metadata": {"trainer_id": "t1"}, "trial_end": null,
        "items": {"data": [{"id": "si_1", "price": {"id": "new"}, "quantity": 1}]},
    });
    let before = |previous: Option<Value>| {
        let (event, _) = of("customer.subscription.updated", &subscription, previous);
        let Event::SubscriptionReported(reported) = event else { panic!("{event:?}") };
        reported.before
    };
    let fields = |value: Value| Before::Fields(value.as_object().unwrap().clone());
    assert_eq!(before(None), Before::Absent);
    // What changed is nothing the ledger keeps, which is known, and so not absent.
    assert_eq!(before(Some(json!({"default_payment_method": "pm_1"}))), fields(json!({})));
    assert_eq!(before(Some(json!({"status": "active"}))), fields(json!({})));
    assert_eq!(
        before(Some(json!({"cancel_at": null, "latest_invoice": "in_1", "trial_end": 9}))),
        fields(json!({"cancel_at": null, "latest_invoice": "in_1", "trial_end": 9}))
    );
    assert_eq!(
        before(Some(json!({"metadata": {"trainer_id": null, "other": "x"}}))),
        fields(json!({"metadata": null}))
    );
    assert_eq!(
        before(Some(json!({"items": {"data": [{"id": "si_1", "price": {"id": "old"}}]}}))),
        fields(json!({"items": {"data": [{"id": "si_1", "price": {"id": "old"}}]}}))
    );
    // What can't be read before tells nothing.
    assert_eq!(before(Some(json!({"status": null}))), Before::Absent);
}

#[test]
fn what_was_created_was_nothing_before() {
    let price = json!({"id": "p", "object": "price", "currency": "eur"});
    let (event, _) = of("price.created", &price, Some(json!({"active": true})));
    let Event::PriceReported(reported) = event else { panic!("{event:?}") };
    assert_eq!(reported.before, Before::NoObject);
}
