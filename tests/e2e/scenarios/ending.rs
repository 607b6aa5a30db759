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
    let ends = scene.story.tier().period.1;
    scene.deliver().await;
    expect_gone(&scene.current().await);
    // It has happened, whoever told of it.
    let history = scene.history().await;
    assert_eq!(history.actions(), ["cancel_scheduled", "cancelled", "created"]);
    let step = history.lapse("cancelled");
    assert_eq!((step["from"].as_str(), step["to"].as_str()), (Some("starter"), None), "{step}");
    assert_eq!(step["at"], rfc3339(ends));

    // Once Stripe tells it, it is Stripe's step.
    scene.story.now = ends;
    scene.story.cancel_now();
    scene.deliver().await;
    let history = scene.history().await;
    assert_eq!(history.actions(), ["cancel_scheduled", "cancelled", "created"]);
    assert_eq!(history.step("cancelled"), (Some("starter"), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_of_which_nobody_says_what_became_has_ended() {
    let mut scene = Scene::since(40).await;
    let ends = scene.story.now + 14 * DAY;
    scene.story.try_out(STARTER, 14);
    scene.deliver().await;
    let current = scene.current().await;
    assert_eq!((&current["status"], &current["access"]), (&json!("trialing"), &json!("locked")));
    let history = scene.history().await;
    assert_eq!(history.actions(), ["created", "trial_ended", "trial_started"]);
    let step = history.lapse("trial_ended");
    let tiers = (step["from"].as_str(), step["to"].as_str());
    assert_eq!(tiers, (Some("starter"), Some("starter")), "{step}");
    assert_eq!(step["at"], rfc3339(ends));

    scene.story.trial_ends();
    scene.deliver().await;
    let history = scene.history().await;
    assert_eq!(history.actions(), ["created", "trial_ended", "trial_started"]);
    history.step("trial_ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_time_did_has_its_place_on_the_page_where_it_belongs() {
    let mut scene = Scene::since(55).await;
    scene.story.purchase(STARTER).renewal_fails();
    let failed = scene.story.now;
    scene.story.pass(20 * DAY).cancel_at_period_end(true);
    scene.deliver().await;
    let whole = scene.history().await;
    let actions: Vec<_> = whole.changes().map(|change| change["action"].clone()).collect();
    let expected = ["cancel_scheduled", "grace_ended", "payment_failed", "renewed", "created"];
    assert_eq!(actions, expected);
    assert_eq!(whole.lapse("grace_ended")["at"], rfc3339(failed + 7 * DAY));
    for limit in 1..=5 {
        let first = format!("/api/v1/tiers/history?limit={limit}");
        let (mut path, mut joined) = (first.clone(), Vec::new());
        loop {
            let page = scene.trainer().get(&path).await.expect(200);
            joined.extend(page["changes"].as_array().expect("changes").iter().cloned());
            match page["cursor"].as_str() {
                Some(cursor) => path = format!("{first}&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(joined, whole.changes().cloned().collect::<Vec<_>>(), "{limit} at a time");
    }
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
