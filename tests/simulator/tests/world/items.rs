//! The items of a subscription, each called by itself.

use ledger_simulator::world::{Answer, Method};
use serde_json::{Value, json};

use crate::harness::{DAY, Sim, id_of, of_kind, previous};

fn items(sim: &Sim, subscription: &str) -> Vec<Value> {
    sim.get(subscription)["items"]["data"].as_array().unwrap().clone()
}

/// A subscription to the starter's price at the middle of its period, and its item.
fn half_way(sim: &mut Sim) -> (String, String) {
    let (_, subscription) = sim.subscriber("price_starter");
    let item = items(sim, &subscription)[0].clone();
    let of = |name: &str| item[name].as_i64().unwrap();
    let (start, end) = (of("current_period_start"), of("current_period_end"));
    sim.world.advance_to(start + (end - start) / 2);
    (subscription, id_of(&item))
}

#[test]
fn an_item_that_is_added_is_charged_for_the_rest_of_the_period() {
    let mut sim = Sim::new();
    let (subscription, first) = half_way(&mut sim);
    let made = sim.post(
        "subscription_items",
        json!({ "subscription": subscription, "price": "price_pro", "quantity": 2,
            "metadata": { "seat": "coach" } }),
    );
    assert_eq!((&made["object"], &made["quantity"]), (&json!("subscription_item"), &json!(2)));
    assert_eq!(made["subscription"], subscription.as_str());
    assert_eq!(made["metadata"], json!({ "seat": "coach" }));
    let told = sim.told();
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["invoiceitem.created", "customer.subscription.updated"]);
    assert_eq!(told[0].object["amount"], 6_000);
    assert_eq!(told[1].object["items"]["data"], json!(items(&sim, &subscription)));
    let before = previous(&told[1]);
    let before = before["items"]["data"].as_array().unwrap();
    assert_eq!((before.len(), &before[0]["id"]), (1, &json!(first)));
    assert_eq!(sim.world.truth()[0].prices, ["price_starter", "price_pro"]);
    assert_eq!(sim.world.truth()[0].quantities, [1, 2]);
}

#[test]
fn an_item_that_changes_is_prorated_as_by_its_subscription() {
    let mut sims = [Sim::new(), Sim::new()];
    let [by_item, by_subscription] = &mut sims;
    let how = json!({ "proration_behavior": "always_invoice" });
    let (_, item) = half_way(by_item);
    let mut form = how.clone();
    form["price"] = json!("price_pro");
    let answer = by_item.post(&format!("subscription_items/{item}"), form);
    assert_eq!(answer["price"]["id"], "price_pro");
    let (subscription, item) = half_way(by_subscription);
    let mut form = how;
    form["items"] = json!([{ "id": item, "price": "price_pro" }]);
    by_subscription.post(&format!("subscriptions/{subscription}"), form);
    let told = by_item.told();
    assert_eq!(of_kind(&told, "invoice.paid").object["amount_paid"], 1_500);
    assert_eq!(told, by_subscription.told());
    assert_eq!(by_item.world.truth(), by_subscription.world.truth());
}

