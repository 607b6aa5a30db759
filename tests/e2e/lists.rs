//! Lists: whole and page by page, filtered, and of nobody else's.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::bodies::{AI_STARTER, DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::harness::{Caller, TestApp, now};

/// A ledger with a trainer who has a past, and another one.
async fn app_with_a_past() -> (TestApp, i64) {
    let app = TestApp::start().await;
    let begin = now() - 40 * DAY;
    let mut position = 0;
    for trainer in ["t1", "t2"] {
        // Only the checkout says whose it is.
        let mut story = Story::new(trainer, Version::Clover, begin).unnamed();
        story.purchase(STARTER).pass(DAY).change_to(PROFESSIONAL).add(AI_STARTER);
        story.renew().refund(900);
        position = app.stripe().deliver_all(&story.take()).await;
    }
    for trainer in ["t1", "t2"] {
        app.trainer(trainer).read_at("/api/v1/tiers/history", position).await;
    }
    (app, position)
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_history_make_up_the_whole() {
    let (app, _) = app_with_a_past().await;
    let caller = app.trainer("t1");
    let whole = caller.get("/api/v1/tiers/history").await.expect(200);
    assert!(whole["cursor"].is_null(), "it fits on a page: {whole}");
    for limit in [1, 2, 3] {
        let path = format!("/api/v1/tiers/history?limit={limit}");
        let pages = all_pages(&caller, &path).await;
        for list in ["changes", "payments"] {
            let parts = pages.iter().map(|page| page[list].as_array().expect("a list"));
            let (mut joined, mut longest) = (Vec::new(), 0);
            for part in parts {
                longest = longest.max(part.len());
                joined.extend(part.iter().cloned());
            }
            assert_eq!(&json!(joined), &whole[list], "{list}, {limit} at a time");
            assert_eq!(longest, limit, "{list}");
        }
    }
    // In order of time, one way or the other.
    for list in ["changes", "payments"] {
        let entries = whole[list].as_array().unwrap();
        let times: Vec<&str> = entries.iter().map(|entry| entry["at"].as_str().unwrap()).collect();
        let is_sorted = times.is_sorted() || times.iter().rev().is_sorted();
        assert!(is_sorted && times.len() > 2, "{list}: {times:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_opens_nothing_of_another() {
    let (app, _) = app_with_a_past().await;
    let page = app.trainer("t1").get("/api/v1/tiers/history?limit=1").await.expect(200);
    let cursor = page["cursor"].as_str().expect("there is more");
    let path = format!("/api/v1/tiers/history?limit=1&cursor={cursor}");
    let others = app.trainer("t2").get(&path).await;
    assert!(!others.body.contains("t1"), "{others:?}");
    // The key of a change, and of a payment, with a zero in it: the database takes none.
    let forged = [
        r#"{"changes":["2026-01-01T00:00:00Z","\u0000",0],"payments":null}"#,
        r#"{"changes":null,"payments":["2026-01-01T00:00:00Z","\u0000",0]}"#,
    ];
    let [change, payment] = forged.map(|json| URL_SAFE_NO_PAD.encode(json));
    for broken in ["x", "%00", "bnVsbA", &cursor[1..], &change, &payment] {
        let path = format!("/api/v1/tiers/history?cursor={broken}");
        app.trainer("t1").get(&path).await.expect_problem(400, "invalid_request");
    }
    for limit in ["0", "-1", "100000", "many"] {
        let path = format!("/api/v1/tiers/history?limit={limit}");
        app.trainer("t1").get(&path).await.expect_problem(400, "invalid_request");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_lists_the_whole_log_in_order() {
    let (app, last) = app_with_a_past().await;
    let mut listed = Vec::new();
    for page in all_pages(&app.auditor(), "/api/v1/audit/events?limit=7").await {
        let events = page["events"].as_array().expect("events");
        assert!(events.len() <= 7, "{page}");
        listed.extend(events.iter().cloned());
    }
    let positions: Vec<i64> =
        listed.iter().filter_map(|event| event["position"].as_i64()).collect();
    assert_eq!(positions, (1..=last).collect::<Vec<i64>>());
    let types: BTreeSet<&str> = listed.iter().filter_map(|event| event["type"].as_str()).collect();
    for expected in ["LogOpened", "CatalogPublished", "SubscriptionReported", "RefundReported"] {
        assert!(types.contains(expected), "{expected} in {types:?}");
    }
    let one = &listed[5];
    let id = one["event_id"].as_str().unwrap();
    let whole = app.auditor().get(&format!("/api/v1/audit/events/{id}")).await.expect(200);
    for (field, value) in one.as_object().unwrap() {
        assert_eq!(&whole[field], value, "{field}");
    }
    app.auditor().get("/api/v1/audit/events/evt_none").await.expect_problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_filters() {
    let (app, last) = app_with_a_past().await;
    let list = async |query: &str| {
        let pages = all_pages(&app.auditor(), &format!("/api/v1/audit/events?{query}")).await;
        let events = pages.iter().flat_map(|page| page["events"].as_array().expect("events"));
        events.cloned().collect::<Vec<Value>>()
    };
    // Whose an event is follows from the link, which came after it.
    let of_t1 = list("trainer=t1").await;
    let types: BTreeSet<&str> = of_t1.iter().filter_map(|event| event["type"].as_str()).collect();
    for expected in ["SubscriptionReported", "InvoiceReported", "CheckoutSessionReported"] {
        assert!(types.contains(expected), "{expected} in {types:?}");
    }
    let ids = || of_t1.iter().filter_map(|event| event["event_id"].as_str());
    assert!(ids().all(|id| id.starts_with("evt_t1_")), "{:?}", ids().collect::<Vec<_>>());

    let refunds = list("type=RefundReported").await;
    assert_eq!(refunds.len(), 2);
    let at_once = list("trainer=t2&type=RefundReported").await;
    assert_eq!(at_once.len(), 1);
    assert!(at_once[0]["event_id"].as_str().unwrap().starts_with("evt_t2_"));
    let from_stripe = list("source=stripe").await;
    assert!(from_stripe.iter().all(|event| event["source"] == "stripe"));
    assert_eq!(i64::try_from(from_stripe.len()).unwrap(), last - 2, "all but the first two");
    assert_eq!(list("actor=stripe").await, from_stripe);
    assert_eq!(list("from_position=3&to_position=6").await.len(), 3);
    assert_eq!(list("trainer=nobody").await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn anyone_may_see_the_tiers() {
    let app = TestApp::start().await;
    let tiers = app.anyone().get("/api/v1/tiers").await.expect(200);
    let slugs: Vec<&str> = tiers["tiers"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tier| tier["slug"].as_str())
        .collect();
    assert_eq!(slugs, ["starter", "professional", "enterprise"]);
}

/// Follows cursors to the end.
async fn all_pages(caller: &Caller, path: &str) -> Vec<Value> {
    let mut pages = vec![caller.get(path).await.expect(200)];
    while let Some(cursor) = pages.last().and_then(|page| page["cursor"].as_str()) {
        let next = caller.get(&format!("{path}&cursor={cursor}")).await.expect(200);
        pages.push(next);
        assert!(pages.len() < 1000, "the pages have an end");
    }
    pages
}
