//! Purchase, trial, upgrade.

use serde_json::json;

use super::{Scene, rfc3339};
use crate::bodies::{AI_STARTER, DAY, ENTERPRISE, PROFESSIONAL, STARTER};
use crate::harness::now;

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_gives_the_tier() {
    let mut scene = Scene::since(3).await;
    let began = scene.story.now;
    scene.story.purchase(STARTER);
    scene.deliver().await;

    let current = scene.current().await;
    assert_eq!(current["trainer_id"], "t1");
    assert_eq!(current["tier"], json!({"slug": "starter", "name": "Starter", "level": 1}));
    assert_eq!((&current["status"], &current["access"]), (&json!("active"), &json!("granted")));
    assert_eq!(current["interval"], "month");
    assert_eq!(current["current_period_start"], rfc3339(began));
    assert_eq!(current["current_period_end"], rfc3339(began + 30 * DAY));
    for field in ["trial_end", "trial_days_left", "cancel_at", "scheduled_change"] {
        assert!(current[field].is_null(), "{field} of {current}");
    }
    assert_eq!(current["limits"]["customers"], json!({"limit": 9, "used": 0}));
    assert_eq!(current["available_upgrades"], json!(["professional", "enterprise"]));
    assert_eq!((&current["can_upgrade"], &current["flags"]), (&json!(true), &json!([])));

    let features = scene.features().await;
    assert_eq!(features["customers"]["limit"], 9);
    assert_eq!(features["customers"]["granted"], true);
    let all = [
        "customers",
        "analytics",
        "api_keys",
        "export_csv",
        "export_excel",
        "export_pdf",
        "bulk_operations",
        "ai_generations",
    ];
    assert_eq!(features.as_object().unwrap().len(), all.len(), "{features}");
    for feature in &all[1..] {
        assert_eq!(features[feature]["granted"], false, "{feature} of {features}");
    }

    let history = scene.history().await;
    assert_eq!(history.actions(), ["created"]);
    assert_eq!(history.step("created"), (None, Some("starter")));
    assert_eq!(history.payments("invoice"), [("paid", 2900)]);
    assert_eq!(history.payments("payment"), [("succeeded", 2900)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_feature_is_a_yes_or_a_no() {
    let mut scene = Scene::since(3).await;
    scene.story.purchase(STARTER);
    scene.deliver().await;
    let trainer = scene.trainer();
    let customers = trainer.read_at("/api/v1/entitlements/customers", scene.position).await;
    assert_eq!((&customers["limit"], &customers["remaining"]), (&json!(9), &json!(9)));

    let no = trainer.get("/api/v1/entitlements/analytics").await;
    let problem = no.expect_problem(403, "feature_not_available");
    assert_eq!(problem["feature"], "analytics");
    assert_eq!(problem["current_tier"], "starter");
    assert_eq!(problem["required_tier"], "professional");

    let unknown = trainer.get("/api/v1/entitlements/teleportation").await;
    unknown.expect_problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_gives_the_tier_and_becomes_a_subscription() {
    let mut scene = Scene::since(20).await;
    let ends = scene.story.now + 30 * DAY;
    scene.story.try_out(PROFESSIONAL, 30);
    scene.deliver().await;
    let asked = now();
    let trial = scene.current().await;
    assert_eq!(trial["tier"]["slug"], "professional");
    assert_eq!((&trial["status"], &trial["access"]), (&json!("trialing"), &json!("granted")));
    assert_eq!(trial["trial_end"], rfc3339(ends));
    let left = trial["trial_days_left"].as_i64().expect("a number of days");
    let days = |at: i64| (ends - at + DAY - 1) / DAY;
    assert!((days(now())..=days(asked)).contains(&left), "{left} days until {}", rfc3339(ends));
    let history = scene.history().await;
    assert_eq!(history.actions(), ["created", "trial_started"]);
    assert_eq!(history.payments("payment"), [], "a trial costs nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_that_ended_is_paid_for() {
    let mut scene = Scene::since(20).await;
    let ends = scene.story.now + 14 * DAY;
    scene.story.try_out(PROFESSIONAL, 14).trial_ends();
    scene.deliver().await;
    let current = scene.current().await;
    assert_eq!((&current["status"], &current["access"]), (&json!("active"), &json!("granted")));
    assert_eq!(current["current_period_start"], rfc3339(ends));
    let history = scene.history().await;
    let actions = history.actions();
    for action in ["trial_started", "trial_ended"] {
        assert_eq!(actions.iter().filter(|found| **found == action).count(), 1, "{actions:?}");
    }
    assert_eq!(history.payments("invoice"), [("paid", 0), ("paid", 7900)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_counts_at_once() {
    let mut scene = Scene::since(5).await;
    scene.story.purchase(STARTER);
    scene.deliver().await;
    scene.story.pass(DAY).change_to(PROFESSIONAL);
    scene.deliver().await;
    let current = scene.current().await;
    assert_eq!(current["tier"]["slug"], "professional");
    assert_eq!(current["limits"]["customers"]["limit"], 20);
    assert_eq!(current["available_upgrades"], json!(["enterprise"]));
    assert_eq!(scene.features().await["analytics"]["granted"], true);
    let history = scene.history().await;
    assert_eq!(history.actions(), ["created", "upgraded"]);
    assert_eq!(history.step("upgraded"), (Some("starter"), Some("professional")));

    scene.story.pass(DAY).change_to(ENTERPRISE).pass(DAY).change_to(STARTER);
    scene.deliver().await;
    assert_eq!(scene.current().await["tier"]["slug"], "starter");
    let history = scene.history().await;
    assert_eq!(history.actions(), ["created", "downgraded", "upgraded", "upgraded"]);
    assert_eq!(history.step("downgraded"), (Some("enterprise"), Some("starter")));
}

#[tokio::test(flavor = "multi_thread")]
async fn unlimited_is_written_as_null() {
    let mut scene = Scene::since(5).await;
    scene.story.purchase(ENTERPRISE);
    scene.deliver().await;
    let customers = scene.features().await["customers"].take();
    assert_eq!(customers["granted"], true);
    assert!(customers.as_object().unwrap().contains_key("limit"), "{customers}");
    assert!(customers["limit"].is_null() && customers["remaining"].is_null(), "{customers}");
    let current = scene.current().await;
    assert_eq!(
        (&current["can_upgrade"], &current["available_upgrades"]),
        (&json!(false), &json!([]))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_add_on_stands_beside_the_tier() {
    let mut scene = Scene::since(5).await;
    scene.story.purchase(STARTER).pass(DAY).add(AI_STARTER);
    scene.deliver().await;
    let with = scene.current().await;
    assert_eq!(with["add_ons"][0]["slug"], "ai_starter", "{with}");
    assert_eq!(with["add_ons"][0]["status"], "active");
    let features = scene.features().await;
    assert_eq!(features["ai_generations"]["limit"], 100);

    scene.story.pass(DAY).drop_add_on();
    scene.deliver().await;
    let without = scene.current().await;
    assert_eq!(without["add_ons"], json!([]));
    for field in ["tier", "status", "access", "current_period_start", "current_period_end"] {
        assert_eq!(without[field], with[field], "{field}");
    }
    assert_eq!(scene.features().await["ai_generations"]["granted"], false);
}
