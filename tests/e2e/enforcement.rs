//! How far denials are carried out, and who may change that.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::access::app_with_a_trainer;
use crate::harness::{Answer, Caller, TestApp, eventually};

const PATH: &str = "/api/v1/admin/enforcement";
/// Nobody has anything here, so everything is denied that can be.
const DECISION: &str = "/api/v1/entitlements/analytics";

async fn change(caller: &Caller, key: &str, mode: &Value) -> Answer {
    let body = json!({ "mode": mode, "reason": "a drill" });
    caller.put_keyed(PATH, &body, key).await
}

/// What a trainer is answered once a change is known.
async fn decided(app: &TestApp, trainer: &str, position: &Value) -> u16 {
    let path = format!("{DECISION}?trainer={trainer}&min_position={position}");
    let service = app.service();
    eventually("the change is known", || async {
        Some(service.get(&path).await.status).filter(|status| *status != 503)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_decides_how_far_denials_go() {
    let app = TestApp::start().await;
    let other = app.another().await;
    let admin = app.admin();
    assert_eq!(admin.get(PATH).await.expect(200)["mode"], "on");
    for (key, mode, t1, t2) in [
        ("a", json!("off"), 200, 200),
        ("b", json!({ "internal": ["t2"] }), 200, 403),
        ("c", json!({ "percent": 0 }), 200, 200),
        ("d", json!({ "percent": 100 }), 403, 403),
        ("e", json!("shadow"), 200, 200),
        ("f", json!("on"), 403, 403),
    ] {
        let changed = change(&admin, key, &mode).await.expect(200);
        assert_eq!(changed["mode"], mode);
        // Sent again after others, it is no other change.
        let again = change(&admin, key, &mode).await.expect(200);
        assert_eq!(again["position"], changed["position"]);
        for app in [&app, &other] {
            let position = &changed["position"];
            assert_eq!(decided(app, "t1", position).await, t1, "{mode}");
            assert_eq!(decided(app, "t2", position).await, t2, "{mode}");
            let position = position.as_i64().expect("a position");
            assert_eq!(app.operator().read_at(PATH, position).await["mode"], mode);
        }
    }
    change(&admin, "a", &json!("on")).await.expect_problem(422, "idempotency_key_reused");
    let path = "/api/v1/audit/events?type=EnforcementChanged";
    let told = app.auditor().get(path).await.expect(200);
    let events = told["events"].as_array().expect("events");
    assert_eq!(events.len(), 6, "{told}");
    let event = &events[0];
    assert_eq!((&event["source"], &event["actor"]), (&json!("admin"), &json!("e2e-admin")));
    let id = event["event_id"].as_str().expect("an id");
    let whole = app.auditor().get(&format!("/api/v1/audit/events/{id}")).await.expect(200);
    assert_eq!((&whole["text"], &whole["data"]["mode"]), (&json!("a drill"), &json!("off")));
    // It is about everybody, and in nobody's history.
    let history = app.service().get("/api/v1/tiers/history?trainer=t1").await.expect(200);
    assert_eq!(history["changes"], json!([]), "{history}");
}

/// How often a counter has been touched.
async fn counted(app: &TestApp, name: &str, outcome: &str) -> u64 {
    let metrics = app.anyone().get("/metrics").await.body;
    let begin = format!("{name}{{outcome=\"{outcome}\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&begin));
    line.unwrap_or_else(|| panic!("{begin}is among {metrics}")).parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_denied_learns_that_full_enforcement_would_deny() {
    const CHECKS: &str = "ledger_checks_total";
    let app = app_with_a_trainer().await;
    let (service, trainer) = (app.service(), app.trainer("t1"));
    let code = "feature_not_available";
    let mut asked = (0, 0);
    // The place of t1 among a hundred is 86.
    for (key, mode, denies) in [
        ("a", json!("off"), false),
        ("b", json!("shadow"), false),
        ("c", json!({ "internal": ["t2"] }), false),
        ("d", json!({ "internal": ["t1"] }), true),
        ("e", json!({ "percent": 86 }), false),
        ("f", json!({ "percent": 87 }), true),
        ("g", json!("on"), true),
    ] {
        let changed = change(&app.admin(), key, &mode).await.expect(200);
        let status = decided(&app, "t1", &changed["position"]).await;
        assert_eq!(status, if denies { 403 } else { 200 }, "{mode}");
        let one = service.get(&format!("{DECISION}?trainer=t1")).await;
        let gateway = trainer.authorize("analytics").await;
        assert_eq!(gateway.header("x-would-deny"), Some(code), "{mode}: {gateway:?}");
        for answer in [&one, &gateway] {
            if denies {
                answer.expect_problem(403, code);
                continue;
            }
            let told = answer.expect(200);
            let would = (&told["granted"], &told["would_deny"], &told["code"]);
            assert_eq!(would, (&json!(false), &json!(true), &json!(code)), "{mode}: {told}");
        }
        if denies {
            asked.1 += 3;
        } else {
            asked.0 += 3;
        }
        let (would, does) =
            (counted(&app, CHECKS, "would_deny").await, counted(&app, CHECKS, code).await);
        assert_eq!((would, does), asked, "{mode}");
    }
    // Nothing is said against what the tier has.
    change(&app.admin(), "h", &json!("shadow")).await.expect(200);
    let granted = trainer.authorize("customers").await;
    assert_eq!(granted.header("x-would-deny"), Some("none"));
    let told = granted.expect(200);
    assert_eq!((&told["would_deny"], &told["code"]), (&json!(false), &Value::Null), "{told}");
    assert_eq!(counted(&app, CHECKS, "granted").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_beyond_a_limit_in_shadow_is_counted_apart() {
    const DECISIONS: &str = "ledger_decisions_total";
    let app = app_with_a_trainer().await;
    let service = app.service();
    change(&app.admin(), "a", &json!("shadow")).await.expect(200);
    for (quantity, would_deny) in [(9, false), (1, true)] {
        let body = json!({ "trainer": "t1", "quantity": quantity });
        let consumed = eventually("it is decided", || async {
            let answer = service.post("/api/v1/usage/customers/consume", &body).await;
            Some(answer).filter(|answer| answer.status != 503)
        });
        assert_eq!(consumed.await.expect(200)["would_deny"], would_deny);
    }
    let outcomes = [
        counted(&app, DECISIONS, "granted").await,
        counted(&app, DECISIONS, "would_deny").await,
        counted(&app, DECISIONS, "limit_reached").await,
    ];
    assert_eq!(outcomes, [1, 1, 0]);
    let checked = eventually("it is checked", || async {
        let answer = service.get("/api/v1/usage/t1/check/customers").await;
        Some(answer).filter(|answer| answer.status != 503)
    });
    let told = checked.await.expect(200);
    assert_eq!(
        (&told["allowed"], &told["code"]),
        (&json!(true), &json!("limit_reached")),
        "{told}"
    );
    assert_eq!(counted(&app, "ledger_checks_total", "would_deny").await, 1);
}

/// One of them comes first, and none of the others is sent away for that.
#[tokio::test(flavor = "multi_thread")]
async fn many_changes_at_the_same_time_are_all_done() {
    let app = TestApp::start().await;
    let mut changes = JoinSet::new();
    for share in 0..20 {
        let admin = app.admin();
        changes.spawn(async move {
            change(&admin, &format!("k{share}"), &json!({ "percent": share })).await
        });
    }
    let answers = changes.join_all().await;
    let positions: BTreeSet<i64> =
        answers.iter().filter_map(|answer| answer.expect(200)["position"].as_i64()).collect();
    assert_eq!(positions.len(), 20, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_changes_nothing() {
    let app = TestApp::start().await;
    let admin = app.admin();
    let long: Vec<String> = (0..1_001).map(|n| format!("t{n}")).collect();
    for (mode, status) in [
        (json!("sometimes"), 400),
        (json!({ "percent": -1 }), 400),
        (json!({ "percent": 101 }), 422),
        (json!({ "percent": 256 }), 400),
        (json!({ "internal": ["a b"] }), 400),
        (json!({ "internal": long }), 422),
        (json!({ "percent": 10, "internal": [] }), 400),
    ] {
        change(&admin, "k", &mode).await.expect_problem(status, "invalid_request");
    }
    for body in [
        json!({ "mode": "off" }),
        json!({ "mode": "off", "reason": "  " }),
        json!({ "mode": "off", "reason": "x".repeat(501) }),
        json!({ "mode": "off", "reason": "why", "until": "tomorrow" }),
    ] {
        let answer = admin.put_keyed(PATH, &body, "k").await;
        answer.expect_problem(400, "invalid_request");
    }
    for caller in [app.service(), app.operator(), app.auditor(), app.trainer("t1")] {
        change(&caller, "k", &json!("off")).await.expect_problem(403, "forbidden");
    }
    change(&app.anyone(), "k", &json!("off")).await.expect_problem(401, "unauthenticated");
    assert_eq!(admin.get(PATH).await.expect(200)["mode"], "on");
}
