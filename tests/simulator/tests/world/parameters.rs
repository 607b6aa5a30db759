//! What a subscription may be told when it begins, and later.

use ledger_simulator::world::Config;
use serde_json::{Value, json};

use crate::harness::{DAY, HOUR, Sim, id_of, of_kind, previous};

const MONTH_SECONDS: i64 = 30 * DAY;

/// A subscription to the starter's price of 30.00, which begins on the 21st of September.
fn begun(sim: &mut Sim, more: Value) -> Value {
    let customer = sim.customer("pm_card_visa");
    sim.skip();
    sim.post("subscriptions", form(&customer, &more))
}

fn form(customer: &str, more: &Value) -> Value {
    let mut form = json!({ "customer": customer, "items": [{ "price": "price_starter" }] });
    for (name, value) in more.as_object().unwrap() {
        form[name.as_str()] = value.clone();
    }
    form
}

fn period(subscription: &Value) -> (i64, i64) {
    let item = &subscription["items"]["data"][0];
    let of = |name: &str| item[name].as_i64().unwrap();
    (of("current_period_start"), of("current_period_end"))
}

#[test]
fn one_that_is_to_end_with_its_period_from_the_start_does() {
    for (mode, shown) in [("classic", true), ("flexible", false)] {
        for days in [None, Some(7)] {
            let mut sim = Sim::new();
            let mut more =
                json!({ "cancel_at_period_end": true, "billing_mode": { "type": mode } });
            if let Some(days) = days {
                more["trial_period_days"] = json!(days);
            }
            let made = begun(&mut sim, more);
            let (start, end) = period(&made);
            assert_eq!(end, start + days.unwrap_or(30) * DAY);
            assert_eq!(made["cancel_at_period_end"], shown);
            assert_eq!((&made["cancel_at"], &made["canceled_at"]), (&json!(end), &json!(start)));
            assert_eq!(made["cancellation_details"]["reason"], "cancellation_requested");
            let told = sim.told();
            let created = of_kind(&told, "customer.subscription.created");
            assert_eq!(created.object["cancel_at"], end);
            let truth = sim.world.truth()[0].clone();
            assert_eq!((truth.cancel_at, truth.ended_at), (Some(end), None));

            sim.world.advance_to(end);
            let told = sim.told();
            let last = told.last().unwrap();
            assert_eq!(last.kind, "customer.subscription.deleted");
            assert!(told.iter().all(|event| event.kind != "invoice.created"));
            let truth = sim.world.truth()[0].clone();
            assert_eq!((truth.status.as_str(), truth.ended_at), ("canceled", Some(end)));
            assert_eq!(truth.paid_minor, if days.is_none() { 3_000 } else { 0 });
        }
    }
}

#[test]
fn one_that_is_to_end_at_a_date_from_the_start_does() {
    let mut sim = Sim::new();
    let at = sim.world.now() + MONTH_SECONDS + 3 * DAY;
    let made = begun(&mut sim, json!({ "cancel_at": at, "cancel_at_period_end": false }));
    assert_eq!((&made["cancel_at"], &made["cancel_at_period_end"]), (&json!(at), &json!(false)));
    let path = format!("subscriptions/{}", id_of(&made));
    sim.skip();
    sim.post(&path, json!({ "cancel_at": "" }));
    let reason = json!({ "reason": "cancellation_requested" });
    let unset = json!({ "cancel_at": at, "canceled_at": made["created"],
        "cancellation_details": reason });
    assert_eq!(previous(&sim.told()[0]), unset);
    sim.post(&path, json!({ "cancel_at": at }));
    sim.world.advance_to(at);
    assert_eq!(sim.world.truth()[0].ended_at, Some(at));

    let customer = sim.customer("pm_card_visa");
    let now = sim.world.now();
    for more in [
        json!({ "cancel_at": now }),
        json!({ "cancel_at": now + DAY, "cancel_at_period_end": true }),
    ] {
        let refused = sim.refused("subscriptions", form(&customer, &more));
        assert_eq!((refused.status, refused.param.as_deref()), (400, Some("cancel_at")));
    }
}

