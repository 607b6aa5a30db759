//! One row per object that money moves with, however many webhooks told of it.

use ledger_domain::account::{CustomerChanges, CustomerUnit, PaymentKind, PaymentView};
use ledger_domain::effective::Disputes;
use ledger_domain::event::stripe::{
    Charge, Dispute, Invoice, InvoicePayment, PaymentIntent, Refund,
};
use ledger_domain::event::{Code, Entry, Event};
use ledger_domain::time::Timestamp;
use serde_json::json;

use crate::given::{DAY_0, entry, folded, orders, reported, stripe_id, sub};

fn paid_month() -> Vec<Entry> {
    let invoice = |id, at, cause, status, paid| {
        let snapshot = json!({
            "id": "in_1", "customer": "cus_1", "subscription": "sub_1", "currency": "usd",
            "status": status, "total": 2900, "amount_paid": paid, "created": DAY_0,
        });
        entry(id, at, Event::InvoiceReported(reported::<Invoice>(cause, snapshot, json!("absent"))))
    };
    let intent = json!({
        "id": "pi_1", "customer": "cus_1", "currency": "usd", "amount": 2900,
        "amount_received": 2900, "status": "succeeded", "latest_charge": "ch_1",
    });
    let paid_by = json!({
        "id": "inpay_1", "invoice": "in_1", "payment_intent": "pi_1", "status": "paid",
    });
    vec![
        sub("evt_1", DAY_0, "created", json!({}), json!("no_object")),
        invoice("evt_2", DAY_0, "created", "draft", 0),
        invoice("evt_3", DAY_0, "finalized", "open", 0),
        invoice("evt_4", DAY_0, "paid", "paid", 2900),
        entry(
            "evt_5",
            DAY_0,
            Event::PaymentIntentReported(reported::<PaymentIntent>(
                "succeeded",
                intent,
                json!("absent"),
            )),
        ),
        entry(
            "evt_6",
            DAY_0,
            Event::InvoicePaymentReported(reported::<InvoicePayment>(
                "paid",
                paid_by,
                json!("absent"),
            )),
        ),
    ]
}

fn given_back() -> Vec<Entry> {
    let charge = json!({
        "id": "ch_1", "customer": "cus_1", "currency": "usd", "amount": 2900,
        "amount_refunded": 1000, "status": "succeeded",
    });
    let refund = json!({
        "id": "re_1", "currency": "usd", "amount": 1000, "charge": "ch_1", "status": "succeeded",
    });
    let dispute = json!({
        "id": "dp_1", "currency": "usd", "amount": 1900, "charge": "ch_1", "status": "lost",
    });
    let absent = || json!("absent");
    vec![
        entry(
            "evt_7",
            DAY_0 + 9,
            Event::ChargeReported(reported::<Charge>("refunded", charge, absent())),
        ),
        entry(
            "evt_8",
            DAY_0 + 9,
            Event::RefundReported(reported::<Refund>("created", refund, absent())),
        ),
        entry(
            "evt_9",
            DAY_0 + 9,
            Event::DisputeReported(reported::<Dispute>("closed", dispute, absent())),
        ),
    ]
}

fn row(changes: &CustomerChanges, id: &str) -> PaymentView {
    let found = changes.payments.iter().find(|view| view.object.as_str() == id);
    found.unwrap_or_else(|| panic!("no row for {id}")).clone()
}

#[test]
fn an_invoice_of_one_second_ends_paid_in_every_order() {
    for order in orders(&paid_month()[1..4]) {
        let changes = folded(&order).take_changes();
        let invoice = row(&changes, "in_1");
        assert_eq!((invoice.status.as_str(), invoice.paid_minor), ("paid", 2900));
        let ids: Vec<&str> = invoice.event_ids.iter().map(|key| key.id.as_str()).collect();
        assert_eq!(ids, ["evt_2", "evt_3", "evt_4"]);
    }
}

