//! What changed between two renderings of an object.

use serde_json::{Map, Value};

/// The old values of what changed: partial nested objects, whole arrays, null for what was absent.
#[must_use]
pub fn previous_attributes(old: &Value, new: &Value) -> Map<String, Value> {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { return Map::new() };
    let mut previous = Map::new();
    for (name, value) in old {
        match (value, new.get(name)) {
            (_, Some(now)) if now == value => {}
            (Value::Object(_), Some(now @ Value::Object(_))) => {
                previous.insert(name.clone(), Value::Object(previous_attributes(value, now)));
            }
            _ => {
                previous.insert(name.clone(), value.clone());
            }
        }
    }
    for (name, value) in new {
        if !old.contains_key(name) && !value.is_null() {
            previous.insert(name.clone(), Value::Null);
        }
    }
    previous
}

/// The object as it was before an event. A key that was absent comes back as null.
#[must_use]
pub fn put_back(object: &Value, previous: &Map<String, Value>) -> Value {
    let mut before = object.clone();
    for (name, value) in previous {
        let restored = match (value, before.get(name)) {
            (Value::Object(part), Some(now @ Value::Object(_))) => put_back(now, part),
            _ => value.clone(),
        };
        before[name.as_str()] = restored;
    }
    before
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn old_values_only_and_whole_arrays() {
        let old = json!({"a": 1, "b": {"c": 2, "d": 3}, "e": [1, 2], "f": null, "same": [1]});
        let new = json!({"a": 2, "b": {"c": 2, "d": 4}, "e": [1], "f": {}, "g": 5, "same": [1]});
        let previous = previous_attributes(&old, &new);
        let expected = json!({"a": 1, "b": {"d": 3}, "e": [1, 2], "f": null, "g": null});
        assert_eq!(Value::Object(previous.clone()), expected);
        let mut restored = old;
        restored["g"] = Value::Null;
        assert_eq!(put_back(&new, &previous), restored);
    }
}
