//! Redaction, from outside: what is kept, in which form, and what is refused.

use crate::support::{event, redacted, stored};
use ledger_stripe::redact::{
    DEPTH_MAX, EnvelopeKind, MetadataKeys, Node, RedactError, Redacted, redact,
};
use ledger_stripe::signature::Verified;
use serde_json::{Value, json};

fn error(body: &[u8]) -> RedactError {
    redact(Verified::from_api(body), &MetadataKeys::default()).unwrap_err()
}

/// What is kept of an object.
fn kept(object: &Value) -> Value {
    stored(&event(object))["data"]["object"].take()
}

#[test]
fn of_a_customer_only_what_links_and_what_is_owed_is_kept() {
    let customer = json!({
        "id": "cus_1", "object": "customer", "email": "jenny@example.test", "name": "Jenny Rosen",
        "phone": "+15555555555", "address": {"city": "Berlin"}, "description": "A good one",
        "balance": -500, "delinquent": false, "created": 1_790_000_000, "livemode": false,
        "metadata": {"trainer_id": "t1", "name": "Jenny", "tenant": "default"},
        "shipping": null, "test_clock": null,
    });
    assert_eq!(
        kept(&customer),
        json!({
            "id": "cus_1", "object": "customer", "balance": -500, "delinquent": false,
            "created": 1_790_000_000, "livemode": false, "test_clock": null,
            "metadata": {"trainer_id": "t1", "tenant": "default"},
        })
    );
}

#[test]
fn an_expanded_object_goes_by_the_field_it_stands_in() {
    let subscription = json!({
        "id": "sub_1", "object": "subscription",
        "customer": {"email": "jenny@example.test", "id": "cus_1", "object": "customer"},
        "latest_invoice": {
            "id": "in_1", "hosted_invoice_url": "https://invoice.stripe.com/i/x",
            "charge": {"id": "ch_1", "billing_details": {"name": "Jenny"}, "status": "succeeded"},
        },
    });
    assert_eq!(
        kept(&subscription),
        json!({
            "id": "sub_1", "object": "subscription", "customer": {"id": "cus_1", "object": "customer"},
            "latest_invoice": {"id": "in_1", "charge": {"id": "ch_1", "status": "succeeded"}},
        })
    );
}

/// What is sold has a name that anybody may know; whatever else is called something has not.
#[test]
fn an_object_that_is_for_sale_by_its_place_alone_has_no_name() {
    let item = |product: Value| json!({"id": "ii_1", "object": "invoiceitem", "plan": {"id": "plan_1", "product": product}});
    let named = |object: &str| json!({"id": "prod_1", "name": "Pro", "object": object});
    for kept_whole in [named("product"), json!({"id": "prod_1", "name": "Pro"})] {
        assert_eq!(kept(&item(kept_whole.clone())), item(kept_whole));
    }
    let without_name = item(json!({"id": "prod_1", "object": "account"}));
    assert_eq!(kept(&item(named("account"))), without_name);
}

#[test]
fn an_allowed_field_of_another_form_is_dropped() {
    for (field, value) in [
        ("status", json!("Past due since Monday")),
        ("status", json!(5)),
        ("status", json!(["active"])),
        ("customer", json!("jenny@example.test")),
        ("customer", json!(17)),
        ("cancel_at_period_end", json!("true")),
        ("metadata", json!("t1")),
        ("metadata", json!(["t1"])),
        ("items", json!([1])),
        ("discounts", json!({"a": 1})),
        ("plan", json!(["p"])),
    ] {
        let object = json!({"id": "sub_1", "object": "subscription", field: value});
        assert_eq!(kept(&object), json!({"id": "sub_1", "object": "subscription"}), "{object}");
    }
}

#[test]
fn of_what_is_no_whole_number_only_that_it_was_there_is_kept() {
    for number in [
        json!("1790000000"),
        json!("jenny@example.test"),
        json!(1.5),
        json!(1e30),
        json!(u64::MAX),
        json!(true),
        json!(false),
        json!([4242, "Jenny"]),
        json!({"id": "Jenny", "created": 1}),
    ] {
        let object = json!({"id": "sub_1", "object": "subscription", "created": number});
        let expect = json!({"id": "sub_1", "object": "subscription", "created": "unfit"});
        assert_eq!(kept(&object), expect, "{object}");
        let redacted = redacted(&event(&object).to_string());
        assert_eq!(redacted.object().unwrap().get("created"), Some(&Node::Unfit));
        let again = Redacted::from_stored(&redacted.to_bytes()).unwrap();
        assert_eq!(again, redacted);
        assert_eq!(again.to_bytes(), redacted.to_bytes());
    }
}