#[test]
fn until_its_anchor_a_part_of_the_price_is_paid() {
    let mut sim = Sim::new();
    let now = sim.world.now();
    let anchor = now + 10 * DAY;
    let made = begun(&mut sim, json!({ "billing_cycle_anchor": anchor }));
    assert_eq!(
        (&made["status"], &made["billing_cycle_anchor"]),
        (&json!("active"), &json!(anchor))
    );
    assert_eq!(period(&made), (now, anchor));
    let told = sim.told();
    let paid = &of_kind(&told, "invoice.paid").object;
    // Ten days of the month that ends on the 1st of October, which has 30.
    let part = 1_000;
    let expected = (&json!("subscription_create"), &json!(part));
    assert_eq!((&paid["billing_reason"], &paid["amount_paid"]), expected);
    let line = &paid["lines"]["data"][0];
    assert_eq!(line["period"], json!({ "start": now, "end": anchor }));
    let details = &line["parent"]["subscription_item_details"];
    assert_eq!(details["proration"], true);
    assert_eq!(details["invoice_item"], json!(null));

    sim.world.advance_to(anchor + HOUR);
    let told = sim.told();
    let renewed = of_kind(&told, "invoice.paid");
    assert_eq!(renewed.object["billing_reason"], "subscription_cycle");
    assert_eq!(renewed.object["amount_paid"], 3_000);
    let line = &renewed.object["lines"]["data"][0];
    assert_eq!(line["parent"]["subscription_item_details"]["proration"], false);
    let truth = sim.world.truth()[0].clone();
    assert_eq!(truth.period, (anchor, anchor + 31 * DAY));
    assert_eq!(truth.paid_minor, part + 3_000);
}

#[test]
fn until_its_anchor_nothing_is_paid_if_nothing_is_to_be_prorated() {
    let mut sim = Sim::new();
    let anchor = sim.world.now() + 10 * DAY;
    let free = json!({ "billing_cycle_anchor": anchor, "proration_behavior": "none" });
    let made = begun(&mut sim, free);
    assert_eq!((&made["status"], &made["latest_invoice"]), (&json!("active"), &json!(null)));
    assert_eq!(sim.kinds(), ["customer.updated", "customer.subscription.created"]);

    // Neither is anything given back or asked for when it changes.
    let path = format!("subscriptions/{}", id_of(&made));
    let item = &made["items"]["data"][0]["id"];
    sim.post(&path, json!({ "items": [{ "id": item, "price": "price_pro" }] }));
    assert_eq!(sim.kinds(), ["customer.subscription.updated"]);
    sim.world.advance_to(anchor + HOUR);
    let told = sim.told();
    assert_eq!(of_kind(&told, "invoice.paid").object["amount_paid"], 6_000);

    // Who has nothing to pay with may begin, since nothing is to be paid.
    let without = id_of(&sim.post("customers", json!({})));
    let anchor = sim.world.now() + 10 * DAY;
    let free = json!({ "billing_cycle_anchor": anchor, "proration_behavior": "none" });
    sim.post("subscriptions", form(&without, &free));
    let charged = json!({ "billing_cycle_anchor": anchor });
    let refused = sim.refused("subscriptions", form(&without, &charged));
    assert_eq!(refused.code.as_deref(), Some("resource_missing"));
}

#[test]
fn before_its_anchor_a_change_is_reckoned_by_the_whole_price() {
    let mut sim = Sim::new();
    let anchor = sim.world.now() + 10 * DAY;
    let made = begun(&mut sim, json!({ "billing_cycle_anchor": anchor }));
    sim.wait(5 * DAY);
    sim.skip();
    let item = &made["items"]["data"][0]["id"];
    let path = format!("subscriptions/{}", id_of(&made));
    sim.post(&path, json!({ "items": [{ "id": item, "price": "price_pro" }] }));
    let told = sim.told();
    let amounts = [&told[0].object["amount"], &told[1].object["amount"]];
    // Five days of 30.
    assert_eq!(amounts, [&json!(-500), &json!(1_000)]);
}

