//! Facts for tests, spelled shortly.

#![expect(clippy::needless_pass_by_value, reason = "tests read better without references")]

use ledger_domain::event::stripe::{
    Before, Charge, CheckoutSession, Customer, Dispute, Invoice, InvoicePayment, PaymentIntent,
    Price, Refund, Reported, Subscription,
};
use ledger_domain::event::{
    Code, CustomerLinked, Event, Metadata, OverrideEffect, OverrideGranted, Source, StripeOrigin,
    Subject, TierAssigned, TrainerRegistered, TrainerSuspended, UsageRecorded, UsageReleased,
};
use ledger_domain::id::{EventId, EventKey, FeatureSlug, Namespace, PlanSlug, StripeId, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_log::{Expected, NewEvent, UsageChange, UsageEntry};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The start of a day, in Stripe's seconds.
pub(crate) const DAY_0: i64 = 1_774_915_200;

/// A webhook's fact, in a stream of its own.
pub(crate) fn webhook(id: &str, at: i64, customer: Option<&str>, event: Event) -> NewEvent {
    let key = EventKey::new(Namespace::stripe(), EventId::try_new(id).unwrap());
    let customer = customer.map(|id| StripeId::try_new(id).unwrap());
    let metadata = Metadata {
        actor: "stripe".into(),
        stripe: Some(StripeOrigin { created: at, ..StripeOrigin::default() }),
        subject: Subject { customer, ..Subject::default() },
        ..Metadata::default()
    };
    new_event(key.clone(), key.own_stream().as_str(), Expected::NoStream, at, &metadata, &event)
}

/// The same event, and its metadata names a trainer.
pub(crate) fn naming(trainer: &str, mut event: NewEvent) -> NewEvent {
    let mut metadata = Metadata::from_bytes(&event.metadata).unwrap();
    metadata.subject.trainer = Some(TrainerId::try_new(trainer).unwrap());
    event.metadata = metadata.to_bytes();
    event
}

/// An act, at its place in a stream.
pub(crate) fn act(id: &str, stream: &str, revision: i64, event: Event) -> NewEvent {
    let key = EventKey::new(Namespace::try_new("api").unwrap(), EventId::try_new(id).unwrap());
    let expected =
        if revision == 0 { Expected::NoStream } else { Expected::Revision(revision - 1) };
    let metadata =
        Metadata { actor: "admin-1".into(), source: Source::Admin, ..Metadata::default() };
    new_event(key, stream, expected, DAY_0 + revision, &metadata, &event)
}

fn new_event(
    key: EventKey,
    stream: &str,
    expected: Expected,
    at: i64,
    metadata: &Metadata,
    event: &Event,
) -> NewEvent {
    let mut content_hash = [0; 32];
    for (i, byte) in key.id.as_str().bytes().enumerate() {
        content_hash[i % 32] ^= byte;
    }
    NewEvent {
        stream: stream.parse().unwrap(),
        key,
        expected,
        event_type: event.type_name().into(),
        schema_version: event.schema_version(),
        occurred_at: Timestamp::from_unix(at),
        data: event.to_data(),
        metadata: metadata.to_bytes(),
        content_hash,
        body: None,
        text: None,
        usage: None,
    }
}

fn reported<S: DeserializeOwned>(cause: &str, snapshot: Value, before: Before) -> Reported<S> {
    let snapshot = serde_json::from_value(snapshot).unwrap();
    Reported { before, cause: Code::new(cause), snapshot }
}

fn customer_of(snapshot: &Value) -> Option<&str> {
    snapshot["customer"].as_str()
}

macro_rules! reports {
    ($($name:ident $variant:ident $type:ident;)*) => {
        $(pub(crate) fn $name(id: &str, at: i64, cause: &str, snapshot: Value) -> NewEvent {
            let customer = customer_of(&snapshot).map(str::to_owned);
            let report = reported::<$type>(cause, snapshot, Before::Absent);
            webhook(id, at, customer.as_deref(), Event::$variant(report))
        })*
    };
}

reports! {
    invoice InvoiceReported Invoice;
    invoice_payment InvoicePaymentReported InvoicePayment;
    intent PaymentIntentReported PaymentIntent;
    charge ChargeReported Charge;
    refund RefundReported Refund;
    dispute DisputeReported Dispute;
    checkout CheckoutSessionReported CheckoutSession;
    price PriceReported Price;
    subscription SubscriptionReported Subscription;
}

/// An update of a subscription that tells what was before.
pub(crate) fn updated(id: &str, at: i64, snapshot: Value, before: Value) -> NewEvent {
    let customer = customer_of(&snapshot).map(str::to_owned);
    let before = Before::Fields(before.as_object().unwrap().clone());
    let report = reported::<Subscription>("updated", snapshot, before);
    webhook(id, at, customer.as_deref(), Event::SubscriptionReported(report))
}

/// What Stripe tells of a customer whose metadata name a trainer, and of how it was before.
pub(crate) fn customer(id: &str, at: i64, trainer: &str, before: Before) -> NewEvent {
    let cause = if before == Before::NoObject { "created" } else { "updated" };
    let snapshot = json!({"id": "cus_1", "metadata": {"trainer_id": trainer}});
    let report = reported::<Customer>(cause, snapshot, before);
    webhook(id, at, Some("cus_1"), Event::CustomerReported(report))
}

/// The same fact as of real money.
pub(crate) fn of_real_money(mut event: NewEvent) -> NewEvent {
    let mut metadata = Metadata::from_bytes(&event.metadata).unwrap();
    metadata.stripe.as_mut().unwrap().livemode = true;
    event.metadata = metadata.to_bytes();
    event
}

/// A subscription's snapshot: a month of Starter.
pub(crate) fn snapshot(id: &str, customer: &str, status: &str, from: i64) -> Value {
    json!({
        "customer": customer, "id": id, "status": status, "start_date": DAY_0,
        "billing_cycle_anchor": DAY_0,
        "items": {"data": [{
            "id": format!("si_{id}"),
            "price": {"id": "price_starter_month", "interval": "month", "unit_amount": 2900,
                "currency": "usd"},
            "quantity": 1,
            "current_period_start": from, "current_period_end": from + 30 * 86_400,
        }]},
    })
}

pub(crate) fn linked(id: &str, revision: i64, customer: &str, trainer: &str) -> NewEvent {
    let customer = StripeId::try_new(customer).unwrap();
    let event = CustomerLinked { customer, trainer: t(trainer) };
    act(id, &format!("trainer-{trainer}"), revision, Event::CustomerLinked(event))
}

pub(crate) fn registered(id: &str, revision: i64, trainer: &str) -> NewEvent {
    let event = Event::TrainerRegistered(TrainerRegistered { trainer: t(trainer) });
    act(id, &format!("trainer-{trainer}"), revision, event)
}

pub(crate) fn assigned(id: &str, revision: i64, trainer: &str, tier: &str) -> NewEvent {
    let event = TierAssigned {
        expires_at: None,
        interval: Some(Code::new("month")),
        tier: PlanSlug::try_new(tier).unwrap(),
        trainer: t(trainer),
    };
    act(id, &format!("trainer-{trainer}"), revision, Event::TierAssigned(event))
}

pub(crate) fn lifted(id: &str, revision: i64, trainer: &str, to: u64) -> NewEvent {
    let event = OverrideGranted {
        effect: OverrideEffect::Lift(to),
        expires_at: None,
        feature: f("customers"),
        trainer: t(trainer),
    };
    act(id, &format!("trainer-{trainer}"), revision, Event::OverrideGranted(event))
}

pub(crate) fn suspended(id: &str, revision: i64, trainer: &str) -> NewEvent {
    let event = Event::TrainerSuspended(TrainerSuspended { trainer: t(trainer) });
    act(id, &format!("trainer-{trainer}"), revision, event)
}

/// Usage of `customers`: negative = released.
pub(crate) fn used(id: &str, revision: i64, trainer: &str, at: i64, quantity: i64) -> NewEvent {
    used_of(id, revision, (trainer, "customers"), Timestamp::from_unix(at), quantity)
}

/// Usage of any feature, to the microsecond.
pub(crate) fn used_of(
    id: &str,
    revision: i64,
    (trainer, feature): (&str, &str),
    occurred_at: Timestamp,
    quantity: i64,
) -> NewEvent {
    let (feature, trainer) = (f(feature), t(trainer));
    let stream = format!("usage-{trainer}-{feature}");
    let usage = UsageEntry {
        trainer: trainer.clone(),
        feature: feature.clone(),
        occurred_at,
        change: UsageChange::Count(quantity),
    };
    let event = if quantity < 0 {
        Event::UsageReleased(UsageReleased { feature, occurred_at, quantity: -quantity, trainer })
    } else {
        Event::UsageRecorded(UsageRecorded { feature, occurred_at, quantity, trainer })
    };
    NewEvent { usage: Some(usage), ..act(id, &stream, revision, event) }
}

fn t(trainer: &str) -> TrainerId {
    TrainerId::try_new(trainer).unwrap()
}

pub(crate) fn f(feature: &str) -> FeatureSlug {
    FeatureSlug::try_new(feature).unwrap()
}

/// The webhooks of a month and what came after, of customer `cus_1`: several of them name an
/// object and not the customer.
pub(crate) fn month() -> Vec<NewEvent> {
    let invoice_of = |status: &str, paid: i64| {
        json!({"id": "in_1", "customer": "cus_1", "subscription": "sub_1", "currency": "usd",
            "status": status, "total": 2900, "amount_paid": paid, "created": DAY_0})
    };
    vec![
        checkout(
            "evt_01",
            DAY_0,
            "completed",
            json!({"id": "cs_1", "client_reference_id": "t1", "customer": "cus_1",
                "subscription": "sub_1", "status": "complete"}),
        ),
        subscription("evt_02", DAY_0, "created", snapshot("sub_1", "cus_1", "incomplete", DAY_0)),
        invoice("evt_03", DAY_0 + 1, "finalized", invoice_of("open", 0)),
        invoice("evt_04", DAY_0 + 2, "paid", invoice_of("paid", 2900)),
        subscription("evt_05", DAY_0 + 2, "updated", snapshot("sub_1", "cus_1", "active", DAY_0)),
        invoice_payment(
            "evt_06",
            DAY_0 + 2,
            "paid",
            json!({"id": "inpay_1", "invoice": "in_1", "payment_intent": "pi_1",
                "status": "paid"}),
        ),
        intent(
            "evt_07",
            DAY_0 + 2,
            "succeeded",
            json!({"id": "pi_1", "currency": "usd", "amount": 2900, "amount_received": 2900,
                "status": "succeeded", "latest_charge": "ch_1"}),
        ),
        charge(
            "evt_08",
            DAY_0 + 9,
            "refunded",
            json!({"id": "ch_1", "currency": "usd", "amount": 2900, "amount_refunded": 1000,
                "status": "succeeded", "payment_intent": "pi_1"}),
        ),
        refund(
            "evt_09",
            DAY_0 + 9,
            "created",
            json!({"id": "re_1", "currency": "usd", "amount": 1000, "charge": "ch_1",
                "status": "succeeded"}),
        ),
        dispute(
            "evt_10",
            DAY_0 + 99,
            "closed",
            json!({"id": "dp_1", "currency": "usd", "amount": 1900, "charge": "ch_1",
                "status": "lost"}),
        ),
        subscription(
            "evt_11",
            DAY_0 + 30 * 86_400,
            "updated",
            snapshot("sub_1", "cus_1", "active", DAY_0 + 30 * 86_400),
        ),
        price(
            "evt_12",
            DAY_0,
            "created",
            json!({"id": "price_starter_month", "currency": "usd", "unit_amount": 2900}),
        ),
    ]
}
