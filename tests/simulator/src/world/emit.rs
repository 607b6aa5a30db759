//! Events, made by comparing what an object was with what it is.

use serde_json::Value;

use super::World;
use super::diff::previous_attributes;
use super::request::Event;
use super::template::text;

/// Events that tell the old values besides those whose names end in `.updated`.
const COMPARING: [&str; 4] = [
    "charge.refunded",
    "charge.dispute.closed",
    "payment_method.detached",
    "subscription_schedule.canceled",
];

impl World {
    /// Records that something happened to an object, which is already as it is afterwards. An
    /// update that changed nothing isn't one.
    pub(super) fn emit(&mut self, kind: &str, id: &str) {
        if let Some(object) = self.find(id) {
            self.emit_object(kind, object);
        }
    }

    /// The same for an object that is only a view of another, or is about to go.
    pub(super) fn emit_object(&mut self, kind: &str, object: Value) {
        let key = (text(&object, "object").to_owned(), text(&object, "id").to_owned());
        let compares = kind.ends_with(".updated") || COMPARING.contains(&kind);
        let before = self.told.get(&key);
        let previous = before.filter(|_| compares).map(|old| previous_attributes(old, &object));
        if kind.ends_with(".updated") && previous.as_ref().is_none_or(serde_json::Map::is_empty) {
            return;
        }
        let test_clock = self.clock_of(&object);
        let event = Event {
            id: self.ids.next("evt"),
            kind: kind.to_owned(),
            created: self.time_of(test_clock.as_deref()),
            livemode: self.config.livemode,
            object: object.clone(),
            previous_attributes: previous,
            request_id: self.request.as_ref().map(|(id, _)| id.clone()),
            idempotency_key: self.request.as_ref().and_then(|(_, key)| key.clone()),
            test_clock,
        };
        self.told.insert(key, object);
        self.events.push(event);
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
