//! Facts for tests, spelled shortly.

use ledger_domain::account::{CustomerUnit, FactAnomaly, SubscriptionView, TenantUnit};
use ledger_domain::event::stripe::{Before, Reported, Subscription};
use ledger_domain::event::{Code, Entry, Event, Metadata};
use ledger_domain::id::{EventId, EventKey, Namespace, StripeId};
use ledger_domain::time::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// An instant that lies on a whole day, in Stripe's seconds.
pub(crate) const DAY_0: i64 = 1_774_915_200;

pub(crate) fn stripe_id(text: &str) -> StripeId {
    StripeId::try_new(text).expect("an id")
}

pub(crate) fn key(id: &str) -> EventKey {
    EventKey::new(Namespace::stripe(), EventId::try_new(id).expect("an event id"))
}

/// An event at a second. Its position is [`arrived`]'s to say.
pub(crate) fn entry(id: &str, at: i64, event: Event) -> Entry {
    Entry {
        key: key(id),
        position: 1,
        occurred_at: Timestamp::from_unix(at),
        recorded_at: Timestamp::from_unix(at),
        metadata: Metadata { actor: "stripe".into(), ..Metadata::default() },
        event,
    }
}

/// A subscription `sub_1` of `cus_1` and `t1`: a month of the plan from `DAY_0`, with changes.
pub(crate) fn subscription(changes: &Value) -> Value {
    let object = json!({
        "customer": "cus_1", "id": "sub_1", "status": "active", "start_date": DAY_0,
        "billing_cycle_anchor": DAY_0, "metadata": {"trainer_id": "t1"},
        "items": {"data": [{
            "price": {"id": "price_starter_month"}, "quantity": 1,
            "current_period_start": DAY_0, "current_period_end": DAY_0 + 30 * 86_400,
        }]},
    });
    with(&object, changes)
}

/// An object in which some fields are otherwise.
pub(crate) fn with(object: &Value, changes: &Value) -> Value {
    let (mut object, changes) = (object.clone(), changes.as_object().expect("fields"));
    object.as_object_mut().expect("an object").extend(changes.clone());
    object
}

/// An item list at a price and a period.
pub(crate) fn items(price: &str, start: i64, end: i64) -> Value {
    json!({"data": [{
        "price": {"id": price}, "quantity": 1,
        "current_period_start": start, "current_period_end": end,
    }]})
}

/// What Stripe reports of an object; `before` is `absent`, `no_object` or the changed fields.
pub(crate) fn reported<S: DeserializeOwned>(
    cause: &str,
    snapshot: Value,
    before: Value,
) -> Reported<S> {
    let before = match before {
        Value::String(word) if word == "absent" => Before::Absent,
        Value::String(word) if word == "no_object" => Before::NoObject,
        Value::Object(fields) => Before::Fields(fields),
        other => panic!("not a before: {other}"),
    };
    let snapshot = serde_json::from_value(snapshot).expect("a snapshot");
    Reported { before, cause: Code::new(cause), snapshot }
}

/// `customer.subscription.{cause}` at a second.
#[expect(clippy::needless_pass_by_value, reason = "tests read better with json!(..)")]
pub(crate) fn sub(id: &str, at: i64, cause: &str, changes: Value, before: Value) -> Entry {
    let event = reported::<Subscription>(cause, subscription(&changes), before);
    entry(id, at, Event::SubscriptionReported(event))
}

/// These facts, each at the position that it has when they arrive in this order.
pub(crate) fn arrived(entries: &[Entry]) -> Vec<Entry> {
    let places = (1..).zip(entries);
    places.map(|(position, entry)| Entry { position, ..entry.clone() }).collect()
}

/// The state of `cus_1` after these facts, in this order of arrival.
pub(crate) fn folded(entries: &[Entry]) -> CustomerUnit {
    let mut unit = CustomerUnit::new(stripe_id("cus_1"));
    arrived(entries).iter().for_each(|entry| unit.evolve(entry));
    unit
}

/// What is odd about these facts, which arrive in this order, in the state of `cus_1` and in that
/// of the tenant.
pub(crate) fn anomalies(entries: &[Entry]) -> Vec<FactAnomaly> {
    let mut tenant = TenantUnit::default();
    for entry in arrived(entries) {
        tenant.evolve(&entry);
    }
    let of_customer = folded(entries).take_changes().anomalies;
    let all = of_customer.into_iter().chain(tenant.take_changes().anomalies);
    all.flat_map(|(_, anomalies)| anomalies).collect()
}

/// The one subscription that these facts make.
pub(crate) fn view(entries: &[Entry]) -> SubscriptionView {
    let mut views = folded(entries).take_changes().subscriptions;
    assert_eq!(views.len(), 1, "one subscription");
    views.remove(0)
}

/// Every order in which these facts can arrive.
pub(crate) fn orders(entries: &[Entry]) -> Vec<Vec<Entry>> {
    permutations(entries).iter().map(|order| arrived(order)).collect()
}

fn permutations(entries: &[Entry]) -> Vec<Vec<Entry>> {
    if entries.len() <= 1 {
        return vec![entries.to_vec()];
    }
    let mut all = Vec::new();
    for i in 0..entries.len() {
        let mut rest = entries.to_vec();
        let first = rest.remove(i);
        all.extend(permutations(&rest).into_iter().map(|mut order| {
            order.insert(0, first.clone());
            order
        }));
    }
    all
}
