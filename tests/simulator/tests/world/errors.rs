//! What is refused, and in which words.

use ledger_simulator::world::Method;
use serde_json::{Value, json};

use crate::harness::Sim;

#[test]
fn calls_that_are_not_there_are_not_taken_for_ids() {
    let mut sim = Sim::new();
    let refused = sim.refused("invoices/create_preview", json!({}));
    assert!(refused.message.contains("Unrecognized request URL"), "{refused:?}");
    let search = sim.call(Method::Get, "subscriptions/search", &json!({})).unwrap_err();
    assert!(search.message.contains("Unrecognized request URL"), "{search:?}");
}

#[test]
fn what_does_not_exist() {
    let mut sim = Sim::new();
    let error = sim.call(Method::Get, "subscriptions/sub_x", &json!({})).unwrap_err();
    assert_eq!((error.status, error.code.as_deref()), (404, Some("resource_missing")));
    assert_eq!(error.message, "No such subscription: 'sub_x'");
    assert_eq!(error.kind, "invalid_request_error");
    let error = sim.call(Method::Get, "nothing", &json!({})).unwrap_err();
    assert_eq!(error.message, "Unrecognized request URL (GET: /v1/nothing).");
}

#[test]
fn parameters() {
    let mut sim = Sim::new();
    let codes = [
        (json!({ "nam": "x" }), "parameter_unknown", "nam"),
        (json!({}), "parameter_missing", "name"),
        (json!({ "name": "" }), "parameter_invalid_empty", "name"),
    ];
    for (form, code, param) in codes {
        let error = sim.refused("products", form);
        assert_eq!(error.status, 400);
        assert_eq!((error.code.as_deref(), error.param.as_deref()), (Some(code), Some(param)));
    }
    let customer = sim.customer("pm_card_visa");
    let form = json!({ "customer": customer, "items": [{ "price": "price_starter", "x": 1 }] });
    assert_eq!(sim.refused("subscriptions", form).param.as_deref(), Some("items[x]"));
    assert!(sim.world.truth().is_empty());
}

#[test]
fn what_would_come_to_nothing_is_refused() {
    let mut sim = Sim::new();
    let (customer, subscription) = sim.subscriber("price_starter");
    let schedule = sim.post("subscription_schedules", json!({ "from_subscription": subscription }));
    let schedule = format!("subscription_schedules/{}", schedule["id"].as_str().unwrap());
    let page = |name: &str, value: Value| {
        let mut form = json!({ "mode": "subscription", "success_url": "https://example.test/done",
            "line_items": [{ "price": "price_starter" }] });
        form[name] = value;
        ("checkout/sessions".to_owned(), form, name.to_owned())
    };
    let items = json!([{ "price": "price_starter" }]);
    let call = |path: &str, form: Value, param: &str| (path.to_owned(), form, param.to_owned());
    let called = format!("subscriptions/{subscription}");
    for (path, form, param) in [
        page("ui_mode", json!("embedded")),
        page("return_url", json!("https://example.test/back")),
        page("payment_method_types", json!(["sepa_debit"])),
        call(
            "subscriptions",
            json!({ "customer": customer, "items": items,
            "payment_settings": { "payment_method_options": { "card": { "network": "visa" } } } }),
            "payment_settings[payment_method_options]",
        ),
        call(
            "subscriptions",
            json!({ "customer": customer, "items": items,
            "currency": "eur" }),
            "currency",
        ),
        call(
            "subscriptions",
            json!({ "customer": customer, "items": items,
            "proration_behavior": "sometimes" }),
            "proration_behavior",
        ),
        call(&called, json!({ "days_until_due": 30 }), "days_until_due"),
        call(&called, json!({ "currency": "eur" }), "currency"),
        call(
            &format!("{called}/resume"),
            json!({ "proration_behavior": "none" }),
            "proration_behavior",
        ),
        call(
            &format!("{schedule}/release"),
            json!({ "preserve_cancel_date": true }),
            "preserve_cancel_date",
        ),
        call(&format!("{schedule}/cancel"), json!({ "invoice_now": true }), "invoice_now"),
        call(&format!("{schedule}/cancel"), json!({ "prorate": true }), "prorate"),
    ] {
        let before = sim.world.events().len();
        let error = sim.refused(&path, form);
        assert_eq!((error.status, error.param.as_deref()), (400, Some(&*param)), "{path}");
        assert_eq!(sim.world.events().len(), before, "{path} {param}");
    }
}

#[test]
fn cards() {
    let mut sim = Sim::new();
    let customer = sim.customer("pm_card_visa");
    let attach = "payment_methods/pm_card_chargeDeclined/attach";
    let error = sim.refused(attach, json!({ "customer": customer }));
    assert_eq!((error.status, error.kind), (402, "card_error"));
    assert_eq!(error.code.as_deref(), Some("card_declined"));
    assert_eq!(error.decline_code.as_deref(), Some("generic_decline"));
    for (card, code) in [
        ("pm_card_chargeCustomerFail", "card_declined"),
        ("pm_card_authenticationRequired", "subscription_payment_intent_requires_action"),
    ] {
        sim.card(&customer, card);
        let form = json!({ "customer": customer, "items": [{ "price": "price_starter" }],
            "payment_behavior": "error_if_incomplete" });
        let error = sim.refused("subscriptions", form);
        assert_eq!((error.status, error.code.as_deref()), (402, Some(code)));
        assert!(sim.kinds().is_empty());
    }
}

#[test]
fn states() {
    let mut sim = Sim::new();
    let (_, subscription) = sim.subscriber("price_starter");
    let invoice = sim.get(&subscription)["latest_invoice"].as_str().unwrap().to_owned();
    for act in ["pay", "void", "finalize", "mark_uncollectible"] {
        let error = sim.refused(&format!("invoices/{invoice}/{act}"), json!({}));
        assert_eq!(error.status, 400, "{act}");
    }
    sim.post("subscription_schedules", json!({ "from_subscription": subscription }));
    let path = format!("subscriptions/{subscription}");
    let error = sim.refused(&path, json!({ "cancel_at_period_end": true }));
    assert!(error.message.contains("managed by"), "{}", error.message);
    let error = sim.refused("subscription_schedules", json!({ "from_subscription": subscription }));
    assert_eq!(error.status, 400);
}
