//! How subscriptions begin.

use ledger_simulator::world::Config;
use serde_json::{Value, json};

use crate::harness::{HOUR, Sim, id_of, of_kind, previous};

fn session(sim: &mut Sim, data: Value) -> String {
    let form = json!({
        "mode": "subscription", "success_url": "https://example.test/done",
        "client_reference_id": "trainer-1", "subscription_data": data,
        "line_items": [{ "price": "price_starter", "quantity": 1 }],
    });
    let made = sim.post("checkout/sessions", form);
    id_of(&made)
}

fn act(session: &str, act: &str) -> String {
    format!("test_helpers/checkout/sessions/{session}/{act}")
}

const BEGINNING: [&str; 7] = [
    "customer.subscription.created",
    "invoice.created",
    "invoice.finalized",
    "invoice.updated",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice_payment.paid",
];

#[test]
fn checkout_without_trial() {
    let mut sim = Sim::new();
    let session = session(&mut sim, json!({ "metadata": { "trainer_id": "trainer-1" } }));
    let done = sim.post(&act(&session, "pay"), json!({}));
    let told = sim.told();
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    let paying = [
        "customer.created",
        "payment_intent.created",
        "payment_intent.succeeded",
        "charge.succeeded",
        "payment_method.attached",
        "customer.updated",
    ];
    let expected = [&paying[..], &BEGINNING, &["checkout.session.completed"]].concat();
    assert_eq!(kinds, expected);
    assert_eq!(of_kind(&told, "customer.subscription.created").object["status"], "active");
    let created = &of_kind(&told, "invoice.created").object;
    assert_eq!((&created["status"], &created["amount_paid"]), (&json!("draft"), &json!(0)));
    assert_eq!(created["billing_reason"], "subscription_create");
    assert_eq!(of_kind(&told, "invoice.finalized").object["status"], "open");
    let spanning = previous(of_kind(&told, "invoice.updated"));
    assert_eq!(spanning["status"], "draft");
    assert_eq!(
        spanning["status_transitions"],
        json!({ "finalized_at": null, "paid_at": null }),
        "final and paid by one update"
    );
    assert_eq!((spanning.get("amount_paid"), spanning.get("amount_remaining")), (None, None));
    let paid = &of_kind(&told, "invoice.paid").object;
    assert_eq!((&paid["status"], &paid["amount_paid"]), (&json!("paid"), &json!(3_000)));
    let parent = &paid["parent"]["subscription_details"];
    assert_eq!(parent["subscription"], done["subscription"]);
    assert_eq!(parent["metadata"]["trainer_id"], "trainer-1");
    let completed = &of_kind(&told, "checkout.session.completed").object;
    assert_eq!(completed["client_reference_id"], "trainer-1");
    assert_eq!(completed["payment_status"], "paid");
    assert!(completed["customer"].is_string());
    let truth = &sim.world.truth()[0];
    assert_eq!(truth.trainer.as_deref(), Some("trainer-1"));
    assert_eq!((truth.paid_minor, truth.status.as_str()), (3_000, "active"));
}

#[test]
fn checkout_with_trial() {
    let mut sim = Sim::new();
    let session = session(&mut sim, json!({ "trial_period_days": 14 }));
    sim.post(&act(&session, "pay"), json!({}));
    let told = sim.told();
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    let setup = ["customer.created", "payment_method.attached"];
    let setup = [&setup[..], &["setup_intent.created", "setup_intent.succeeded"]].concat();
    let free = &BEGINNING[..6];
    let expected =
        [&setup[..], &["customer.updated"], free, &["checkout.session.completed"]].concat();
    assert_eq!(kinds, expected);
    assert_eq!(previous(of_kind(&told, "invoice.updated"))["status"], "draft");
    let subscription = &of_kind(&told, "customer.subscription.created").object;
    assert_eq!(subscription["status"], "trialing");
    assert_eq!(
        subscription["trial_end"].as_i64().unwrap() - subscription["trial_start"].as_i64().unwrap(),
        14 * 24 * HOUR
    );
    let completed = &of_kind(&told, "checkout.session.completed").object;
    assert_eq!(completed["payment_status"], "no_payment_required");
}

/// By the name that dahlia gave it, or by the older one.
#[test]
fn a_page_is_stripes_own_by_either_name() {
    for name in ["hosted_page", "hosted"] {
        let mut sim = Sim::new();
        let page = sim.post(
            "checkout/sessions",
            json!({
                "mode": "subscription", "success_url": "https://example.test/done",
                "line_items": [{ "price": "price_starter" }], "ui_mode": name,
            }),
        );
        assert_eq!(page["ui_mode"], "hosted_page");
    }
}

