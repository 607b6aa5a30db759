//! Renewals, trials that end, failures and what comes of them.

use ledger_simulator::world::{Config, Exhausted, RetryPolicy};
use serde_json::json;

use crate::harness::{DAY, HOUR, Sim, id_of, of_kind, previous};

const COLLECTED: [&str; 9] = [
    "payment_intent.created",
    "invoice.finalized",
    "invoice.updated",
    "payment_intent.succeeded",
    "charge.succeeded",
    "invoice.updated",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice_payment.paid",
];
const DECLINED: [&str; 4] =
    ["charge.failed", "payment_intent.payment_failed", "invoice.updated", "invoice.payment_failed"];

fn end_of_period(sim: &Sim, subscription: &str) -> i64 {
    sim.get(subscription)["items"]["data"][0]["current_period_end"].as_i64().unwrap()
}

#[test]
fn a_renewal_moves_the_period_before_the_money() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_starter");
    let end = end_of_period(&sim, &subscription);
    sim.world.advance_to(end);
    let told = sim.told();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].kind, "customer.subscription.updated");
    let before = previous(&told[0]);
    assert_eq!(before["items"]["data"][0]["current_period_end"], end);
    assert!(before["latest_invoice"].is_string());
    assert!(before.get("status").is_none());
    assert_eq!(told[1].kind, "invoice.created");
    assert_eq!(told[1].object["billing_reason"], "subscription_cycle");
    assert_eq!(told[1].object["status"], "draft");
    sim.wait(HOUR - 1);
    assert!(sim.kinds().is_empty());
    sim.wait(1);
    let told = sim.told();
    assert_eq!(told.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), COLLECTED);
    let (finalized, paid) = (previous(&told[2]), previous(&told[5]));
    assert_eq!((&finalized["status"], &finalized["number"]), (&json!("draft"), &json!(null)));
    assert_eq!(finalized["status_transitions"], json!({ "finalized_at": null }));
    assert_eq!((&paid["status"], &paid["amount_paid"]), (&json!("open"), &json!(0)));
    assert_eq!(sim.world.truth()[0].paid_minor, 6_000);
}

#[test]
fn a_failed_renewal_is_retried_until_the_subscription_is_canceled() {
    let mut sim = Sim::new();
    let (customer, subscription) = sim.subscriber("price_starter");
    sim.card(&customer, "pm_card_chargeCustomerFail");
    let end = end_of_period(&sim, &subscription);
    sim.world.advance_to(end);
    sim.skip();
    sim.wait(HOUR);
    let told = sim.told();
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    let opening = ["payment_intent.created", "invoice.finalized", "invoice.updated"];
    let standing = ["customer.updated", "customer.subscription.updated"];
    let expected = [&opening[..], &DECLINED, &standing].concat();
    assert_eq!(kinds, expected);
    let failed = &of_kind(&told, "invoice.payment_failed").object;
    assert_eq!(failed["attempt_count"], 1);
    assert_eq!(failed["next_payment_attempt"], end + HOUR + 3 * DAY);
    let updated = of_kind(&told, "customer.subscription.updated");
    assert_eq!(updated.object["status"], "past_due");
    assert_eq!(previous(updated), json!({ "status": "active" }));
    for attempt in [2, 3] {
        sim.wait(6 * DAY);
        let told = sim.told();
        assert_eq!(told.len(), 4, "{told:?}");
        assert_eq!(told[3].object["attempt_count"], attempt);
    }
    sim.wait(6 * DAY);
    let told = sim.told();
    let deleted = of_kind(&told, "customer.subscription.deleted");
    assert_eq!(deleted.object["cancellation_details"]["reason"], "payment_failed");
    assert_eq!(deleted.object["status"], "canceled");
    let last = of_kind(&told, "invoice.payment_failed");
    assert_eq!(last.object["next_payment_attempt"], json!(null));
}

#[test]
fn exhausted_retries_leave_it_unpaid_or_past_due() {
    for (exhausted, status) in [(Exhausted::Unpaid, "unpaid"), (Exhausted::PastDue, "past_due")] {
        let retries = RetryPolicy { days: vec![1], exhausted };
        let mut sim = Sim::with(Config { retries, ..Config::default() });
        let (customer, subscription) = sim.subscriber("price_starter");
        sim.card(&customer, "pm_card_chargeCustomerFail");
        sim.world.advance_to(end_of_period(&sim, &subscription) + 2 * DAY);
        assert_eq!(sim.get(&subscription)["status"], status);
        sim.world.advance_to(end_of_period(&sim, &subscription) + 2 * HOUR);
        let latest = sim.get(sim.get(&subscription)["latest_invoice"].as_str().unwrap());
        let expected = if status == "unpaid" { "draft" } else { "open" };
        assert_eq!(latest["status"], expected);
    }
}

