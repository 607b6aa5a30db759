//! What users of other billing software suffer from, each as a test by name:
//!
//! 1. a wrong status after webhooks of one second, or late ones: `pain_1_*`;
//! 2. webhooks that were missed, and nobody noticed: `pain_2_*`;
//! 3. duplicates and races: `pain_3_*`, and `webhooks::duplicates`;
//! 4. wrong acknowledgements: `pain_4_*`, and `webhooks::envelopes`, `webhooks::outage`, `crash`;
//! 5. API versions that drift apart: `pain_5_*`, and `webhooks::versions`.

use ledger_simulator::shell::render::CATALOGUE;
use ledger_simulator::world::{Config, Method};
use serde_json::{Value, json};

use super::stage::{Stage, id_of};
use crate::harness::{TestApp, eventually, now};

const HOUR: i64 = 3_600;

/// Lives one life for each order of the webhooks that are picked; the others come before. Each life
/// has a trainer and ids of its own. Nothing is odd about any of them.
async fn in_every_order(live: impl Fn(&mut Stage), is_picked: impl Fn(&Value) -> bool) {
    let listed = in_every_order_with(live, |_| {}, is_picked).await;
    assert_eq!(listed, Vec::<Value>::new(), "nothing is missing or undecided");
}

/// The same, where the webhooks are told otherwise than the simulator tells them. Returns all that
/// is listed as odd in the end.
async fn in_every_order_with(
    live: impl Fn(&mut Stage),
    alter: impl Fn(&mut [Value]),
    is_picked: impl Fn(&Value) -> bool,
) -> Vec<Value> {
    let app = TestApp::start().await;
    let mut nth = 0;
    loop {
        nth += 1;
        let mut stage = stage(nth);
        live(&mut stage);
        let mut webhooks = stage.webhooks();
        alter(&mut webhooks);
        let (mut picked, others): (Vec<_>, Vec<_>) = webhooks.into_iter().partition(&is_picked);
        let orders = orders(picked.len());
        assert!(picked.len() > 1, "there is an order to get wrong");
        let order = &orders[usize::try_from(nth).unwrap() - 1];
        picked = order.iter().map(|at| picked[*at].clone()).collect();
        app.stripe().deliver_all(&others).await;
        let position = app.stripe().deliver_all(&picked).await;
        stage.expect_truth_at(&app, position).await;
        stage.expect_invoices(&app).await;
        if usize::try_from(nth).unwrap() == orders.len() {
            let listed = app.operator().get("/api/v1/admin/anomalies").await;
            return listed.expect(200)["anomalies"].as_array().expect("a list").clone();
        }
    }
}

/// A life that began yesterday.
fn stage(nth: u64) -> Stage {
    Stage::new(&format!("t{nth}"), config(nth))
}

fn config(nth: u64) -> Config {
    Config { seed: nth, now: now() - 24 * HOUR, ..Config::default() }
}

/// All orders of so many things.
fn orders(of: usize) -> Vec<Vec<usize>> {
    let Some(last) = of.checked_sub(1) else { return vec![Vec::new()] };
    let shorter = orders(last).into_iter();
    shorter
        .flat_map(|order| {
            (0..of).map(move |place| {
                let mut longer = order.clone();
                longer.insert(place, last);
                longer
            })
        })
        .collect()
}

fn is_of(webhook: &Value, kinds: &[&str]) -> bool {
    kinds.iter().any(|kind| webhook["type"] == *kind)
}

fn change(stage: &mut Stage, subscription: &str, price: &str) {
    let item = stage.world.find(subscription).unwrap()["items"]["data"][0]["id"].clone();
    let form = json!({ "items": [{ "id": item, "price": price }], "proration_behavior": "none" });
    stage.post(&format!("subscriptions/{subscription}"), &form);
}

