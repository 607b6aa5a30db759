//! A text that nobody allowed appears nowhere: not in a table, a log line, a metric or an answer.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::bodies::{Version, event};
use crate::check::search;
use crate::harness::{Settings, Stripe, TestApp, now};

/// Free text, like a name with an address. It passes as no id and no code.
const FREE: &str = "Kanarie Vogel <kanarie@example.test>";

/// What looks like an id or a code and must not be kept all the same, where it stands in a field
/// that is about a person.
const ID_LIKE: &str = "kanarie_vogel_7";

/// The types that the ledger understands, by the name of the example object they tell of.
const TYPES: &[(&str, &[&str])] = &[
    (
        "checkout.session",
        &[
            "checkout.session.completed",
            "checkout.session.expired",
            "checkout.session.async_payment_succeeded",
            "checkout.session.async_payment_failed",
        ],
    ),
    ("customer", &["customer.created", "customer.updated", "customer.deleted"]),
    (
        "subscription",
        &[
            "customer.subscription.created",
            "customer.subscription.updated",
            "customer.subscription.deleted",
            "customer.subscription.paused",
            "customer.subscription.resumed",
            "customer.subscription.trial_will_end",
            "customer.subscription.pending_update_applied",
            "customer.subscription.pending_update_expired",
        ],
    ),
    (
        "subscription_schedule",
        &[
            "subscription_schedule.created",
            "subscription_schedule.updated",
            "subscription_schedule.released",
            "subscription_schedule.canceled",
        ],
    ),
    (
        "invoice",
        &[
            "invoice.created",
            "invoice.finalized",
            "invoice.paid",
            "invoice.payment_succeeded",
            "invoice.payment_failed",
            "invoice.payment_action_required",
            "invoice.voided",
            "invoice.marked_uncollectible",
            "invoice.upcoming",
        ],
    ),
    ("invoice_payment", &["invoice_payment.paid"]),
    (
        "payment_intent",
        &[
            "payment_intent.succeeded",
            "payment_intent.payment_failed",
            "payment_intent.requires_action",
        ],
    ),
    ("charge", &["charge.refunded", "charge.succeeded", "charge.failed"]),
    ("refund", &["refund.created", "refund.updated", "refund.failed"]),
    (
        "dispute",
        &["charge.dispute.created", "charge.dispute.closed", "charge.dispute.funds_withdrawn"],
    ),
    ("price", &["price.created", "price.updated", "price.deleted"]),
    ("product", &["product.created", "product.updated", "product.deleted"]),
    (
        "entitlements.active_entitlement_summary",
        &["entitlements.active_entitlement_summary.updated"],
    ),
    // One that the ledger has no use for is stored as well.
    ("payout", &["payout.paid"]),
];

/// Fields that the ledger lives on; with them as they are, the objects can be understood.
const NEEDED: &[&str] = &[
    "id",
    "object",
    "status",
    "currency",
    "customer",
    "subscription",
    "invoice",
    "charge",
    "payment_intent",
    "price",
    "product",
    "interval",
    "type",
    "unit_amount_decimal",
    "latest_invoice",
    "latest_charge",
    "subscription_item",
];

/// Names that a business gives to what it sells, which it may read again.
const NAMES_OF_GOODS: &[(&str, &str)] = &[
    ("product", "name"),
    ("plan", "name"),
    ("plan", "nickname"),
    ("price", "nickname"),
    ("price", "lookup_key"),
    ("entitlements.active_entitlement", "lookup_key"),
    ("entitlements.feature", "lookup_key"),
];

/// Names of fields that are about people, with everything in them.
static ABOUT_PEOPLE: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("../../events/stripe/tests/personal_fields.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
});

/// How an object is filled with canaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fill {
    /// Every text but what is needed to understand the object.
    Understood,
    /// Every text at all.
    Everything,
    /// Texts that look like ids, in what is about people only.
    People,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_not_allowed_appears_nowhere() {
    let settings = Settings::of_service().with("RUST_LOG", "trace");
    let app = TestApp::start_with(settings).await;
    let mut answers = String::new();
    let mut count = 0;
    for fill in [Fill::Understood, Fill::Everything, Fill::People] {
        for (object, types) in TYPES {
            for kind in *types {
                count += 1;
                let id = format!("evt_bird_{count}");
                answers += &post(&app.stripe(), &id, kind, fill, &example(object)).await;
            }
        }
    }
    let understood = "SELECT count(DISTINCT type) FROM event
        WHERE namespace = 'stripe' AND type <> 'StripeEventRecorded'";
    assert_eq!(app.database.number(understood).await, 13, "every kind of object is understood");
    answers += &read_everything(&app).await;

    // The search sees what is there, in plain text and packed.
    let seen = search(app.owner(), "evt_bird_1").await;
    assert!(seen.iter().any(|hit| hit.starts_with("public.event:")), "{seen:?}");
    assert!(seen.iter().any(|hit| hit.starts_with("packed in")), "{seen:?}");
    assert!(answers.contains("evt_bird_1"));

    for canary in [FREE, "Kanarie", "kanarie@example.test", ID_LIKE] {
        let stored = search(app.owner(), canary).await;
        assert!(stored.is_empty(), "{canary}: {} places: {:.2000}", stored.len(), stored[0]);
        assert!(!answers.contains(canary), "{canary} in an answer");
        let output = app.output().text();
        let line = output.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "{canary} in the log of the service");
        let server = fs::read_to_string(app.database.cluster().log()).unwrap();
        let line = server.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "{canary} in the log of PostgreSQL");
    }
}