#[test]
fn metadata_keeps_chosen_keys_and_values_that_look_like_ids() {
    let of = |metadata: Value| {
        kept(&json!({"object": "price", "metadata": metadata}))["metadata"].take()
    };
    assert_eq!(
        of(json!({"trainer_id": "jenny@example.test", "tenant": "t"})),
        json!({"tenant": "t"})
    );
    assert_eq!(of(json!({"trainer_id": 5, "command_id": {"a": 1}})), json!({}));
    assert_eq!(
        of(json!({"tenant": "Jenny Rosen", "command_id": null})),
        json!({"command_id": null})
    );
    let keys = MetadataKeys::try_new(["plan_hint"]).unwrap();
    let body = event(&json!({"object": "price", "metadata": {"plan_hint": "pro", "email": "x"}}));
    let body = body.to_string();
    let redacted = redact(Verified::from_api(body.as_bytes()), &keys).unwrap();
    let metadata = redacted.object().unwrap().get("metadata").unwrap();
    assert_eq!(serde_json::to_value(metadata).unwrap(), json!({"plan_hint": "pro"}));
    // What was kept stays kept, whichever keys are configured when it is read again.
    assert_eq!(Redacted::from_stored(&redacted.to_bytes()).unwrap(), redacted);
}

#[test]
fn a_session_names_the_trainer_only_by_a_trainer_id() {
    let of = |id: &str| kept(&json!({"object": "checkout.session", "client_reference_id": id}));
    assert_eq!(of("org:42")["client_reference_id"], "org:42");
    assert_eq!(of("jenny@example.test"), json!({"object": "checkout.session"}));
}

#[test]
fn fractions_are_kept_as_decimal_texts() {
    let coupon = json!({"object": "coupon", "percent_off": 33.3, "id": "c"});
    assert_eq!(kept(&coupon)["percent_off"], "33.3");
    let coupon = json!({"object": "coupon", "percent_off": 25, "id": "c"});
    assert_eq!(kept(&coupon)["percent_off"], 25);
    let price = json!({"object": "price", "unit_amount_decimal": "0.05", "unit_amount": 1.5});
    assert_eq!(
        kept(&price),
        json!({"object": "price", "unit_amount_decimal": "0.05", "unit_amount": "unfit"})
    );
}

#[test]
fn the_order_of_keys_makes_no_difference() {
    let first = r#"{"id":"evt_1","object":"event","created":1,"livemode":false,"type":"product.updated",
        "data":{"object":{"id":"prod_1","object":"product","name":"Pro","x":1},
        "previous_attributes":{"name":"Old","url":"x"}}}"#;
    let last = r#"{"data":{"previous_attributes":{"url":"x","name":"Old"},
        "object":{"x":1,"name":"Pro","id":"prod_1","object":"product"}},
        "type":"product.updated","livemode":false,"created":1,"object":"event","id":"evt_1"}"#;
    let redacted = redacted(first);
    assert_eq!(crate::support::redacted(last).to_bytes(), redacted.to_bytes());
    assert_eq!(
        String::from_utf8(redacted.to_bytes()).unwrap(),
        concat!(
            r#"{"created":1,"data":{"object":{"id":"prod_1","name":"Pro","object":"product"},"#,
            r#""previous_attributes":{"name":"Old"}},"id":"evt_1","livemode":false,"#,
            r#""object":"event","type":"product.updated"}"#
        )
    );
}

#[test]
fn an_objects_type_cannot_change_halfway() {
    let body = r#"{"id":"evt_1","object":"event","created":1,"livemode":false,"type":"a.b",
        "data":{"object":{"object":"product","name":"Jenny Rosen","object":"customer"}}}"#;
    let object = redacted(body).object().unwrap().clone();
    assert_eq!(object.get("object").and_then(|o| o.as_str()), Some("product"));
}

