use serde_json::{Value, json};

use super::{CATALOGUE, Links, Renderer, Version, render_event, render_object};
use crate::world::Event;

fn price() -> Value {
    json!({
        "id": "price_1", "object": "price", "active": true, "billing_scheme": "per_unit",
        "created": 1, "currency": "usd", "livemode": false, "lookup_key": "starter",
        "metadata": {"object": "invoice", "status": "kept"}, "nickname": null, "product": "prod_1",
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
        "type": "recurring", "unit_amount": 2900, "unit_amount_decimal": "2900",
    })
}

fn subscription() -> Value {
    json!({
        "id": "sub_1", "object": "subscription", "billing_mode": {"type": "flexible"},
        "billing_schedules": null, "cancel_at": null, "collection_method": "charge_automatically",
        "customer": "cus_1", "customer_account": null, "discounts": ["di_1"],
        "items": {"object": "list", "has_more": false, "url": "/v1/subscription_items", "data": [{
            "id": "si_1", "object": "subscription_item", "current_period_start": 100,
            "current_period_end": 200, "discounts": [], "plan": {"id": "price_1", "product": "prod_1"},
            "price": price(), "quantity": 2, "subscription": "sub_1",
        }]},
        "managed_payments": null, "metadata": {"trainer_id": "t1"}, "pause_schedules": [],
        "pending_update": null, "start_date": 100, "status": "active", "status_details": {},
    })
}

fn invoice() -> Value {
    json!({
        "id": "in_1", "object": "invoice", "amount_due": 2900, "amount_overpaid": 0,
        "auto_advance": false, "automatic_tax": {"enabled": false, "disabled_reason": null},
        "collection_method": "charge_automatically", "created": 100, "customer": "cus_1",
        "discounts": [], "lines": {"object": "list", "has_more": false, "url": "/", "data": [{
            "id": "il_1", "object": "line_item", "amount": 2900, "currency": "usd",
            "invoice": "in_1", "parent": {
                "type": "subscription_item_details", "invoice_item_details": null,
                "subscription_item_details": {
                    "subscription": "sub_1", "subscription_item": "si_1", "proration": false,
                    "invoice_item": null, "proration_details": null,
                },
            },
            "pricing": {
                "type": "price_details", "unit_amount_decimal": "2900",
                "price_details": {"price": "price_1", "product": "prod_1"},
            },
            "pretax_credit_amounts": [], "quantity_decimal": "1", "subtotal": 2900, "taxes": [],
        }]},
        "parent": {
            "type": "subscription_details", "quote_details": null,
            "subscription_details": {"metadata": {"trainer_id": "t1"}, "subscription": "sub_1"},
        },
        "status": "paid", "status_transitions": {"finalized_at": 101, "paid_at": 102},
        "total_pretax_credit_amounts": [], "total_taxes": [{
            "amount": 5, "tax_behavior": "inclusive", "tax_rate_details": {"tax_rate": "txr_1"},
            "taxability_reason": null, "taxable_amount": 2900, "type": "tax_rate_details",
        }],
    })
}

fn charge() -> Value {
    json!({"id": "ch_1", "object": "charge", "payment_intent": "pi_1", "refunds": null})
}

fn intent() -> Value {
    json!({
        "id": "pi_1", "object": "payment_intent", "latest_charge": "ch_1",
        "managed_payments": null, "next_action": null, "payment_method_types": ["card"],
        "status": "requires_payment_method",
    })
}

fn others() -> Vec<Value> {
    vec![
        price(),
        json!({"id": "re_1", "object": "refund", "customer": "cus_1", "payment_method": null}),
        json!({"id": "prod_1", "object": "product", "name": "Starter", "marketing_features": []}),
        json!({"id": "cus_1", "object": "customer", "balance": 0}),
        json!({"id": "cs_1", "object": "checkout.session", "ui_mode": "hosted_page",
            "adaptive_pricing": null}),
        json!({"id": "sub_sched_1", "object": "subscription_schedule",
        "collection_method": null, "billing_mode": {}, "phases": [{
            "collection_method": null, "discounts": [],
            "items": [{"price": "price_1", "quantity": 1, "discounts": []}],
        }]}),
        json!({"id": "di_1", "object": "discount", "start": 1,
            "source": {"type": "coupon", "coupon": "CUT"}}),
        json!({"id": "CUT", "object": "coupon", "percent_off": 25}),
        json!({"id": "promo_1", "object": "promotion_code",
            "promotion": {"type": "coupon", "coupon": "CUT"}}),
        json!({"id": "ii_1", "object": "invoiceitem", "net_amount": 2900, "currency": "usd",
            "parent": {"type": "subscription_details",
                "subscription_details": {"subscription": "sub_1", "subscription_item": "si_1"}},
            "pricing": {"type": "price_details", "unit_amount_decimal": "2900",
                "price_details": {"price": "price_1", "product": "prod_1"}}}),
        json!({"id": "cus_2", "object": "customer", "deleted": true}),
    ]
}