#[test]
fn a_trial_may_be_followed_by_a_part_of_a_period() {
    for (behavior, part) in [("create_prorations", Some(300)), ("none", None)] {
        let mut sim = Sim::new();
        let now = sim.world.now();
        let (end, anchor) = (now + 7 * DAY, now + 10 * DAY);
        let made = begun(
            &mut sim,
            json!({ "trial_end": end, "billing_cycle_anchor": anchor,
                "proration_behavior": behavior }),
        );
        assert_eq!(
            (&made["status"], &made["billing_cycle_anchor"]),
            (&json!("trialing"), &json!(anchor))
        );
        assert_eq!(period(&made), (now, end));
        sim.world.advance_to(end + HOUR);
        let truth = sim.world.truth()[0].clone();
        assert_eq!((truth.status.as_str(), truth.period), ("active", (end, anchor)));
        assert_eq!(truth.paid_minor, part.unwrap_or(0), "{behavior}");
        sim.world.advance_to(anchor + HOUR);
        let truth = sim.world.truth()[0].clone();
        assert_eq!(truth.period.0, anchor);
        assert_eq!(truth.paid_minor, part.unwrap_or(0) + 3_000, "{behavior}");
    }
}

#[test]
fn an_anchor_lies_between_now_and_the_end_of_a_whole_period() {
    let mut sim = Sim::new();
    let customer = sim.customer("pm_card_visa");
    let now = sim.world.now();
    for more in [
        json!({ "billing_cycle_anchor": now }),
        json!({ "billing_cycle_anchor": now + MONTH_SECONDS + 1 }),
        json!({ "billing_cycle_anchor": now + 5 * DAY, "trial_end": now + 6 * DAY }),
        json!({ "billing_cycle_anchor": "soon" }),
    ] {
        let refused = sim.refused("subscriptions", form(&customer, &more));
        assert_eq!(
            (refused.status, refused.param.as_deref()),
            (400, Some("billing_cycle_anchor")),
            "{more}"
        );
    }
    assert!(sim.world.truth().is_empty());
    let natural = json!({ "billing_cycle_anchor": now + MONTH_SECONDS });
    sim.post("subscriptions", form(&customer, &natural));
    assert_eq!(sim.world.truth()[0].period, (now, now + MONTH_SECONDS));
}

#[test]
fn one_with_an_anchor_that_is_to_end_ends_then() {
    let mut sim = Sim::new();
    let anchor = sim.world.now() + 10 * DAY;
    let made =
        begun(&mut sim, json!({ "billing_cycle_anchor": anchor, "cancel_at_period_end": true }));
    assert_eq!(made["cancel_at"], anchor);
    sim.world.advance_to(anchor);
    assert_eq!(sim.world.truth()[0].ended_at, Some(anchor));
}

#[test]
fn payment_settings_are_kept_and_shown() {
    let mut sim = Sim::new();
    let made = begun(
        &mut sim,
        json!({ "payment_settings": { "payment_method_types": ["card", "link"],
            "save_default_payment_method": "off" } }),
    );
    let shown = json!({ "payment_method_options": null, "payment_method_types": ["card", "link"],
        "save_default_payment_method": "off" });
    assert_eq!(made["payment_settings"], shown);
    assert_eq!(made["default_payment_method"], json!(null));
    sim.skip();
    let path = format!("subscriptions/{}", id_of(&made));
    let settings = json!({ "save_default_payment_method": "on_subscription" });
    let updated = sim.post(&path, json!({ "payment_settings": settings, "off_session": true }));
    assert_eq!(updated["payment_settings"]["payment_method_types"], json!(["card", "link"]));
    let told = sim.told();
    let before = json!({ "payment_settings": { "save_default_payment_method": "off" } });
    assert_eq!((told.len(), previous(&told[0])), (1, before));
    let unset = json!({ "payment_settings": { "payment_method_types": "" } });
    let updated = sim.post(&path, unset);
    assert_eq!(updated["payment_settings"]["payment_method_types"], json!(null));
    let before = json!({ "payment_settings": { "payment_method_types": ["card", "link"] } });
    assert_eq!(previous(&sim.told()[0]), before);
    // With the next payment that is so, the card becomes the subscription's own.
    sim.wait(MONTH_SECONDS + HOUR);
    assert!(sim.get(&id_of(&made))["default_payment_method"].is_string());
}