#[test]
fn previous_attributes_have_the_objects_allow_list() {
    let mut body = event(&json!({"id": "cus_1", "object": "customer", "balance": 0}));
    body["data"]["previous_attributes"] =
        json!({"email": "old@example.test", "balance": 100, "metadata": {"trainer_id": null}});
    assert_eq!(
        stored(&body)["data"]["previous_attributes"],
        json!({"balance": 100, "metadata": {"trainer_id": null}})
    );
}

#[test]
fn the_envelope_is_kept_without_what_differs_between_deliveries() {
    let mut body = event(&json!({"id": "price_1", "object": "price"}));
    body["api_version"] = json!("2025-03-31.basil");
    body["account"] = json!("acct_1");
    body["context"] = json!("org_1/acct_1");
    body["pending_webhooks"] = json!(3);
    body["request"] =
        json!({"id": "req_1", "idempotency_key": "0191d5a8-7c1e-7b6c-8f57-0123456789ab"});
    let redacted = redacted(&body.to_string());
    let envelope = redacted.envelope();
    assert_eq!(envelope.kind, EnvelopeKind::Event);
    assert_eq!(envelope.api_version.as_deref(), Some("2025-03-31.basil"));
    assert_eq!(envelope.account.as_ref().map(|a| a.as_str()), Some("acct_1"));
    assert_eq!(envelope.context.as_deref(), Some("org_1/acct_1"));
    assert_eq!(envelope.request_id.as_ref().map(|r| r.as_str()), Some("req_1"));
    assert!(envelope.idempotency_key.is_some());
    body["pending_webhooks"] = json!(1);
    assert_eq!(crate::support::redacted(&body.to_string()), redacted);
    assert!(!String::from_utf8(redacted.to_bytes()).unwrap().contains("pending_webhooks"));
}

#[test]
fn a_request_may_be_its_id_or_null_and_its_key_may_be_anybodys() {
    let mut body = event(&json!({"object": "price"}));
    body["request"] = json!("req_old");
    assert_eq!(
        redacted(&body.to_string()).envelope().request_id.as_ref().unwrap().as_str(),
        "req_old"
    );
    body["request"] = Value::Null;
    assert_eq!(redacted(&body.to_string()).envelope().request_id, None);
    body["request"] = json!({"id": null, "idempotency_key": "order of Jenny Rosen"});
    assert_eq!(redacted(&body.to_string()).envelope().idempotency_key, None);
}

#[test]
fn a_thin_event_is_kept_with_what_it_is_about() {
    let body = json!({
        "id": "evt_test_65R", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found",
        "created": "2026-11-20T10:00:00.123Z", "livemode": false, "context": null,
        "related_object": {"id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1"},
        "reason": {"type": "request", "request": {"id": "req_1", "idempotency_key": "x"}},
        "data": {"developer_message_summary": "Jenny Rosen"},
    });
    let redacted = redacted(&body.to_string());
    assert_eq!(redacted.envelope().kind, EnvelopeKind::Thin);
    assert_eq!(redacted.envelope().created, 1_795_168_800);
    assert_eq!(
        serde_json::to_value(redacted.object()).unwrap(),
        json!({"id": "mtr_1", "type": "billing.meter"})
    );
    assert_eq!(Redacted::from_stored(&redacted.to_bytes()).unwrap(), redacted);
}

#[test]
fn what_is_no_event_is_refused_by_type_and_without_its_text() {
    let good = event(&json!({"id": "price_1", "object": "price"}));
    let without = |field: &str, value: Option<Value>| {
        let mut body = good.clone();
        match value {
            Some(value) => body[field] = value,
            None => drop(body.as_object_mut().unwrap().remove(field)),
        }
        error(body.to_string().as_bytes())
    };
    for field in ["id", "object", "type", "created", "livemode", "data"] {
        assert_eq!(without(field, None), RedactError::Missing { field });
        assert_eq!(without(field, Some(Value::Null)), RedactError::Missing { field });
        assert_eq!(without(field, Some(json!([7]))), RedactError::WrongType { field });
    }
    for (field, value) in [
        ("id", json!("evt 1")),
        ("id", json!("")),
        ("id", json!("e".repeat(256))),
        ("object", json!("charge")),
        ("created", json!(-1)),
        ("created", json!(999_999_999_999_i64)),
        ("account", json!("me@example.test")),
    ] {
        assert_eq!(without(field, Some(value)), RedactError::Invalid { field });
    }
    let field = "created";
    assert_eq!(
        without(field, Some(json!("2026-11-20T10:00:00Z"))),
        RedactError::WrongType { field }
    );
    assert_eq!(without(field, Some(json!(1.5))), RedactError::WrongType { field });
}