fn event(object: Value, previous: Option<Value>) -> Event {
    let intent = (object["object"] == "invoice").then(|| "pi_1".to_owned());
    Event {
        id: "evt_1".to_owned(),
        kind: format!("{}.updated", object["object"].as_str().unwrap_or_default()),
        created: 100,
        livemode: false,
        object,
        previous_attributes: previous.map(|previous| previous.as_object().unwrap().clone()),
        request_id: Some("req_1".to_owned()),
        idempotency_key: Some("key".to_owned()),
        test_clock: None,
        intent,
    }
}

fn links() -> Links {
    let objects = [charge(), intent(), subscription(), invoice()].into_iter().chain(others());
    Links::of(&objects.map(|object| event(object, None)).collect::<Vec<_>>())
}

/// The object of a kind, in a version.
fn shaped(kind: &str, version: &str) -> Value {
    let all = [charge(), intent(), subscription(), invoice()].into_iter().chain(others());
    let object = all.into_iter().find(|object| object["object"] == kind).unwrap();
    let links = links();
    Renderer { links: &links }.object(&object, &Version::parse(version).unwrap())
}

/// What stands at a path such as `items.data.0.price`; `None` where there's nothing, not even null.
fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    object.pointer(&format!("/{}", path.replace('.', "/")))
}

