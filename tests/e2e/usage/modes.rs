//! Who is denied, and who is only told.

use serde_json::{Value, json};

use super::{act, counted, starter};
use crate::harness::TestApp;

/// An administrator changes enforcement, and it is known.
pub(crate) async fn enforce(app: &TestApp, mode: &Value) {
    let (path, body) = ("/api/v1/admin/enforcement", json!({ "mode": mode, "reason": "a drill" }));
    let changed = app.admin().put_keyed(path, &body, &mode.to_string()).await.expect(200);
    app.admin().read_at(path, changed["position"].as_i64().expect("a position")).await;
}

/// What a change was judged by, as its event tells.
async fn judged(app: &TestApp, position: i64) -> String {
    let sql = "SELECT concat(data->'judgement'->>'mode', ' ', data->'judgement'->>'would_deny')
        FROM event_json WHERE tenant = 'default' AND position = $1";
    sqlx::query_scalar(sql).bind(position).fetch_one(app.owner()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_is_meant_is_denied_and_everybody_is_counted() {
    let app = starter().await;
    let service = app.service();
    act(&service, "consume", &json!({ "quantity": 9 })).await.expect(200);
    let mut used = 9;
    // The place of t1 among a hundred is 86.
    for (mode, word, denied) in [
        (json!("off"), "off", false),
        (json!("on"), "on", true),
        (json!("shadow"), "shadow", false),
        (json!({ "internal": ["t2"] }), "internal", false),
        (json!({ "internal": ["t1"] }), "internal", true),
        (json!({ "percent": 86 }), "percent", false),
        (json!({ "percent": 87 }), "percent", true),
    ] {
        enforce(&app, &mode).await;
        let check = service.get("/api/v1/usage/t1/check/customers").await.expect(200);
        assert_eq!((&check["allowed"], &check["would_deny"]), (&json!(!denied), &json!(true)));
        let answer = act(&service, "consume", &json!({})).await;
        if denied {
            answer.expect_problem(403, "limit_reached");
            continue;
        }
        let granted = answer.expect(200);
        used += 1;
        assert_eq!((&granted["used"], &granted["would_deny"]), (&json!(used), &json!(true)));
        assert_eq!(granted["over_limit"], true, "{mode}: {granted}");
        let position = granted["position"].as_i64().expect("a position");
        assert_eq!(judged(&app, position).await, format!("{word} true"));
    }
    assert_eq!(counted(&app).await, used);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soft_limit_may_be_exceeded_and_that_is_told() {
    let app = TestApp::start().await;
    app.database.execute(
        "INSERT INTO rm_grants.entitlement_grants
             (tenant, event_id, trainer_id, kind, tier, granted_at, expires_at, actor, position)
         VALUES ('default', 'api/kept', 't1', 'grandfathered', 'starter', now() - interval '1 day',
             now() + interval '89 days', 'admin', 1)",
    );
    let service = app.service();
    for (quantity, used, over) in [(9, 9, false), (5, 14, true)] {
        let granted = act(&service, "consume", &json!({ "quantity": quantity })).await.expect(200);
        assert_eq!((&granted["used"], &granted["over_limit"]), (&json!(used), &json!(over)));
        assert_eq!(granted["would_deny"], false, "{granted}");
    }
}
