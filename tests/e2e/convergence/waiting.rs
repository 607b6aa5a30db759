//! Facts that wait: read models are made anew and the service is killed while nobody knows whose
//! they are, and then the link comes.

use ledger_simulator::world::Config;
use serde_json::{Value, json};

use super::oracle::DAY;
use super::read_models::{differences, read_models};
use super::stage::{Stage, id_of};
use crate::check::{make_anew, wait_until_folded};
use crate::harness::{TestApp, now};

/// Facts that wait for an object whose customer nobody told.
const WAITING: &str = "SELECT count(*) FROM rm_subscriptions.waiting_fact";

/// Facts that wait for the customer's trainer.
const NOBODYS: &str = "SELECT count(*) FROM rm_subscriptions.trainer_subscriptions
    WHERE trainer_id IS NULL";

/// A purchase on a page, of which only the session says whose it is; then more of the same
/// customer's.
fn life() -> Stage {
    let config = Config { seed: 1, now: now() - 40 * DAY, ..Config::default() };
    let mut stage = Stage::new("t1", config);
    let page = json!({
        "mode": "subscription", "client_reference_id": stage.trainer(),
        "line_items": [{ "price": "price_professional_month", "quantity": 1 }],
        "success_url": "https://app.example.test/",
    });
    let page = id_of(&stage.post("checkout/sessions", &page));
    let pay = format!("test_helpers/checkout/sessions/{page}/pay");
    let paid = stage.post(&pay, &json!({ "payment_method": "pm_card_visa" }));
    let customer = paid["customer"].as_str().expect("a customer").to_owned();
    let tier = paid["subscription"].as_str().expect("a subscription").to_owned();
    stage.wait(DAY);
    let add_on = json!({ "customer": customer, "items": [{ "price": "price_ai_starter_month" }],
        "default_payment_method": "pm_card_visa" });
    stage.post("subscriptions", &add_on);
    stage.wait(31 * DAY);
    stage.post("subscription_schedules", &json!({ "from_subscription": tier }));
    let paid = stage.world.events().iter().filter(|event| event.kind == "charge.succeeded");
    let charges: Vec<Value> = paid.map(|event| event.object["id"].clone()).collect();
    stage.post("refunds", &json!({ "charge": charges[0], "amount": 700 }));
    stage.post("test_helpers/disputes", &json!({ "charge": charges[1] }));
    let rest = now() - stage.world.now();
    stage.wait(rest);
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_wait_for_their_link_through_rebuilds_and_a_crash() {
    let (orderly, mut app) = tokio::join!(TestApp::start(), TestApp::start());
    let mut stage = life();
    let webhooks = stage.webhooks();
    orderly.stripe().deliver_all(&webhooks).await;
    let is_link = |webhook: &Value| {
        webhook["type"].as_str().is_some_and(|kind| kind.starts_with("checkout.session."))
    };
    let (links, mut facts): (Vec<Value>, Vec<Value>) = webhooks.into_iter().partition(is_link);
    facts.reverse();
    let names_nobody = |webhook: &Value| webhook["data"]["object"]["customer"].is_null();
    let (first, second): (Vec<Value>, Vec<Value>) = facts.into_iter().partition(names_nobody);

    // Refunds and disputes come before anything that names a customer.
    app.stripe().deliver_all(&first).await;
    wait_until_folded(&app).await;
    let waiting = app.database.number(WAITING).await;
    assert!(waiting > 0, "facts wait for an object that is told later");
    rebuild(&mut app).await;
    assert_eq!(app.database.number(WAITING).await, waiting);

    // All but whose it is.
    app.stripe().deliver_all(&second).await;
    app.kill();
    app.start_service().await;
    wait_until_folded(&app).await;
    assert_eq!(app.database.number(WAITING).await, 0, "every customer has been told");
    assert_eq!(app.database.number(NOBODYS).await, 2, "the tier's and the add-on's");
    rebuild(&mut app).await;
    assert_eq!(app.database.number(NOBODYS).await, 2, "the tier's and the add-on's");
    let current = "/api/v1/tiers/current?trainer=t1";
    assert!(app.service().get(current).await.expect(200)["tier"].is_null(), "nobody knows whose");

    let position = app.stripe().deliver_all(&links).await;
    stage.expect_truth_at(&app, position).await;
    wait_until_folded(&app).await;
    wait_until_folded(&orderly).await;
    let (one, other) = (read_models(orderly.owner()).await, read_models(app.owner()).await);
    let differences = differences(&one, &other);
    assert!(differences.is_empty(), "- in order, + waiting:\n{}", differences.join("\n"));
}

/// Stops the service, and lets the next one begin without read models.
async fn rebuild(app: &mut TestApp) {
    app.stop().await;
    make_anew(&app.database).await;
    app.start_service().await;
    wait_until_folded(app).await;
}
