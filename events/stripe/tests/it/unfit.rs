//! Whole numbers that can't be read: no event may state another number in their place.

use ledger_domain::event::Event;
use ledger_domain::event::stripe::{Before, Unread};
use ledger_stripe::redact::{MetadataKeys, Redacted, redact};
use ledger_stripe::signature::Verified;
use ledger_stripe::translate::{Translated, translate};
use serde_json::{Value, json};

use crate::support::{event, redacted};

/// Forms that no `i64` has, as they stand in a body.
const UNFIT: [&str; 10] = [
    "1e30",
    "1e999",
    "-1E+400",
    "99999999999999999999999",
    "18446744073709551615",
    "12.5",
    "\"12\"",
    "true",
    "[12]",
    "{}",
];
const MARK: &str = "@unfit@";

fn body(event_type: &str, object: &Value) -> String {
    let mut body = event(object);
    body["type"] = json!(event_type);
    body.to_string()
}

/// What a body is translated to; what is stored of it must be translated to the same.
fn translated(body: &str) -> Translated {
    let redacted = redacted(body);
    let found = translate(&redacted);
    let stored = redacted.to_bytes();
    let again = Redacted::from_stored(&stored).unwrap();
    assert_eq!((again.to_bytes(), translate(&again)), (stored, found.clone()));
    found
}

fn assert_unusable(body: &str, path: &str) {
    let found = translated(body);
    assert_eq!(found.dead_letter.as_deref(), Some(path), "{body}");
    let Event::StripeEventRecorded(recorded) = found.event else { panic!("{:?}", found.event) };
    assert_eq!(recorded.reason, Unread::Unusable(path.into()));
}

fn invoice() -> Value {
    json!({
        "id": "in_1", "object": "invoice", "currency": "usd", "status": "paid",
        "amount_due": 2900, "amount_paid": 2900, "amount_remaining": 0, "total": 2900,
    })
}

#[test]
fn an_unfit_amount_of_an_invoice_makes_it_unusable_in_whatever_form_it_came() {
    for field in
        ["amount_due", "amount_paid", "amount_remaining", "total", "subtotal", "attempt_count"]
    {
        for unfit in UNFIT {
            let mut object = invoice();
            object[field] = json!(MARK);
            let body = body("invoice.paid", &object).replace(&format!("\"{MARK}\""), unfit);
            assert_unusable(&body, &format!("data.object.{field}"));
        }
    }
}