#[test]
fn a_page_may_give_a_trial_until_a_date() {
    let mut sim = Sim::new();
    let end = sim.world.now() + 20 * 24 * HOUR;
    let data = json!({ "trial_end": end, "description": "With a coach" });
    let session = session(&mut sim, data);
    let done = sim.post(&act(&session, "pay"), json!({}));
    assert_eq!(done["payment_status"], "no_payment_required");
    let subscription = sim.get(done["subscription"].as_str().unwrap());
    assert_eq!(
        (&subscription["status"], &subscription["trial_end"]),
        (&json!("trialing"), &json!(end))
    );
    assert_eq!(subscription["description"], "With a coach");
    for data in [
        json!({ "trial_end": sim.world.now() + 47 * HOUR }),
        json!({ "trial_end": end, "trial_period_days": 7 }),
    ] {
        let form = json!({ "mode": "subscription", "success_url": "https://example.test/done",
            "line_items": [{ "price": "price_starter" }], "subscription_data": data });
        let refused = sim.refused("checkout/sessions", form);
        assert_eq!(refused.param.as_deref(), Some("subscription_data[trial_end]"));
    }
}

#[test]
fn a_trial_that_is_ended_early_is_followed_by_a_whole_period() {
    let mut sim = Sim::new();
    let session = session(&mut sim, json!({ "trial_period_days": 14 }));
    let done = sim.post(&act(&session, "pay"), json!({}));
    sim.wait(24 * HOUR);
    sim.skip();
    let path = format!("subscriptions/{}", done["subscription"].as_str().unwrap());
    sim.post(&path, json!({ "trial_end": "now" }));
    let told = sim.told();
    let paid = &of_kind(&told, "invoice.paid").object;
    assert_eq!(paid["amount_paid"], 3_000);
    assert_eq!(paid["lines"]["data"].as_array().unwrap().len(), 1);
}

#[test]
fn a_declined_card_leaves_the_page_open() {
    let mut sim = Sim::new();
    let session = session(&mut sim, json!({}));
    let still = sim.post(&act(&session, "decline"), json!({}));
    assert_eq!(still["status"], "open");
    let expected = [
        "customer.created",
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ];
    assert_eq!(sim.kinds(), expected);
    let done = sim.post(&act(&session, "pay"), json!({}));
    assert_eq!(done["status"], "complete");
    assert!(!sim.kinds().contains(&"payment_intent.created".to_owned()));
}

#[test]
fn a_page_that_nobody_uses_expires() {
    let mut sim = Sim::new();
    let session = session(&mut sim, json!({}));
    sim.wait(24 * HOUR);
    assert_eq!(sim.kinds(), ["checkout.session.expired"]);
    assert_eq!(sim.get(&session)["status"], "expired");
    let error = sim.refused(&act(&session, "pay"), json!({}));
    assert_eq!(error.status, 400);
}

#[test]
fn a_page_can_be_closed_by_call_and_by_its_user() {
    let mut sim = Sim::new();
    for path in ["checkout/sessions", "test_helpers/checkout/sessions"] {
        let session = session(&mut sim, json!({}));
        let closed = sim.post(&format!("{path}/{session}/expire"), json!({}));
        assert_eq!(closed["status"], "expired");
        assert_eq!(sim.kinds(), ["checkout.session.expired"]);
        let error = sim.refused(&act(&session, "pay"), json!({}));
        assert_eq!(error.status, 400);
        let again = sim.refused(&format!("{path}/{session}/expire"), json!({}));
        assert_eq!(again.status, 400);
    }
}

#[test]
fn strong_authentication_on_the_page() {
    let mut sim = Sim::new();
    let session = session(&mut sim, json!({}));
    let card = json!({ "payment_method": "pm_card_authenticationRequired" });
    sim.post(&act(&session, "pay"), card.clone());
    assert!(sim.kinds().contains(&"payment_intent.requires_action".to_owned()));
    sim.post(&act(&session, "authenticate"), json!({ "outcome": "fail" }));
    assert_eq!(sim.kinds(), ["payment_intent.payment_failed"]);
    sim.post(&act(&session, "pay"), card);
    let done = sim.post(&act(&session, "authenticate"), json!({ "outcome": "succeed" }));
    assert_eq!(done["status"], "complete");
}

