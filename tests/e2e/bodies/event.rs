//! The envelope.

use serde_json::{Map, Value, json};

use super::version::Version;

/// An event as Stripe posts it.
pub(crate) fn event(
    version: Version,
    id: &str,
    kind: &str,
    created: i64,
    object: &Value,
    previous: Option<&Value>,
) -> Value {
    let mut data = json!({ "object": object });
    if let Some(previous) = previous {
        data["previous_attributes"] = previous.clone();
    }
    json!({
        "id": id,
        "object": "event",
        "api_version": version.name(),
        "created": created,
        "data": data,
        "livemode": false,
        "pending_webhooks": 1,
        "request": { "id": null, "idempotency_key": null },
        "type": kind,
    })
}

/// An event that only names its object.
pub(crate) fn thin_event(id: &str, created: &str, related: &str) -> Value {
    json!({
        "id": id,
        "object": "v2.core.event",
        "type": "v1.customer.updated",
        "livemode": false,
        "created": created,
        "context": null,
        "reason": null,
        "related_object": {
            "id": related, "type": "customer", "url": format!("/v1/customers/{related}"),
        },
    })
}

/// What an `updated` event says of the object before: old values only, nested objects in part,
/// lists whole, null for what was not there. `None` when nothing changed.
pub(crate) fn previous_attributes(old: &Value, new: &Value) -> Option<Value> {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else {
        return (old != new).then(|| old.clone());
    };
    let mut previous = Map::new();
    for (key, value) in new {
        let before = old.get(key).unwrap_or(&Value::Null);
        let changed = match (before, value) {
            (Value::Object(_), Value::Object(_)) => previous_attributes(before, value),
            _ => (before != value).then(|| before.clone()),
        };
        previous.extend(changed.map(|before| (key.clone(), before)));
    }
    let gone = old.iter().filter(|(key, _)| !new.contains_key(*key));
    previous.extend(gone.map(|(key, value)| (key.clone(), value.clone())));
    (!previous.is_empty()).then_some(Value::Object(previous))
}