/// Posts an object with canaries, and the same as what was before; gives the answers.
async fn post(stripe: &Stripe, id: &str, kind: &str, fill: Fill, object: &Value) -> String {
    let filled = filled(object, fill, false);
    let mut webhook = event(Version::Endive, id, kind, now(), &filled, Some(&filled));
    let canary = text_of(fill);
    webhook["request"] = json!({ "id": null, "idempotency_key": canary });
    webhook[canary] = json!(canary);
    webhook["data"][canary] = json!({ canary: [canary] });
    let answer = stripe.post(&webhook).await;
    assert_eq!(answer.status, 200, "{kind}, {fill:?}: {answer:?}");
    // A second time, to see the answer about what is there, and with nonsense for the envelope.
    let again = stripe.post(&webhook).await;
    webhook["created"] = json!(canary);
    let refused = stripe.post(&webhook).await;
    assert_eq!(refused.status, 400, "{kind}: {refused:?}");
    format!("{answer:?}\n{again:?}\n{refused:?}\n")
}

fn text_of(fill: Fill) -> &'static str {
    if fill == Fill::People { ID_LIKE } else { FREE }
}

/// One of Stripe's example objects.
fn example(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("events/stripe/tests/fixtures");
    let text = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Replaces texts, and nulls, which are texts at other times; adds keys that no API version has.
fn filled(value: &Value, fill: Fill, about_people: bool) -> Value {
    let canary = text_of(fill);
    match value {
        Value::Object(fields) => {
            let mut filled = Map::new();
            for (key, value) in fields {
                let people = about_people || ABOUT_PEOPLE.contains(key.as_str());
                let stays = stays(fields, key, value, fill, people);
                let value = if stays { value.clone() } else { self::filled(value, fill, people) };
                filled.insert(key.clone(), value);
            }
            if fill != Fill::People {
                filled.insert(format!("unknown {canary}"), json!(canary));
                filled.insert("unknown".into(), json!({ "name": canary, "id": [canary] }));
            }
            filled.insert("metadata".into(), json!({ "trainer_id": "t1", "name": canary }));
            Value::Object(filled)
        }
        Value::Array(list) => list.iter().map(|value| filled(value, fill, about_people)).collect(),
        Value::String(_) | Value::Null if fill != Fill::People || about_people => json!(canary),
        other => other.clone(),
    }
}

fn stays(of: &Map<String, Value>, key: &str, value: &Value, fill: Fill, people: bool) -> bool {
    let object = of.get("object").and_then(Value::as_str).unwrap_or_default();
    if key == "object" || NAMES_OF_GOODS.contains(&(object, key)) {
        return true;
    }
    let is_plain = value.is_string() || value.is_null();
    fill == Fill::Understood && !people && is_plain && NEEDED.contains(&key)
}

/// Everything that the API tells.
async fn read_everything(app: &TestApp) -> String {
    let head = "SELECT position FROM log_head WHERE tenant = 'default'";
    let position = app.database.number(head).await;
    let mut told = String::new();
    for path in ["/api/v1/tiers/current", "/api/v1/tiers/history", "/api/v1/entitlements"] {
        told += &app.trainer("t1").read_at(path, position).await.to_string();
    }
    let mut path = "/api/v1/audit/events".to_owned();
    loop {
        let page = app.auditor().get(&path).await.expect(200);
        told += &page.to_string();
        for event in page["events"].as_array().expect("events") {
            let id = event["event_id"].as_str().expect("an id");
            told += &app.auditor().get(&format!("/api/v1/audit/events/{id}")).await.body;
        }
        match page["cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/audit/events?cursor={cursor}"),
            None => break,
        }
    }
    // What callers ask for is theirs to know, and still not for the log.
    for query in ["trainer=Kanarie%20Vogel", "trainer=kanarie_vogel_7", "kanarie_vogel_7=1"] {
        app.service().get(&format!("/api/v1/entitlements?{query}")).await;
    }
    app.trainer("kanarie_vogel_7").get("/api/v1/entitlements/kanarie_vogel_7").await;
    let metrics = app.anyone().get("/metrics").await;
    assert_eq!(metrics.status, 200, "{metrics:?}");
    told + &metrics.body
}
