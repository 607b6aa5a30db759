//! The same life told in each of Stripe's API versions gives the same answers.

use serde_json::Value;

use crate::bodies::{AI_STARTER, DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::harness::{TestApp, now};

#[tokio::test(flavor = "multi_thread")]
async fn every_version_tells_the_same() {
    let app = TestApp::start().await;
    let begin = now() - 45 * DAY;
    let mut answers: Vec<(Version, Value, Value)> = Vec::new();
    for version in Version::ALL {
        // One trainer for each, whose id has no part in the answers.
        let trainer = format!("v{}", answers.len());
        let mut story = Story::new(&trainer, version, begin);
        story.purchase(STARTER).add(AI_STARTER).pass(DAY).change_to(PROFESSIONAL);
        story.renew().pass(DAY).cancel_at_period_end(false);
        let position = app.stripe().deliver_all(&story.take()).await;
        let caller = app.trainer(&trainer);
        let mut current = caller.read_at("/api/v1/tiers/current", position).await;
        let mut features = caller.read_at("/api/v1/entitlements", position).await;
        for answer in [&mut current, &mut features] {
            let fields = answer.as_object_mut().unwrap();
            for own in ["position", "trainer_id", "evaluated_at"] {
                fields.remove(own);
            }
        }
        answers.push((version, current, features));
    }
    let (_, current, features) = answers.last().expect("there are versions");
    assert_eq!(current["tier"]["slug"], "professional", "{current}");
    assert_eq!(current["status"], "active");
    assert!(current["cancel_at"].is_string(), "{current}");
    for (version, other_current, other_features) in &answers {
        assert_eq!(other_current, current, "{version:?}");
        assert_eq!(other_features, features, "{version:?}");
    }
    let recorded = "SELECT count(*) FROM event
        WHERE type = 'StripeEventRecorded' AND convert_from(data, 'UTF8') LIKE '%unusable%'";
    assert_eq!(app.database.number(recorded).await, 0, "every version can be read");
}

/// A subscription whose parts are whole objects instead of ids.
#[tokio::test(flavor = "multi_thread")]
async fn an_expanded_object_tells_the_same() {
    let app = TestApp::start().await;
    let begin = now() - DAY;
    let mut answers = Vec::new();
    for (trainer, expand) in [("ids", false), ("objects", true)] {
        let mut story = Story::new(trainer, Version::Basil, begin);
        story.purchase(STARTER);
        let mut webhooks = story.take();
        if expand {
            webhooks
                .iter_mut()
                .for_each(|webhook| expand_references(&mut webhook["data"]["object"]));
        }
        let position = app.stripe().deliver_all(&webhooks).await;
        let mut current = app.trainer(trainer).read_at("/api/v1/tiers/current", position).await;
        for own in ["position", "trainer_id"] {
            current.as_object_mut().unwrap().remove(own);
        }
        answers.push(current);
    }
    assert_eq!(answers[0]["tier"]["slug"], "starter");
    assert_eq!(answers[0], answers[1]);
}

fn expand_references(object: &mut Value) {
    for (field, kind) in [("customer", "customer"), ("subscription", "subscription")] {
        if let Some(id) = object[field].as_str() {
            object[field] = serde_json::json!({
                "id": id, "object": kind, "email": "jenny.rosen@example.test", "livemode": false,
            });
        }
    }
}