#[test]
fn a_refund_finds_its_payment_invoice_and_trainer_in_every_order() {
    let life = [paid_month(), given_back()].concat();
    // All orders of nine facts are too many; every rotation and its reverse are not.
    for start in 0..life.len() {
        let mut order = life.clone();
        order.rotate_left(start);
        for order in [order.clone(), order.into_iter().rev().collect()] {
            let changes = folded(&order).take_changes();
            let payment = row(&changes, "pi_1");
            assert_eq!((payment.paid_minor, payment.refunded_minor), (2900, 1000));
            assert_eq!(payment.invoice, Some(stripe_id("in_1")));
            for (id, kind) in [("re_1", PaymentKind::Refund), ("dp_1", PaymentKind::Dispute)] {
                let row = row(&changes, id);
                assert_eq!(row.kind, kind);
                assert_eq!(row.payment, Some(stripe_id("pi_1")));
                assert_eq!(row.invoice, Some(stripe_id("in_1")));
                assert_eq!(row.subscription, Some(stripe_id("sub_1")));
                assert_eq!(row.trainer.expect("a trainer").as_str(), "t1");
            }
            let rows: Vec<&str> = changes.payments.iter().map(|row| row.object.as_str()).collect();
            assert_eq!(rows, ["dp_1", "in_1", "pi_1", "re_1"], "one row per object");
        }
    }
}

#[test]
fn a_charge_loses_its_own_row_when_its_payment_is_known() {
    let mut unit = folded(&given_back());
    let changes = unit.take_changes();
    assert_eq!(row(&changes, "ch_1").refunded_minor, 1000);
    for fact in paid_month() {
        unit.evolve(&fact);
    }
    let changes = unit.take_changes();
    assert_eq!(changes.gone_payments, [stripe_id("ch_1")]);
    assert_eq!(row(&changes, "pi_1").refunded_minor, 1000);
    assert_eq!(row(&changes, "re_1").payment, Some(stripe_id("pi_1")));
}

#[test]
fn a_payment_that_only_its_charges_tell_of_went_as_the_one_that_succeeded() {
    let charge = |event, at, id, status| {
        let snapshot = json!({
            "id": id, "customer": "cus_1", "currency": "usd", "amount": 2900, "status": status,
            "payment_intent": "pi_1",
        });
        let charge = reported::<Charge>(status, snapshot, json!("absent"));
        entry(event, at, Event::ChargeReported(charge))
    };
    let entries = [
        charge("evt_1", DAY_0, "ch_a", "failed"),
        charge("evt_2", DAY_0 + 5, "ch_b", "succeeded"),
        charge("evt_3", DAY_0 + 9, "ch_c", "failed"),
    ];
    for order in orders(&entries) {
        let payment = row(&folded(&order).take_changes(), "pi_1");
        assert_eq!((payment.status.as_str(), payment.paid_minor), ("succeeded", 2900));
    }
}

#[test]
fn a_payment_that_its_invoice_shows_to_be_paid_names_the_invoices_event_in_every_order() {
    let mut life = paid_month()[1..].to_vec();
    // The intent's last word is older than what came of it.
    let intent = json!({
        "id": "pi_1", "customer": "cus_1", "currency": "usd", "amount": 2900,
        "amount_received": 0, "status": "processing", "latest_charge": "ch_1",
    });
    let intent = reported::<PaymentIntent>("processing", intent, json!("absent"));
    life[3] = entry("evt_5", DAY_0, Event::PaymentIntentReported(intent));
    let charge = json!({"id": "ch_1", "customer": "cus_1", "currency": "usd", "amount": 2900,
        "amount_refunded": 0, "status": "succeeded", "payment_intent": "pi_1"});
    let charge = reported::<Charge>("succeeded", charge, json!("absent"));
    life.push(entry("evt_7", DAY_0, Event::ChargeReported(charge)));
    for start in 0..life.len() {
        let mut order = life.clone();
        order.rotate_left(start);
        for order in [order.clone(), order.into_iter().rev().collect()] {
            let payment = row(&folded(&order).take_changes(), "pi_1");
            assert_eq!((payment.status.as_str(), payment.paid_minor), ("succeeded", 2900));
            let ids: Vec<&str> = payment.event_ids.iter().map(|key| key.id.as_str()).collect();
            assert_eq!(ids, ["evt_5", "evt_7", "evt_4"]);
        }
    }
}