#[test]
fn what_pays_becomes_the_default_if_that_is_wanted() {
    let wanted =
        json!({ "payment_settings": { "save_default_payment_method": "on_subscription" } });
    for starts_incomplete in [false, true] {
        let mut sim = Sim::with(Config { starts_incomplete, ..Config::default() });
        let made = begun(&mut sim, wanted.clone());
        let told = sim.told();
        let created = of_kind(&told, "customer.subscription.created");
        assert_eq!(created.object["default_payment_method"], json!(null));
        let updated = of_kind(&told, "customer.subscription.updated");
        let mut before = json!({ "default_payment_method": null });
        if starts_incomplete {
            before["status"] = json!("incomplete");
        }
        assert_eq!(previous(updated), before);
        let intent = sim.intent_of(made["latest_invoice"].as_str().unwrap());
        let method = sim.get(&intent)["payment_method"].clone();
        assert_eq!(made["default_payment_method"], method);
        assert_eq!(updated.object["default_payment_method"], method);
    }

    // By the payment that a page makes, and not by one that fails.
    let mut sim = Sim::new();
    let customer = sim.customer("pm_card_chargeCustomerFail");
    let made = sim.post("subscriptions", form(&customer, &wanted));
    assert_eq!(made["default_payment_method"], json!(null));
    let intent = sim.intent_of(made["latest_invoice"].as_str().unwrap());
    sim.skip();
    let card = json!({ "payment_method": "pm_card_visa" });
    let paid = sim.post(&format!("payment_intents/{intent}/confirm"), card);
    let told = sim.told();
    let updated = of_kind(&told, "customer.subscription.updated");
    let before = json!({ "status": "incomplete", "default_payment_method": null });
    assert_eq!(previous(updated), before);
    assert_eq!(updated.object["default_payment_method"], paid["payment_method"]);
}

#[test]
fn what_tells_only_of_itself_changes_only_itself() {
    let mut sim = Sim::new();
    let plain = json!({ "description": "With a coach", "off_session": true,
        "proration_behavior": "always_invoice" });
    let made = begun(&mut sim, plain);
    assert_eq!(made["description"], "With a coach");
    sim.skip();
    let path = format!("subscriptions/{}", id_of(&made));
    sim.post(&path, json!({ "off_session": false }));
    assert!(sim.kinds().is_empty());
    sim.post(&path, json!({ "description": "" }));
    assert_eq!(previous(&sim.told()[0]), json!({ "description": "With a coach" }));

    let customer = sim.customer("pm_card_visa");
    let empty = sim.refused("subscriptions", form(&customer, &json!({ "description": "" })));
    assert_eq!(empty.code.as_deref(), Some("parameter_invalid_empty"));
    for (more, param) in [
        (json!({ "off_session": "sometimes" }), "off_session"),
        (json!({ "cancel_at_period_end": "maybe" }), "cancel_at_period_end"),
        (json!({ "description": "x".repeat(501) }), "description"),
        (json!({ "payment_settings": "none" }), "payment_settings"),
        (
            json!({ "payment_settings": { "payment_method_types": ["carrier_pigeon", "card"] } }),
            "payment_settings[payment_method_types]",
        ),
        (
            json!({ "payment_settings": { "payment_method_types": ["sepa_debit"] } }),
            "payment_settings[payment_method_types]",
        ),
        (
            json!({ "payment_settings": { "save_default_payment_method": "on_customer" } }),
            "save_default_payment_method",
        ),
    ] {
        for (path, form) in [("subscriptions", form(&customer, &more)), (path.as_str(), more)] {
            let before = sim.world.events().len();
            let refused = sim.refused(path, form);
            assert_eq!((refused.status, refused.param.as_deref()), (400, Some(param)), "{path}");
            assert_eq!(sim.world.events().len(), before);
        }
    }
}