#[tokio::test(flavor = "multi_thread")]
async fn pain_1_created_incomplete_then_updated_active_in_one_second() {
    let live = |stage: &mut Stage| {
        let customer = stage.customer();
        let incomplete = json!({ "payment_behavior": "default_incomplete" });
        let subscription = stage.subscribe(&customer, "price_starter_month", &incomplete);
        assert_eq!(stage.status(&subscription), "incomplete");
        let invoice = stage.world.find(&subscription).unwrap()["latest_invoice"].clone();
        stage.post(&format!("invoices/{}/pay", invoice.as_str().unwrap()), &json!({}));
        assert_eq!(stage.status(&subscription), "active");
    };
    let kinds = ["customer.subscription.created", "customer.subscription.updated"];
    let is_picked = |webhook: &Value| is_of(webhook, &kinds);
    in_every_order(live, is_picked).await;
    // Without old values nothing but the kinds of the events tells which came first.
    let alter = |webhooks: &mut [Value]| {
        for webhook in webhooks.iter_mut().filter(|webhook| is_picked(webhook)) {
            webhook["data"].as_object_mut().expect("data").remove("previous_attributes");
        }
    };
    let listed = in_every_order_with(live, alter, is_picked).await;
    assert_eq!(listed, Vec::<Value>::new(), "nothing is missing or undecided");
}