#[test]
fn quantity_and_metadata_of_an_item() {
    let mut sim = Sim::new();
    let (_, item) = half_way(&mut sim);
    let path = format!("subscription_items/{item}");
    let form = json!({ "quantity": 3, "proration_behavior": "none", "off_session": true });
    assert_eq!(sim.post(&path, form)["quantity"], 3);
    let told = sim.told();
    assert_eq!(told.len(), 1);
    assert_eq!(previous(&told[0])["items"]["data"][0]["quantity"], 1);
    assert_eq!(sim.world.truth()[0].quantities, [3]);
    sim.post(&path, json!({ "metadata": { "seat": "coach" } }));
    let told = sim.told();
    assert_eq!(told.len(), 1);
    assert_eq!(previous(&told[0])["items"]["data"][0]["metadata"], json!({}));
    sim.post(&path, json!({}));
    assert!(sim.kinds().is_empty());
    match sim.call(Method::Get, &path, &json!({})) {
        Ok(Answer::Object(object)) => assert_eq!(object["metadata"], json!({ "seat": "coach" })),
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_interval_begins_a_period() {
    let mut sim = Sim::new();
    let (_, item) = half_way(&mut sim);
    sim.post(&format!("subscription_items/{item}"), json!({ "price": "price_pro_year" }));
    let now = sim.world.now();
    assert_eq!(sim.world.truth()[0].period, (now, now + 365 * DAY));
    // A credit of half a month.
    let told = sim.told();
    assert_eq!(of_kind(&told, "invoice.paid").object["amount_paid"], 58_500);
}

#[test]
fn an_item_that_is_deleted_is_credited_and_the_last_one_stays() {
    let mut sim = Sim::new();
    let (subscription, first) = half_way(&mut sim);
    let form = json!({ "subscription": subscription, "price": "price_pro" });
    let second = id_of(&sim.post("subscription_items", form));
    sim.skip();
    let gone = sim.delete(&format!("subscription_items/{second}"));
    let expected = json!({ "id": second, "object": "subscription_item", "deleted": true });
    assert_eq!(gone, expected);
    let told = sim.told();
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["invoiceitem.created", "customer.subscription.updated"]);
    assert_eq!(told[0].object["amount"], -3_000);
    assert_eq!(previous(&told[1])["items"]["data"][1]["id"], second.as_str());
    assert_eq!(sim.world.truth()[0].prices, ["price_starter"]);

    let again = sim.call(Method::Delete, &format!("subscription_items/{second}"), &json!({}));
    assert_eq!(again.unwrap_err().message, format!("No such subscription item: '{second}'"));
    let last = sim.call(Method::Delete, &format!("subscription_items/{first}"), &json!({}));
    assert_eq!(last.unwrap_err().status, 400);
    assert!(sim.kinds().is_empty());
}

#[test]
fn a_deletion_may_be_free() {
    let mut sim = Sim::new();
    let (subscription, first) = half_way(&mut sim);
    let form = json!({ "subscription": subscription, "price": "price_pro" });
    sim.post("subscription_items", form);
    sim.skip();
    let path = format!("subscription_items/{first}");
    let free = json!({ "proration_behavior": "none", "clear_usage": false });
    sim.call(Method::Delete, &path, &free).unwrap();
    assert_eq!(sim.kinds(), ["customer.subscription.updated"]);
    assert_eq!(sim.world.truth()[0].prices, ["price_pro"]);
}

#[test]
fn an_item_that_cannot_be_paid_waits() {
    let mut sim = Sim::new();
    let (subscription, _) = half_way(&mut sim);
    let customer = sim.get(&subscription)["customer"].as_str().unwrap().to_owned();
    sim.card(&customer, "pm_card_chargeCustomerFail");
    let form = json!({ "subscription": subscription, "price": "price_pro",
        "proration_behavior": "always_invoice", "payment_behavior": "pending_if_incomplete" });
    let made = sim.post("subscription_items", form.clone());
    assert_eq!(sim.world.truth()[0].prices, ["price_starter"]);
    let pending = &sim.get(&subscription)["pending_update"]["subscription_items"];
    assert_eq!(pending[1]["id"], made["id"]);
    let twice = sim.refused("subscription_items", form);
    assert_eq!(twice.code.as_deref(), Some("subscription_pending_update"));
}

#[test]
fn what_is_refused() {
    let mut sim = Sim::new();
    let (subscription, item) = half_way(&mut sim);
    let one = format!("subscription_items/{item}");
    let all = "subscription_items";
    sim.post("prices/price_pro_year", json!({ "active": false }));
    sim.skip();
    for (path, form, status, param) in [
        (all, json!({ "price": "price_pro" }), 400, "subscription"),
        (all, json!({ "subscription": subscription }), 400, "price"),
        (all, json!({ "subscription": "sub_x", "price": "price_pro" }), 404, "subscription"),
        (all, json!({ "subscription": subscription, "price": "price_x" }), 404, "price"),
        (all, json!({ "subscription": subscription, "price": "price_pro_year" }), 400, "price"),
        (all, json!({ "subscription": subscription, "price": "price_starter" }), 400, "items"),
        (all, json!({ "subscription": subscription, "plan": "price_pro" }), 400, "plan"),
        (one.as_str(), json!({ "quantity": -1 }), 400, "quantity"),
        (one.as_str(), json!({ "price": "price_x" }), 404, "price"),
        (one.as_str(), json!({ "deleted": true }), 400, "deleted"),
        (one.as_str(), json!({ "proration_date": 1 }), 400, "proration_date"),
        (one.as_str(), json!({ "off_session": "x" }), 400, "off_session"),
        ("subscription_items/si_x", json!({ "quantity": 1 }), 404, "id"),
    ] {
        let refused = sim.refused(path, form);
        assert_eq!((refused.status, refused.param.as_deref()), (status, Some(param)), "{path}");
    }
    let usage = sim.call(Method::Delete, &one, &json!({ "clear_usage": true })).unwrap_err();
    assert_eq!((usage.status, usage.param.as_deref()), (400, Some("clear_usage")));
    assert!(sim.kinds().is_empty());

    sim.delete(&format!("subscriptions/{subscription}"));
    let form = json!({ "subscription": subscription, "price": "price_pro" });
    for refused in [sim.refused(all, form), sim.refused(&one, json!({ "quantity": 2 }))] {
        assert_eq!(refused.code.as_deref(), Some("subscription_canceled"));
    }
}
