use std::collections::HashMap;

use serde_json::{Value, json};

use crate::harness::{Api, Received, Receiver};

async fn disturbed(plan: Value) -> (Vec<Value>, Api) {
    let api = Api::usual().await;
    let receiver = Receiver::start().await;
    let (endpoint, _) = api.register(&receiver, "").await;
    api.control(&format!("/simulator/webhook_endpoints/{endpoint}/adversary"), &plan).await;
    api.subscribe().await;
    api.deliver().await;
    (receiver.take().iter().map(Received::event).collect(), api)
}

fn created(api: &Api) -> Vec<String> {
    api.running.with_world(|world| world.events().iter().map(|event| event.id.clone()).collect())
}

fn ids(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn any_order_and_twice() {
    let (events, api) = disturbed(json!({"reorder": "any", "duplicate_percent": 100})).await;
    let created = created(&api);
    assert_eq!(events.len(), 2 * created.len());
    let mut count: HashMap<String, usize> = HashMap::new();
    for id in ids(&events) {
        *count.entry(id).or_default() += 1;
    }
    assert!(created.iter().all(|id| count[id] == 2));
    let mut firsts = ids(&events);
    firsts.dedup();
    assert_ne!(firsts, created);
}

#[tokio::test]
async fn lost_events_can_be_asked_for() {
    let (events, api) = disturbed(json!({"drop_percent": 100})).await;
    assert_eq!(events, Vec::<Value>::new());
    let missing = api.get("/v1/events?delivery_success=false&limit=100").await;
    assert_eq!(missing.json["data"].as_array().unwrap().len(), created(&api).len());
}

#[tokio::test]
async fn a_second_object_for_a_change_can_be_asked_for() {
    let (events, api) = disturbed(json!({"two_objects_percent": 100})).await;
    let created = created(&api);
    assert_eq!(events.len(), 2 * created.len());
    let twin = events.iter().find(|event| !created.contains(&ids(&[(*event).clone()])[0])).unwrap();
    let id = twin["id"].as_str().unwrap();
    let asked = api.get(&format!("/v1/events/{id}")).await.json;
    assert_eq!((&asked["id"], &asked["data"]), (&twin["id"], &twin["data"]));
}

#[tokio::test]
async fn versions_can_be_mixed() {
    let versions = json!({"api_versions": ["2017-08-15", "2026-10-28.endive"]});
    let (events, _) = disturbed(versions).await;
    let old = events.iter().filter(|event| event["api_version"] == "2017-08-15").count();
    assert!((1..events.len()).contains(&old), "{old} of {}", events.len());
}
