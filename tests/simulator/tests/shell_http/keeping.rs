//! An account that is there again after a restart.

use std::path::Path;

use ledger_simulator::shell::{Account, Config, Endpoint, Keeping, StartError};
use serde_json::{Value, json};

use crate::harness::{Api, Receiver, config, send};

const BYTES_MAX: u64 = 1 << 20;

fn kept_in(path: &Path, salt: u64) -> Config {
    let keeping = Keeping { path: path.to_owned(), salt, bytes_max: BYTES_MAX };
    Config { keeping: Some(keeping), ..config() }
}

async fn ids_of_events(api: &Api) -> Vec<String> {
    let page = api.get("/v1/events?limit=100").await.json;
    assert_eq!(page["has_more"], false);
    let events = page["data"].as_array().unwrap();
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_restart_changes_nothing_that_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let receiver = Receiver::start().await;
    let api = Api::start(kept_in(&path, 1)).await;
    let (hook, _) = api.register(&receiver, "").await;
    // Nothing is due, and yet what comes next has another time.
    api.control("/simulator/advance", &json!({ "seconds": 60 })).await;
    let subscription = api.subscribe().await;
    let declined = "customer=cus_nobody&items[0][price]=price_none";
    assert_eq!(api.post("/v1/subscriptions", declined).await.status, 404);
    api.deliver().await;
    assert!(!receiver.take().is_empty());
    api.control("/simulator/advance", &json!({ "seconds": 40 * 86_400 })).await;
    let keyed = api.posting("/v1/customers", "name=Keyed").header("idempotency-key", "key-1");
    let first = send(keyed).await;
    let (events, truth) = (ids_of_events(&api).await, api.running.with_world(|it| it.truth()));
    let endpoint = api.get(&format!("/v1/webhook_endpoints/{hook}")).await.json;
    api.running.stop().await;

    let api = Api::start(kept_in(&path, 2)).await;
    assert_eq!(ids_of_events(&api).await, events);
    assert_eq!(api.running.with_world(|world| world.truth()), truth);
    assert_eq!(api.get(&format!("/v1/webhook_endpoints/{hook}")).await.json, endpoint);
    let path_of = format!("/v1/subscriptions/{}", subscription["id"].as_str().unwrap());
    assert_eq!(api.get(&path_of).await.json["id"], subscription["id"]);
    let keyed = api.posting("/v1/customers", "name=Keyed").header("idempotency-key", "key-1");
    let again = send(keyed).await;
    assert_eq!((again.header("idempotent-replayed"), &again.json), ("true", &first.json));

    // What had arrived isn't delivered again, and what hadn't is.
    api.deliver().await;
    let late = receiver.take();
    assert!(late.iter().any(|one| one.event()["type"] == "invoice.paid"));
    assert!(late.iter().all(|one| one.event()["type"] != "product.created"));
    api.running.stop().await;

    let api = Api::start(kept_in(&path, 3)).await;
    api.deliver().await;
    assert_eq!(receiver.take_types(), Vec::<String>::new());
}

#[tokio::test]
async fn no_id_is_given_twice_even_if_the_last_lines_were_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let api = Api::start(kept_in(&path, 1)).await;
    let before = std::fs::read(&path).unwrap();
    let lost = api.post("/v1/customers", "name=Lost").await;
    api.running.stop().await;
    std::fs::write(&path, before).unwrap();
    let api = Api::start(kept_in(&path, 2)).await;
    let other = api.post("/v1/customers", "name=Other").await;
    assert_ne!(lost.id(), other.id());
    assert_ne!(lost.header("request-id"), other.header("request-id"));
}

#[tokio::test]
async fn a_journal_of_other_deeds_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let api = Api::start(kept_in(&path, 1)).await;
    api.post("/v1/products", "name=Starter").await;
    api.post("/v1/products", "name=Enterprise").await;
    api.running.stop().await;
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"name\":\"Starter\"", "\"nome\":\"Starter\"", 1))
        .unwrap();
    let error = Account::open(kept_in(&path, 2)).err().unwrap();
    assert!(matches!(error, StartError::Journal(_)), "{error}");
    let told = error.to_string();
    assert!(told.starts_with("from line 4 of ") && told.contains("begin anew"), "{told}");
}

#[tokio::test]
async fn a_full_journal_lets_nothing_happen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let mut config = kept_in(&path, 1);
    config.keeping.as_mut().unwrap().bytes_max = 2_000;
    let api = Api::start(config).await;
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(api.post("/v1/customers", "name=Somebody").await);
    }
    let refused = answers.last().unwrap();
    assert_eq!(refused.status, 500, "{refused:?}");
    let message = refused.json["error"]["message"].as_str().unwrap();
    assert!(message.contains("2000 bytes") && message.contains("begin anew"), "{message}");
    let made = answers.iter().filter(|answer| answer.status == 200).count();
    let listed = api.get("/v1/customers").await.json;
    assert_eq!(listed["data"].as_array().unwrap().len(), made);
}

#[tokio::test]
async fn an_endpoint_can_come_late_and_gets_what_it_missed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let receiver = Receiver::start().await;
    let endpoint = || Endpoint {
        url: receiver.url.clone(),
        secret: "whsec_of_the_test".to_owned(),
        enabled_events: vec!["*".to_owned()],
        api_version: None,
        adversary: None,
    };
    let api = Api::start(kept_in(&path, 1)).await;
    api.subscribe().await;
    api.running.attach("we_own", endpoint()).unwrap();
    let count = ids_of_events(&api).await.len();
    assert_eq!(api.running.backlog("we_own"), count);
    receiver.answer_with(&[500]);
    api.deliver().await;
    assert_eq!((receiver.take().len(), api.running.backlog("we_own")), (count, 1));
    api.running.stop().await;

    // The one that failed is tried again, and no other.
    let api = Api::start(kept_in(&path, 2)).await;
    api.running.attach("we_own", endpoint()).unwrap();
    api.deliver().await;
    let received: Vec<Value> = receiver.take().iter().map(|one| one.event()).collect();
    assert_eq!((received.len(), api.running.backlog("we_own")), (1, 0), "{received:?}");
}