#[test]
fn strong_authentication_by_call() {
    let mut sim = Sim::new();
    let customer = sim.customer("pm_card_authenticationRequired");
    sim.skip();
    let form = json!({ "customer": customer, "items": [{ "price": "price_starter" }] });
    let made = sim.post("subscriptions", form);
    assert_eq!(made["status"], "incomplete");
    let expected = [
        "customer.updated",
        "customer.subscription.created",
        "invoice.created",
        "payment_intent.created",
        "invoice.finalized",
        "invoice.updated",
        "payment_intent.requires_action",
        "invoice.updated",
        "invoice.payment_action_required",
    ];
    assert_eq!(sim.kinds(), expected);
    let intent = sim.intent_of(made["latest_invoice"].as_str().unwrap());
    sim.post(&format!("test_helpers/payment_intents/{intent}/authenticate"), json!({}));
    let told = sim.told();
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    let expected = [
        "payment_intent.succeeded",
        "charge.succeeded",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
        "customer.subscription.updated",
    ];
    assert_eq!(kinds, expected);
    let paid = previous(&told[2]);
    assert_eq!((&paid["status"], &paid["amount_paid"]), (&json!("open"), &json!(0)));
    assert_eq!(previous(&told[6]), json!({ "status": "incomplete" }));
}

#[test]
fn before_basil_what_is_paid_at_once_is_incomplete_first() {
    let mut sim = Sim::with(Config { starts_incomplete: true, ..Config::default() });
    let session = session(&mut sim, json!({}));
    sim.post(&act(&session, "pay"), json!({}));
    let (_, called) = sim.subscriber_untold("price_starter");
    let told = sim.told();
    for (kind, old) in
        [("customer.subscription.created", None), ("customer.subscription.updated", Some("active"))]
    {
        let of_kind = || told.iter().filter(|event| event.kind == kind);
        assert_eq!(of_kind().count(), 2, "{kind}");
        let status = old.unwrap_or("incomplete");
        assert!(of_kind().all(|event| event.object["status"] == status), "{kind}");
    }
    let updated = told.iter().filter(|event| event.kind == "customer.subscription.updated");
    for event in updated {
        assert_eq!(previous(event), json!({ "status": "incomplete" }));
    }
    assert_eq!(sim.get(&called)["status"], "active");
    assert!(sim.world.truth().iter().all(|truth| truth.paid_minor == 3_000));
}

#[test]
fn a_customer_is_billed_in_the_currency_of_the_first_purchase() {
    let mut sim = Sim::new();
    let customer = sim.customer("pm_card_chargeCustomerFail");
    assert_eq!(sim.get(&customer)["currency"], json!(null));
    sim.skip();
    let form = json!({ "customer": customer, "items": [{ "price": "price_starter" }] });
    sim.post("subscriptions", form);
    let told = sim.told();
    let updates = told.iter().filter(|event| event.kind == "customer.updated");
    let old: Vec<_> = updates.map(previous).collect();
    assert_eq!(old, [json!({ "currency": null }), json!({ "delinquent": false })]);
}

#[test]
fn what_is_never_paid_expires_after_23_hours() {
    let mut sim = Sim::new();
    let customer = sim.customer("pm_card_chargeCustomerFail");
    let form = json!({ "customer": customer, "items": [{ "price": "price_starter" }] });
    let made = sim.post("subscriptions", form);
    sim.skip();
    sim.wait(23 * HOUR - 1);
    assert!(sim.kinds().is_empty());
    sim.wait(1);
    let told = sim.told();
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    let expected = ["customer.subscription.updated", "payment_intent.canceled", "invoice.voided"];
    assert_eq!(kinds, expected);
    assert_eq!(told[0].object["status"], "incomplete_expired");
    assert_eq!(told[0].request_id, None);
    assert_eq!(sim.get(&id_of(&made))["status"], "incomplete_expired");
}

#[test]
fn a_default_incomplete_subscription_waits_to_be_confirmed() {
    let mut sim = Sim::new();
    let customer = sim.customer("pm_card_visa");
    let form = json!({ "customer": customer, "items": [{ "price": "price_starter" }],
        "payment_behavior": "default_incomplete" });
    let made = sim.post("subscriptions", form);
    assert_eq!(made["status"], "incomplete");
    let intent = sim.intent_of(made["latest_invoice"].as_str().unwrap());
    let form = json!({ "payment_method": "pm_card_visa" });
    let paid = sim.post(&format!("payment_intents/{intent}/confirm"), form);
    assert_eq!(paid["status"], "succeeded");
    assert_eq!(sim.get(&id_of(&made))["status"], "active");
}

#[test]
fn a_deleted_customer_buys_nothing() {
    let mut sim = Sim::new();
    let customer = sim.customer("pm_card_visa");
    let form = json!({
        "mode": "subscription", "success_url": "https://example.test/done", "customer": customer,
        "line_items": [{ "price": "price_starter" }],
    });
    let session = id_of(&sim.post("checkout/sessions", form));
    sim.delete(&format!("customers/{customer}"));
    assert_eq!(sim.refused(&act(&session, "pay"), json!({})).status, 404);
    assert!(sim.world.truth().is_empty());
}
