//! The life of a small product: customers, trainers, usage and catalogues, in an order of arrival
//! that leaves facts waiting.

use ledger_domain::event::{Metadata, StripeOrigin, Subject};
use ledger_domain::id::{EventId, EventKey, FeatureSlug, Namespace, StripeId, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_log::{Expected, NewEvent, UsageChange, UsageEntry};
use serde_json::{Value, json};

/// The start of a day, in Stripe's seconds.
const DAY_0: i64 = 1_774_915_200;
const DAY: i64 = 86_400;

/// A webhook's fact, in a stream of its own, of the log's mode.
pub(crate) fn webhook(id: &str, at: i64, event_type: &str, data: &Value) -> NewEvent {
    of_mode(id, at, event_type, data, false)
}

fn of_mode(id: &str, at: i64, event_type: &str, data: &Value, livemode: bool) -> NewEvent {
    let key = EventKey::new(Namespace::stripe(), EventId::try_new(id).unwrap());
    let customer = data["snapshot"]["customer"].as_str();
    let customer = customer.map(|id| StripeId::try_new(id).unwrap());
    let trainer = trainer_in(&data["snapshot"]["client_reference_id"]);
    let metadata = Metadata {
        actor: "stripe".into(),
        stripe: Some(StripeOrigin { created: at, livemode, ..StripeOrigin::default() }),
        subject: Subject { customer, trainer, ..Subject::default() },
        ..Metadata::default()
    };
    let stream = key.own_stream();
    new_event(key, stream.as_str(), Expected::NoStream, at, &metadata, event_type, data)
}

fn trainer_in(name: &Value) -> Option<TrainerId> {
    name.as_str().map(|id| TrainerId::try_new(id).unwrap())
}

/// An act, at its place in a stream.
pub(crate) fn act(
    id: &str,
    stream: &str,
    revision: i64,
    event_type: &str,
    data: &Value,
) -> NewEvent {
    let key = EventKey::new(Namespace::try_new("api").unwrap(), EventId::try_new(id).unwrap());
    let expected =
        if revision == 0 { Expected::NoStream } else { Expected::Revision(revision - 1) };
    let subject = Subject { trainer: trainer_in(&data["trainer"]), ..Subject::default() };
    let metadata = Metadata { actor: "admin-1".into(), subject, ..Metadata::default() };
    new_event(key, stream, expected, DAY_0 + revision, &metadata, event_type, data)
}

fn new_event(
    key: EventKey,
    stream: &str,
    expected: Expected,
    at: i64,
    metadata: &Metadata,
    event_type: &str,
    data: &Value,
) -> NewEvent {
    let mut content_hash = [0; 32];
    for (i, byte) in key.id.as_str().bytes().enumerate() {
        content_hash[i % 32] ^= byte;
    }
    NewEvent {
        stream: stream.parse().unwrap(),
        key,
        expected,
        event_type: event_type.into(),
        schema_version: 1,
        occurred_at: Timestamp::from_unix(at),
        data: data.to_string().into_bytes(),
        metadata: metadata.to_bytes(),
        content_hash,
        body: None,
        text: None,
        usage: None,
    }
}

/// Usage of `customers`.
pub(crate) fn used(trainer: &str, revision: i64, at: i64, quantity: i64) -> NewEvent {
    let (id, stream) = (format!("use-{trainer}-{revision}"), format!("usage-{trainer}-customers"));
    let occurred_at = Timestamp::from_unix(at);
    let usage = UsageEntry {
        trainer: TrainerId::try_new(trainer).unwrap(),
        feature: FeatureSlug::try_new("customers").unwrap(),
        occurred_at,
        change: UsageChange::Count(quantity),
    };
    let data = json!({"feature": "customers", "occurred_at": occurred_at, "quantity": quantity,
        "trainer": trainer});
    NewEvent { usage: Some(usage), ..act(&id, &stream, revision, "UsageRecorded", &data) }
}

fn reported(cause: &str, snapshot: &Value) -> Value {
    json!({"before": "absent", "cause": cause, "snapshot": snapshot})
}

/// What Stripe tells of one customer in a month. Several of these name an object and not the
/// customer.
pub(crate) fn customer(n: usize) -> Vec<NewEvent> {
    let (id, at) = (|kind: &str| format!("{kind}_{n}"), DAY_0 + i64::try_from(n).unwrap() * 60);
    let told = std::cell::Cell::new(0);
    let webhook = |second: i64, event_type: &str, cause: &str, snapshot: &Value| {
        told.set(told.get() + 1);
        let event = format!("evt_{n}_{}", told.get());
        webhook(&event, at + second, event_type, &reported(cause, snapshot))
    };
    let subscription = |status: &str, from: i64| {
        json!({"id": id("sub"), "customer": id("cus"), "status": status, "start_date": at,
            "billing_cycle_anchor": at, "items": {"data": [{"id": id("si"), "quantity": 1,
            "price": {"id": "price_starter_month", "interval": "month", "unit_amount": 2900,
                "currency": "usd"},
            "current_period_start": from, "current_period_end": from + 30 * DAY}]}})
    };
    let invoice = |status: &str, paid: i64| {
        json!({"id": id("in"), "customer": id("cus"), "subscription": id("sub"), "status": status,
            "currency": "usd", "total": 2900, "amount_paid": paid, "created": at})
    };
    let intent = json!({"id": id("pi"), "currency": "usd", "amount": 2900, "amount_received": 2900,
        "status": "succeeded", "latest_charge": id("ch")});
    let charge = json!({"id": id("ch"), "currency": "usd", "amount": 2900, "status": "succeeded",
        "amount_refunded": 1000, "payment_intent": id("pi")});
    let of_charge = |kind: &str, status: &str| {
        json!({"id": id(kind), "currency": "usd", "amount": 1000, "charge": id("ch"),
            "status": status})
    };
    let checkout = json!({"id": id("cs"), "client_reference_id": format!("t{n}"),
        "customer": id("cus"), "subscription": id("sub"), "status": "complete"});
    let paid = json!({"id": id("inpay"), "invoice": id("in"), "payment_intent": id("pi"),
        "status": "paid"});
    let mut gap = reported("updated", &subscription("active", at + 30 * DAY));
    gap["before"] = json!({"fields": {"status": "past_due"}});
    vec![
        webhook(0, "CheckoutSessionReported", "completed", &checkout),
        webhook(0, "SubscriptionReported", "created", &subscription("incomplete", at)),
        webhook(1, "InvoiceReported", "finalized", &invoice("open", 0)),
        webhook(2, "InvoiceReported", "paid", &invoice("paid", 2900)),
        webhook(2, "SubscriptionReported", "updated", &subscription("active", at)),
        webhook(2, "InvoicePaymentReported", "paid", &paid),
        webhook(2, "PaymentIntentReported", "succeeded", &intent),
        webhook(9, "ChargeReported", "refunded", &charge),
        webhook(9, "RefundReported", "created", &of_charge("re", "succeeded")),
        webhook(99, "DisputeReported", "closed", &of_charge("dp", "lost")),
        self::webhook(&format!("evt_{n}_gap"), at + 30 * DAY, "SubscriptionReported", &gap),
    ]
}

/// What administrators do to one trainer, and what it uses, in the order of its streams.
pub(crate) fn trainer(n: usize) -> Vec<NewEvent> {
    let trainer = format!("t{n}");
    let stream = format!("trainer-{trainer}");
    let act = |revision: i64, event_type: &str, data: &Value| {
        let mut data = data.clone();
        data["trainer"] = trainer.clone().into();
        act(&format!("act-{n}-{revision}"), &stream, revision, event_type, &data)
    };
    let at = DAY_0 + 43_200;
    vec![
        act(0, "TrainerRegistered", &json!({})),
        act(1, "CustomerLinked", &json!({"customer": format!("cus_{n}")})),
        act(2, "TierAssigned", &json!({"tier": "starter", "interval": "month"})),
        used(&trainer, 0, at, 5),
        used(&trainer, 1, at + DAY, 7),
        act(3, "OverrideGranted", &json!({"feature": "customers", "effect": {"lift": 30}})),
        used(&trainer, 2, at + 60, 1),
        act(4, "TierAssigned", &json!({"tier": "enterprise"})),
        act(5, "TrainerSuspended", &json!({})),
    ]
}

/// What concerns the whole tenant, from a revision of its stream on.
fn tenant() -> Vec<NewEvent> {
    let toml = include_str!("../../../catalogs/workspace.toml");
    let publish = json!({"effective_at": "2026-03-01T12:00:00Z", "toml": toml,
        "prices": {"starter": {"month": ["price_starter_month"]}}});
    let price = json!({"id": "price_starter_month", "currency": "usd", "unit_amount": 2900});
    let cheaper = json!({"id": "price_starter_month", "currency": "usd", "unit_amount": 1900});
    let dearer = json!({"id": "price_starter_month", "currency": "usd", "unit_amount": 3900});
    let product = json!({"id": "prod_1", "name": "Starter"});
    let orphan = json!({"id": "re_orphan", "currency": "usd", "amount": 1, "charge": "ch_nobody",
        "status": "succeeded"});
    vec![
        act("catalog-1", "tenant", 1, "CatalogPublished", &publish),
        act("enforce-1", "tenant", 2, "EnforcementChanged", &json!({"mode": "shadow"})),
        act("enforce-2", "tenant", 3, "EnforcementChanged", &json!({"mode": {"percent": 50}})),
        webhook("evt_price", DAY_0, "PriceReported", &reported("created", &price)),
        // Of one second, and neither says which came first.
        webhook("evt_price_2", DAY_0 + 9, "PriceReported", &reported("updated", &cheaper)),
        webhook("evt_price_3", DAY_0 + 9, "PriceReported", &reported("updated", &dearer)),
        webhook("evt_product", DAY_0, "ProductReported", &reported("created", &product)),
        webhook("evt_orphan", DAY_0, "RefundReported", &reported("created", &orphan)),
        of_mode("evt_live", DAY_0, "PriceReported", &reported("created", &price), true),
    ]
}

/// Everything together: each stream in its order, webhooks in any.
pub(crate) fn busy(customers: usize, seed: u64) -> Vec<NewEvent> {
    let mut dice = Dice::new(seed);
    let mut webhooks: Vec<_> = (0..customers).flat_map(customer).collect();
    let unreadable = json!({"reason": {"unusable": "data.object.id"}});
    webhooks.push(webhook("evt_dead", DAY_0, "StripeEventRecorded", &unreadable));
    for i in (1..webhooks.len()).rev() {
        webhooks.swap(i, dice.below(i + 1));
    }
    let mut streams = vec![webhooks, tenant()];
    streams.extend((0..customers).map(trainer));
    streams.iter_mut().for_each(|stream| stream.reverse());
    let mut mixed = Vec::new();
    while !streams.is_empty() {
        let chosen = dice.below(streams.len());
        match streams[chosen].pop() {
            Some(event) => mixed.push(event),
            None => drop(streams.swap_remove(chosen)),
        }
    }
    mixed
}

/// The same numbers for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}
