//! Why a feature is granted or not, and what would change that.

use serde_json::{Value, json};

use crate::bodies::{AI_STARTER, DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::harness::{Caller, TestApp, now};

const PATH: &str = "/api/v1/entitlements";

/// A ledger that was told a story of `t1`, which began some days ago.
async fn told(days: i64, tell: impl FnOnce(&mut Story)) -> (TestApp, i64) {
    let app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - days * DAY);
    tell(&mut story);
    let position = app.stripe().deliver_all(&story.take()).await;
    (app, position)
}

async fn explain(caller: &Caller, feature: &str, position: i64) -> Value {
    caller.read_at(&format!("{PATH}/{feature}/explain"), position).await
}

/// Records usage, and tells the position.
async fn record(app: &TestApp, feature: &str, quantity: i64) -> i64 {
    let body = json!({"trainer": "t1", "quantity": quantity});
    let used = app.service().post(&format!("/api/v1/usage/{feature}/record"), &body).await;
    used.expect(200)["position"].as_i64().expect("a position")
}

fn step<'a>(told: &'a Value, what: &str) -> &'a Value {
    let steps = told["steps"].as_array().expect("steps");
    let found = steps.iter().find(|step| step["what"] == what);
    found.unwrap_or_else(|| panic!("no {what}: {told}"))
}

/// The ways out, in a word each.
fn ways(told: &Value) -> Vec<&str> {
    let ways = told["what_would_change_it"].as_array().expect("ways");
    ways.iter().map(|way| way["what"].as_str().expect("a word")).collect()
}

fn way<'a>(told: &'a Value, what: &str) -> &'a Value {
    let ways = told["what_would_change_it"].as_array().expect("ways");
    ways.iter().find(|way| way["what"] == what).unwrap_or_else(|| panic!("no {what}: {told}"))
}