#[test]
fn every_number_that_a_snapshot_would_hold_must_be_fit() {
    let unfit = || json!(1e30);
    let line = |field: &str, value: Value| {
        let mut line = json!({"id": "il_1", "amount": 1});
        line[field] = value;
        json!({"lines": {"data": [{"id": "il_0", "amount": 1}, line]}})
    };
    let item = |item: Value| json!({"items": {"data": [item]}});
    for (event_type, own, path) in [
        ("invoice.paid", line("amount", unfit()), "lines.data.1.amount"),
        ("invoice.paid", line("quantity", json!(1.5)), "lines.data.1.quantity"),
        ("invoice.paid", line("period", json!({"end": "x"})), "lines.data.1.period.end"),
        ("invoice.paid", json!({"created": "today", "date": 1}), "created"),
        ("invoice.paid", json!({"tax": unfit()}), "tax"),
        (
            "invoice.paid",
            json!({"total_taxes": [{"amount": 1.5}], "tax": 1}),
            "total_taxes.0.amount",
        ),
        (
            "invoice.paid",
            json!({"total_taxes": [{"amount": i64::MAX}, {"amount": 1}], "tax": 1}),
            "total_taxes",
        ),
        (
            "invoice.paid",
            json!({"status_transitions": {"paid_at": "x"}}),
            "status_transitions.paid_at",
        ),
        (
            "invoice.paid",
            json!({"payments": {"data": [{"amount_paid": unfit()}]}}),
            "payments.data.0.amount_paid",
        ),
        ("invoice_payment.paid", json!({"invoice": "in_1", "amount_paid": unfit()}), "amount_paid"),
        ("payment_intent.succeeded", json!({"amount": unfit()}), "amount"),
        ("payment_intent.succeeded", json!({"amount_received": unfit()}), "amount_received"),
        ("charge.refunded", json!({"amount": "1"}), "amount"),
        ("charge.refunded", json!({"amount_refunded": unfit()}), "amount_refunded"),
        ("refund.created", json!({"amount": 0.5}), "amount"),
        ("charge.dispute.created", json!({"amount": unfit()}), "amount"),
        ("checkout.session.completed", json!({"amount_total": unfit()}), "amount_total"),
        ("price.updated", json!({"unit_amount": 1.5}), "unit_amount"),
        (
            "price.updated",
            json!({"recurring": {"interval_count": 1.5}}),
            "recurring.interval_count",
        ),
        ("customer.updated", json!({"created": "x"}), "created"),
        (
            "customer.subscription.updated",
            item(json!({"price": {"id": "p"}, "quantity": unfit()})),
            "items.data.0.quantity",
        ),
        (
            "customer.subscription.updated",
            item(json!({"plan": {"id": "p", "amount": unfit()}})),
            "items.data.0.plan.amount",
        ),
        (
            "customer.subscription.updated",
            json!({"plan": {"id": "p"}, "quantity": 0.5}),
            "quantity",
        ),
        (
            "customer.subscription.updated",
            json!({"discounts": [{"source": {"coupon": {"id": "c", "amount_off": unfit()}}}]}),
            "discounts.0.source.coupon.amount_off",
        ),
        (
            "customer.subscription.updated",
            json!({"discount": {"coupon": {"id": "c", "amount_off": unfit()}}}),
            "discount.coupon.amount_off",
        ),
        (
            "customer.subscription.updated",
            json!({"pending_update": {"subscription_items": [{"price": "p", "quantity": 1.5}]}}),
            "pending_update.subscription_items.0.quantity",
        ),
        (
            "subscription_schedule.updated",
            json!({"phases": [{"start_date": 1, "items": [{"price": "p", "quantity": 1.5}]}]}),
            "phases.0.items.0.quantity",
        ),
        (
            "subscription_schedule.updated",
            json!({"current_phase": {"start_date": 1, "end_date": "x"}}),
            "current_phase.end_date",
        ),
    ] {
        let kind = match event_type.rsplit_once('.').unwrap().0 {
            "customer.subscription" => "subscription",
            "charge.dispute" => "dispute",
            kind => kind,
        };
        let mut object = invoice();
        object["object"] = json!(kind);
        object["amount"] = json!(1);
        object.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        assert_unusable(&body(event_type, &object), &format!("data.object.{path}"));
    }
}

#[test]
fn what_no_snapshot_holds_and_what_may_have_a_fraction_stands_in_nobodys_way() {
    let mut object = invoice();
    object["ending_balance"] = json!(1e30);
    object["lines"] =
        json!({"data": [{"id": "il_1", "amount": 1, "price": {"id": "p", "unit_amount": 0.5}}]});
    assert_eq!(translated(&body("invoice.paid", &object)).dead_letter, None);
    let subscription = json!({
        "id": "sub_1", "object": "subscription", "status": "active",
        "discount": {"id": "di_1", "coupon": {"id": "c", "percent_off": 33.3}},
        "items": {"data": [{"price": {"id": "p", "unit_amount": null, "unit_amount_decimal": "0.5"}}]},
    });
    let found = translated(&body("customer.subscription.updated", &subscription));
    let Event::SubscriptionReported(reported) = found.event else { panic!("{:?}", found.event) };
    assert_eq!(reported.snapshot.discounts[0].percent_off.as_deref(), Some("33.3"));
}

