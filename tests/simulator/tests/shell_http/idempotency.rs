use serde_json::json;

use crate::harness::{Answered, Api, send};

async fn post(api: &Api, key: &str, path: &str, form: &str) -> Answered {
    send(api.posting(path, form).header("idempotency-key", key)).await
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    let api = Api::usual().await;
    let first = post(&api, "one", "/v1/customers", "name=Ada&metadata[a]=1").await;
    let again = post(&api, "one", "/v1/customers", "metadata[a]=1&name=Ada").await;
    assert_eq!((again.status, &again.json), (200, &first.json));
    assert_eq!(
        (first.header("idempotent-replayed"), again.header("idempotent-replayed")),
        ("", "true")
    );
    assert_eq!(again.header("original-request"), first.header("request-id"));
    let all = api.get("/v1/customers").await;
    assert_eq!(all.json["data"].as_array().unwrap().len(), 1);
    let other = post(&api, "two", "/v1/customers", "name=Ada").await;
    assert_ne!(other.id(), first.id());
}

#[tokio::test]
async fn a_key_is_for_one_request_only() {
    let api = Api::usual().await;
    post(&api, "one", "/v1/customers", "name=Ada").await;
    for (path, form) in [("/v1/customers", "name=Grace"), ("/v1/products", "name=Ada")] {
        let refused = post(&api, "one", path, form).await;
        let error = &refused.json["error"];
        assert_eq!((refused.status, &error["type"]), (400, &json!("idempotency_error")), "{path}");
    }
    assert_eq!(post(&api, &"x".repeat(256), "/v1/customers", "").await.status, 400);
}

#[tokio::test]
async fn failures_are_kept_but_not_those_before_execution() {
    let api = Api::usual().await;
    let missing = post(&api, "one", "/v1/customers/cus_nobody", "name=Ada").await;
    let again = post(&api, "one", "/v1/customers/cus_nobody", "name=Ada").await;
    assert_eq!((missing.status, again.status), (404, 404));
    assert_eq!(again.header("idempotent-replayed"), "true");

    for (key, path, form) in
        [("two", "/v1/nowhere", "name=Ada"), ("three", "/v1/customers", "colour=red")]
    {
        assert!(post(&api, key, path, form).await.status >= 400);
        let again = post(&api, key, "/v1/customers", "name=Ada").await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (200, ""), "{key}");
    }
}

#[tokio::test]
async fn keys_are_forgotten_after_a_day() {
    let api = Api::usual().await;
    let first = post(&api, "one", "/v1/customers", "name=Ada").await;
    api.control("/simulator/advance", &json!({"seconds": 24 * 3_600 - 1})).await;
    assert_eq!(post(&api, "one", "/v1/customers", "name=Ada").await.id(), first.id());
    api.control("/simulator/advance", &json!({"seconds": 1})).await;
    assert_ne!(post(&api, "one", "/v1/customers", "name=Ada").await.id(), first.id());
}

#[tokio::test]
async fn a_key_in_use_is_a_conflict() {
    let api = Api::usual().await;
    let hold = json!({"path": "/v1/customers", "kind": "hold"});
    api.control("/simulator/faults", &hold).await;
    let held = post(&api, "one", "/v1/customers", "name=Ada");
    let meanwhile = async {
        api.wait_until_held(1).await;
        let conflict = post(&api, "one", "/v1/customers", "name=Ada").await;
        api.control("/simulator/faults/release", &json!(null)).await;
        conflict
    };
    let (held, conflict) = tokio::join!(held, meanwhile);
    assert_eq!((held.status, conflict.status), (200, 409), "{conflict:?}");
    assert_eq!(conflict.header("stripe-should-retry"), "true");
    let after = post(&api, "one", "/v1/customers", "name=Ada").await;
    assert_eq!((after.id(), after.header("idempotent-replayed")), (held.id(), "true"));
}

#[tokio::test]
async fn only_a_post_has_a_key() {
    let api = Api::usual().await;
    let customer = post(&api, "one", "/v1/customers", "name=Ada").await.id();
    let path = format!("/v1/customers/{customer}");
    let got = send(api.getting(&path).header("idempotency-key", "one")).await;
    assert_eq!((got.status, got.header("idempotent-replayed")), (200, ""));
}