/// Nothing tells which of the two came last but the count of the invoice's attempts: the row has
/// the events of both, and the reason of the one with the greater id.
#[test]
fn two_declines_of_one_second_are_both_told_of_in_every_order() {
    let declined = |id: &str, charge: &str, code: &str| {
        let intent = json!({
            "id": "pi_1", "customer": "cus_1", "currency": "usd", "amount": 2900,
            "status": "requires_payment_method", "invoice": "in_1", "latest_charge": charge,
            "failure": {"code": "card_declined", "decline_code": code},
        });
        let report = reported::<PaymentIntent>("payment_failed", intent, json!("absent"));
        entry(id, DAY_0, Event::PaymentIntentReported(report))
    };
    let failed = |id: &str, charge: &str, code: &str| {
        let charge = json!({
            "id": charge, "customer": "cus_1", "currency": "usd", "amount": 2900,
            "status": "failed", "payment_intent": "pi_1",
            "failure": {"code": "card_declined", "decline_code": code},
        });
        let report = reported::<Charge>("failed", charge, json!("absent"));
        entry(id, DAY_0, Event::ChargeReported(report))
    };
    let billed = |id: &str, attempts: i64| {
        let invoice = json!({
            "id": "in_1", "customer": "cus_1", "subscription": "sub_1", "currency": "usd",
            "status": "open", "total": 2900, "attempt_count": attempts, "created": DAY_0,
        });
        let report = reported::<Invoice>("payment_failed", invoice, json!("absent"));
        entry(id, DAY_0, Event::InvoiceReported(report))
    };
    let facts = [
        declined("evt_2", "ch_1", "insufficient_funds"),
        declined("evt_1", "ch_2", "expired_card"),
        failed("evt_4", "ch_1", "insufficient_funds"),
        failed("evt_3", "ch_2", "expired_card"),
        billed("evt_6", 1),
        billed("evt_5", 2),
    ];
    let rows = |facts: &[Entry]| {
        let changes = folded(facts).take_changes();
        assert_eq!(changes.payments.len(), 2, "{:#?}", changes.payments);
        [row(&changes, "pi_1"), row(&changes, "in_1")].map(|row| PaymentView { position: 0, ..row })
    };
    let [payment, invoice] = rows(&facts);
    let ids = |row: &PaymentView| row.event_ids.iter().map(|key| key.id.to_string()).collect();
    let of_payment: Vec<String> = ids(&payment);
    assert_eq!(of_payment, ["evt_1", "evt_2", "evt_4", "evt_3"]);
    assert_eq!(payment.reason, Some(Code::new("insufficient_funds")));
    let of_invoice: Vec<String> = ids(&invoice);
    assert_eq!((of_invoice, invoice.attempt_count), (vec!["evt_6".into(), "evt_5".into()], 2));
    for order in orders(&facts) {
        assert_eq!(rows(&order), [payment.clone(), invoice.clone()], "{order:#?}");
    }
}

#[test]
fn a_dispute_is_lost_since_the_first_fact_from_which_on_it_is() {
    let told = |id: &str, after: i64, cause: &str, status: &str| {
        let dispute = json!({
            "id": "dp_1", "currency": "usd", "amount": 1900, "charge": "ch_1", "status": status,
        });
        let report = reported::<Dispute>(cause, dispute, json!("absent"));
        entry(id, DAY_0 + after, Event::DisputeReported(report))
    };
    let created = told("evt_1", 0, "created", "needs_response");
    let lost = told("evt_2", 10, "closed", "lost");
    let (withdrawn, updated) =
        (told("evt_4", 20, "funds_withdrawn", "lost"), told("evt_3", 30, "updated", "lost"));
    let (won, lost_again) =
        (told("evt_5", 15, "closed", "won"), told("evt_6", 18, "updated", "lost"));
    let facts = |facts: &[&Entry]| facts.iter().copied().cloned().collect::<Vec<_>>();
    let tables = [
        (facts(&[&created, &lost, &withdrawn, &updated]), Some(10)),
        (facts(&[&created, &withdrawn, &updated]), Some(20)),
        (facts(&[&lost, &won, &lost_again, &updated]), Some(18)),
        (facts(&[&created, &lost, &won]), None),
        (facts(&[&created]), None),
    ];
    for (facts, after) in tables {
        let since = after.map(|after| Timestamp::from_unix(DAY_0 + after));
        for order in orders(&facts) {
            let changes = folded(&order).take_changes();
            let shown = row(&changes, "dp_1");
            assert_eq!(shown.lost_at, since, "{order:#?}");
            let held = changes.payments.iter().collect::<Disputes>();
            assert_eq!(held.lost.first().map(|lost| lost.at), since);
            // Also by the facts before the last one as they were stored.
            let (last, before) = order.split_last().expect("facts");
            let stored = folded(before).take_changes().parts;
            let mut unit = CustomerUnit::restore(stripe_id("cus_1"), stored).expect("stored");
            unit.evolve(last);
            assert_eq!(row(&unit.take_changes(), "dp_1").lost_at, since, "{order:#?}");
        }
    }
}
