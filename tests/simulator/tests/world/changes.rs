//! Upgrades, downgrades, cancellations and what waits to be paid.

use ledger_simulator::world::Method;
use serde_json::json;

use crate::harness::{DAY, HOUR, Sim, id_of, of_kind, previous};

fn change(sim: &mut Sim, subscription: &str, price: &str, more: serde_json::Value) {
    let item = sim.get(subscription)["items"]["data"][0]["id"].clone();
    let mut form = json!({ "items": [{ "id": item, "price": price }] });
    for (name, value) in more.as_object().unwrap() {
        form[name.as_str()] = value.clone();
    }
    sim.post(&format!("subscriptions/{subscription}"), form);
}

fn period(sim: &Sim, subscription: &str) -> (i64, i64) {
    let item = &sim.get(subscription)["items"]["data"][0];
    let of = |name: &str| item[name].as_i64().unwrap();
    (of("current_period_start"), of("current_period_end"))
}

#[test]
fn an_upgrade_waits_on_the_next_invoice() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_starter");
    let (start, end) = period(&sim, &subscription);
    sim.world.advance_to(start + (end - start) / 2);
    change(&mut sim, &subscription, "price_pro", json!({}));
    let told = sim.told();
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    let expected = ["invoiceitem.created", "invoiceitem.created", "customer.subscription.updated"];
    assert_eq!(kinds, expected);
    assert_eq!(
        (&told[0].object["amount"], &told[1].object["amount"]),
        (&json!(-1_500), &json!(3_000))
    );
    let before = previous(&told[2]);
    assert_eq!(before["items"]["data"][0]["price"]["id"], "price_starter");
    assert_eq!(before.as_object().unwrap().len(), 1);
    sim.world.advance_to(end + HOUR);
    let told = sim.told();
    assert_eq!(of_kind(&told, "invoice.paid").object["amount_paid"], 7_500);
}

#[test]
fn an_upgrade_is_reckoned_by_the_date_that_is_asked_for() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_starter");
    let (start, end) = period(&sim, &subscription);
    sim.world.advance_to(start + (end - start) / 2);
    let at = start + (end - start) * 4 / 5;
    change(&mut sim, &subscription, "price_pro", json!({ "proration_date": at }));
    let told = sim.told();
    let amounts = (&told[0].object["amount"], &told[1].object["amount"]);
    assert_eq!(amounts, (&json!(-600), &json!(1_200)));

    let outside = json!({ "proration_date": end + 1, "metadata": { "a": "b" } });
    let path = format!("subscriptions/{subscription}");
    let refused = sim.refused(&path, outside);
    assert_eq!((refused.status, refused.param.as_deref()), (400, Some("proration_date")));
}

#[test]
fn an_upgrade_that_is_invoiced_is_paid_at_once() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_starter");
    change(&mut sim, &subscription, "price_pro", json!({ "proration_behavior": "always_invoice" }));
    let told = sim.told();
    let paid = &of_kind(&told, "invoice.paid").object;
    assert_eq!(paid["billing_reason"], "subscription_update");
    assert_eq!(paid["amount_paid"], 3_000);
    let line = &paid["lines"]["data"][0];
    assert_eq!(line["parent"]["invoice_item_details"]["proration"], true);
    assert_eq!(
        of_kind(&told, "customer.subscription.updated").object["latest_invoice"],
        paid["id"]
    );
}

#[test]
fn another_interval_begins_a_period_now() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_starter");
    sim.wait(DAY);
    change(&mut sim, &subscription, "price_pro_year", json!({}));
    let (start, end) = period(&sim, &subscription);
    assert_eq!((start, end - start), (sim.world.now(), 365 * DAY));
    assert!(sim.kinds().contains(&"invoice.paid".to_owned()));
}

#[test]
fn a_pending_update_is_applied_when_paid() {
    let mut sim = Sim::new();
    let (customer, subscription) = sim.subscriber("price_starter");
    sim.card(&customer, "pm_card_chargeCustomerFail");
    let pending = json!({ "proration_behavior": "always_invoice",
        "payment_behavior": "pending_if_incomplete" });
    change(&mut sim, &subscription, "price_pro", pending);
    let told = sim.told();
    let updated = of_kind(&told, "customer.subscription.updated");
    assert_eq!(updated.object["items"]["data"][0]["price"]["id"], "price_starter");
    assert_eq!(previous(updated)["pending_update"], json!(null));
    assert_eq!(sim.get(&subscription)["status"], "active");
    let invoice = updated.object["latest_invoice"].as_str().unwrap().to_owned();
    sim.post(&format!("invoices/{invoice}/pay"), json!({ "payment_method": "pm_card_visa" }));
    let kinds = sim.kinds();
    let last = &kinds[kinds.len() - 2..];
    let expected =
        ["customer.subscription.updated", "customer.subscription.pending_update_applied"];
    assert_eq!(last, expected);
    let now = sim.get(&subscription);
    assert_eq!(now["items"]["data"][0]["price"]["id"], "price_pro");
    assert_eq!(now["pending_update"], json!(null));
}

