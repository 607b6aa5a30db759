//! A text that nobody allowed appears nowhere: not in a table, a log line, a metric or an answer.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::bodies::{Version, event};
use crate::check::search;
use crate::harness::{Answer, Caller, Settings, Stripe, TestApp, now, turns};

/// Free text, like a name with an address. It passes as no id and no code.
const FREE: &str = "Kanarie Vogel <kanarie@example.test>";

/// What looks like an id or a code and must not be kept all the same, where it stands in a field
/// that is about a person, or that nobody knows.
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
    let settings = settings.with("LEDGER_TOKEN_KEY", "11".repeat(32));
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
    for canary in [FREE, ID_LIKE] {
        webhook[canary] = json!(canary);
        webhook["data"][canary] = json!({ canary: [canary] });
        webhook["request"][canary] = json!(canary);
    }
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
            for canary in [FREE, ID_LIKE] {
                filled.insert(canary.into(), json!(canary));
                filled
                    .insert(format!("unknown_{canary}"), json!({ "id": canary, "ids": [canary] }));
            }
            filled.insert("unknown".into(), json!(ID_LIKE));
            filled.insert("metadata".into(), metadata(fill));
            Value::Object(filled)
        }
        Value::Array(list) => list.iter().map(|value| filled(value, fill, about_people)).collect(),
        Value::String(_) | Value::Null if fill != Fill::People || about_people => json!(canary),
        other => other.clone(),
    }
}

/// What a business may write beside its own keys: other keys, and people's names as keys.
fn metadata(fill: Fill) -> Value {
    let canary = text_of(fill);
    // Where everything is free text, that is no trainer's id.
    let trainer = if fill == Fill::Everything { canary } else { "t1" };
    let (key, longer) = (canary.to_owned(), format!("note on {canary}"));
    json!({
        "trainer_id": trainer, "name": canary, "email": canary, "Trainer_Id": canary,
        key: canary, longer: "1", "nested": { "trainer_id": canary, canary: canary },
        "unknown": ID_LIKE, ID_LIKE: ID_LIKE,
    })
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
    let (anyone, trainer, service) = (app.anyone(), app.trainer("t1"), app.service());
    let (operator, auditor) = (app.operator(), app.auditor());
    let mut told = trainer.read_at("/api/v1/tiers/current", position).await.to_string();
    told += &use_something(&service).await;
    for (caller, path) in [
        (&trainer, "/api/v1/tiers/usage"),
        (&trainer, "/api/v1/entitlements"),
        (&trainer, "/api/v1/entitlements/customers"),
        (&trainer, "/api/v1/entitlements/customers/explain"),
        (&service, "/api/v1/usage/t1/limits"),
        (&service, "/api/v1/usage/t1/check/customers"),
        (&operator, "/api/v1/admin/projections"),
        (&anyone, "/api/v1/tiers"),
        (&anyone, "/readyz"),
        (&anyone, "/healthz"),
        (&anyone, "/.well-known/jwks.json"),
        (&anyone, "/problems/limit_reached"),
    ] {
        let answer = settled(path, async || caller.get(path).await).await;
        // Whether there is anything left of a feature is none of this test's business.
        assert!([200, 403].contains(&answer.status), "{path}: {answer:?}");
        told += &format!("{answer:?}");
    }
    told += &token(&trainer).await;
    for (caller, path, list) in [
        (&trainer, "/api/v1/tiers/history", "changes"),
        (&operator, "/api/v1/admin/anomalies", "anomalies"),
        (&operator, "/api/v1/admin/dead-letters", "dead_letters"),
        (&auditor, "/api/v1/audit/events", "events"),
    ] {
        let entries = all_pages(caller, path, list, &mut told).await;
        assert!(!entries.is_empty(), "{path} lists something");
        let ids = entries.iter().filter(|_| list == "events").map(|event| &event["event_id"]);
        for id in ids {
            let path = format!("/api/v1/audit/events/{}", id.as_str().expect("an id"));
            told += &auditor.get(&path).await.body;
        }
    }
    ask_with_canaries(app).await;
    let metrics = anyone.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    told + &metrics.body
}

/// The entries of a list, from all of its pages, whose texts are added to what was told.
async fn all_pages(caller: &Caller, base: &str, list: &str, told: &mut String) -> Vec<Value> {
    let (mut path, mut entries) = (base.to_owned(), Vec::new());
    loop {
        let page = settled(&path, async || caller.get(&path).await).await.expect(200);
        *told += &page.to_string();
        entries.extend(page[list].as_array().expect("a list").iter().cloned());
        match page["cursor"].as_str() {
            Some(cursor) => path = format!("{base}?cursor={cursor}"),
            None => return entries,
        }
    }
}

/// Every act on usage, under keys that are about people.
async fn use_something(service: &Caller) -> String {
    let mut told = String::new();
    for act in ["consume", "record", "reserve", "commit", "release"] {
        let path = format!("/api/v1/usage/customers/{act}");
        for key in [FREE, ID_LIKE] {
            let body = json!({ "trainer": "t1", "quantity": 1 });
            let ask = async || service.try_post_keyed(&path, &body, key).await.expect("an answer");
            let answer = settled(&path, ask).await;
            assert!([200, 400, 403].contains(&answer.status), "{act}: {answer:?}");
            told += &format!("{answer:?}");
        }
    }
    told
}

/// What a token of entitlements says, which stands in it encoded.
async fn token(trainer: &Caller) -> String {
    let path = "/api/v1/entitlements/token";
    let answer = settled(path, async || trainer.post(path, &json!({})).await).await.expect(200);
    let parts = answer["token"].as_str().expect("a token").split('.');
    let parts = parts.take(2).map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64"));
    let parts = parts.map(|part| String::from_utf8(part).expect("JSON"));
    answer.to_string() + &parts.collect::<String>()
}

/// What callers ask for is theirs to know, and still not for the log.
async fn ask_with_canaries(app: &TestApp) {
    for query in ["trainer=Kanarie%20Vogel", "trainer=kanarie_vogel_7", "kanarie_vogel_7=1"] {
        app.service().get(&format!("/api/v1/entitlements?{query}")).await;
        app.auditor().get(&format!("/api/v1/audit/events?{query}")).await;
        app.operator().get(&format!("/api/v1/admin/anomalies?{query}")).await;
    }
    app.trainer("kanarie_vogel_7").get("/api/v1/entitlements/kanarie_vogel_7").await;
    app.auditor().get("/api/v1/audit/events/kanarie_vogel_7").await;
    for canary in [FREE, ID_LIKE] {
        let body = json!({ "trainer": canary, "quantity": canary, canary: canary });
        for path in ["/api/v1/usage/customers/consume", "/api/v1/entitlements/token"] {
            app.service().post(path, &body).await.expect_problem(400, "invalid_request");
        }
    }
}

/// An answer, again until the read models are as far as it needs.
async fn settled(path: &str, ask: impl AsyncFn() -> Answer) -> Answer {
    let mut turns = turns(&format!("{path} is answered"));
    loop {
        let answer = ask().await;
        if answer.status != 503 {
            return answer;
        }
        turns.next().await;
    }
}