/// A field of a kind of object, the first version that has it, and the first that has it no more.
/// An empty version means from the oldest, or until the newest.
const FIELDS: [(&str, &str, &str, &str); 76] = [
    ("subscription", "status_details", "2026-09-30.endive", ""),
    ("subscription", "pause_schedules", "2026-09-30.endive", ""),
    ("subscription", "billing_schedules", "2026-05-27.dahlia", ""),
    ("subscription", "managed_payments", "2026-03-25.dahlia", ""),
    ("subscription", "customer_account", "2025-09-30.clover", ""),
    ("subscription", "billing_mode", "2025-06-30.basil", ""),
    ("subscription", "items.data.0.current_period_end", "2025-03-31.basil", ""),
    ("subscription", "current_period_start", "", "2025-03-31.basil"),
    ("subscription", "current_period_end", "", "2025-03-31.basil"),
    ("subscription", "plan.id", "", "2025-03-31.basil"),
    ("subscription", "quantity", "", "2025-03-31.basil"),
    ("subscription", "discount", "", "2025-03-31.basil"),
    ("subscription", "items.total_count", "", "2025-03-31.basil"),
    ("subscription", "discounts", "2024-04-10", ""),
    ("subscription", "items.data.0.price.id", "2020-08-27", ""),
    ("subscription", "items.data.0.plan.id", "", ""),
    ("subscription", "tax_percent", "", "2020-08-27"),
    ("subscription", "collection_method", "2019-10-17", ""),
    ("subscription", "billing", "", "2019-10-17"),
    ("subscription", "start_date", "2019-10-17", ""),
    ("subscription", "start", "", "2019-10-17"),
    ("subscription", "items.data.0.plan.product", "2018-11-08", ""),
    ("subscription", "items.data.0.plan.name", "", "2018-11-08"),
    ("subscription", "cancel_at", "", ""),
    ("subscription", "metadata.trainer_id", "", ""),
    ("invoice", "parent.subscription_details.subscription", "2025-03-31.basil", ""),
    ("invoice", "subscription", "", "2025-03-31.basil"),
    ("invoice", "subscription_details.metadata.trainer_id", "", "2025-03-31.basil"),
    ("invoice", "payment_intent", "", "2025-03-31.basil"),
    ("invoice", "charge", "", "2025-03-31.basil"),
    ("invoice", "paid", "", "2025-03-31.basil"),
    ("invoice", "discount", "", "2025-03-31.basil"),
    ("invoice", "total_taxes", "2025-03-31.basil", ""),
    ("invoice", "total_tax_amounts.0.tax_rate", "", "2025-03-31.basil"),
    ("invoice", "tax", "", "2025-03-31.basil"),
    ("invoice", "amount_overpaid", "2025-03-31.basil", ""),
    ("invoice", "total_pretax_credit_amounts", "2024-10-28.acacia", ""),
    ("invoice", "discounts", "2020-08-27", ""),
    ("invoice", "collection_method", "2019-10-17", ""),
    ("invoice", "billing", "", "2019-10-17"),
    ("invoice", "created", "2019-03-14", ""),
    ("invoice", "date", "", "2019-03-14"),
    ("invoice", "status_transitions", "2019-03-14", ""),
    ("invoice", "finalized_at", "", "2019-03-14"),
    ("invoice", "status", "2018-11-08", ""),
    ("invoice", "auto_advance", "2018-11-08", ""),
    ("invoice", "closed", "", "2018-11-08"),
    ("invoice", "forgiven", "", "2018-11-08"),
    ("invoice", "lines.data.0.pricing.price_details.price", "2025-03-31.basil", ""),
    ("invoice", "lines.data.0.parent", "2025-03-31.basil", ""),
    ("invoice", "lines.data.0.plan.id", "", "2025-03-31.basil"),
    ("invoice", "lines.data.0.subscription_item", "", "2025-03-31.basil"),
    ("invoice", "lines.data.0.proration", "", "2025-03-31.basil"),
    ("invoice", "lines.data.0.quantity_decimal", "2026-03-25.dahlia", ""),
    ("invoice", "lines.data.0.unique_id", "", "2019-12-03"),
    ("charge", "invoice", "", "2025-03-31.basil"),
    ("payment_intent", "invoice", "", "2025-03-31.basil"),
    ("payment_intent", "latest_charge", "2022-11-15", ""),
    ("payment_intent", "charges.data.0.id", "", "2022-11-15"),
    ("payment_intent", "charges.data.0.invoice", "", "2022-11-15"),
    ("payment_intent", "payment_method_types", "2019-02-11", ""),
    ("payment_intent", "allowed_source_types", "", "2019-02-11"),
    ("refund", "customer", "2026-09-30.endive", ""),
    ("product", "marketing_features", "2024-04-10", ""),
    ("product", "features", "", "2024-04-10"),
    ("customer", "balance", "2019-10-17", ""),
    ("customer", "account_balance", "", "2019-10-17"),
    ("customer", "sources", "", "2020-08-27"),
    ("checkout.session", "adaptive_pricing", "2024-10-28.acacia", ""),
    ("subscription_schedule", "billing_mode", "2025-06-30.basil", ""),
    ("subscription_schedule", "phases.0.items.0.price", "2020-08-27", ""),
    ("subscription_schedule", "phases.0.plans.0.plan", "", "2020-08-27"),
    ("discount", "source.coupon", "2025-09-30.clover", ""),
    ("discount", "coupon.percent_off", "", "2025-09-30.clover"),
    ("promotion_code", "coupon.id", "", "2025-09-30.clover"),
    ("invoiceitem", "price.id", "", "2025-03-31.basil"),
];

#[test]
fn each_version_has_its_fields_and_no_others() {
    for (kind, path, since, until) in FIELDS {
        for version in CATALOGUE {
            let has = version[..10] >= *since.get(..10).unwrap_or("")
                && (until.is_empty() || version[..10] < until[..10]);
            let object = shaped(kind, version);
            assert_eq!(at(&object, path).is_some(), has, "{kind}.{path} in {version}: {object}");
        }
    }
}