#[test]
fn a_pending_update_expires_after_23_hours() {
    let mut sim = Sim::new();
    let (customer, subscription) = sim.subscriber("price_starter");
    sim.card(&customer, "pm_card_chargeCustomerFail");
    let pending = json!({ "proration_behavior": "always_invoice",
        "payment_behavior": "pending_if_incomplete" });
    change(&mut sim, &subscription, "price_pro", pending);
    sim.skip();
    sim.wait(23 * HOUR);
    let expected = [
        "payment_intent.canceled",
        "invoice.voided",
        "customer.subscription.pending_update_expired",
    ];
    assert_eq!(sim.kinds(), expected);
    assert_eq!(sim.get(&subscription)["items"]["data"][0]["price"]["id"], "price_starter");
}

/// A schedule that goes on as it is and then has another price.
fn downgrade(sim: &mut Sim, subscription: &str, price: &str) -> String {
    let schedule = sim.post("subscription_schedules", json!({ "from_subscription": subscription }));
    let phase = &schedule["phases"][0];
    let form = json!({ "phases": [
        { "items": [{ "price": phase["items"][0]["price"] }], "end_date": phase["end_date"],
          "start_date": phase["start_date"] },
        { "items": [{ "price": price }], "proration_behavior": "none" },
    ]});
    let id = id_of(&schedule);
    sim.post(&format!("subscription_schedules/{id}"), form);
    id
}

#[test]
fn a_scheduled_downgrade_happens_at_the_boundary() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_pro");
    let schedule = downgrade(&mut sim, &subscription, "price_starter");
    let told = sim.told();
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    let expected = [
        "subscription_schedule.created",
        "customer.subscription.updated",
        "subscription_schedule.updated",
    ];
    assert_eq!(kinds, expected);
    assert_eq!(previous(&told[1]), json!({ "schedule": null }));
    assert!(previous(&told[2])["phases"].is_array());
    let (_, end) = period(&sim, &subscription);
    let scheduled = sim.world.truth()[0].scheduled.clone();
    assert_eq!(scheduled, Some((end, vec!["price_starter".to_owned()])));
    sim.world.advance_to(end);
    let told = sim.told();
    let updated = of_kind(&told, "customer.subscription.updated");
    assert_eq!(updated.object["items"]["data"][0]["price"]["id"], "price_starter");
    assert_eq!(previous(updated)["items"]["data"][0]["price"]["id"], "price_pro");
    assert_eq!(of_kind(&told, "invoice.created").object["total"], 3_000);
    assert_eq!(of_kind(&told, "subscription_schedule.updated").object["id"], schedule.as_str());
    let (_, end) = period(&sim, &subscription);
    sim.world.advance_to(end);
    let told = sim.told();
    let released = of_kind(&told, "subscription_schedule.released");
    assert_eq!(released.object["released_subscription"], subscription.as_str());
    assert_eq!(sim.get(&subscription)["schedule"], json!(null));
}

#[test]
fn a_released_schedule_changes_nothing() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_pro");
    let schedule = downgrade(&mut sim, &subscription, "price_starter");
    sim.skip();
    sim.post(&format!("subscription_schedules/{schedule}/release"), json!({}));
    let expected = ["subscription_schedule.released", "customer.subscription.updated"];
    assert_eq!(sim.kinds(), expected);
    sim.wait(40 * DAY);
    assert_eq!(sim.world.truth()[0].prices, ["price_pro"]);
}

#[test]
fn a_canceled_schedule_ends_its_subscription() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_pro");
    let schedule = downgrade(&mut sim, &subscription, "price_starter");
    sim.skip();
    sim.post(&format!("subscription_schedules/{schedule}/cancel"), json!({}));
    let told = sim.told();
    assert_eq!(told[0].kind, "customer.subscription.deleted");
    assert_eq!(previous(&told[1])["status"], "active");
}

#[test]
fn a_schedule_that_is_to_end_so_cancels_and_is_completed() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_pro");
    let schedule = downgrade(&mut sim, &subscription, "price_starter");
    let path = format!("subscription_schedules/{schedule}");
    sim.skip();
    sim.post(&path, json!({ "end_behavior": "cancel" }));
    let told = sim.told();
    assert_eq!(previous(&told[0]), json!({ "end_behavior": "release" }));
    for phase in [1, 2] {
        let (_, end) = period(&sim, &subscription);
        sim.world.advance_to(end);
        assert_eq!(sim.get(&subscription)["status"] == "canceled", phase == 2);
    }
    let told = sim.told();
    let ended = told.len() - 2;
    assert_eq!(told[ended].kind, "customer.subscription.deleted");
    assert_eq!(told[ended].object["schedule"], json!(null));
    assert_eq!(told[ended + 1].kind, "subscription_schedule.completed");
    let over = sim.get(&schedule);
    assert_eq!((&over["status"], &over["current_phase"]), (&json!("completed"), &json!(null)));
    assert_eq!(over["completed_at"], sim.get(&subscription)["ended_at"]);
}