#[test]
fn what_is_no_json_is_refused() {
    assert_eq!(error(b""), RedactError::NotJson { line: 1, column: 0 });
    assert_eq!(error(b"{\"id\":"), RedactError::NotJson { line: 1, column: 6 });
    assert_eq!(error(b"[]"), RedactError::NotAnObject);
    assert_eq!(error(b"\"secret\""), RedactError::NotAnObject);
    assert_eq!(error(b"{\"id\":\"\xff\"}"), RedactError::NotUtf8 { at: 7 });
    assert_eq!(error(br#"{"id":"a","id":"b"}"#), RedactError::Twice { field: "id" });
    let two = format!("{0}{0}", event(&json!({"object": "price"})));
    assert!(matches!(error(two.as_bytes()), RedactError::NotJson { .. }));
    for body in
        [&b"{\"id\":canary}"[..], b"{\"canary\"", b"\"canary\"", b"{\"livemode\":\"canary\"}"]
    {
        assert!(!error(body).to_string().contains("canary"));
    }
}

#[test]
fn fields_are_kept_only_so_deep_and_what_is_deeper_costs_nothing() {
    let nested = |field: &str, depth: usize| {
        format!(
            r#"{{"id":"evt_1","object":"event","created":1,"livemode":false,"type":"a.b","data":{{"object":{{"object":"invoice",{}"in_1"{}}}}}}}"#,
            format!(r#""{field}":{{"id":"in_1","#).repeat(depth) + r#""id":"#,
            "}".repeat(depth)
        )
    };
    let depth_of = |redacted: &Redacted| {
        let inner = |node: &Node| node.get("latest_revision").cloned();
        std::iter::successors(redacted.object().cloned(), inner).count()
    };
    let deep = usize::from(DEPTH_MAX);
    assert_eq!(depth_of(&redacted(&nested("latest_revision", deep - 1))), deep);
    for depth in [deep, deep + 1, 50_000] {
        let redacted = redacted(&nested("latest_revision", depth));
        assert_eq!(depth_of(&redacted), deep);
        assert_eq!(Redacted::from_stored(&redacted.to_bytes()).unwrap(), redacted);
    }
    redacted(&nested("footer", 50_000));
}

#[test]
fn an_object_that_is_none_is_kept_as_none() {
    for object in [json!(null), json!("x"), json!([1])] {
        let mut body = event(&json!({}));
        body["data"]["object"] = object;
        let redacted = redacted(&body.to_string());
        assert_eq!(Redacted::from_stored(&redacted.to_bytes()).unwrap(), redacted);
        assert_eq!(redacted.object(), None);
    }
}

/// A name cut off in the middle of an emoji must not cost the event.
#[test]
fn half_a_surrogate_pair_spoils_no_event() {
    let whole = json!({
        "id": "price_1", "object": "price", "nickname": "@mark@", "unit_amount": 2900,
        "description": "@mark@", "@mark@": {"@mark@": ["@mark@"]},
        "metadata": {"trainer_id": "t1", "@mark@": "@mark@"},
    });
    let body = event(&whole).to_string();
    for half in ["\\ud83d", "\\uDE00", "\\ud83d\\ud83d"] {
        let read = redacted(&body.replace("@mark@", half)).to_bytes();
        let meant = "\u{fffd}".repeat(half.len() / 6);
        assert_eq!(read, redacted(&body.replace("@mark@", &meant)).to_bytes(), "{half}");
        assert!(String::from_utf8(read).unwrap().contains("2900"));
    }
    // In the envelope it is no better than any other text that doesn't fit.
    let body = body.replace("evt_1", "evt_\\ud83d");
    assert_eq!(error(body.as_bytes()), RedactError::Invalid { field: "id" });
}