#[tokio::test(flavor = "multi_thread")]
async fn pain_1_three_chained_updates_of_one_second() {
    let live = |stage: &mut Stage| {
        let customer = stage.customer();
        let subscription = stage.subscribe(&customer, "price_starter_month", &json!({}));
        stage.wait(HOUR);
        change(stage, &subscription, "price_enterprise_month");
        let end = json!({ "cancel_at_period_end": true });
        stage.post(&format!("subscriptions/{subscription}"), &end);
        change(stage, &subscription, "price_professional_month");
    };
    in_every_order(live, |webhook| is_of(webhook, &["customer.subscription.updated"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pain_1_invoice_created_finalized_and_paid_in_one_second() {
    let live = |stage: &mut Stage| {
        let customer = stage.customer();
        stage.subscribe(&customer, "price_starter_month", &json!({}));
    };
    let kinds = ["invoice.created", "invoice.finalized", "invoice.paid"];
    in_every_order(live, |webhook| is_of(webhook, &kinds)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pain_1_a_stale_update_with_an_old_item_list_after_a_newer_one() {
    let live = |stage: &mut Stage| {
        let customer = stage.customer();
        let subscription = stage.subscribe(&customer, "price_starter_month", &json!({}));
        for price in ["price_professional_month", "price_enterprise_month"] {
            stage.wait(HOUR);
            change(stage, &subscription, price);
        }
    };
    in_every_order(live, |webhook| is_of(webhook, &["customer.subscription.updated"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pain_1_updated_after_deleted() {
    for seconds in [0, HOUR] {
        let live = |stage: &mut Stage| {
            let customer = stage.customer();
            let subscription = stage.subscribe(&customer, "price_starter_month", &json!({}));
            change(stage, &subscription, "price_enterprise_month");
            stage.wait(seconds);
            let path = format!("subscriptions/{subscription}");
            stage.call(Method::Delete, &path, &json!({}));
        };
        let (updated, deleted) = ("customer.subscription.updated", "customer.subscription.deleted");
        let is_picked = |webhook: &Value| is_of(webhook, &[updated, deleted]);
        in_every_order(live, is_picked).await;
        // Stripe's clocks disagree: the update says that it was made after the deletion.
        let alter = |webhooks: &mut [Value]| {
            let end = webhooks.iter().find(|webhook| is_of(webhook, &[deleted]));
            let end = end.and_then(|webhook| webhook["created"].as_i64()).expect("a deletion");
            let updates = webhooks.iter_mut().filter(|webhook| is_of(webhook, &[updated]));
            updates.for_each(|webhook| webhook["created"] = json!(end + 5));
        };
        let listed = in_every_order_with(live, alter, is_picked).await;
        // What came after an end contradicts it, once for each of the two lives.
        let kinds: Vec<&Value> = listed.iter().map(|listed| &listed["kind"]).collect();
        assert_eq!(kinds, ["gap_suspected"; 2], "{listed:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pain_1_invoice_paid_before_subscription_created() {
    let live = |stage: &mut Stage| {
        let customer = stage.customer();
        stage.subscribe(&customer, "price_starter_month", &json!({}));
    };
    let kinds = ["customer.subscription.created", "invoice.paid", "invoice_payment.paid"];
    in_every_order(live, |webhook| is_of(webhook, &kinds)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pain_1_checkout_session_completed_last() {
    let live = |stage: &mut Stage| buy_in_checkout(stage);
    let kinds = ["customer.subscription.created", "checkout.session.completed"];
    in_every_order(live, |webhook| is_of(webhook, &kinds)).await;
}

/// Nothing but the session names the trainer.
fn buy_in_checkout(stage: &mut Stage) {
    let customer = stage.customer();
    let session = stage.post(
        "checkout/sessions",
        &json!({
            "mode": "subscription", "customer": customer, "client_reference_id": stage.trainer(),
            "success_url": "https://example.test/done",
            "line_items": [{ "price": "price_professional_month", "quantity": 1 }],
        }),
    );
    let act = format!("test_helpers/checkout/sessions/{}/pay", id_of(&session));
    stage.post(&act, &json!({ "payment_method": "pm_card_visa" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn pain_2_a_missed_webhook_is_listed_until_it_is_sent_again() {
    let app = TestApp::start().await;
    let mut stage = stage(1);
    let customer = stage.customer();
    let subscription = stage.subscribe(&customer, "price_starter_month", &json!({}));
    for price in ["price_professional_month", "price_enterprise_month"] {
        stage.wait(HOUR);
        change(&mut stage, &subscription, price);
    }
    let mut webhooks = stage.webhooks();
    let is_update = |webhook: &Value| is_of(webhook, &["customer.subscription.updated"]);
    let missed = webhooks.iter().position(is_update).expect("two updates");
    let missed = webhooks.remove(missed);
    let after = webhooks.iter().rfind(|webhook| is_update(webhook)).expect("one update");
    let admin = app.operator();
    let listed = async |position: i64| -> Vec<Value> {
        let list = admin.read_at("/api/v1/admin/anomalies", position).await;
        list["anomalies"].as_array().expect("a list").clone()
    };
    let position = app.stripe().deliver_all(&webhooks).await;
    // The state is right all the same; the gap is in what came before.
    stage.expect_truth_at(&app, position).await;
    let [gap] = &listed(position).await[..] else { panic!("one webhook is missing") };
    assert_eq!((&gap["kind"], &gap["event_id"]), (&json!("gap_suspected"), &after["id"]));
    assert_eq!(gap["subject"], json!({ "kind": "subscription", "id": subscription }));
    let plan = gap["differences"].as_array().expect("a list").iter();
    let plan: Vec<_> = plan.filter(|it| it["field"] == "items[0].price").collect();
    assert_eq!(plan[0]["expected"], "price_starter_month", "{gap}");
    assert_eq!(plan[0]["seen"], "price_professional_month", "{gap}");
    let position = app.stripe().deliver(&missed).await;
    stage.expect_truth_at(&app, position).await;
    assert_eq!(listed(position).await, [] as [Value; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pain_3_a_duplicate_with_other_pending_webhooks_is_one_event() {
    let app = TestApp::start().await;
    let mut stage = stage(1);
    let customer = stage.customer();
    let subscription = stage.subscribe(&customer, "price_starter_month", &json!({}));
    change(&mut stage, &subscription, "price_enterprise_month");
    let webhooks = stage.webhooks();
    let position = app.stripe().deliver_all(&webhooks).await;
    for mut webhook in webhooks {
        webhook["pending_webhooks"] = json!(9);
        let answer = app.stripe().post(&webhook).await.expect(200);
        assert_eq!(answer["status"], "already_appended", "{webhook}");
    }
    let reused = "SELECT count(*) FROM event WHERE type = 'IdReuseSeen'";
    assert_eq!(app.database.number(reused).await, 0);
    stage.expect_truth_at(&app, position).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pain_4_what_could_not_be_stored_is_not_acknowledged() {
    let app = TestApp::start_on_own_cluster().await;
    let mut stage = stage(1);
    let customer = stage.customer();
    stage.subscribe(&customer, "price_starter_month", &json!({}));
    let webhooks = stage.webhooks();
    let (before, away) = webhooks.split_at(webhooks.len() / 2);
    app.stripe().deliver_all(before).await;
    app.database.cluster().stop().expect("the server can be stopped");
    for webhook in away {
        let answer = app.stripe().post(webhook).await;
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    app.database.cluster().start().expect("the server can be started");
    let mut position = 0;
    for webhook in away {
        let answer = eventually("the retry is acknowledged", || async {
            let answer = app.stripe().post(webhook).await;
            (answer.status != 503).then(|| answer.expect(200))
        })
        .await;
        // Nothing of the failed attempt counts as a delivery.
        assert_eq!(answer["status"], "appended", "{answer}");
        position = answer["position"].as_i64().expect("a position").max(position);
    }
    app.wait_until_ready().await;
    stage.expect_truth_at(&app, position).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pain_4_an_unknown_type_is_acknowledged() {
    let app = TestApp::start().await;
    let mut stage = stage(1);
    let customer = stage.customer();
    stage.subscribe(&customer, "price_starter_month", &json!({}));
    let webhooks = stage.webhooks();
    let mut position = app.stripe().deliver_all(&webhooks).await;
    for mut webhook in webhooks {
        webhook["id"] = json!(format!("{}new", webhook["id"].as_str().expect("an id")));
        webhook["type"] = json!("hologram.shimmered");
        webhook["data"]["object"]["status"] = json!("shimmering");
        let answer = app.stripe().post(&webhook).await.expect(200);
        assert_eq!(answer["status"], "appended", "{answer}");
        position = answer["position"].as_i64().expect("a position");
    }
    stage.expect_truth_at(&app, position).await;
    stage.expect_invoices(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pain_4_nothing_acknowledged_is_lost_by_a_kill() {
    let mut app = TestApp::start().await;
    let mut stage = stage(1);
    let customer = stage.customer();
    let subscription = stage.subscribe(&customer, "price_starter_month", &json!({}));
    change(&mut stage, &subscription, "price_enterprise_month");
    let webhooks = stage.webhooks();
    let mut acknowledged = Vec::new();
    for some in webhooks.chunks(webhooks.len().div_ceil(3)) {
        for webhook in some {
            acknowledged.push((webhook, app.stripe().deliver(webhook).await));
        }
        app.kill();
        app.start_service().await;
    }
    stage.expect_truth_at(&app, acknowledged.last().expect("webhooks").1).await;
    for (webhook, position) in acknowledged {
        let answer = app.stripe().post(webhook).await.expect(200);
        let told = (&answer["status"], &answer["position"]);
        assert_eq!(told, (&json!("already_appended"), &json!(position)), "{webhook}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pain_5_every_api_version_tells_the_truth() {
    let app = TestApp::start().await;
    for (nth, version) in (1..).zip(CATALOGUE) {
        let config = config(nth).of_version(version);
        let mut stage = Stage::new(&format!("t{nth}"), config).in_version(version);
        buy_in_checkout(&mut stage);
        stage.expect_truth(&app).await;
        let subscription = stage.world.truth()[0].subscription.clone();
        stage.wait(HOUR);
        change(&mut stage, &subscription, "price_enterprise_month");
        stage.expect_truth(&app).await;
        let end = json!({ "cancel_at_period_end": true });
        stage.post(&format!("subscriptions/{subscription}"), &end);
        stage.expect_truth(&app).await;
    }
    let anomalies = "SELECT count(*) FROM rm_subscriptions.anomaly";
    assert_eq!(app.database.number(anomalies).await, 0);
}
