//! `Idempotency-Key`.

use futures::future::join_all;
use serde_json::{Value, json};

use super::{app_with, counted, settled, starter};
use crate::bodies::STARTER;
use crate::check::verify_log;
use crate::harness::{Claims, TestApp};

const CONSUME: &str = "/api/v1/usage/customers/consume";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_once_and_for_one_request() {
    let app = starter().await;
    let other = app.another().await;
    let callers = [app.service(), other.service()];
    let body = json!({ "trainer": "t1", "quantity": 2 });
    for key in ["two words", "one"] {
        let calls = (0..20).map(|n| settled(&callers[n % 2], CONSUME, &body, Some(key)));
        let answers: Vec<_> = join_all(calls).await.iter().map(|a| a.expect(200)).collect();
        assert!(answers.iter().all(|a| a["position"] == answers[0]["position"]), "{answers:?}");
    }
    assert_eq!(counted(&app).await, 4);

    let other_content = json!({ "trainer": "t1", "quantity": 1 });
    let reused = settled(&callers[0], CONSUME, &other_content, Some("one")).await;
    reused.expect_problem(422, "idempotency_key_reused");
    // Another subject, another act, another trainer: another request.
    let somebody = app.caller(&Claims::of("service", "another-service"));
    settled(&somebody, CONSUME, &other_content, Some("one")).await.expect(200);
    let record = "/api/v1/usage/customers/record";
    settled(&callers[0], record, &other_content, Some("one")).await.expect(200);
    let t2 = json!({ "trainer": "t2", "quantity": 1 });
    settled(&callers[0], record, &t2, Some("one")).await.expect(200);
    assert_eq!(counted(&app).await, 6);
}

/// The only event of a type, by its id.
async fn only(app: &TestApp, kind: &str) -> String {
    let path = format!("/api/v1/audit/events?type={kind}");
    let told = app.auditor().get(&path).await.expect(200);
    let [event] = &told["events"].as_array().expect("events")[..] else { panic!("{told}") };
    event["event_id"].as_str().expect("an id").to_owned()
}

/// Under a key, and again: both are told of the same event, the only one for all of it.
async fn consume_once(app: &TestApp, key: &str) {
    let body = json!({ "trainer": "t1" });
    let first = settled(&app.service(), CONSUME, &body, Some(key)).await.expect(200);
    let again = settled(&app.service(), CONSUME, &body, Some(key)).await.expect(200);
    assert_eq!(first["position"], again["position"]);
}

/// Appended as an event of its own, and known when it comes again.
async fn deliver_once(app: &TestApp, webhook: &Value) {
    let first = app.stripe().post(webhook).await.expect(200);
    assert_eq!(first["status"], "appended", "{first}");
    let again = app.stripe().post(webhook).await.expect(200);
    let expected = (&json!("already_appended"), &first["position"]);
    assert_eq!((&again["status"], &again["position"]), expected, "{again}");
}

