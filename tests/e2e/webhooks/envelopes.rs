//! Webhooks that are genuine and still give nothing: recorded, answered 200, and without effect.

use serde_json::{Value, json};

use super::{everything_stored, some_webhook, stored};
use crate::bodies::{STARTER, Story, Version, event, thin_event};
use crate::harness::{Settings, TestApp, now};

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_type_is_recorded() {
    let app = TestApp::start().await;
    let object = json!({ "id": "obj_1", "object": "hologram", "shape": "cube" });
    let webhook = event(Version::Endive, "evt_new", "hologram.shimmered", now(), &object, None);
    let answer = app.stripe().post(&webhook).await.expect(200);
    let (position, kind) = stored(&app, "evt_new").await;
    assert_eq!(
        (answer["position"].as_i64(), kind.as_str()),
        (Some(position), "StripeEventRecorded")
    );
    assert!(!is_dead_letter(&app, "evt_new").await, "nothing is wrong with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thin_event_is_recorded() {
    let app = TestApp::start().await;
    for (id, created) in
        [("evt_thin_1", "2026-11-02T10:20:30.456Z"), ("evt_thin_2", "2026-11-02T10:20:30Z")]
    {
        app.stripe().post(&thin_event(id, created, "cus_1")).await.expect(200);
        assert_eq!(stored(&app, id).await.1, "StripeEventRecorded");
        let again = app.stripe().post(&thin_event(id, created, "cus_1")).await.expect(200);
        assert_eq!(again["status"], "already_appended");
    }
}

/// Types are recorded whatever they look like: refused, an event would be lost. What can't be a
/// type of Stripe's isn't taken over, since it may be anything.
#[tokio::test(flavor = "multi_thread")]
async fn strange_types_are_recorded() {
    let app = TestApp::start().await;
    let free = "Shimmered for somebody@example.com";
    let types = [
        ("v2.core.account[requirements].updated", None),
        ("v2.core.account[configuration.merchant].capability_status_updated", None),
        ("hologram.Shimmered", None),
        (&"a.very_long_one".repeat(8), None),
        (&"x".repeat(500), Some("unreadable")),
        (free, Some("unreadable")),
        ("", Some("unreadable")),
    ];
    for (nth, (of_type, kept)) in types.into_iter().enumerate() {
        let (plain, thin) = (format!("evt_plain_{nth}"), format!("evt_thin_{nth}"));
        let object = json!({ "id": "obj_1", "object": "hologram" });
        let webhook = event(Version::Endive, &plain, of_type, now(), &object, None);
        let mut thin_webhook = thin_event(&thin, "2026-11-02T10:20:30Z", "cus_1");
        thin_webhook["type"] = of_type.into();
        for (id, webhook) in [(plain, webhook), (thin, thin_webhook)] {
            app.stripe().post(&webhook).await.expect(200);
            assert_eq!(stored(&app, &id).await.1, "StripeEventRecorded", "{of_type}");
            let told = app.auditor().get(&format!("/api/v1/audit/events/{id}")).await.expect(200);
            let stripe = &told["metadata"]["stripe"];
            assert_eq!(stripe["type"], kept.unwrap_or(of_type), "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cant_be_used_becomes_a_dead_letter() {
    let app = TestApp::start().await;
    let objects = [
        json!({ "object": "subscription", "id": "sub_1" }),
        json!({ "object": "subscription", "id": "sub_1", "status": 7, "items": "none" }),
        json!({ "object": "invoice", "id": "in_1" }),
        json!({}),
        json!(null),
        json!("sub_1"),
        json!([1, 2]),
    ];
    for (nth, object) in objects.into_iter().enumerate() {
        let id = format!("evt_bad_{nth}");
        let kind = "customer.subscription.updated";
        let webhook = event(Version::Clover, &id, kind, now(), &object, None);
        let position = app.stripe().deliver(&webhook).await;
        assert_eq!(stored(&app, &id).await.1, "StripeEventRecorded", "{object}");
        assert!(is_dead_letter(&app, &id).await, "{object}");
        // Once the read models have it, it stands on the list.
        app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
    }
    let listed = "SELECT count(*) FROM rm_subscriptions.dead_letter WHERE lacks LIKE 'data%'";
    assert_eq!(app.database.number(listed).await, 7);
    let metrics = app.anyone().get("/metrics").await;
    let counted =
        metrics.body.lines().find(|line| line.starts_with("ledger_webhooks_dead_letters"));
    assert!(counted.is_some_and(|line| line.ends_with(" 7")), "{counted:?}");
}

/// JSON lets a number have any size, and an object any depth: neither may cost the event.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_machine_can_hold_is_recorded() {
    let app = TestApp::start().await;
    let invoice = json!({
        "object": "invoice", "id": "in_1", "currency": "usd", "status": "paid",
        "amount_due": 2900, "amount_paid": 2900, "amount_remaining": 0, "total": 2900,
    });
    let body = |id: &str, invoice: &Value| {
        event(Version::Clover, id, "invoice.paid", now(), invoice, None).to_string()
    };
    let digits = "9".repeat(400);
    for (nth, huge) in ["1e999", &digits].into_iter().enumerate() {
        for (field, is_needed) in [("amount_paid", true), ("ending_balance", false)] {
            let id = format!("evt_{field}_{nth}");
            let mut invoice = invoice.clone();
            invoice[field] = "@huge@".into();
            let body = body(&id, &invoice).replace("\"@huge@\"", huge);
            app.stripe().post_bytes(body.into_bytes()).await.expect(200);
            let kind = if is_needed { "StripeEventRecorded" } else { "InvoiceReported" };
            assert_eq!(stored(&app, &id).await.1, kind, "{id}");
            assert_eq!(is_dead_letter(&app, &id).await, is_needed, "{id}");
        }
    }
    let mut deep = json!({"object": "invoice", "id": "in_0", "footer": "Jenny Rosen"});
    for _ in 0..60 {
        let mut outer = invoice.clone();
        outer["latest_revision"] = deep;
        deep = outer;
    }
    app.stripe().post_bytes(body("evt_deep", &deep).into_bytes()).await.expect(200);
    assert_eq!(stored(&app, "evt_deep").await.1, "InvoiceReported");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_mode_grants_nothing() {
    let app = TestApp::start().await;
    let webhooks = purchase("t1");
    let real = |mut webhook: Value| {
        webhook["livemode"] = true.into();
        webhook["data"]["object"]["livemode"] = true.into();
        webhook
    };
    let of_real_money: Vec<Value> = webhooks.into_iter().map(real).collect();
    expect_recorded_without_effect(&app, &of_real_money).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_grants_nothing() {
    let settings = Settings::of_service().with("STRIPE_ACCOUNT", "acct_ours");
    let app = TestApp::start_with(settings).await;
    let of = |account: &str, trainer: &str| -> Vec<Value> {
        let mut webhooks = purchase(trainer);
        webhooks.iter_mut().for_each(|webhook| webhook["account"] = account.into());
        webhooks
    };
    expect_recorded_without_effect(&app, &of("acct_theirs", "t1")).await;

    let position = app.stripe().deliver_all(&of("acct_ours", "t2")).await;
    let current = app.trainer("t2").read_at("/api/v1/tiers/current", position).await;
    assert_eq!(current["tier"]["slug"], "starter", "our own account's events count");
}

fn purchase(trainer: &str) -> Vec<Value> {
    let mut story = Story::new(trainer, Version::Clover, now() - 86_400);
    story.purchase(STARTER);
    story.take()
}

async fn expect_recorded_without_effect(app: &TestApp, webhooks: &[Value]) {
    let (before, ..) = everything_stored(app).await;
    let position = app.stripe().deliver_all(webhooks).await;
    let (after, ..) = everything_stored(app).await;
    assert_eq!(after - before, i64::try_from(webhooks.len()).unwrap(), "all are recorded");
    let current = app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
    assert!(current["tier"].is_null(), "{current}");
    let history = app.trainer("t1").read_at("/api/v1/tiers/history", position).await;
    assert_eq!((&history["changes"], &history["payments"]), (&json!([]), &json!([])));
}

/// Whether an event says that its object can't be used, and what it lacks.
async fn is_dead_letter(app: &TestApp, id: &str) -> bool {
    let event = app.auditor().get(&format!("/api/v1/audit/events/{id}")).await.expect(200);
    event["data"]["reason"]["unusable"].is_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_content_type_is_of_no_interest() {
    let app = TestApp::start().await;
    let body = some_webhook("evt_plain").to_string().into_bytes();
    let header = crate::harness::signature(&[crate::harness::WEBHOOK_SECRET], now(), &body);
    let request = app.stripe().http.post(app.stripe().url).header("stripe-signature", header);
    assert_eq!(request.body(body).send().await.unwrap().status(), 200);
}
