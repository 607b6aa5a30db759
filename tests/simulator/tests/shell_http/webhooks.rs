use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use ledger_simulator::shell::{Config, Endpoint, Sending, Time};
use serde_json::json;
use sha2::Sha256;

use crate::harness::{Api, PATIENCE, Received, Receiver, SIGNED_AT, config};

/// Which of the secrets signed a delivery, in the order of its signatures.
fn signers<'a>(received: &Received, secrets: &[&'a str]) -> Vec<&'a str> {
    let mut parts = received.signature.split(',');
    assert_eq!(parts.next(), Some(format!("t={SIGNED_AT}").as_str()));
    let sign = |secret: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{SIGNED_AT}.{}", received.body).as_bytes());
        format!("v1={}", hex::encode(mac.finalize().into_bytes()))
    };
    parts
        .map(|part| *secrets.iter().find(|secret| sign(secret) == part).expect("a known secret"))
        .collect()
}

#[tokio::test]
async fn endpoints_are_made_changed_and_deleted() {
    let api = Api::usual().await;
    let form = "url=http://127.0.0.1:9/a&enabled_events[]=invoice.paid&metadata[a]=1";
    let made = api.post("/v1/webhook_endpoints", form).await;
    assert_eq!((made.status, &made.json["status"]), (200, &json!("enabled")));
    assert!(made.json["secret"].as_str().unwrap().starts_with("whsec_"));
    let path = format!("/v1/webhook_endpoints/{}", made.id());
    assert_eq!(api.get(&path).await.json.get("secret"), None);

    let changed = api.post(&path, "disabled=true&enabled_events[]=*&metadata[a]=").await;
    assert_eq!(
        (&changed.json["status"], &changed.json["metadata"]),
        (&json!("disabled"), &json!({}))
    );
    let all = api.get("/v1/webhook_endpoints").await;
    assert_eq!(all.json["data"], json!([changed.json]));
    assert_eq!(api.delete(&path).await.json["deleted"], true);
    assert_eq!(api.get(&path).await.status, 404);

    for form in [
        "url=http://127.0.0.1:9/a",
        "url=nonsense&enabled_events[]=*",
        "url=http://127.0.0.1:9/a&enabled_events[]=everything",
        "url=http://127.0.0.1:9/a&enabled_events[]=*&api_version=1999-01-01",
        "url=http://127.0.0.1:9/a&enabled_events[]=*&colour=red",
        "url=http://127.0.0.1:9/a&enabled_events[]=*&connect=true",
    ] {
        assert_eq!(api.post("/v1/webhook_endpoints", form).await.status, 400, "{form}");
    }
}

#[tokio::test]
async fn deliveries_are_signed_and_in_order() {
    let api = Api::usual().await;
    let receiver = Receiver::start().await;
    let (_, secret) = api.register(&receiver, "").await;
    let subscription = api.subscribe().await;
    let passed = api.deliver().await;
    let received = receiver.take();
    assert_eq!(passed["succeeded"], received.len());
    assert!(received.iter().all(|received| signers(received, &[&secret]) == [secret.as_str()]));
    let created: Vec<String> = api
        .running
        .with_world(|world| world.events().iter().map(|event| event.id.clone()).collect());
    let ids: Vec<_> = received.iter().map(|each| each.event()["id"].clone()).collect();
    assert_eq!(json!(ids), json!(created));
    let event = received
        .iter()
        .map(Received::event)
        .find(|event| event["type"] == "customer.subscription.created");
    let event = event.unwrap();
    assert_eq!(event["data"]["object"]["id"], subscription["id"]);
    assert_eq!((&event["pending_webhooks"], &event["livemode"]), (&json!(1), &json!(false)));
    assert!(event["request"]["id"].as_str().unwrap().starts_with("req_"));
}

#[tokio::test]
async fn a_rolled_secret_signs_beside_the_new_one_for_a_while() {
    let api = Api::usual().await;
    let receiver = Receiver::start().await;
    let (endpoint, old) = api.register(&receiver, "").await;
    let path = format!("/simulator/webhook_endpoints/{endpoint}/roll_secret");
    let rolled = api.control(&path, &json!({"overlap_seconds": 100})).await;
    let new = rolled.json["secret"].as_str().unwrap();
    let secrets = [old.as_str(), new];
    api.post("/v1/customers", "").await;
    api.deliver().await;
    assert_eq!(signers(&receiver.take()[0], &secrets), [new, old.as_str()]);
    api.control("/simulator/advance", &json!({"seconds": 100})).await;
    api.post("/v1/customers", "").await;
    api.deliver().await;
    assert_eq!(signers(&receiver.take()[0], &secrets), [new]);
}

