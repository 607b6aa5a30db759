//! Refunds, disputes, prices and the list of events.

use serde_json::{Value, json};

use crate::harness::{HOUR, Sim, id_of, of_kind, previous};

fn charge(sim: &mut Sim) -> String {
    sim.subscriber("price_starter");
    id_of(&sim.list("charges", json!({}))[0])
}

#[test]
fn partial_refunds_add_up() {
    let mut sim = Sim::new();
    let charge = charge(&mut sim);
    sim.post("refunds", json!({ "charge": charge, "amount": 1_000 }));
    let told = sim.told();
    assert_eq!(told[0].kind, "refund.created");
    assert!(told[0].object["customer"].is_string());
    let refunded = of_kind(&told, "charge.refunded");
    assert_eq!(previous(refunded), json!({ "amount_refunded": 0 }));
    assert_eq!(refunded.object["refunded"], false);
    sim.post("refunds", json!({ "charge": charge }));
    let told = sim.told();
    let refunded = of_kind(&told, "charge.refunded");
    assert_eq!(refunded.object["amount_refunded"], 3_000);
    assert_eq!(previous(refunded), json!({ "amount_refunded": 1_000, "refunded": false }));
    assert_eq!(sim.world.truth()[0].refunded_minor, 3_000);
    assert_eq!(sim.world.truth()[0].status, "active");
    let error = sim.refused("refunds", json!({ "charge": charge }));
    assert_eq!(error.code.as_deref(), Some("charge_already_refunded"));
}

#[test]
fn a_refund_can_fail_later() {
    let mut sim = Sim::new();
    let charge = charge(&mut sim);
    let refund = id_of(&sim.post("refunds", json!({ "charge": charge })));
    sim.skip();
    sim.post(&format!("test_helpers/refunds/{refund}/fail"), json!({}));
    let told = sim.told();
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["refund.updated", "refund.failed", "charge.updated"]);
    assert_eq!(sim.get(&charge)["amount_refunded"], 0);
    assert_eq!(sim.world.truth()[0].refunded_minor, 0);
}

#[test]
fn a_dispute_is_decided() {
    for (status, reinstated) in [("won", true), ("lost", false)] {
        let mut sim = Sim::new();
        let charge = charge(&mut sim);
        let dispute = id_of(&sim.post("test_helpers/disputes", json!({ "charge": charge })));
        let expected =
            ["charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.updated"];
        assert_eq!(sim.kinds(), expected);
        let evidence = json!({ "evidence": { "product_description": "tier" }, "submit": true });
        let updated = sim.post(&format!("disputes/{dispute}"), evidence);
        assert_eq!(updated["status"], "under_review");
        assert_eq!(sim.kinds(), ["charge.dispute.updated"]);
        let path = format!("test_helpers/disputes/{dispute}/close");
        sim.post(&path, json!({ "status": status }));
        let told = sim.told();
        assert_eq!(told[0].kind, "charge.dispute.closed");
        assert_eq!(previous(&told[0]), json!({ "status": "under_review" }));
        assert_eq!(told.len() == 2, reinstated);
    }
}

#[test]
fn an_inquiry_moves_no_money() {
    for (submits, before) in [(true, "warning_under_review"), (false, "warning_needs_response")] {
        let mut sim = Sim::new();
        let charge = charge(&mut sim);
        let form = json!({ "charge": charge, "inquiry": true });
        let dispute = id_of(&sim.post("test_helpers/disputes", form));
        assert_eq!(sim.get(&dispute)["status"], "warning_needs_response");
        assert_eq!(sim.kinds(), ["charge.dispute.created", "charge.updated"]);
        let evidence = json!({ "evidence": { "receipt": "file_1" }, "submit": submits });
        let updated = sim.post(&format!("disputes/{dispute}"), evidence);
        assert_eq!(updated["status"], before);
        let path = format!("test_helpers/disputes/{dispute}/close");
        sim.skip();
        sim.post(&path, json!({ "status": "warning_closed" }));
        let told = sim.told();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].kind, "charge.dispute.closed");
        assert_eq!(previous(&told[0]), json!({ "status": before }));
        assert_eq!(sim.refused(&path, json!({ "status": "lost" })).status, 400);
    }
}

