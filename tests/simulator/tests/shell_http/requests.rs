use ledger_simulator::shell::Config;
use reqwest::header::AUTHORIZATION;
use serde_json::json;

use crate::harness::{Api, KEY, config, send};

#[tokio::test]
async fn keys_are_asked_for() {
    let api = Api::start(Config { keys: vec![KEY.to_owned()], ..config() }).await;
    let bare = || api.client.get(format!("{}/v1/customers", api.running.url));
    let none = send(bare()).await;
    assert_eq!((none.status, &none.json["error"]["type"]), (401, &json!("invalid_request_error")));
    assert!(none.header("www-authenticate").starts_with("Basic"));
    let wrong = send(bare().bearer_auth("sk_test_of_somebody_else")).await;
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong.json["error"]["message"], "Invalid API Key provided: ****else");
    assert_eq!(send(bare().header(AUTHORIZATION, "Digest x")).await.status, 401);
    assert_eq!(send(bare().bearer_auth(KEY)).await.status, 200);
    assert_eq!(send(bare().basic_auth(KEY, None::<&str>)).await.status, 200);
}

#[tokio::test]
async fn without_a_list_of_keys_test_keys_are_let_in() {
    let api = Api::usual().await;
    let bare = || api.client.get(format!("{}/v1/customers", api.running.url));
    assert_eq!(send(bare().bearer_auth("rk_test_1")).await.status, 200);
    assert_eq!(send(bare().bearer_auth("sk_live_1")).await.status, 401);
}

#[tokio::test]
async fn forms_reach_the_world_and_errors_come_back() {
    let api = Api::usual().await;
    let made = api.post("/v1/customers", "name=Ada+L&metadata[trainer_id]=t%201").await;
    assert_eq!((made.status, &made.json["name"]), (200, &json!("Ada L")));
    assert_eq!(made.json["metadata"], json!({"trainer_id": "t 1"}));
    assert!(made.header("request-id").starts_with("req_"));
    assert_eq!(made.header("stripe-version"), "2026-10-28.endive");

    let again = api.get(&format!("/v1/customers/{}", made.id())).await;
    assert_eq!(again.json, made.json);
    assert_ne!(again.header("request-id"), made.header("request-id"));
    let gone = api.delete(&format!("/v1/customers/{}", made.id())).await;
    assert_eq!(gone.json["deleted"], true);

    let missing = api.get("/v1/customers/cus_nobody").await;
    assert_eq!((missing.status, &missing.json["error"]["code"]), (404, &json!("resource_missing")));
    let unknown = api.post("/v1/customers", "colour=red").await;
    assert_eq!(
        (unknown.status, &unknown.json["error"]["code"]),
        (400, &json!("parameter_unknown"))
    );
    let nowhere = api.get("/v1/nowhere").await;
    assert_eq!((nowhere.status, nowhere.json["error"].get("code")), (404, None));
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let api = Api::usual().await;
    assert_eq!(api.post("/v1/customers", "name[=x").await.status, 400);
    let json = api.client.post(format!("{}/v1/customers", api.running.url)).bearer_auth(KEY);
    assert_eq!(send(json.json(&json!({"name": "Ada"}))).await.status, 400);
    let huge = format!("name={}", "x".repeat(1 << 20));
    assert_eq!(api.post("/v1/customers", &huge).await.status, 413);
    let url = format!("{}/v1/customers", api.running.url);
    assert_eq!(send(api.client.put(url).bearer_auth(KEY)).await.status, 404);
}

#[tokio::test]
async fn too_many_requests_in_a_second_are_refused() {
    let api = Api::start(Config { requests_per_second: Some(2), ..config() }).await;
    assert_eq!(api.get("/v1/customers").await.status, 200);
    assert_eq!(api.get("/v1/customers").await.status, 200);
    let refused = api.get("/v1/customers").await;
    assert_eq!((refused.status, &refused.json["error"]["code"]), (429, &json!("rate_limit")));
}

#[tokio::test]
async fn a_declined_payment_is_shown_in_the_version_asked_for() {
    let api = Api::usual().await;
    let (_, price) = api.customer_and_price().await;
    let form = "payment_method=pm_card_chargeCustomerFail\
        &invoice_settings[default_payment_method]=pm_card_chargeCustomerFail";
    let customer = api.post("/v1/customers", form).await.id();
    let form =
        format!("customer={customer}&items[0][price]={price}&payment_behavior=error_if_incomplete");
    let declined = api.post("/v1/subscriptions", &form).await;
    assert_eq!(declined.status, 402, "{declined:?}");
    assert_eq!(declined.json["error"]["type"], "card_error");
    assert_eq!(declined.json["error"]["code"], "card_declined");
}

#[tokio::test]
async fn time_steps_when_told_to() {
    let api = Api::usual().await;
    let now = api.control("/simulator/advance", &json!({"seconds": 0})).await.json["now"].as_i64();
    let moved = api.control("/simulator/advance", &json!({"seconds": 3_600})).await;
    assert_eq!(moved.json["now"].as_i64(), now.map(|now| now + 3_600));
    let made = api.post("/v1/customers", "").await;
    assert_eq!(made.json["created"], moved.json["now"]);
    assert_eq!(made.header("date"), "Mon, 21 Sep 2026 15:13:20 GMT");
    for refused in [json!({"now": 1}), json!({"seconds": i64::MAX}), json!({})] {
        let request = api.client.post(format!("{}/simulator/advance", api.running.url));
        assert_eq!(send(request.json(&refused)).await.status, 400, "{refused}");
    }
}

#[tokio::test]
async fn stopping_ends_everything() {
    let api = Api::usual().await;
    let url = format!("{}/v1/customers", api.running.url);
    api.running.stop().await;
    assert!(api.client.get(url).send().await.is_err());
}