/// Callers' keys and Stripe's ids never meet, whichever comes first, also where a key is one of
/// Stripe's ids, or one of Stripe's ids is the one that the ledger made of a key.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_and_an_event_id_of_stripes_have_nothing_in_common() {
    const FIRST: &str = "evt_1NG8Du2eZvKYlo2C";
    const SECOND: &str = "evt_1NG8Dv2eZvKYlo2D";
    let (app, mut story) = app_with("t1", STARTER).await;
    let mut tell = async |app: &TestApp, id: &str| {
        story.pass(60).cancel_at_period_end(true);
        let mut webhook = story.take().remove(0);
        webhook["id"] = json!(id);
        deliver_once(app, &webhook).await;
    };
    // An id of Stripe's becomes a key, a key becomes an id of Stripe's, and so does what the ledger
    // made of a key.
    tell(&app, FIRST).await;
    consume_once(&app, FIRST).await;
    let made = only(&app, "UsageConsumed").await;
    consume_once(&app, SECOND).await;
    tell(&app, SECOND).await;
    tell(&app, &made).await;
    consume_once(&app, FIRST).await;
    assert_eq!(counted(&app).await, 2);

    // The other way round, in a ledger of its own: the same key makes the same id.
    let other = starter().await;
    tell(&other, &made).await;
    consume_once(&other, FIRST).await;
    assert_eq!(only(&other, "UsageConsumed").await, made);
    assert_eq!(counted(&other).await, 1);
    for app in [&app, &other] {
        let reused = "SELECT count(*) FROM event WHERE type = 'IdReuseSeen'";
        assert_eq!(app.database.number(reused).await, 0);
        verify_log(app.owner(), "default").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_is_not_remembered() {
    let app = starter().await;
    let service = app.service();
    let body = json!({ "trainer": "t1", "quantity": 9 });
    let full = settled(&service, CONSUME, &body, None).await.expect(200);
    assert_eq!(full["warning"], "reached", "{full}");
    let one = json!({ "trainer": "t1", "quantity": 1 });
    settled(&service, CONSUME, &one, Some("k")).await.expect_problem(403, "limit_reached");
    settled(&service, "/api/v1/usage/customers/release", &one, None).await.expect(200);
    settled(&service, CONSUME, &one, Some("k")).await.expect(200);
    // What was granted once is granted to its retry, although there is no room any more.
    settled(&service, CONSUME, &one, Some("k")).await.expect(200);
    assert_eq!(counted(&app).await, 9);
}

/// Decisions are counted once, however often they are asked for again; questions are counted apart.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_decisions_and_neither_retries_nor_questions_among_them() {
    let app = starter().await;
    let service = app.service();
    let counts = async || {
        let metrics = app.anyone().get("/metrics").await.body;
        ["decisions", "checks"].map(|what| {
            ["granted", "limit_reached"].map(|outcome| {
                let name = format!("ledger_{what}_total{{outcome=\"{outcome}\"}} ");
                let value = metrics.lines().find_map(|line| line.strip_prefix(&name));
                value.and_then(|value| value.parse::<u64>().ok()).expect("it is there with 0")
            })
        })
    };
    let (all, one) = (json!({ "trainer": "t1", "quantity": 9 }), json!({ "trainer": "t1" }));
    let (check, entitled) =
        ("/api/v1/usage/t1/check/customers", "/api/v1/entitlements/customers?trainer=t1");
    service.get(check).await.expect(200);
    service.get(entitled).await.expect(200);
    assert_eq!(counts().await, [[0, 0], [2, 0]]);
    let mut position = 0;
    for _ in 0..3 {
        let granted = settled(&service, CONSUME, &all, Some("all")).await.expect(200);
        position = granted["position"].as_i64().expect("a position");
    }
    assert_eq!(counts().await, [[1, 0], [2, 0]]);
    for _ in 0..2 {
        settled(&service, CONSUME, &one, Some("one")).await.expect_problem(403, "limit_reached");
    }
    assert_eq!(counts().await, [[1, 2], [2, 0]], "a denial isn't remembered");
    service.get(check).await.expect(200);
    app.trainer("t1").read_at("/api/v1/tiers/usage", position).await;
    service.get(entitled).await.expect_problem(403, "limit_reached");
    assert_eq!(counts().await, [[1, 2], [2, 2]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_reservation_is_the_same_hold() {
    let app = starter().await;
    let service = app.service();
    let body = json!({ "trainer": "t1", "quantity": 2, "ttl": 600 });
    let path = "/api/v1/usage/customers/reserve";
    let first = settled(&service, path, &body, Some("hold")).await.expect(200);
    let again = settled(&service, path, &body, Some("hold")).await.expect(200);
    for field in ["hold", "expires_at", "position", "held"] {
        assert_eq!(first[field], again[field], "{field}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_must_be_one() {
    let app = starter().await;
    let (service, body) = (app.service(), json!({ "trainer": "t1" }));
    for key in ["", "   ", &"k".repeat(256)] {
        let answer = service.try_post_keyed(CONSUME, &body, key).await.expect("an answer");
        answer.expect_problem(400, "invalid_request");
    }
    assert_eq!(counted(&app).await, 0);
}
