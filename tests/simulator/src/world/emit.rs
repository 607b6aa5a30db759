//! Events, made by comparing what an object was with what it is.

use serde_json::{Map, Value};

use super::World;
use super::diff::previous_attributes;
use super::request::Event;
use super::subscriptions::Subscription;
use super::template::text;

/// Events that tell the old values besides those whose names end in `.updated`.
const COMPARING: [&str; 4] = [
    "charge.refunded",
    "charge.dispute.closed",
    "payment_method.detached",
    "subscription_schedule.canceled",
];

/// Old values as Stripe tells them of a draft that was made final and paid by one call: they don't
/// name what was paid and what remained, although both changed.
fn without_amounts(mut previous: Map<String, Value>, object: &Value) -> Map<String, Value> {
    let was_draft = previous.get("status").is_some_and(|status| status == "draft");
    if object["object"] == "invoice" && object["status"] == "paid" && was_draft {
        previous.remove("amount_paid");
        previous.remove("amount_remaining");
    }
    previous
}

impl World {
    /// Records that something happened to an object, which is already as it is afterwards. An
    /// update that changed nothing isn't one.
    pub(super) fn emit(&mut self, kind: &str, id: &str) {
        if let Some(object) = self.find(id) {
            self.emit_object(kind, object);
        }
    }

    /// The same beside an update that is still to come: that one tells the old values.
    pub(super) fn emit_beside(&mut self, kind: &str, id: &str) {
        if let Some(object) = self.find(id) {
            self.record(kind, object, None);
        }
    }

    /// The same for an object that is about to go, or as it was.
    pub(super) fn emit_object(&mut self, kind: &str, object: Value) {
        let before = self.find_before(text(&object, "id"));
        self.emit_from(kind, before, object);
    }

    /// The same for an object that is only a view of another: as it was, if it has changed, and is.
    pub(super) fn emit_from(&mut self, kind: &str, before: Option<Value>, object: Value) {
        let is_update = kind.ends_with(".updated");
        let compares = is_update || COMPARING.contains(&kind);
        let previous = before.filter(|_| compares).map(|old| previous_attributes(&old, &object));
        let previous = previous.map(|old| without_amounts(old, &object));
        let previous = previous.filter(|previous| !previous.is_empty());
        if is_update && previous.is_none() {
            return;
        }
        self.tell(text(&object, "id"));
        self.record(kind, object, previous);
    }

    fn record(&mut self, kind: &str, object: Value, previous: Option<Map<String, Value>>) {
        let test_clock = self.clock_of(&object);
        let invoice = self.invoices.get(text(&object, "id"));
        let intent = invoice.and_then(|invoice| invoice.intent.clone());
        let event = Event {
            id: self.ids.next("evt"),
            kind: kind.to_owned(),
            created: self.time_of(test_clock.as_deref()),
            livemode: self.config.livemode,
            object,
            previous_attributes: previous,
            request_id: self.request.as_ref().map(|(id, _)| id.clone()),
            idempotency_key: self.request.as_ref().and_then(|(_, key)| key.clone()),
            test_clock,
            intent,
        };
        self.events.push(event);
    }

    /// What an object was, if it has been changed and no event told of that yet.
    fn find_before(&self, id: &str) -> Option<Value> {
        let livemode = self.config.livemode;
        let subscription = self.subscriptions.before(id).map(Subscription::render);
        subscription
            .or_else(|| Some(self.invoices.before(id)?.render(livemode)))
            .or_else(|| Some(self.schedules.before(id)?.render(livemode)))
            .or_else(|| Some(self.sessions.before(id)?.render(livemode)))
            .or_else(|| self.plain.before(id).cloned())
    }

    fn tell(&mut self, id: &str) {
        self.subscriptions.tell(id);
        self.invoices.tell(id);
        self.schedules.tell(id);
        self.sessions.tell(id);
        self.plain.tell(id);
    }

    /// A call or an act of time is over.
    pub(super) fn forget_changes(&mut self) {
        self.remember();
        self.subscriptions.settle();
        self.invoices.settle();
        self.schedules.settle();
        self.sessions.settle();
        self.plain.settle();
    }

    /// The test clock that an object lives by: its own, its customer's or its charge's.
    fn clock_of(&self, object: &Value) -> Option<String> {
        if object["object"] == "test_helpers.test_clock" {
            return Some(text(object, "id").to_owned());
        }
        if let Some(clock) = object["test_clock"].as_str() {
            return Some(clock.to_owned());
        }
        if let Some(customer) = object["customer"].as_str() {
            return self.clock_of_customer(customer);
        }
        let above = ["charge", "invoice"].iter().find_map(|field| object[*field].as_str())?;
        self.clock_of(&self.find(above)?)
    }

    /// The test clock that a customer lives by, also after the customer was deleted.
    pub(super) fn clock_of_customer(&self, customer: &str) -> Option<String> {
        self.plain.get(customer)?["test_clock"].as_str().map(str::to_owned)
    }

    /// What a test clock shows, or the real time.
    pub(super) fn time_of(&self, clock: Option<&str>) -> i64 {
        let frozen = clock.and_then(|clock| self.plain.get(clock));
        frozen.and_then(|clock| clock["frozen_time"].as_i64()).unwrap_or(self.now)
    }

    /// The present of a customer.
    pub(super) fn present(&self, customer: &str) -> i64 {
        self.time_of(self.clock_of_customer(customer).as_deref())
    }
}
