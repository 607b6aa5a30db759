//! What administrators did, as answers tell it. No interface makes such acts yet, so that their
//! rows are written by the owner of the database, before anybody asks.

use serde_json::{Value, json};

use super::deliver;
use crate::bodies::{AI_STARTER, DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::harness::{Answer, TestApp, now};

/// Every way of asking about one more of a feature.
async fn ask_everywhere(app: &TestApp, trainer: &str, feature: &str) -> Vec<Answer> {
    let (service, own) = (app.service(), app.trainer(trainer));
    let body = json!({ "trainer": trainer });
    let act = |act: &str| format!("/api/v1/usage/{feature}/{act}");
    let mut answers = vec![
        service.get(&format!("/api/v1/entitlements/{feature}?trainer={trainer}")).await,
        own.get(&format!("/api/v1/entitlements/{feature}")).await,
        own.authorize(feature).await,
    ];
    if ["customers", "ai_generations"].contains(&feature) {
        answers.push(service.post(&act("consume"), &body).await);
        answers.push(service.post(&act("reserve"), &body).await);
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_may_do_nothing_and_loses_nothing() {
    let app = TestApp::start().await;
    let mut story = Story::new("out", Version::Clover, now() - 2 * DAY);
    story.purchase(PROFESSIONAL).add(AI_STARTER);
    let position = deliver(&app, [story]).await;
    app.service().read_at("/api/v1/entitlements?trainer=nobody", position).await;
    app.database.execute(
        "INSERT INTO rm_grants.trainer (tenant, trainer_id, suspended_at, position)
         VALUES ('default', 'out', now() - interval '1 hour', 1)",
    );
    let told = app.service().get("/api/v1/entitlements?trainer=out").await.expect(200);
    let words = [&told["tier"], &told["access"], &told["subscription_status"]];
    assert_eq!(words, ["professional", "locked", "active"], "{told}");
    let features = told["features"].as_object().expect("features");
    assert!(features.values().all(|has| has["granted"] == false), "{told}");
    for feature in ["customers", "analytics", "ai_generations", "api_keys"] {
        for answer in ask_everywhere(&app, "out", feature).await {
            let denied = answer.expect_problem(403, "account_suspended");
            assert_eq!(denied["subscription_status"], "active", "{denied}");
            assert_eq!(
                (&denied["required_tier"], &denied["required_add_on"]),
                (&Value::Null, &Value::Null)
            );
        }
    }
    // Nothing is lost: reinstated, everything is there.
    app.database.execute("UPDATE rm_grants.trainer SET suspended_at = NULL");
    let mut app = app;
    app.stop().await;
    app.start_service().await;
    for feature in ["customers", "analytics", "ai_generations"] {
        for answer in ask_everywhere(&app, "out", feature).await {
            answer.expect(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn assignments_give_and_overrides_lift_and_cap() {
    let app = TestApp::start().await;
    let mut story = Story::new("paid", Version::Clover, now() - 2 * DAY);
    story.purchase(STARTER);
    let position = deliver(&app, [story]).await;
    app.service().read_at("/api/v1/entitlements?trainer=nobody", position).await;
    app.database.execute(
        r#"INSERT INTO rm_grants.entitlement_grants
               (event_id, trainer_id, kind, tier, feature, effect,
                tenant, granted_at, actor, position)
           SELECT told.*, 'default', now(), 'admin', 1 FROM (VALUES
               ('api/1', 'given', 'assigned', 'enterprise', NULL, NULL::jsonb),
               ('api/2', 'given', 'override', NULL, 'customers', '{"cap": 2}'),
               ('api/3', 'given', 'override', NULL, 'analytics', '{"cap": 0}'),
               ('api/4', 'paid', 'override', NULL, 'customers', '{"lift": 12}'),
               ('api/5', 'paid', 'override', NULL, 'analytics', '"grant"')) told"#,
    );
    let service = app.service();
    let of =
        |trainer: &str, feature: &str| format!("/api/v1/entitlements/{feature}?trainer={trainer}");
    let current = service.get("/api/v1/tiers/current?trainer=given").await.expect(200);
    assert_eq!(
        (&current["tier"]["slug"], &current["status"]),
        (&json!("enterprise"), &json!("assigned")),
        "{current}"
    );
    service.get(&of("given", "api_keys")).await.expect(200);
    for (trainer, limit) in [("given", 2), ("paid", 12)] {
        let body = json!({ "trainer": trainer, "quantity": limit });
        let path = "/api/v1/usage/customers/consume";
        let consumed = service.post(path, &body).await.expect(200);
        let position = consumed["position"].as_i64().expect("a position");
        service.read_at(&format!("/api/v1/usage/{trainer}/limits"), position).await;
        let denied =
            service.get(&of(trainer, "customers")).await.expect_problem(403, "limit_reached");
        assert_eq!(denied["limit"], limit, "{denied}");
        // Another plan would help who isn't capped.
        let tier = if trainer == "given" { Value::Null } else { json!("professional") };
        assert_eq!(denied["required_tier"], tier, "{denied}");
    }
    let denied =
        service.get(&of("given", "analytics")).await.expect_problem(403, "feature_not_available");
    assert_eq!(denied["required_tier"], Value::Null, "{denied}");
    assert_eq!(denied["detail"], "Analytics is denied: an administrator has capped it at 0.");
    let granted = service.get(&of("paid", "analytics")).await.expect(200);
    assert_eq!(granted["source"], "override", "{granted}");
}