#[test]
fn a_dispute_that_is_prevented_gives_the_money_back() {
    let mut sim = Sim::new();
    let charge = charge(&mut sim);
    let dispute = id_of(&sim.post("test_helpers/disputes", json!({ "charge": charge })));
    sim.skip();
    let path = format!("test_helpers/disputes/{dispute}/close");
    sim.post(&path, json!({ "status": "prevented" }));
    assert_eq!(sim.kinds(), ["charge.dispute.closed", "charge.dispute.funds_reinstated"]);
    let moved = sim.get(&dispute)["balance_transactions"].clone();
    let amounts: Vec<_> = moved.as_array().unwrap().iter().map(|one| &one["amount"]).collect();
    assert_eq!(amounts, [&json!(-3_000), &json!(3_000)]);
}

#[test]
fn an_invoice_that_is_given_up_can_still_be_paid() {
    let mut sim = Sim::new();
    let (customer, subscription) = sim.subscriber("price_starter");
    sim.card(&customer, "pm_card_chargeCustomerFail");
    let end = &sim.get(&subscription)["items"]["data"][0]["current_period_end"];
    sim.world.advance_to(end.as_i64().unwrap() + HOUR);
    let invoice = sim.get(&subscription)["latest_invoice"].as_str().unwrap().to_owned();
    sim.skip();
    sim.post(&format!("invoices/{invoice}/mark_uncollectible"), json!({}));
    let told = sim.told();
    let given_up = &of_kind(&told, "invoice.marked_uncollectible").object;
    assert_eq!(given_up["status"], "uncollectible");
    assert_eq!(given_up["status_transitions"]["marked_uncollectible_at"], sim.world.now());
    assert_eq!(given_up["next_payment_attempt"], json!(null));
    let path = format!("invoices/{invoice}/pay");
    let paid = sim.post(&path, json!({ "payment_method": "pm_card_visa" }));
    assert_eq!((&paid["status"], &paid["amount_paid"]), (&json!("paid"), &json!(3_000)));
    assert_eq!(sim.get(&subscription)["status"], "active");
}

#[test]
fn a_portal_session_is_its_customers() {
    let mut sim = Sim::new();
    let (customer, _) = sim.subscriber("price_starter");
    let back = "https://example.test/account";
    let form = json!({ "customer": customer, "return_url": back });
    let session = sim.post("billing_portal/sessions", form);
    assert_eq!((&session["customer"], &session["return_url"]), (&json!(customer), &json!(back)));
    assert!(session["url"].as_str().unwrap().contains(&id_of(&session)));
    assert_eq!(sim.kinds(), ["billing_portal.session.created"]);
    let stranger = sim.refused("billing_portal/sessions", json!({ "customer": "cus_nobody" }));
    assert_eq!(stranger.param.as_deref(), Some("customer"));
}

#[test]
fn a_price_changes_with_its_plan() {
    let mut sim = Sim::new();
    sim.post("prices/price_starter", json!({ "nickname": "Starter, monthly" }));
    let told = sim.told();
    let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["price.updated", "plan.updated"]);
    assert_eq!(previous(&told[1]), json!({ "nickname": null }));
    sim.post("products/prod_tier", json!({ "name": "Tiers" }));
    assert_eq!(sim.kinds(), ["product.updated"]);
}

#[test]
fn a_lookup_key_moves_only_when_asked() {
    let mut sim = Sim::new();
    let mut form = json!({ "product": "prod_tier", "currency": "usd", "unit_amount": 1,
        "recurring": { "interval": "month" }, "lookup_key": "price_starter" });
    assert_eq!(sim.refused("prices", form.clone()).status, 400);
    form["transfer_lookup_key"] = json!(true);
    let new = id_of(&sim.post("prices", form));
    let found = sim.list("prices", json!({ "lookup_keys": ["price_starter"], "active": true }));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["id"], new.as_str());
    assert_eq!(sim.get("price_starter")["lookup_key"], Value::Null);
}

#[test]
fn events_are_listed_newest_first_and_filtered() {
    let mut sim = Sim::new();
    sim.subscriber("price_starter");
    let first = sim.world.now();
    sim.wait(100);
    sim.subscriber("price_pro");
    let types = json!({ "types": ["invoice.paid", "customer.created"] });
    let found = sim.list("events", types);
    let kinds: Vec<_> = found.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let expected = ["invoice.paid", "customer.created", "invoice.paid", "customer.created"];
    assert_eq!(kinds, expected);
    assert_eq!(found[0]["request"]["id"], "req_1");
    let later = json!({ "type": "invoice.paid", "created": { "gt": first } });
    assert_eq!(sim.list("events", later).len(), 1);
    let until = json!({ "type": "invoice.*", "created": { "lte": first } });
    assert_eq!(sim.list("events", until).len(), 5);
}