#[test]
fn a_cancellation_at_a_date_comes_then() {
    for mode in ["classic", "flexible"] {
        let mut sim = Sim::new();
        let customer = sim.customer("pm_card_visa");
        let form = json!({ "customer": customer, "items": [{ "price": "price_starter" }],
            "billing_mode": { "type": mode } });
        let subscription = id_of(&sim.post("subscriptions", form));
        let path = format!("subscriptions/{subscription}");
        let (_, end) = period(&sim, &subscription);
        sim.skip();
        // Later than the period, which is renewed in between.
        let at = end + 3 * DAY;
        let set = sim.post(&path, json!({ "cancel_at": at }));
        assert_eq!((&set["cancel_at"], &set["cancel_at_period_end"]), (&json!(at), &json!(false)));
        assert_eq!(previous(&sim.told()[0])["cancel_at"], json!(null));
        let unset = sim.post(&path, json!({ "cancel_at": "" }));
        assert_eq!((&unset["cancel_at"], &unset["canceled_at"]), (&json!(null), &json!(null)));
        let refused = sim.refused(&path, json!({ "cancel_at": sim.world.now() }));
        assert_eq!(refused.param.as_deref(), Some("cancel_at"));
        sim.post(&path, json!({ "cancel_at": at }));
        sim.world.advance_to(end + DAY);
        assert_eq!(sim.get(&subscription)["status"], "active");
        sim.world.advance_to(at);
        assert_eq!(sim.get(&subscription)["ended_at"], at);
    }
}

#[test]
fn cancellation_at_period_end_in_both_billing_modes() {
    for (mode, shown) in [("classic", true), ("flexible", false)] {
        let mut sim = Sim::new();
        let customer = sim.customer("pm_card_visa");
        let form = json!({ "customer": customer, "items": [{ "price": "price_starter" }],
            "billing_mode": { "type": mode } });
        let subscription = id_of(&sim.post("subscriptions", form));
        let (_, end) = period(&sim, &subscription);
        let path = format!("subscriptions/{subscription}");
        sim.skip();
        let set = sim.post(&path, json!({ "cancel_at_period_end": true }));
        assert_eq!(set["cancel_at_period_end"], shown);
        assert_eq!(set["cancel_at"], end);
        assert_eq!(set["status"], "active");
        let told = sim.told();
        assert_eq!(previous(&told[0])["cancel_at"], json!(null));
        let unset = sim.post(&path, json!({ "cancel_at_period_end": false }));
        assert_eq!((&unset["cancel_at"], &unset["canceled_at"]), (&json!(null), &json!(null)));
        sim.post(&path, json!({ "cancel_at_period_end": true }));
        sim.skip();
        sim.world.advance_to(end);
        let told = sim.told();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].kind, "customer.subscription.deleted");
        assert_eq!(told[0].object["ended_at"], end);
        assert_eq!(told[0].object["cancellation_details"]["reason"], "cancellation_requested");
    }
}

#[test]
fn an_immediate_cancel_is_told_as_deleted() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_starter");
    let gone = sim.delete(&format!("subscriptions/{subscription}"));
    assert_eq!(gone["status"], "canceled");
    assert_eq!(sim.kinds(), ["customer.subscription.deleted"]);
    let path = format!("/v1/subscriptions/{subscription}").replacen("/v1/", "", 1);
    let again = sim.call(Method::Delete, &path, &json!({})).unwrap_err();
    assert_eq!(again.status, 404);
    assert_eq!(sim.refused(&path, json!({ "metadata": { "a": "b" } })).status, 400);
}

#[test]
fn a_deleted_customer_takes_the_subscriptions_along() {
    let mut sim = Sim::new();
    let (customer, _) = sim.subscriber("price_starter");
    let form = json!({ "customer": customer, "items": [{ "price": "price_pro" }] });
    sim.post("subscriptions", form);
    sim.skip();
    sim.delete(&format!("customers/{customer}"));
    let expected =
        ["customer.subscription.deleted", "customer.subscription.deleted", "customer.deleted"];
    assert_eq!(sim.kinds(), expected);
}

#[test]
fn two_subscriptions_are_independent() {
    let mut sim = Sim::new();
    let (customer, tier) = sim.subscriber("price_starter");
    let form = json!({ "customer": customer, "items": [{ "price": "price_pro" }] });
    let addon = id_of(&sim.post("subscriptions", form));
    let before = sim.get(&tier);
    sim.delete(&format!("subscriptions/{addon}"));
    assert_eq!(sim.get(&tier), before);
}
