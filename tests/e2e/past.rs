//! What the ledger says of past instants: by all that is known now, and by what was known then.

use serde_json::{Value, json};

use crate::bodies::{AI_STARTER, DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::harness::{Caller, TestApp, now};

const PATH: &str = "/api/v1/entitlements";

/// A time as the API takes it.
fn rfc3339(seconds: i64) -> String {
    let time = chrono::DateTime::from_timestamp(seconds, 0).expect("a time of our age");
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// When an answer was given.
fn given_at(answer: &Value) -> &str {
    answer["evaluated_at"].as_str().expect("an instant")
}

async fn ask(caller: &Caller, query: &str) -> Value {
    caller.get(&format!("{PATH}?{query}")).await.expect(200)
}

/// A life with something of everything, and all that was used meanwhile.
fn life(trainer: &str) -> Story {
    let mut story = Story::new(trainer, Version::Clover, now() - 45 * DAY).unnamed();
    story.purchase(STARTER).pass(DAY).change_to(PROFESSIONAL).add(AI_STARTER);
    story.renewal_fails().pass(DAY).recover().refund(700).dispute();
    story.cancel_at_period_end(true);
    story
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_live_is_what_is_said_of_that_instant() {
    let app = TestApp::start().await;
    let webhooks = life("t1").take();
    let (caller, service) = (app.trainer("t1"), app.service());
    let mut answers = Vec::new();
    for (at, webhook) in webhooks.iter().enumerate() {
        let mut position = app.stripe().deliver(webhook).await;
        if at % 4 == 3 {
            let body = json!({"trainer": "t1", "quantity": 2});
            let used = service.post("/api/v1/usage/customers/record", &body).await.expect(200);
            position = used["position"].as_i64().expect("a position");
        }
        answers.push(caller.read_at(PATH, position).await);
    }
    assert!(answers.len() > 10);
    // The trainer's tier doesn't allow so many questions.
    let ask = async |query: String| ask(&service, &format!("trainer=t1&{query}")).await;
    for live in &answers {
        let then = given_at(live);
        assert_eq!(ask(format!("known_at={then}")).await, *live);
        assert_eq!(ask(format!("as_of={then}&known_at={then}")).await, *live);
    }
    // What was told in time is the same by what is known now.
    let last = answers.last().expect("many");
    assert_eq!(ask(format!("as_of={}", given_at(last))).await, *last);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_that_comes_late_gives_two_answers() {
    let app = TestApp::start().await;
    let begin = now() - 10 * DAY;
    let mut story = Story::new("t1", Version::Clover, begin);
    story.purchase(STARTER);
    let position = app.stripe().deliver_all(&story.take()).await;
    let caller = app.trainer("t1");
    let before = caller.read_at(PATH, position).await;
    // Both happened long ago, and are told now.
    story.pass(DAY).change_to(PROFESSIONAL);
    app.stripe().deliver_all(&story.take()).await;
    story.pass(3 * DAY).cancel_now();
    let position = app.stripe().deliver_all(&story.take()).await;
    let after = caller.read_at(PATH, position).await;
    assert_eq!((&before["tier"], &after["tier"]), (&json!("starter"), &Value::Null));

    let known_before = given_at(&before);
    for (day, known_now, known_then) in [
        (-1, (None, "none"), (None, "none")),
        (0, (Some("starter"), "active"), (Some("starter"), "active")),
        (1, (Some("professional"), "active"), (Some("starter"), "active")),
        (5, (None, "canceled"), (Some("starter"), "active")),
    ] {
        let at = rfc3339(begin + day * DAY + 7_200);
        for (query, (tier, status)) in [
            (format!("as_of={at}"), known_now),
            (format!("as_of={at}&known_at={}", given_at(&after)), known_now),
            (format!("as_of={at}&known_at={known_before}"), known_then),
        ] {
            let said = ask(&caller, &query).await;
            assert_eq!(
                (&said["tier"], &said["evaluated_at"]),
                (&json!(tier), &json!(at)),
                "{query}"
            );
            assert_eq!(said["subscription_status"], status, "{query}: {said}");
        }
        // One decision says the same.
        let one = format!("{PATH}/analytics?as_of={at}");
        match known_now {
            (Some("professional"), _) => drop(caller.get(&one).await.expect(200)),
            (None, "canceled") => {
                drop(caller.get(&one).await.expect_problem(403, "subscription_inactive"));
            }
            _ => drop(caller.get(&one).await.expect_problem(403, "feature_not_available")),
        }
        let one = format!("{PATH}/analytics?as_of={at}&known_at={known_before}");
        caller.get(&one).await.expect_problem(403, "feature_not_available");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_made_later_was_not_known_then_and_holds_from_when_it_was_made() {
    let app = TestApp::start().await;
    let begin = now() - 5 * DAY;
    let mut story = Story::new("t1", Version::Clover, begin).unnamed();
    story.purchase(STARTER);
    let mut webhooks = story.take();
    let checkout = webhooks.pop().expect("the checkout comes last");
    let position = app.stripe().deliver_all(&webhooks).await;
    let caller = app.trainer("t1");
    let before = caller.read_at(PATH, position).await;
    let position = app.stripe().deliver(&checkout).await;
    let after = caller.read_at(PATH, position).await;
    assert_eq!((&before["tier"], &after["tier"]), (&Value::Null, &json!("starter")));
    let at = rfc3339(begin + DAY);
    let said = ask(&caller, &format!("as_of={at}")).await;
    assert_eq!(said["tier"], "starter", "{said}");
    let said = ask(&caller, &format!("as_of={at}&known_at={}", given_at(&before))).await;
    assert_eq!(said["tier"], Value::Null, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_is_counted_up_to_the_instant() {
    let app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - 9 * DAY);
    story.purchase(STARTER).add(AI_STARTER);
    app.stripe().deliver_all(&story.take()).await;
    let service = app.service();
    let mut last = None;
    for day in [8, 5, 2] {
        let body =
            json!({"trainer": "t1", "quantity": 10, "occurred_at": rfc3339(now() - day * DAY)});
        let used = service.post("/api/v1/usage/ai_generations/record", &body).await.expect(200);
        let position = used["position"].as_i64().expect("a position");
        last = Some(service.read_at(&format!("{PATH}?trainer=t1"), position).await);
    }
    let last = last.expect("three");
    let used = |said: &Value| said["features"]["ai_generations"]["used"].clone();
    assert_eq!(used(&last), 30);
    for (day, count) in [(9, 0), (7, 10), (4, 20), (1, 30)] {
        let query = format!("trainer=t1&as_of={}", rfc3339(now() - day * DAY + 60));
        assert_eq!(used(&ask(&service, &query).await), count, "{day} days ago");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_trainers_are_answered_as_live_by_what_is_known_now() {
    let app = TestApp::start().await;
    let mut position = 0;
    for trainer in ["t1", "t2", "t3"] {
        position = app.stripe().deliver_all(&life(trainer).take()).await;
    }
    for trainer in ["t1", "t2", "t3", "stranger"] {
        let caller = app.trainer(trainer);
        let live = caller.read_at(PATH, position).await;
        let at = given_at(&live);
        assert_eq!(ask(&caller, &format!("as_of={at}&known_at={at}")).await, live);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_asked_is_refused() {
    let app = TestApp::start().await;
    let caller = app.trainer("t1");
    let ahead = rfc3339(now() + 3_600);
    for (query, status) in [
        (format!("as_of={ahead}"), 422),
        (format!("known_at={ahead}"), 422),
        ("known_at=2001-01-01T00:00:00Z".to_owned(), 422),
        ("as_of=yesterday".to_owned(), 400),
        ("as_of=1700000000".to_owned(), 400),
        ("known_at=".to_owned(), 400),
        ("as_of=2026-01-01T00:00:00Z&as_of=2026-01-01T00:00:00Z".to_owned(), 400),
        (format!("known_at={}&min_position=1", rfc3339(now() - 1)), 400),
    ] {
        for path in [PATH.to_owned(), format!("{PATH}/customers")] {
            let answer = caller.get(&format!("{path}?{query}")).await;
            answer.expect_problem(status, "invalid_request");
        }
    }
    // Long before anything happened, by what is known now, nobody had anything.
    let said = ask(&caller, "as_of=1970-01-01T00:00:00Z").await;
    assert_eq!((&said["tier"], &said["access"]), (&Value::Null, &json!("none")));
    // The past isn't anybody's either.
    let at = rfc3339(now() - 60);
    caller.get(&format!("{PATH}?trainer=t2&as_of={at}")).await.expect_problem(403, "forbidden");
    app.auditor()
        .get(&format!("{PATH}?trainer=t2&as_of={at}"))
        .await
        .expect_problem(403, "forbidden");
}
