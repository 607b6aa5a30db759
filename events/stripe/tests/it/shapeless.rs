//! Bodies of any shape: nothing panics, and nothing comes out that no allow-list has.

use ledger_domain::codec;
use ledger_stripe::redact::{MetadataKeys, Node, Redacted, redact};
use ledger_stripe::signature::Verified;
use ledger_stripe::translate::translate;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::event;

/// Keys that mean something somewhere, so that arbitrary bodies get past the first level.
const KEYS: &[&str] = &[
    "id",
    "object",
    "data",
    "items",
    "price",
    "plan",
    "product",
    "customer",
    "latest_invoice",
    "lines",
    "metadata",
    "trainer_id",
    "email",
    "name",
    "status",
    "discounts",
    "discount",
    "coupon",
    "percent_off",
    "payments",
    "payment",
    "subscription",
    "parent",
    "nickname",
    "amount",
    "amount_due",
    "amount_paid",
    "total",
    "created",
    "has_more",
    "previous_attributes",
    "phases",
    "card",
    "brand",
    "country",
];
const OBJECTS: &[&str] = &[
    "subscription",
    "invoice",
    "customer",
    "price",
    "product",
    "charge",
    "list",
    "unheard_of",
    "checkout.session",
    "dispute",
    "refund",
    "payment_intent",
    "subscription_schedule",
    "plan",
];

const TYPES: &[&str] = &[
    "customer.subscription.updated",
    "customer.updated",
    "invoice.upcoming",
    "charge.refunded",
    "checkout.session.completed",
    "charge.dispute.closed",
    "refund.failed",
    "payment_intent.succeeded",
    "subscription_schedule.updated",
    "price.updated",
    "product.deleted",
    "invoice_payment.paid",
    "entitlements.active_entitlement_summary.updated",
    "unheard.of",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(OBJECTS).prop_map(Value::from),
        "[a-z_0-9]{1,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

fn arbitrary() -> impl Strategy<Value = Value> {
    let key =
        prop_oneof![4 => prop::sample::select(KEYS).prop_map(str::to_owned), 1 => any::<String>()];
    leaf().prop_recursive(6, 96, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Every text that is kept has a form; every key is a constant of the allow-lists, or chosen.
fn check(node: &Node, under: &str) {
    match node {
        Node::Text(text) => {
            let free = ["name", "nickname", "lookup_key"].contains(&under);
            let safe = |c: char| c.is_ascii_alphanumeric() || "_.:-".contains(c);
            let brand = under == "brand";
            assert!(free || brand || text.chars().all(safe), "{under}: {text:?}");
            assert!(text.len() <= 500, "{under} is too long");
        }
        Node::List(list) => list.iter().for_each(|node| check(node, under)),
        Node::Object(fields) => {
            let keys: Vec<&str> = fields.iter().map(|(key, _)| key).collect();
            assert!(keys.is_sorted() && keys.iter().all(|key| *key != "email"), "{keys:?}");
            if under == "metadata" {
                let chosen = ["trainer_id", "tenant", "command_id"];
                assert!(keys.iter().all(|key| chosen.contains(key)), "{keys:?}");
            }
            fields.iter().for_each(|(key, node)| check(node, key));
        }
        Node::Null | Node::False | Node::True | Node::Int(_) | Node::Unfit => {}
    }
}

fn parts(redacted: &Redacted) -> impl Iterator<Item = &Node> {
    redacted.object().into_iter().chain(redacted.previous())
}

proptest! {
    #[test]
    fn any_object_is_redacted_to_allowed_fields(
        object in arbitrary(),
        previous in arbitrary(),
        of in prop::sample::select(OBJECTS),
    ) {
        let mut body = event(&object);
        if let Some(map) = body["data"]["object"].as_object_mut() {
            map.insert("object".to_owned(), json!(of));
        }
        body["data"]["previous_attributes"] = previous;
        let body = body.to_string();
        let verified = Verified::from_api(body.as_bytes());
        let redacted = redact(verified, &MetadataKeys::default()).unwrap();
        parts(&redacted).for_each(|node| check(node, ""));
        let stored = redacted.to_bytes();
        prop_assert_eq!(Redacted::from_stored(&stored).unwrap(), redacted);
    }

    #[test]
    fn any_object_is_translated(
        object in arbitrary(),
        previous in arbitrary(),
        of in prop::sample::select(TYPES),
    ) {
        let mut body = event(&object);
        body["type"] = json!(of);
        if let Some(map) = body["data"]["object"].as_object_mut() {
            map.remove("object");
            for (key, value) in [("id", "x_1"), ("status", "active"), ("currency", "usd")] {
                map.entry(key).or_insert_with(|| json!(value));
            }
        }
        body["data"]["previous_attributes"] = previous;
        let body = body.to_string();
        let redacted =
            redact(Verified::from_api(body.as_bytes()), &MetadataKeys::default()).unwrap();
        let translated = translate(&redacted);
        let decoded = codec::decode(
            translated.event.type_name(),
            translated.event.schema_version(),
            &translated.event.to_data(),
        );
        prop_assert_eq!(decoded.unwrap(), translated.event);
    }

    #[test]
    fn any_envelope_is_taken_or_refused(mut body in arbitrary()) {
        if let Some(map) = body.as_object_mut() {
            map.insert("object".to_owned(), json!("event"));
        }
        let body = body.to_string();
        let _ = redact(Verified::from_api(body.as_bytes()), &MetadataKeys::default());
    }

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = redact(Verified::from_api(&bytes), &MetadataKeys::default());
    }

    #[test]
    fn a_body_cut_short_is_no_json(object in arbitrary(), cut in 1..100_usize) {
        let body = event(&object).to_string();
        let mut end = body.len().saturating_sub(cut);
        while !body.is_char_boundary(end) { end -= 1; }
        let cut = Verified::from_api(&body.as_bytes()[..end]);
        prop_assert!(redact(cut, &MetadataKeys::default()).is_err());
    }
}
