//! The same webhook again: any number of times, at the same moment and later.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::task::JoinSet;

use super::{some_webhook, stored};
use crate::bodies::{DAY, STARTER, Story, Version};
use crate::check::verify_log;
use crate::harness::{Stripe, TestApp, now};

const DELIVERIES: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_deliveries_at_once_are_one_event() {
    let mut app = TestApp::start().await;
    let webhook = some_webhook("evt_once");
    let answers = deliver_at_once(&[app.stripe()], &webhook).await;
    let (position, _) = stored(&app, "evt_once").await;
    let expected = BTreeMap::from([
        (("appended".to_owned(), position), 1),
        (("already_appended".to_owned(), position), DELIVERIES - 1),
    ]);
    assert_eq!(answers, expected);

    app.stop().await;
    app.start_service().await;
    let answers = deliver_at_once(&[app.stripe()], &webhook).await;
    let again = BTreeMap::from([(("already_appended".to_owned(), position), DELIVERIES)]);
    assert_eq!(answers, again, "after a restart");
    verify_log(app.owner(), "default").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_to_two_services_are_one_event() {
    let app = TestApp::start().await;
    let other = app.another().await;
    let webhook = some_webhook("evt_twice");
    let answers = deliver_at_once(&[app.stripe(), other.stripe()], &webhook).await;
    let (position, _) = stored(&app, "evt_twice").await;
    let expected = BTreeMap::from([
        (("appended".to_owned(), position), 1),
        (("already_appended".to_owned(), position), DELIVERIES - 1),
    ]);
    assert_eq!(answers, expected);
    verify_log(app.owner(), "default").await;
}

/// Two deliveries of one event can differ: a counter, and the version in which it is rendered.
#[tokio::test(flavor = "multi_thread")]
async fn the_id_alone_makes_a_duplicate() {
    let app = TestApp::start().await;
    let begin = now() - DAY;
    let bought = |version: Version| -> Value {
        let mut story = Story::new("t1", version, begin);
        story.purchase(STARTER);
        let is_creation = |webhook: &Value| webhook["type"] == "customer.subscription.created";
        let mut webhook = story.take().into_iter().find(is_creation).expect("a subscription");
        webhook["id"] = "evt_rendered".into();
        webhook
    };
    let newest = bought(Version::Endive);
    let first = app.stripe().post(&newest).await.expect(200);
    for (nth, version) in (2..).zip(Version::ALL) {
        let mut webhook = bought(version);
        webhook["pending_webhooks"] = nth.into();
        let is_as_new = webhook["data"] == newest["data"];
        assert!(!is_as_new || version > Version::Of2017, "{version:?} has a shape of its own");
        let again = app.stripe().post(&webhook).await.expect(200);
        assert_eq!(again["status"], "already_appended", "{version:?}");
        assert_eq!(again["position"], first["position"], "{version:?}");
    }
    let seen = "SELECT count(*) FROM event WHERE type = 'IdReuseSeen'";
    assert_eq!(app.database.number(seen).await, 0, "nothing else was told under the id");
}

/// Another event under an id that is taken changes nothing, and is told of in the log, with what
/// came.
#[tokio::test(flavor = "multi_thread")]
async fn another_content_under_a_known_id_is_noticed() {
    let app = TestApp::start().await;
    let mut webhook = some_webhook("evt_reused");
    let first = app.stripe().post(&webhook).await.expect(200);
    webhook["type"] = "customer.updated".into();
    webhook["data"]["object"]["delinquent"] = true.into();
    webhook["data"]["object"]["description"] = "a note on somebody".into();
    for _ in 0..2 {
        let again = app.stripe().post(&webhook).await.expect(200);
        assert_eq!(again["status"], "already_appended");
        assert_eq!(again["position"], first["position"]);
    }
    let auditor = app.auditor();
    let path = "/api/v1/audit/events?type=IdReuseSeen";
    let listed = auditor.get(path).await.expect(200);
    let notes = listed["events"].as_array().expect("a list");
    assert_eq!(notes.len(), 1, "{listed}");
    let id = notes[0]["event_id"].as_str().expect("an id");
    let note = auditor.get(&format!("/api/v1/audit/events/{id}")).await.expect(200);
    assert_eq!(note["data"]["position"], first["position"]);
    assert_eq!(note["metadata"]["redaction_version"], 1);
    let body: Value = serde_json::from_str(note["body"].as_str().expect("a body")).expect("JSON");
    for (at, came) in [
        ("/id", &webhook["id"]),
        ("/type", &webhook["type"]),
        ("/created", &webhook["created"]),
        ("/data/object/id", &webhook["data"]["object"]["id"]),
        ("/data/object/delinquent", &webhook["data"]["object"]["delinquent"]),
    ] {
        assert_eq!(body.pointer(at), Some(came), "{at} of {body}");
    }
    assert!(!note.to_string().contains("somebody"), "it is redacted: {note}");
    verify_log(app.owner(), "default").await;
}

/// How often each answer (status and position) was given.
async fn deliver_at_once(to: &[Stripe], webhook: &Value) -> BTreeMap<(String, i64), usize> {
    let mut deliveries = JoinSet::new();
    for nth in 0..DELIVERIES {
        let (stripe, webhook) = (to[nth % to.len()].clone(), webhook.clone());
        deliveries.spawn(async move { stripe.post(&webhook).await.expect(200) });
    }
    let mut answers = BTreeMap::new();
    for answer in deliveries.join_all().await {
        let status = answer["status"].as_str().expect("a status").to_owned();
        let position = answer["position"].as_i64().expect("a position");
        *answers.entry((status, position)).or_default() += 1;
    }
    answers
}
