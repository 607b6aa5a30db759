//! Where no trail leads: the facts of one second that tell nothing of what was before.

use ledger_domain::account::CustomerChanges;
use ledger_domain::event::Event;
use ledger_domain::event::stripe::Reported;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::given::{DAY_0, anomalies, entry, folded, orders, reported, with};

/// Facts of one second, by cause and what is changed in `object`, stand in this order, whatever
/// their ids say and in whatever order they arrive. What a customer shows then is looked at.
#[track_caller]
fn check_rank<S: DeserializeOwned>(
    event: fn(Reported<S>) -> Event,
    object: &Value,
    told: &[(&str, Value)],
    look: impl Fn(&CustomerChanges),
) {
    let fact = |id: &str, at, cause, changes, before| {
        entry(id, at, event(reported(cause, with(object, changes), before)))
    };
    // The ids run against the order.
    let ids = (0..told.len()).rev().map(|i| format!("evt_{i}"));
    let facts: Vec<_> = ids
        .zip(told)
        .map(|(id, (cause, changes))| fact(&id, DAY_0, cause, changes, json!("absent")))
        .collect();
    let (_, last) = told.last().expect("facts");
    // A change of nothing that is kept tells what there was before it.
    let later = fact("evt_later", DAY_0 + 9, "updated", last, json!({}));
    for mut order in orders(&facts) {
        assert_eq!(anomalies(&order), [], "rank decides: {order:#?}");
        look(&folded(&order).take_changes());
        order.push(later.clone());
        assert_eq!(anomalies(&order), [], "the last one is {last}: {order:#?}");
    }
}

fn status(status: &str) -> Value {
    json!({ "status": status })
}

/// The first row of payments has this status.
fn row(status: &str) -> impl Fn(&CustomerChanges) {
    move |changes| assert_eq!(changes.payments[0].status, *status)
}

#[test]
fn of_subscriptions_and_schedules() {
    let (created, updated) = (("created", status("incomplete")), ("updated", status("active")));
    let object = crate::given::subscription(&json!({}));
    for told in [
        &[created.clone(), updated.clone()][..],
        &[created, updated, ("deleted", status("canceled"))],
        &[
            ("created", status("trialing")),
            ("paused", status("paused")),
            ("resumed", status("active")),
        ],
    ] {
        let (_, last) = &told[told.len() - 1];
        check_rank(Event::SubscriptionReported, &object, told, |changes| {
            assert_eq!(changes.subscriptions[0].status.as_str(), last["status"]);
        });
    }
    let schedule = json!({"id": "sub_sched_1", "customer": "cus_1", "subscription": "sub_1"});
    for over in ["released", "completed", "canceled", "aborted"] {
        check_rank(
            Event::ScheduleReported,
            &schedule,
            &[
                ("created", status("not_started")),
                ("updated", status("active")),
                (over, status(over)),
            ],
            |_| {},
        );
    }
}

#[test]
fn of_invoices_and_their_payments() {
    let invoice = json!({"id": "in_1", "customer": "cus_1", "currency": "usd", "total": 1});
    let tried = |times: i64| json!({"status": "open", "attempt_count": times});
    check_rank(
        Event::InvoiceReported,
        &invoice,
        &[
            ("created", status("draft")),
            ("finalized", tried(0)),
            ("payment_failed", tried(1)),
            ("marked_uncollectible", status("uncollectible")),
            ("paid", status("paid")),
        ],
        row("paid"),
    );
    let tries = [("payment_failed", tried(1)), ("payment_failed", tried(2))];
    check_rank(Event::InvoiceReported, &invoice, &tries, |changes| {
        assert_eq!(changes.payments[0].attempt_count, 2);
    });
    let paid_by = json!({"id": "inpay_1", "invoice": "in_1", "payment_intent": "pi_1"});
    check_rank(
        Event::InvoicePaymentReported,
        &paid_by,
        &[("updated", status("open")), ("paid", status("paid"))],
        |_| {},
    );
}

