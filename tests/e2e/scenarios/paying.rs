//! Renewals that succeed and fail, and money that goes back.

use serde_json::json;

use super::{Scene, rfc3339};
use crate::bodies::{DAY, STARTER};

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_moves_the_period() {
    let mut scene = Scene::since(40).await;
    let began = scene.story.now;
    scene.story.purchase(STARTER).renew();
    scene.deliver().await;
    let current = scene.current().await;
    assert_eq!((&current["status"], &current["access"]), (&json!("active"), &json!("granted")));
    assert_eq!(current["current_period_start"], rfc3339(began + 30 * DAY));
    assert_eq!(current["current_period_end"], rfc3339(began + 60 * DAY));
    let history = scene.history().await;
    assert_eq!(history.actions(), ["created", "renewed"]);
    assert_eq!(history.payments("invoice"), [("paid", 2900), ("paid", 2900)]);
    assert_eq!(history.payments("payment").len(), 2, "each payment is counted once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_renewal_leaves_time_to_pay() {
    let mut scene = Scene::since(33).await;
    scene.story.purchase(STARTER).renewal_fails();
    scene.deliver().await;
    let current = scene.current().await;
    assert_eq!((&current["status"], &current["access"]), (&json!("past_due"), &json!("grace")));
    assert_eq!(current["tier"]["slug"], "starter");
    assert_eq!(scene.features().await["customers"]["granted"], true);
    let history = scene.history().await;
    assert_eq!(history.actions(), ["created", "payment_failed", "renewed"]);
    assert_eq!(history.payments("invoice"), [("open", 2900), ("paid", 2900)]);

    scene.story.pass(DAY).recover();
    scene.deliver().await;
    let current = scene.current().await;
    assert_eq!((&current["status"], &current["access"]), (&json!("active"), &json!("granted")));
    let history = scene.history().await;
    assert_eq!(history.actions(), ["created", "payment_failed", "recovered", "renewed"]);
    assert_eq!(history.payments("invoice"), [("paid", 2900), ("paid", 2900)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_stays_unpaid_locks() {
    let mut scene = Scene::since(45).await;
    scene.story.purchase(STARTER).renewal_fails();
    scene.deliver().await;
    let current = scene.current().await;
    assert_eq!((&current["status"], &current["access"]), (&json!("past_due"), &json!("locked")));
    let no = scene.trainer().get("/api/v1/entitlements/customers").await;
    no.expect_problem(403, "subscription_inactive");

    // Paying opens it again, whenever.
    scene.story.pass(10 * DAY).recover();
    scene.deliver().await;
    assert_eq!(scene.current().await["access"], "granted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_a_payment_and_changes_no_access() {
    let mut scene = Scene::since(5).await;
    scene.story.purchase(STARTER).pass(DAY).refund(1000).pass(DAY).refund(500);
    scene.deliver().await;
    let history = scene.history().await;
    assert_eq!(history.payments("refund"), [("succeeded", 500), ("succeeded", 1000)]);
    assert_eq!(history.payments("invoice"), [("paid", 2900)]);
    assert_eq!(history.payments("payment").len(), 1);
    assert_eq!(scene.current().await["access"], "granted");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_dispute_is_flagged_until_it_is_decided() {
    let mut scene = Scene::since(9).await;
    scene.story.purchase(STARTER).pass(DAY).dispute();
    scene.deliver().await;
    let open = scene.current().await;
    assert_ne!(open["flags"], json!([]), "{open}");
    assert_eq!(open["access"], "granted");
    assert_eq!(scene.history().await.payments("dispute"), [("needs_response", 2900)]);

    scene.story.pass(DAY).decide_dispute("lost");
    scene.deliver().await;
    let closed = scene.current().await;
    assert_eq!(closed["flags"], json!([]), "{closed}");
    assert_eq!(closed["access"], "granted", "the catalogue says on_dispute_lost = keep");
    assert_eq!(scene.history().await.payments("dispute"), [("lost", 2900)]);
}
