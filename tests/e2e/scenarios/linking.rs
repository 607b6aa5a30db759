//! Whose a subscription is, and in which order that becomes known.

use serde_json::{Value, json};

use super::Scene;
use crate::bodies::{AI_STARTER, DAY, PROFESSIONAL, STARTER, Story, Version, customer};
use crate::harness::{TestApp, now};

#[tokio::test(flavor = "multi_thread")]
async fn a_trainer_nobody_has_heard_of_has_nothing() {
    let app = TestApp::start().await;
    let current = app.trainer("stranger").get("/api/v1/tiers/current").await.expect(200);
    assert!(current["tier"].is_null(), "{current}");
    assert_eq!((&current["status"], &current["access"]), (&json!("none"), &json!("none")));
    assert!(current["position"].is_i64(), "{current}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_before_the_link_wait_for_it() {
    let mut scene = Scene::since(5).await;
    scene.story = Story::new("t1", Version::Clover, now() - 5 * DAY).unnamed();
    scene.story.purchase(STARTER);
    let mut webhooks = scene.story.take();
    let checkout = webhooks.pop().expect("the checkout comes last");
    assert_eq!(checkout["type"], "checkout.session.completed");
    scene.position = scene.app.stripe().deliver_all(&webhooks).await;
    assert!(scene.current().await["tier"].is_null(), "nobody knows yet whose it is");

    scene.position = scene.app.stripe().deliver(&checkout).await;
    assert_eq!(scene.current().await["tier"]["slug"], "starter");
    let history = scene.history().await;
    assert_eq!(history.actions(), ["created"]);
    assert_eq!(history.payments("invoice"), [("paid", 2900)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_metadata_links_too() {
    let mut scene = Scene::since(5).await;
    scene.story = Story::new("t1", Version::Clover, now() - 5 * DAY).unnamed();
    scene.story.purchase(STARTER);
    let mut webhooks = scene.story.take();
    webhooks.retain(|webhook| webhook["type"] != "checkout.session.completed");
    scene.app.stripe().deliver_all(&webhooks).await;
    let id = scene.story.customer.clone();
    let linked = customer(&id, scene.story.now, &json!({ "trainer_id": "t1" }));
    scene.story.pass(DAY).tell("customer.updated", &linked);
    scene.deliver().await;
    assert_eq!(scene.current().await["tier"]["slug"], "starter");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_arrival_makes_no_difference() {
    let app = TestApp::start().await;
    let begin = now() - 45 * DAY;
    let mut answers = Vec::new();
    for (trainer, order) in [("t1", 1), ("t2", -1), ("t3", 7), ("t4", 11)] {
        let mut story = Story::new(trainer, Version::Clover, begin).unnamed();
        story.purchase(STARTER).pass(DAY).change_to(PROFESSIONAL).add(AI_STARTER);
        story.renewal_fails().pass(DAY).recover().refund(700).dispute();
        story.cancel_at_period_end(true);
        let mut webhooks = story.take();
        reorder(&mut webhooks, order);
        let position = app.stripe().deliver_all(&webhooks).await;
        let mut told = String::new();
        for path in ["/api/v1/tiers/current", "/api/v1/entitlements", "/api/v1/tiers/history"] {
            let answer = app.trainer(trainer).read_at(path, position).await;
            told += &normalised(&answer, trainer);
        }
        answers.push(told);
    }
    for other in &answers[1..] {
        pretty_assert(&answers[0], other);
    }
}

/// Backwards, or every `step`-th of the list until all are taken.
fn reorder(webhooks: &mut Vec<Value>, step: i32) {
    let count = webhooks.len();
    match usize::try_from(step) {
        Err(_) => webhooks.reverse(),
        Ok(step) => {
            let order = (0..step).flat_map(|first| (first..count).step_by(step));
            *webhooks = order.map(|at| webhooks[at].clone()).collect();
        }
    }
}

/// The answer without what must differ: names, and where in the log it is from.
fn normalised(answer: &Value, trainer: &str) -> String {
    let mut answer = answer.clone();
    let fields = answer.as_object_mut().expect("an object");
    fields.remove("position");
    fields.remove("evaluated_at");
    let text = serde_json::to_string_pretty(&answer).unwrap();
    text.replace(&format!("\"{trainer}\""), "\"T\"").replace(&format!("_{trainer}_"), "_T_")
}

fn pretty_assert(left: &str, right: &str) {
    let different = left.lines().zip(right.lines()).find(|(left, right)| left != right);
    assert!(left == right, "first difference: {different:?}\n{left}\n---\n{right}");
}
