//! The same life told in each of Stripe's API versions gives the same answers.

use serde_json::{Value, json};

use crate::bodies::{AI_STARTER, DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::harness::{TestApp, now};

#[tokio::test(flavor = "multi_thread")]
async fn every_version_tells_the_same() {
    let app = TestApp::start().await;
    let begin = now() - 75 * DAY;
    let mut answers: Vec<(Version, Value)> = Vec::new();
    for version in Version::ALL {
        // One trainer for each, whose id has no part in the answers.
        let trainer = format!("v{}", answers.len());
        let mut story = Story::new(&trainer, version, begin);
        story.purchase(STARTER).add(AI_STARTER).pass(DAY).change_to(PROFESSIONAL);
        story.renew().pass(DAY).refund(300).dispute().pass(DAY).decide_dispute("won");
        story.renewal_fails().pass(3 * DAY).recover();
        story.pass(DAY).cancel_at_period_end(false);
        let position = app.stripe().deliver_all(&story.take()).await;
        let caller = app.trainer(&trainer);
        let mut answer = json!({
            "current": caller.read_at("/api/v1/tiers/current", position).await,
            "features": caller.read_at("/api/v1/entitlements", position).await,
            "history": caller.read_at("/api/v1/tiers/history?limit=100", position).await,
        });
        forget_who(&mut answer, &trainer);
        answers.push((version, answer));
    }
    let (_, answer) = answers.last().expect("there are versions");
    let current = &answer["current"];
    assert_eq!(current["tier"]["slug"], "professional", "{current}");
    assert_eq!(current["status"], "active");
    assert!(current["cancel_at"].is_string(), "{current}");
    let payments = answer["history"]["payments"].as_array().expect("payments");
    let has = |kind: &str, status: &str| {
        payments.iter().any(|row| row["kind"] == kind && row["status"] == status)
    };
    assert!(has("payment", "requires_payment_method"), "{payments:#?}");
    assert!(has("refund", "succeeded") && has("dispute", "won"), "{payments:#?}");
    for (version, other) in &answers {
        assert_eq!(other, answer, "{version:?}");
    }
    let recorded = "SELECT count(*) FROM event
        WHERE type = 'StripeEventRecorded' AND convert_from(data, 'UTF8') LIKE '%unusable%'";
    assert_eq!(app.database.number(recorded).await, 0, "every version can be read");
}

/// Takes away what is a trainer's own: names, ids, and positions in the log.
fn forget_who(answer: &mut Value, trainer: &str) {
    match answer {
        Value::Object(fields) => {
            for own in ["position", "trainer_id", "evaluated_at", "cursor"] {
                fields.remove(own);
            }
            fields.values_mut().for_each(|value| forget_who(value, trainer));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| forget_who(value, trainer)),
        // How many objects and events there were before depends on the version.
        Value::String(text) => {
            if let Some((kind, _)) = text.split_once(&format!("_{trainer}_")) {
                *text = kind.to_owned();
            }
        }
        _ => {}
    }
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
            object[field] = json!({
                "id": id, "object": kind, "email": "jenny.rosen@example.test", "livemode": false,
            });
        }
    }
}
