//! Requests that nobody in their right mind would send.

use crate::harness::Claims;

use super::{counted, starter};

const CONSUME: &str = "/api/v1/usage/customers/consume";

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_make_no_sense_change_nothing() {
    let app = starter().await;
    let service = app.service();
    let deep = format!(r#"{{"trainer":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let bodies: [&str; 18] = [
        "",
        "null",
        "[]",
        "1",
        "{",
        "{}",
        "\u{0}",
        r#"{"trainer":"t1","colour":"red"}"#,
        r#"{"trainer":"t1","trainer":"t2"}"#,
        r#"{"trainer":"someone@example.test"}"#,
        r#"{"trainer":"t1' OR '1'='1"}"#,
        r#"{"trainer":"t1","quantity":0}"#,
        r#"{"trainer":"t1","quantity":-1}"#,
        r#"{"trainer":"t1","quantity":1.5}"#,
        r#"{"trainer":"t1","quantity":"1"}"#,
        r#"{"trainer":"t1","quantity":1000000000001}"#,
        r#"{"trainer":"t1","quantity":99999999999999999999999999}"#,
        &deep,
    ];
    for body in bodies {
        let answer = service.post_bytes(CONSUME, body.as_bytes().to_vec()).await;
        assert_eq!(answer.status, 400, "{body:.80}: {answer:?}");
        answer.expect_problem(400, "invalid_request");
    }
    let invalid = service.post_bytes(CONSUME, b"{\"trainer\":\"\xff\"}".to_vec()).await;
    invalid.expect_problem(400, "invalid_request");
    for (act, body) in [
        ("reserve", r#"{"trainer":"t1","ttl":0}"#),
        ("reserve", r#"{"trainer":"t1","ttl":3601}"#),
        ("commit", r#"{"trainer":"t1"}"#),
        ("commit", r#"{"trainer":"t1","hold":"evt_1"}"#),
        ("record", r#"{"trainer":"t1","occurred_at":"yesterday"}"#),
        ("record", r#"{"trainer":"t1","occurred_at":1780000000}"#),
        ("release", r#"{"trainer":"t1","quantity":-5}"#),
    ] {
        let path = format!("/api/v1/usage/customers/{act}");
        let answer = service.post_bytes(&path, body.as_bytes().to_vec()).await;
        assert_eq!(answer.status, 400, "{act} {body}: {answer:?}");
    }
    let padded = format!(r#"{{"trainer":"t1"{}}}"#, " ".repeat(70_000));
    let large = service.post_bytes(CONSUME, padded.into_bytes()).await;
    large.expect_problem(413, "too_large");
    assert_eq!(counted(&app).await, 0);
    let usage = "SELECT count(*) FROM event WHERE stream LIKE 'usage-%'";
    assert_eq!(app.database.number(usage).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_make_no_sense_lead_nowhere() {
    let app = starter().await;
    let service = app.service();
    let body = br#"{"trainer":"t1"}"#.to_vec();
    for feature in ["a-b", "customers%27--", "%00", "..%2f", "x%20y"] {
        let path = format!("/api/v1/usage/{feature}/consume");
        let answer = service.post_bytes(&path, body.clone()).await;
        assert_eq!(answer.status, 404, "{feature}: {answer:?}");
    }
    let query = service.post_bytes(&format!("{CONSUME}?trainer=t2"), body.clone()).await;
    query.expect_problem(400, "invalid_request");
    for path in ["/api/v1/usage/a%40b/limits", "/api/v1/usage/a%40b/check/customers"] {
        service.get(path).await.expect_problem(400, "invalid_request");
    }
    for query in ["quantity=0", "quantity=x", "quantities=1", "min_position=-1"] {
        let path = format!("/api/v1/usage/t1/check/customers?{query}");
        service.get(&path).await.expect_problem(400, "invalid_request");
    }
    service.get(CONSUME).await.expect_problem(405, "method_not_allowed");
}

/// Whoever acts stays in the log for good, so that it must not be a person's name or address.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_id_writes_nothing() {
    let app = starter().await;
    let body = serde_json::json!({ "trainer": "t1" });
    let long = "x".repeat(129);
    for subject in ["Anna Muster <anna@example.com>", "anna@example.com", "", " ", &long] {
        let caller = app.caller(&Claims::of("service", subject));
        for act in ["consume", "record", "reserve", "commit", "release"] {
            let answer = caller.post(&format!("/api/v1/usage/customers/{act}"), &body).await;
            let problem = answer.expect_problem(403, "forbidden");
            assert!(problem["detail"].as_str().unwrap().contains("`sub`"), "{problem}");
        }
        let path = "/api/v1/tiers/current?trainer=t1";
        assert_eq!(caller.get(path).await.status, 200, "a question leaves nothing behind");
    }
    let usage = "SELECT count(*) FROM event WHERE stream LIKE 'usage-%'";
    assert_eq!(app.database.number(usage).await, 0);
    let named = app.caller(&Claims::of("service", "shop:till_1.a-b"));
    named.post(CONSUME, &body).await.expect(200);
}
