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

/// All events that are listed, page by page, newest first.
async fn listed(api: &Api, filter: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let from = all
            .last()
            .map(|last| format!("&starting_after={}", ids(std::slice::from_ref(last))[0]));
        let path = format!("/v1/events?limit=7{filter}{}", from.unwrap_or_default());
        let page = api.get(&path).await.json;
        all.extend(page["data"].as_array().unwrap().iter().cloned());
        if page["has_more"] == false {
            return all;
        }
    }
}

#[tokio::test]
async fn second_objects_are_listed_beside_the_first() {
    let (events, api) = disturbed(json!({"two_objects_percent": 100})).await;
    let mut listed = ids(&listed(&api, "").await);
    assert_eq!(listed.len(), events.len());
    let mut delivered = ids(&events);
    delivered.reverse();
    assert_eq!(listed, delivered);
    listed.dedup();
    assert_eq!(listed.len(), events.len());
}

/// An event has the time that it's delivered with, whoever asks for it and when.
#[tokio::test]
async fn an_event_of_a_burst_has_one_time() {
    let api = Api::usual().await;
    let receivers = [Receiver::start().await, Receiver::start().await];
    api.register(&receivers[0], "").await;
    let (endpoint, _) = api.register(&receivers[1], "").await;
    let path = format!("/simulator/webhook_endpoints/{endpoint}/adversary");
    api.control(&path, &json!({"same_second": 60})).await;
    let first = api.running.with_world(|world| world.now());
    api.post("/v1/customers", "name=Ada").await;
    api.control("/simulator/advance", &json!({"seconds": 30})).await;
    let made = api.post("/v1/customers", "name=Grace").await;
    assert_eq!(made.json["created"], first + 30);
    let asked = api.get("/v1/events").await.json["data"].clone();
    api.deliver().await;
    for receiver in receivers {
        let events: Vec<Value> = receiver.take().iter().map(Received::event).collect();
        assert_eq!(events.len(), 2);
        for event in events {
            assert_eq!(event["created"], first);
            let id = event["id"].as_str().unwrap();
            let one = api.get(&format!("/v1/events/{id}")).await.json;
            assert_eq!((&one["created"], &one["data"]), (&json!(first), &event["data"]));
            let of_list = asked.as_array().unwrap().iter().find(|listed| listed["id"] == id);
            assert_eq!(of_list.unwrap()["created"], first);
        }
    }
    assert_eq!(listed(&api, &format!("&created[lte]={first}")).await.len(), 2);
    assert_eq!(listed(&api, &format!("&created[gt]={first}")).await.len(), 0);
}

#[tokio::test]
async fn versions_can_be_mixed() {
    let versions = json!({"api_versions": ["2017-08-15", "2026-10-28.endive"]});
    let (events, _) = disturbed(versions).await;
    let old = events.iter().filter(|event| event["api_version"] == "2017-08-15").count();
    assert!((1..events.len()).contains(&old), "{old} of {}", events.len());
}