#[test]
fn paying_the_open_invoice_recovers() {
    let mut sim = Sim::new();
    let (customer, subscription) = sim.subscriber("price_starter");
    sim.card(&customer, "pm_card_chargeCustomerFail");
    sim.world.advance_to(end_of_period(&sim, &subscription) + HOUR);
    let invoice = sim.get(&subscription)["latest_invoice"].as_str().unwrap().to_owned();
    let error = sim.refused(&format!("invoices/{invoice}/pay"), json!({}));
    assert_eq!(error.status, 402);
    assert!(error.payment_intent.is_some());
    sim.card(&customer, "pm_card_visa");
    sim.post(&format!("invoices/{invoice}/pay"), json!({}));
    let told = sim.told();
    let last = told.last().unwrap();
    assert_eq!(last.kind, "customer.subscription.updated");
    assert_eq!(previous(last), json!({ "status": "past_due" }));
    assert_eq!(last.object["status"], "active");
}

fn trial(sim: &mut Sim, card: Option<&str>, missing: &str, days: i64) -> String {
    let customer = match card {
        Some(card) => sim.customer(card),
        None => id_of(&sim.post("customers", json!({}))),
    };
    let end = json!({ "end_behavior": { "missing_payment_method": missing } });
    let form = json!({ "customer": customer, "items": [{ "price": "price_starter" }],
        "trial_period_days": days, "trial_settings": end });
    let made = sim.post("subscriptions", form);
    id_of(&made)
}

#[test]
fn a_trial_is_announced_ends_and_is_paid() {
    let mut sim = Sim::new();
    let subscription = trial(&mut sim, Some("pm_card_visa"), "cancel", 14);
    sim.skip();
    sim.wait(11 * DAY);
    assert_eq!(sim.kinds(), ["customer.subscription.trial_will_end"]);
    sim.wait(3 * DAY);
    let told = sim.told();
    let updated = of_kind(&told, "customer.subscription.updated");
    assert_eq!(previous(updated)["status"], "trialing");
    assert_eq!(updated.object["status"], "active");
    assert_eq!(of_kind(&told, "invoice.created").object["status"], "draft");
    sim.wait(HOUR);
    assert_eq!(sim.kinds(), COLLECTED);
    assert_eq!(sim.get(&subscription)["status"], "active");
}

#[test]
fn a_short_trial_is_announced_at_once() {
    let mut sim = Sim::new();
    trial(&mut sim, Some("pm_card_visa"), "cancel", 2);
    assert_eq!(sim.kinds().last().unwrap(), "customer.subscription.trial_will_end");
}

#[test]
fn a_trial_without_a_card_ends_as_its_settings_say() {
    for (missing, kind, status) in [
        ("cancel", "customer.subscription.deleted", "canceled"),
        ("pause", "customer.subscription.paused", "paused"),
        ("create_invoice", "customer.subscription.updated", "active"),
    ] {
        let mut sim = Sim::new();
        let subscription = trial(&mut sim, None, missing, 14);
        sim.wait(13 * DAY);
        sim.skip();
        sim.wait(DAY);
        assert_eq!(sim.kinds()[0], kind);
        assert_eq!(sim.get(&subscription)["status"], status);
    }
}

#[test]
fn a_paused_subscription_resumes_when_its_invoice_is_paid() {
    let mut sim = Sim::new();
    let subscription = trial(&mut sim, None, "pause", 14);
    sim.wait(14 * DAY);
    let customer = sim.get(&subscription)["customer"].as_str().unwrap().to_owned();
    sim.card(&customer, "pm_card_visa");
    let resumed = sim.post(&format!("subscriptions/{subscription}/resume"), json!({}));
    assert_eq!(resumed["status"], "active");
    assert_eq!(sim.kinds().last().unwrap(), "customer.subscription.resumed");
}

#[test]
fn paused_collection_voids_invoices_and_keeps_the_status() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_starter");
    let path = format!("subscriptions/{subscription}");
    sim.post(&path, json!({ "pause_collection": { "behavior": "void" } }));
    let told = sim.told();
    assert_eq!(told.len(), 1);
    assert_eq!(previous(&told[0]), json!({ "pause_collection": null }));
    sim.world.advance_to(end_of_period(&sim, &subscription) + HOUR);
    assert_eq!(sim.kinds().last().unwrap(), "invoice.voided");
    assert_eq!(sim.get(&subscription)["status"], "active");
    sim.post(&path, json!({ "pause_collection": "" }));
    assert_eq!(sim.kinds(), ["customer.subscription.updated"]);
}

