//! Cancellations.

use serde_json::{Value, json};

use super::{Scene, rfc3339};
use crate::bodies::{DAY, STARTER, Version};

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_at_the_periods_end_keeps_access_until_then() {
    for (version, flexible) in [(Version::Acacia, false), (Version::Endive, true)] {
        let mut scene = Scene::of(version, 4).await;
        scene.story.purchase(STARTER).pass(DAY).cancel_at_period_end(flexible);
        scene.deliver().await;
        let current = scene.current().await;
        let expect = (&json!("active"), &json!("granted"));
        assert_eq!((&current["status"], &current["access"]), expect, "{version:?}");
        assert_eq!(current["tier"]["slug"], "starter");
        assert_eq!(current["cancel_at"], rfc3339(scene.story.tier().period.1), "{version:?}");
        assert_eq!(scene.history().await.actions(), ["cancel_scheduled", "created"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_has_passed_counts_without_a_webhook() {
    let mut scene = Scene::since(40).await;
    scene.story.purchase(STARTER).pass(DAY).cancel_at_period_end(true);
    scene.deliver().await;
    expect_gone(&scene.current().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_at_once_ends_access() {
    let mut scene = Scene::since(4).await;
    scene.story.purchase(STARTER).pass(DAY).cancel_now();
    scene.deliver().await;
    expect_gone(&scene.current().await);
    let no = scene.trainer().get("/api/v1/entitlements/customers").await;
    assert_eq!(no.status, 403, "{no:?}");
    let history = scene.history().await;
    assert_eq!(history.actions(), ["cancelled", "created"]);
    assert_eq!(history.step("cancelled").0, Some("starter"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_never_comes_back() {
    let mut scene = Scene::since(6).await;
    scene.story.purchase(STARTER).pass(DAY).cancel_at_period_end(true);
    let mut webhooks = scene.story.take();
    scene.story.pass(DAY).cancel_now();
    let deleted = scene.story.take();
    let late = webhooks.pop().expect("the update");
    let stripe = scene.app.stripe();
    stripe.deliver_all(&webhooks).await;
    stripe.deliver_all(&deleted).await;
    scene.position = stripe.deliver(&late).await;
    expect_gone(&scene.current().await);
}

fn expect_gone(current: &Value) {
    assert!(current["tier"].is_null(), "{current}");
    assert_eq!((&current["status"], &current["access"]), (&json!("canceled"), &json!("none")));
}