#[tokio::test]
async fn only_the_types_asked_for_are_delivered() {
    let api = Api::usual().await;
    let receiver = Receiver::start().await;
    let form = format!("url={}&enabled_events[]=product.created", receiver.url);
    let endpoint = api.post("/v1/webhook_endpoints", &form).await.id();
    api.post("/v1/customers", "").await;
    api.post("/v1/products", "name=Starter").await;
    api.deliver().await;
    assert_eq!(receiver.take_types(), ["product.created"]);
    // What is on its way to an endpoint that is turned off never arrives.
    api.post("/v1/products", "name=Professional").await;
    api.post(&format!("/v1/webhook_endpoints/{endpoint}"), "disabled=true").await;
    assert_eq!(api.deliver().await["attempted"], 0);
}

#[tokio::test]
async fn failed_deliveries_are_retried_later_and_later() {
    let api = Api::start(Config {
        sending: Sending {
            automatic: false,
            concurrency: 1,
            retry_after: vec![60, 600],
            ..Sending::default()
        },
        ..config()
    })
    .await;
    let receiver = Receiver::start().await;
    api.register(&receiver, "").await;
    api.post("/v1/customers", "").await;
    receiver.answer_with(&[302, 500, 500]);
    let mut expected = Vec::new();
    for (state, next) in [("pending", Some(60)), ("pending", Some(600)), ("given_up", None)] {
        let passed = api.deliver().await;
        assert_eq!(passed["failed"], 1, "{passed}");
        let log = api.get("/simulator/deliveries").await.json;
        let delivery = &log["data"][0];
        let now = api.running.with_world(|world| world.now());
        assert_eq!(
            (&delivery["state"], &delivery["next_attempt"]),
            (&json!(state), &json!(next.map(|next| now + next)))
        );
        expected.push(delivery["attempts"].as_array().unwrap().len());
    }
    assert_eq!(expected, [1, 2, 3]);
    assert_eq!(api.deliver().await["attempted"], 0);
    let bodies: Vec<String> = receiver.take().into_iter().map(|each| each.body).collect();
    assert_eq!((bodies.len(), &bodies[0]), (3, &bodies[2]));

    let event = api.get("/v1/events").await.json["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(api.get("/v1/events").await.json["data"][0]["pending_webhooks"], 1);
    api.control(&format!("/simulator/events/{event}/resend"), &json!(null)).await;
    assert_eq!(api.deliver().await["succeeded"], 1);
    assert_eq!(api.get("/v1/events").await.json["data"][0]["pending_webhooks"], 0);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_counts_as_a_failure() {
    let api = Api::usual().await;
    let gone = Receiver::start().await;
    let form = "url=http://127.0.0.1:1/hook&enabled_events[]=*";
    api.post("/v1/webhook_endpoints", form).await;
    drop(gone);
    api.post("/v1/customers", "").await;
    assert_eq!(api.deliver().await["failed"], 1);
    let log = api.get("/simulator/deliveries").await.json;
    assert!(log["data"][0]["attempts"][0]["error"].is_string(), "{log}");
}

#[tokio::test]
async fn the_count_of_pending_webhooks_is_live() {
    let api = Api::usual().await;
    let (one, two) = (Receiver::start().await, Receiver::start().await);
    api.register(&one, "").await;
    api.register(&two, "").await;
    api.post("/v1/customers", "").await;
    api.deliver().await;
    let pending = |receiver: &Receiver| receiver.take()[0].event()["pending_webhooks"].clone();
    assert_eq!((pending(&one), pending(&two)), (json!(2), json!(1)));
}

#[tokio::test]
async fn events_go_out_by_themselves_when_they_are_to() {
    let receiver = Receiver::start().await;
    let endpoint = Endpoint {
        url: receiver.url.clone(),
        secret: "whsec_known_beforehand".to_owned(),
        enabled_events: vec!["*".to_owned()],
        api_version: Some("2024-06-20".to_owned()),
        adversary: None,
    };
    let api = Api::start(Config {
        sending: Sending::default(),
        time: Time::Following(Duration::from_millis(20)),
        endpoints: vec![endpoint],
        ..config()
    })
    .await;
    // The world has caught up with the clock.
    assert_eq!(api.post("/v1/customers", "").await.json["created"], SIGNED_AT);
    let arrival = async {
        loop {
            if let Some(received) = receiver.take().pop() {
                return received;
            }
            tokio::task::yield_now().await;
        }
    };
    let received = tokio::time::timeout(PATIENCE, arrival).await.expect("a delivery");
    assert_eq!(signers(&received, &["whsec_known_beforehand"]), ["whsec_known_beforehand"]);
    assert_eq!(received.event()["api_version"], "2024-06-20");
}