/// Every step cites an event, and every event that is cited can be looked up where the answer says.
async fn cited(app: &TestApp, told: &Value) {
    let auditor = app.auditor();
    let steps = told["steps"].as_array().expect("steps");
    let ways = told["what_would_change_it"].as_array().expect("ways");
    let mut count = 0;
    for event in steps.iter().chain(ways).flat_map(|step| step["events"].as_array().unwrap()) {
        let found = auditor.get(event["href"].as_str().expect("a link")).await.expect(200);
        assert_eq!(found["event_id"], event["event_id"]);
        count += 1;
    }
    assert!(count > 0, "{told}");
    for step in steps.iter().filter(|step| step["says"] != "Nothing was used.") {
        assert_ne!(step["events"], json!([]), "{step}");
    }
    for says in steps.iter().chain(ways).map(|step| step["says"].as_str().expect("a sentence")) {
        assert!(says.ends_with('.') && says.starts_with(char::is_uppercase), "{says}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_is_explained_by_what_gives_it() {
    let (app, position) = told(3, |story| {
        story.purchase(STARTER).pass(DAY).change_to(PROFESSIONAL).add(AI_STARTER);
    })
    .await;
    let told = explain(&app.trainer("t1"), "analytics", position).await;
    cited(&app, &told).await;
    assert_eq!((&told["allowed"], &told["code"]), (&json!(true), &Value::Null));
    assert_eq!(told["entitlement"]["source"], "tier");
    for what in ["subscription", "created", "plan_changed", "link", "catalog"] {
        assert_eq!(step(&told, what)["events"].as_array().map(Vec::len), Some(1), "{what}");
    }
    let changed = step(&told, "plan_changed")["says"].as_str().expect("a sentence");
    assert!(changed.contains("from Starter to Professional"), "{changed}");
    assert_eq!(ways(&told), Vec::<&str>::new());

    let told = explain(&app.trainer("t1"), "ai_generations", position).await;
    let says = step(&told, "subscription")["says"].as_str().expect("a sentence");
    assert!(says.contains("AI Starter"), "{says}");
    assert_eq!(step(&told, "window")["events"], step(&told, "subscription")["events"]);
    let told = explain(&app.trainer("stranger"), "ai_generations", position).await;
    assert_eq!(step(&told, "window")["events"], step(&told, "catalog")["events"]);
    cited(&app, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_used_up_is_explained_by_usage() {
    let (app, _) = told(3, |story| {
        story.purchase(STARTER).add(AI_STARTER);
    })
    .await;
    record(&app, "customers", 4).await;
    record(&app, "customers", 5).await;
    let position = record(&app, "ai_generations", 100).await;
    let caller = app.trainer("t1");
    let told = explain(&caller, "customers", position).await;
    cited(&app, &told).await;
    assert_eq!((&told["allowed"], &told["code"]), (&json!(false), &json!("limit_reached")));
    assert_eq!(step(&told, "usage")["events"].as_array().map(Vec::len), Some(2));
    assert_eq!(ways(&told), ["release", "tier"]);
    assert_eq!(way(&told, "release")["quantity"], 1);
    assert_eq!(way(&told, "tier")["plan"], "professional");

    let told = explain(&caller, "ai_generations", position).await;
    cited(&app, &told).await;
    assert_eq!(told["code"], "quota_exhausted");
    assert_eq!(ways(&told), ["add_on", "time"]);
    let again = way(&told, "time");
    assert_eq!(again["at"], told["entitlement"]["period_end"]);
    assert_eq!((&again["allowed"], &again["limit"]), (&json!(true), &json!(100)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_paid_is_explained_by_what_is_owed() {
    let (app, position) = told(34, |story| {
        story.purchase(PROFESSIONAL).pass(30 * DAY).renewal_fails();
    })
    .await;
    let told = explain(&app.trainer("t1"), "analytics", position).await;
    cited(&app, &told).await;
    assert_eq!((&told["allowed"], &told["code"]), (&json!(true), &Value::Null));
    step(&told, "payment_failed");
    step(&told, "invoice");
    assert_eq!(ways(&told), ["pay", "time"]);
    let pay = way(&told, "pay");
    assert!(pay["amount_minor"].as_i64() > Some(0) && pay["currency"] == "usd", "{pay}");
    let locked = way(&told, "time");
    assert_eq!(
        (&locked["allowed"], &locked["code"]),
        (&json!(false), &json!("subscription_inactive"))
    );
    // And so it is said of an instant after that, had it been asked about then.
    let (app, position) = self::told(45, |story| {
        story.purchase(PROFESSIONAL).pass(30 * DAY).renewal_fails();
    })
    .await;
    let told = explain(&app.trainer("t1"), "analytics", position).await;
    assert_eq!((&told["code"], ways(&told)), (&json!("subscription_inactive"), vec!["pay"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_or_never_began_is_explained() {
    let (app, position) = told(20, |story| {
        story.try_out(PROFESSIONAL, 14);
    })
    .await;
    let caller = app.trainer("t1");
    let told = explain(&caller, "analytics", position).await;
    cited(&app, &told).await;
    assert_eq!((&told["code"], ways(&told)), (&json!("trial_expired"), vec!["buy"]));
    step(&told, "trial_started");

    let (app, position) = self::told(9, |story| {
        story.purchase(PROFESSIONAL).pass(DAY).cancel_now();
    })
    .await;
    let told = explain(&app.trainer("t1"), "analytics", position).await;
    cited(&app, &told).await;
    assert_eq!((&told["code"], ways(&told)), (&json!("subscription_inactive"), vec!["buy"]));
    step(&told, "cancelled");

    let told = explain(&app.trainer("stranger"), "analytics", position).await;
    assert_eq!((&told["code"], ways(&told)), (&json!("feature_not_available"), vec!["tier"]));
    assert_eq!(step(&told, "nothing")["events"], step(&told, "catalog")["events"]);
    cited(&app, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_says_what_the_decision_says_now_and_then() {
    let app = TestApp::start().await;
    let begin = now() - 9 * DAY;
    let mut story = Story::new("t1", Version::Clover, begin);
    story.purchase(STARTER).add(AI_STARTER);
    app.stripe().deliver_all(&story.take()).await;
    let position = record(&app, "customers", 9).await;
    let caller = app.trainer("t1");
    let before = caller.read_at(PATH, position).await;
    story.pass(DAY).change_to(PROFESSIONAL);
    let position = app.stripe().deliver_all(&story.take()).await;
    let after = caller.read_at(PATH, position).await;
    let (early, late) = (&before["evaluated_at"], &after["evaluated_at"]);
    let features = after["features"].as_object().expect("features");
    for feature in features.keys() {
        for query in [
            String::new(),
            format!("?as_of={}", early.as_str().unwrap()),
            format!("?known_at={}", early.as_str().unwrap()),
            format!("?known_at={}", late.as_str().unwrap()),
        ] {
            let decided = caller.get(&format!("{PATH}/{feature}{query}")).await;
            let told = caller.get(&format!("{PATH}/{feature}/explain{query}")).await.expect(200);
            let decision = decided.json();
            assert_eq!(told["allowed"], decided.status == 200, "{feature}{query}: {told}");
            assert_eq!(told["code"], decision["code"], "{feature}{query}");
            if decided.status == 200 {
                for (name, value) in told["entitlement"].as_object().expect("a feature") {
                    assert_eq!(decision[name], *value, "{feature}{query}");
                }
            }
        }
    }
    let then = format!("{PATH}/customers/explain?known_at={}", early.as_str().unwrap());
    let told = caller.get(&then).await.expect(200);
    assert_eq!((&told["code"], &told["evaluated_at"]), (&json!("limit_reached"), early));
    assert_eq!(told["position"], before["position"]);
    cited(&app, &told).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_know_is_told() {
    let (app, position) = told(3, |story| {
        story.purchase(STARTER);
    })
    .await;
    let path = format!("{PATH}/analytics/explain");
    let named = format!("{path}?trainer=t1");
    let own = explain(&app.trainer("t1"), "analytics", position).await;
    for caller in [app.service(), app.auditor(), app.trainer("t1")] {
        let told = caller.get(&named).await.expect(200);
        for member in ["trainer_id", "code", "says", "steps", "what_would_change_it"] {
            assert_eq!(told[member], own[member]);
        }
    }
    for caller in [app.trainer("t2"), app.operator()] {
        caller.get(&named).await.expect_problem(403, "forbidden");
    }
    for caller in [app.service(), app.auditor()] {
        caller.get(&path).await.expect_problem(400, "invalid_request");
    }
    app.anyone().get(&named).await.expect_problem(401, "unauthenticated");
    let caller = app.trainer("t1");
    let unknown = format!("{PATH}/flying/explain");
    caller.get(&unknown).await.expect_problem(404, "not_found");
    let ahead = format!("{path}?as_of=9999-01-01T00:00:00Z");
    caller.get(&ahead).await.expect_problem(422, "invalid_request");
    caller.get(&format!("{path}?as_of=now")).await.expect_problem(400, "invalid_request");
}
