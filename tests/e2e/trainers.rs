//! Trainers who are known before any purchase.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Answer, Claims, TestApp};

const PATH: &str = "/api/v1/trainers";

async fn register(app: &TestApp, trainer: &str) -> Answer {
    app.service().post(PATH, &json!({ "trainer": trainer })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_is_registered_once_whoever_asks_and_how_often() {
    let app = TestApp::start().await;
    let other = std::sync::Arc::new(app.another().await);
    let app = std::sync::Arc::new(app);
    let mut calls = JoinSet::new();
    for n in 0..20 {
        let process = if n % 2 == 0 { None } else { Some(std::sync::Arc::clone(&other)) };
        let app = std::sync::Arc::clone(&app);
        calls.spawn(async move { register(process.as_deref().unwrap_or(&app), "t1").await });
    }
    let answers = calls.join_all().await;
    let news = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(news, 1, "{answers:?}");
    let known = answers.iter().find(|answer| answer.status == 201).unwrap().json();
    assert_eq!(known["trainer_id"], "t1");
    for answer in &answers {
        assert!([200, 201].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.json(), known, "{answer:?}");
    }
    let path = "/api/v1/audit/events?type=TrainerRegistered";
    let told = app.auditor().get(path).await.expect(200);
    let events = told["events"].as_array().expect("events");
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0];
    let said = [&event["trainer_id"], &event["actor"], &event["source"], &event["position"]];
    assert_eq!(said, [&json!("t1"), &json!("e2e-service"), &json!("api"), &known["position"]]);
    let id = event["event_id"].as_str().expect("an id");
    let told = app.auditor().get(&format!("/api/v1/audit/events/{id}")).await.expect(200);
    let request = told["metadata"]["correlation_id"].as_str().expect("a request's id");
    let ids = answers.iter().filter_map(|answer| answer.headers.get("x-request-id"));
    assert_eq!(ids.filter(|id| *id == request).count(), 1, "one of the answers bears it");
    // It grants nothing.
    let position = known["position"].as_i64().expect("a position");
    let current = app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
    assert_eq!((&current["status"], &current["access"]), (&json!("none"), &json!("none")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_taken_and_belongs_to_one_trainer() {
    let app = TestApp::start().await;
    let service = app.service();
    let register = async |trainer: &str, key: &str| {
        let body = json!({ "trainer": trainer });
        service.try_post_keyed(PATH, &body, key).await.expect("an answer")
    };
    let first = register("t1", "signup-1").await.expect(201);
    for key in ["signup-1", "signup-2"] {
        assert_eq!(register("t1", key).await.expect(200), first, "{key}");
    }
    register("t2", "signup-1").await.expect(201);
    for wrong in [" ", &"x".repeat(256)] {
        register("t3", wrong).await.expect_problem(400, "invalid_request");
    }
    let told = app.auditor().get("/api/v1/audit/events?type=TrainerRegistered").await.expect(200);
    assert_eq!(told["events"].as_array().map(Vec::len), Some(2), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_services_register_and_only_ids() {
    let app = TestApp::start().await;
    let body = json!({ "trainer": "t1" });
    for role in ["trainer", "auditor", "operator", "admin"] {
        let answer = app.caller(&Claims::of(role, "t1")).post(PATH, &body).await;
        answer.expect_problem(403, "forbidden");
    }
    app.anyone().post(PATH, &body).await.expect_problem(401, "unauthenticated");
    let bad: [Value; 6] = [
        json!({}),
        json!({ "trainer": "" }),
        json!({ "trainer": "somebody@example.com" }),
        json!({ "trainer": "x".repeat(129) }),
        json!({ "trainer": "t1", "tier": "enterprise" }),
        json!(["t1"]),
    ];
    for body in bad {
        app.service().post(PATH, &body).await.expect_problem(400, "invalid_request");
    }
    let told = app.auditor().get("/api/v1/audit/events?type=TrainerRegistered").await.expect(200);
    assert_eq!(told["events"], json!([]));
}