#[test]
fn what_moved_kept_its_value() {
    let old = shaped("subscription", "2017-08-15");
    assert_eq!(
        (&old["current_period_start"], &old["current_period_end"]),
        (&json!(100), &json!(200))
    );
    assert_eq!((&old["plan"]["id"], &old["plan"]["amount"]), (&json!("price_1"), &json!(2900)));
    assert_eq!(old["plan"]["name"], "Starter");
    assert_eq!((&old["quantity"], &old["start"]), (&json!(2), &json!(100)));
    assert_eq!(old["discount"]["coupon"]["percent_off"], 25);

    let invoice = shaped("invoice", "2024-06-20");
    assert_eq!((&invoice["subscription"], &invoice["paid"]), (&json!("sub_1"), &json!(true)));
    assert_eq!((&invoice["payment_intent"], &invoice["charge"]), (&json!("pi_1"), &json!("ch_1")));
    assert_eq!((&invoice["tax"], &invoice["discount"]), (&json!(5), &Value::Null));
    assert_eq!(invoice["lines"]["data"][0]["price"]["lookup_key"], "starter");
    assert_eq!(invoice["lines"]["data"][0]["type"], "subscription");

    let invoice = shaped("invoice", "2017-08-15");
    assert_eq!((&invoice["closed"], &invoice["finalized_at"]), (&json!(true), &json!(101)));
    assert_eq!(invoice["lines"]["data"][0]["id"], "sub_1");

    assert_eq!(shaped("charge", "2024-06-20")["invoice"], "in_1");
    assert_eq!(shaped("payment_intent", "2018-11-08")["status"], "requires_source");
    assert_eq!(shaped("checkout.session", "2025-09-30.clover")["ui_mode"], "hosted");
    assert_eq!(shaped("invoiceitem", "2024-06-20")["unit_amount"], 2900);
}

#[test]
fn the_newest_version_is_left_alone() {
    for object in [subscription(), invoice(), charge(), intent()].into_iter().chain(others()) {
        assert_eq!(render_object(&object, super::NEWEST), object);
    }
}

#[test]
fn what_users_wrote_and_what_is_gone_is_left_alone() {
    for version in CATALOGUE {
        assert_eq!(shaped("price", version)["metadata"], price()["metadata"], "{version}");
        let deleted = json!({"id": "cus_2", "object": "customer", "deleted": true});
        assert_eq!(render_object(&deleted, version), deleted, "{version}");
    }
}

#[test]
fn a_moved_field_moves_in_the_old_values_too() {
    let mut before = subscription()["items"].clone();
    before["data"][0]["current_period_end"] = json!(150);
    let renewed = event(subscription(), Some(json!({"items": {"data": before["data"]}})));
    let newest = render_event(&renewed, super::NEWEST, 1);
    assert_eq!(newest["data"]["previous_attributes"], json!({"items": {"data": before["data"]}}));
    let older = render_event(&renewed, "2024-06-20", 1);
    assert_eq!(older["data"]["previous_attributes"], json!({"current_period_end": 150}));

    let paid = event(invoice(), Some(json!({"status": "open"})));
    let older = render_event(&paid, "2024-06-20", 1);
    assert_eq!(older["data"]["previous_attributes"], json!({"status": "open", "paid": false}));
    let oldest = render_event(&paid, "2017-08-15", 1);
    assert_eq!(oldest["data"]["previous_attributes"], json!({"closed": false, "paid": false}));
}

#[test]
fn the_envelope_names_its_version_and_request() {
    let event = event(charge(), None);
    let newer = render_event(&event, "2017-08-15", 3);
    assert_eq!(newer["request"], json!({"id": "req_1", "idempotency_key": "key"}));
    assert_eq!(
        (&newer["api_version"], &newer["pending_webhooks"]),
        (&json!("2017-08-15"), &json!(3))
    );
    assert_eq!(newer["data"].get("previous_attributes"), None);
    assert_eq!(render_event(&event, "2017-04-06", 3)["request"], "req_1");
}

#[test]
fn an_event_tells_nothing_of_what_came_after_it() {
    let mut refunded = charge();
    refunded["amount_refunded"] = json!(100);
    let events = [charge(), intent(), invoice(), refunded].map(|object| event(object, None));
    let links = Links::of(&events);
    let version = Version::parse("2020-08-27").unwrap();
    let told = Renderer { links: &links }.event(1, &events[1], &version, 0);
    let told = &told["data"]["object"];
    assert_eq!(told["charges"]["data"][0].get("amount_refunded"), None);
    assert_eq!(told["invoice"], "in_1");
    let now = Renderer { links: &links }.object(&events[1].object, &version);
    assert_eq!(now["charges"]["data"][0]["amount_refunded"], 100);
}
