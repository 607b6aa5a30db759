//! What usage is answered with.

use serde_json::{Value, json};

use super::{act, settled, starter};

#[tokio::test(flavor = "multi_thread")]
async fn answers_tell_how_near_the_limit_is() {
    let app = starter().await;
    let service = app.service();
    let path = "/api/v1/usage/t1/check/customers";
    for (more, used, percent, warning) in
        [(7, 7, 77, Value::Null), (1, 8, 88, json!("near")), (1, 9, 100, json!("reached"))]
    {
        let consumed = act(&service, "consume", &json!({ "quantity": more })).await.expect(200);
        let checked = service.get(path).await.expect(200);
        for answer in [&consumed, &checked] {
            assert_eq!((&answer["used"], &answer["limit"]), (&json!(used), &json!(9)), "{answer}");
            assert_eq!(answer["remaining"], 9 - used, "{answer}");
            assert_eq!((&answer["percent"], &answer["warning"]), (&json!(percent), &warning));
            assert_eq!(answer["would_deny"], json!(answer["allowed"] == false), "{answer}");
        }
        assert_eq!(checked["allowed"], used < 9, "{checked}");
    }
    let full = service.get(path).await.expect(200);
    assert_eq!((&full["code"], &full["would_deny"]), (&json!("limit_reached"), &json!(true)));
    // To ask counts nothing.
    let over = service.get(&format!("{path}?quantity=5")).await.expect(200);
    assert_eq!((&over["allowed"], &over["used"]), (&json!(false), &json!(9)));
    // What happened is counted all the same.
    let recorded = act(&service, "record", &json!({ "quantity": 3 })).await.expect(200);
    assert_eq!((&recorded["used"], &recorded["over_limit"]), (&json!(12), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_sees_its_meters_and_counts_nothing() {
    let app = starter().await;
    let consumed = act(&app.service(), "consume", &json!({ "quantity": 4 })).await.expect(200);
    let position = consumed["position"].as_i64().expect("a position");
    let trainer = app.trainer("t1");
    let usage = trainer.read_at("/api/v1/tiers/usage", position).await;
    let expected = json!({
        "kind": "limit", "granted": true, "used": 4, "limit": 9, "remaining": 5, "percent": 44,
        "warning": null, "over_limit": false,
    });
    assert_eq!(usage["usage"]["customers"], expected, "{usage}");
    let quota = &usage["usage"]["ai_generations"];
    assert_eq!((&quota["granted"], &quota["kind"]), (&json!(false), &json!("quota")), "{quota}");
    assert!(quota["period_end"].is_string() && usage["usage"]["analytics"].is_null(), "{usage}");
    let limits = app.service().read_at("/api/v1/usage/t1/limits", position).await;
    assert_eq!(limits["usage"], usage["usage"]);
    let entitlements = trainer.read_at("/api/v1/entitlements", position).await;
    assert_eq!(entitlements["features"]["customers"]["used"], 4, "one count for all");

    for role in ["trainer", "admin", "operator", "auditor"] {
        let caller = app.caller(&crate::harness::Claims::of(role, "t1"));
        for act in ["consume", "record", "reserve", "commit", "release"] {
            // The body isn't even looked at.
            let path = format!("/api/v1/usage/customers/{act}");
            caller.post(&path, &json!({ "x": 1 })).await.expect_problem(403, "forbidden");
            app.anyone().post(&path, &json!({})).await.expect_problem(401, "unauthenticated");
        }
        for path in ["/api/v1/usage/t1/limits", "/api/v1/usage/t1/check/customers"] {
            caller.get(path).await.expect_problem(403, "forbidden");
            app.anyone().get(path).await.expect_problem(401, "unauthenticated");
        }
    }
    let other = app.trainer("t2").get("/api/v1/tiers/usage?trainer=t1").await;
    other.expect_problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_trainer_lacks_is_denied_with_the_way_out() {
    let app = starter().await;
    let service = app.service();
    let body = json!({ "trainer": "t1" });
    let path = "/api/v1/usage/ai_generations/consume";
    let lacking = settled(&service, path, &body, None).await;
    let lacking = lacking.expect_problem(403, "feature_not_available");
    assert_eq!(lacking["required_add_on"], "ai_starter", "{lacking}");
    assert!(lacking["upgrade_url"].is_string() && lacking["position"].is_i64(), "{lacking}");
    let path = "/api/v1/usage/teleportation/consume";
    settled(&service, path, &body, None).await.expect_problem(404, "not_found");
    let unknown = service.get("/api/v1/usage/t1/check/teleportation").await;
    unknown.expect_problem(404, "not_found");
}