/// JSON lets a number have any size, and a field any depth: neither may cost the event.
#[test]
fn what_no_machine_can_hold_is_read_as_far_as_it_goes() {
    let digits = "9".repeat(400);
    for huge in ["1e999", "-1e999", &digits] {
        let of = |field: &str| {
            let mut object = invoice();
            object[field] = json!(MARK);
            body("invoice.paid", &object).replace(&format!("\"{MARK}\""), huge)
        };
        assert_unusable(&of("amount_paid"), "data.object.amount_paid");
        for field in ["ending_balance", "footer", "status_transitions", "customer", "lines"] {
            assert_eq!(translated(&of(field)).dead_letter, None, "{field}");
        }
        // What stands before `object` is read later.
        let amount_first = format!(
            r#"{{"id":"evt_1","created":1,"livemode":false,"object":"event","type":"invoice.paid",
                "data":{{"object":{{"amount_paid":{huge},"id":"in_1","object":"invoice",
                "currency":"usd","amount_due":1,"total":1}}}}}}"#
        );
        assert_unusable(&amount_first, "data.object.amount_paid");
    }
    let mut deep = invoice();
    for _ in 0..60 {
        let mut outer = invoice();
        outer["latest_revision"] = deep;
        deep = outer;
    }
    let found = translated(&body("invoice.paid", &deep));
    assert_eq!(found.dead_letter, None);
    let Event::InvoiceReported(reported) = found.event else { panic!("{:?}", found.event) };
    let Event::InvoiceReported(shallow) = translated(&body("invoice.paid", &invoice())).event
    else {
        panic!("an invoice")
    };
    assert_eq!(reported, shallow);
}

#[test]
fn an_amount_that_every_version_tells_must_be_there() {
    for field in ["amount_due", "amount_paid", "total"] {
        for absent in [None, Some(Value::Null)] {
            let mut object = invoice();
            object.as_object_mut().unwrap().remove(field);
            object.as_object_mut().unwrap().extend(absent.map(|null| (field.to_owned(), null)));
            assert_unusable(&body("invoice.paid", &object), &format!("data.object.{field}"));
        }
    }
    for (event_type, kind) in [
        ("payment_intent.succeeded", "payment_intent"),
        ("charge.refunded", "charge"),
        ("refund.created", "refund"),
        ("charge.dispute.created", "dispute"),
    ] {
        let object = json!({"id": "x_1", "object": kind, "currency": "usd", "status": "new"});
        assert_unusable(&body(event_type, &object), "data.object.amount");
    }
}

#[test]
fn what_remains_follows_from_what_is_due_and_paid() {
    let remaining = |due: i64, paid: i64| {
        let mut object = invoice();
        object.as_object_mut().unwrap().remove("amount_remaining");
        (object["amount_due"], object["amount_paid"]) = (json!(due), json!(paid));
        body("invoice.paid", &object)
    };
    let found = translated(&remaining(2900, 900));
    let Event::InvoiceReported(reported) = found.event else { panic!("{:?}", found.event) };
    assert_eq!(reported.snapshot.amount_remaining, 2000);
    assert_unusable(&remaining(i64::MIN, 1), "data.object.amount_remaining");
}

#[test]
fn an_unfit_old_value_tells_nothing_of_before() {
    let mut body = event(&invoice());
    body["type"] = json!("invoice.updated");
    body["data"]["previous_attributes"] = json!({"amount_paid": 1e30});
    let found = translated(&body.to_string());
    let Event::InvoiceReported(reported) = found.event else { panic!("{:?}", found.event) };
    assert_eq!(reported.before, Before::Absent);
}

#[test]
fn an_unfit_number_leaves_nothing_of_itself() {
    let mut object = invoice();
    object["amount_paid"] = json!("jenny@example.test");
    let body = body("invoice.paid", &object);
    let redacted = redact(Verified::from_api(body.as_bytes()), &MetadataKeys::default()).unwrap();
    let stored = String::from_utf8(redacted.to_bytes()).unwrap();
    assert!(!stored.contains("jenny") && stored.contains(r#""amount_paid":"unfit""#), "{stored}");
}