/// One event tells that an invoice was finalised and paid, and another one, which doesn't tell what
/// was before, that it was finalised. What was paid stays so in later seconds, too.
#[test]
fn an_invoice_that_was_finalised_and_paid_at_once_is_paid() {
    let invoice = |id: &str, after: i64, cause: &str, changes: Value, before: Value| {
        let object = json!({"id": "in_1", "customer": "cus_1", "currency": "usd", "total": 9,
            "amount_due": 9, "amount_paid": 0, "amount_remaining": 9, "created": DAY_0});
        let event = Event::InvoiceReported(reported(cause, with(&object, &changes), before));
        entry(id, DAY_0 + after, event)
    };
    let paid = json!({"status": "paid", "amount_paid": 9, "amount_remaining": 0});
    let draft = json!({"status": "draft"});
    for (created, finalized) in [(0, 0), (-5, 0), (0, 1), (-1, -1), (-5, -1), (-2, -2)] {
        let facts = [
            invoice("evt_5", created, "created", draft.clone(), json!("no_object")),
            invoice("evt_4", finalized, "finalized", json!({"status": "open"}), json!("absent")),
            invoice("evt_3", 0, "updated", paid.clone(), draft.clone()),
            invoice("evt_2", 0, "paid", paid.clone(), json!("absent")),
            invoice("evt_1", 0, "payment_succeeded", paid.clone(), json!("absent")),
        ];
        for order in orders(&facts) {
            assert_eq!(anomalies(&order), [], "{order:#?}");
            let changes = folded(&order).take_changes();
            row("paid")(&changes);
            assert_eq!(changes.payments[0].paid_minor, 9);
        }
    }
}

#[test]
fn of_payment_intents_and_charges() {
    let intent = json!({"id": "pi_1", "customer": "cus_1", "currency": "usd", "amount": 1});
    // Of these only the first and the last have their places: it may be tried again and again.
    for (cause, open) in [
        ("payment_failed", "requires_payment_method"),
        ("requires_action", "requires_action"),
        ("processing", "processing"),
    ] {
        check_rank(
            Event::PaymentIntentReported,
            &intent,
            &[
                ("created", status("requires_confirmation")),
                (cause, status(open)),
                ("succeeded", status("succeeded")),
            ],
            row("succeeded"),
        );
    }
    // No row shows which attempt failed last.
    let failed = |charge| json!({"status": "requires_payment_method", "latest_charge": charge});
    check_rank(
        Event::PaymentIntentReported,
        &intent,
        &[("payment_failed", failed("ch_1")), ("payment_failed", failed("ch_2"))],
        row("requires_payment_method"),
    );
    let charge = json!({"id": "ch_1", "customer": "cus_1", "currency": "usd", "amount": 100,
        "status": "succeeded"});
    let given_back = |amount: i64| json!({"amount_refunded": amount, "refunded": amount == 100});
    check_rank(
        Event::ChargeReported,
        &charge,
        &[
            ("succeeded", given_back(0)),
            ("refunded", given_back(30)),
            ("refunded", given_back(100)),
        ],
        |changes| assert_eq!(changes.payments[0].refunded_minor, 100),
    );
}

#[test]
fn of_refunds_and_disputes() {
    let refund = json!({"id": "re_1", "customer": "cus_1", "currency": "usd", "amount": 1});
    check_rank(
        Event::RefundReported,
        &refund,
        &[
            ("created", status("pending")),
            ("updated", status("requires_action")),
            ("updated", status("succeeded")),
            ("failed", status("failed")),
        ],
        row("failed"),
    );
    let dispute = json!({"id": "dp_1", "currency": "usd", "amount": 1});
    check_rank(
        Event::DisputeReported,
        &dispute,
        &[
            ("created", status("needs_response")),
            ("updated", status("under_review")),
            ("closed", status("lost")),
            ("funds_reinstated", status("won")),
        ],
        row("won"),
    );
}

#[test]
fn of_customers_and_their_sessions() {
    check_rank(
        Event::CustomerReported,
        &json!({"id": "cus_1"}),
        &[
            ("created", json!({})),
            ("updated", json!({"delinquent": true})),
            ("deleted", json!({"deleted": true})),
        ],
        |_| {},
    );
    check_rank(
        Event::CheckoutSessionReported,
        &json!({"id": "cs_1", "customer": "cus_1", "status": "complete"}),
        &[
            ("completed", json!({"payment_status": "unpaid"})),
            ("async_payment_succeeded", json!({"payment_status": "paid"})),
        ],
        |_| {},
    );
}

#[test]
fn of_what_is_sold() {
    let told = [
        ("created", json!({"active": true})),
        ("updated", json!({"active": false})),
        ("deleted", json!({"active": false, "name": "Last", "unit_amount": 9})),
    ];
    check_rank(Event::PriceReported, &json!({"id": "price_1", "currency": "usd"}), &told, |_| {});
    check_rank(Event::ProductReported, &json!({"id": "prod_1"}), &told, |_| {});
}