#[test]
fn paused_collection_keeps_drafts_until_it_resumes() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_starter");
    let end = end_of_period(&sim, &subscription);
    let pause = json!({ "behavior": "keep_as_draft", "resumes_at": end + 3 * DAY });
    let path = format!("subscriptions/{subscription}");
    sim.post(&path, json!({ "pause_collection": pause }));
    sim.world.advance_to(end + 2 * DAY);
    let invoice = sim.get(&subscription)["latest_invoice"].as_str().unwrap().to_owned();
    let kept = sim.get(&invoice);
    assert_eq!((&kept["status"], &kept["auto_advance"]), (&json!("draft"), &json!(false)));
    sim.skip();
    sim.wait(DAY);
    let told = sim.told();
    assert_eq!(told.len(), 1);
    assert_eq!(previous(&told[0]), json!({ "pause_collection": pause }));
    // What was kept waits for a call, and what comes next is collected.
    assert_eq!(sim.get(&invoice)["status"], "draft");
    let paid = sim.post(&format!("invoices/{invoice}/pay"), json!({}));
    assert_eq!(paid["status"], "paid");
    sim.world.advance_to(end_of_period(&sim, &subscription) + HOUR);
    assert_eq!(sim.world.truth()[0].paid_minor, 9_000);
}

#[test]
fn paused_collection_can_give_invoices_up() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_starter");
    let pause = json!({ "pause_collection": { "behavior": "mark_uncollectible" } });
    sim.post(&format!("subscriptions/{subscription}"), pause);
    sim.world.advance_to(end_of_period(&sim, &subscription) + HOUR);
    assert_eq!(sim.kinds().last().unwrap(), "invoice.marked_uncollectible");
    assert_eq!(sim.get(&subscription)["status"], "active");
}

#[test]
fn exhausted_retries_can_pause_until_it_is_resumed() {
    let retries = RetryPolicy { days: vec![1], exhausted: Exhausted::Pause };
    let mut sim = Sim::with(Config { retries, ..Config::default() });
    let (customer, subscription) = sim.subscriber("price_starter");
    sim.card(&customer, "pm_card_chargeCustomerFail");
    sim.world.advance_to(end_of_period(&sim, &subscription) + 2 * DAY);
    assert_eq!(sim.kinds().last().unwrap(), "customer.subscription.paused");
    let path = format!("subscriptions/{subscription}/resume");
    // An invoice that is withdrawn leaves it paused, and to be resumed again.
    let still = sim.post(&path, json!({}));
    assert_eq!(still["status"], "paused");
    let invoice = still["latest_invoice"].as_str().unwrap().to_owned();
    assert_eq!(sim.refused(&path, json!({})).status, 400);
    sim.post(&format!("invoices/{invoice}/void"), json!({}));
    sim.card(&customer, "pm_card_visa");
    assert_eq!(sim.post(&path, json!({}))["status"], "active");
    assert_eq!(sim.kinds().last().unwrap(), "customer.subscription.resumed");
}

#[test]
fn a_renewal_may_need_its_owner() {
    let mut sim = Sim::new();
    let (customer, subscription) = sim.subscriber("price_starter");
    sim.card(&customer, "pm_card_authenticationRequired");
    sim.world.advance_to(end_of_period(&sim, &subscription) + HOUR);
    let told = sim.told();
    let invoice = &of_kind(&told, "invoice.payment_action_required").object;
    assert_eq!(of_kind(&told, "invoice.payment_failed").object["id"], invoice["id"]);
    assert_eq!(sim.get(&subscription)["status"], "past_due");
    assert_eq!(invoice.get("payments"), None);
    let intent = sim.intent_of(&id_of(invoice));
    sim.post(&format!("test_helpers/payment_intents/{intent}/authenticate"), json!({}));
    let told = sim.told();
    assert_eq!(previous(told.last().unwrap()), json!({ "status": "past_due" }));
}

#[test]
fn an_unpaid_subscription_is_active_again_when_its_latest_invoice_is_paid() {
    let retries = RetryPolicy { days: vec![1], exhausted: Exhausted::Unpaid };
    let mut sim = Sim::with(Config { retries, ..Config::default() });
    let (customer, subscription) = sim.subscriber("price_starter");
    sim.card(&customer, "pm_card_chargeCustomerFail");
    sim.world.advance_to(end_of_period(&sim, &subscription) + 2 * DAY);
    let invoice = sim.get(&subscription)["latest_invoice"].as_str().unwrap().to_owned();
    sim.post(&format!("invoices/{invoice}/pay"), json!({ "payment_method": "pm_card_visa" }));
    let told = sim.told();
    assert_eq!(previous(told.last().unwrap()), json!({ "status": "unpaid" }));
}
