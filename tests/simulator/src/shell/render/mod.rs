//! Objects and events in the shapes of Stripe's API versions.
//!
//! The world keeps every object in the newest shape. An older one is made by walking back:
//! `changes` lists, newest first, what each version changed, and how to undo it. What was merely
//! added mostly stays visible in old versions, as at Stripe. To add a version, put its name in
//! [`CATALOGUE`] and its changes at the head of that list.

mod changes;
mod fields;
mod links;
mod version;

use serde_json::{Map, Value, json};

pub use self::links::Links;
pub use self::version::{CATALOGUE, NEWEST, Version};
use crate::world::Event;
use crate::world::diff::{previous_attributes, put_back};

/// Since then an event tells of its request by an object.
const REQUEST_IS_AN_OBJECT_SINCE: &str = "2017-05-25";

/// An event in the shape of an API version, knowing nothing but this event: a charge's invoice,
/// which another event told of, stays null. [`Renderer`] knows them all. A name that is no version
/// stands for the newest.
#[must_use]
pub fn render_event(event: &Event, api_version: &str, pending_webhooks: u64) -> Value {
    let links = Links::of(std::slice::from_ref(event));
    let version = Version::parse(api_version).unwrap_or_else(Version::newest);
    Renderer { links: &links }.event(0, event, &version, pending_webhooks)
}

/// An object in the shape of an API version, knowing nothing but this object.
#[must_use]
pub fn render_object(object: &Value, api_version: &str) -> Value {
    let version = Version::parse(api_version).unwrap_or_else(Version::newest);
    Renderer { links: &Links::default() }.object(object, &version)
}

/// Renders with what the events told so far.
#[derive(Debug, Clone, Copy)]
pub struct Renderer<'a> {
    /// All events of the world.
    pub links: &'a Links,
}

impl Renderer<'_> {
    /// The event that was learnt as the `at`th, with what was known when it happened.
    #[must_use]
    pub fn event(&self, at: usize, event: &Event, version: &Version, pending: u64) -> Value {
        let object = self.object_at(&event.object, version, at);
        let mut data = json!({ "object": object });
        if let Some(previous) = &event.previous_attributes {
            let previous = self.previous(at, event, previous, &object, version);
            data["previous_attributes"] = Value::Object(previous);
        }
        let request = if version.is_before(REQUEST_IS_AN_OBJECT_SINCE) {
            json!(event.request_id)
        } else {
            json!({ "id": event.request_id, "idempotency_key": event.idempotency_key })
        };
        json!({
            "id": event.id,
            "object": "event",
            "api_version": version.name(),
            "created": event.created,
            "data": data,
            "livemode": event.livemode,
            "pending_webhooks": pending,
            "request": request,
            "type": event.kind,
        })
    }

    /// An object with all that is known now.
    #[must_use]
    pub fn object(&self, object: &Value, version: &Version) -> Value {
        self.object_at(object, version, usize::MAX)
    }

    fn object_at(&self, object: &Value, version: &Version, at: usize) -> Value {
        let mut object = object.clone();
        changes::undo(&mut object, self.links, version, at);
        object
    }

    /// The old values in the older shape: both states are rendered and compared again, since a
    /// field may have moved to where its neighbours didn't change.
    fn previous(
        &self,
        at: usize,
        event: &Event,
        previous: &Map<String, Value>,
        object: &Value,
        version: &Version,
    ) -> Map<String, Value> {
        if version.name() == NEWEST {
            return previous.clone();
        }
        let id = event.object["id"].as_str().unwrap_or_default();
        let before = put_back(&event.object, previous);
        let before = self.object_at(&before, version, self.links.before(id, at));
        previous_attributes(&before, object)
    }
}

#[cfg(test)]
mod tests;
