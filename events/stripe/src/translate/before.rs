//! What an object was before an event.

use ledger_domain::event::stripe::Before;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Report;
use super::read::Missing;
use crate::redact::{Fields, Node};

/// Puts `previous_attributes` back onto the object, normalises the result with the same code, and
/// keeps what differs. Stripe's old values can't be normalised by themselves: they are parts of
/// objects, in the places where the body's API version has them.
pub(super) fn before<S: Serialize + PartialEq>(
    report: &Report<'_>,
    snapshot: &S,
    normalise: impl Fn(&Node, &str) -> Result<S, Missing>,
) -> Before {
    if report.cause == "created" {
        return Before::NoObject;
    }
    let Some(previous) = report.previous else { return Before::Absent };
    // What can't be read before the event tells nothing; the event itself could be read.
    let Ok(was) = normalise(&put_back(report.object, previous), report.cause) else {
        return Before::Absent;
    };
    if was == *snapshot { Before::Fields(Map::new()) } else { difference(&was, snapshot) }
}

/// `previous_attributes` (`/api/events/object#event_object-data-previous_attributes`): of objects
/// only the parts that changed, arrays as a whole, null for what was not there.
fn put_back(now: &Node, was: &Node) -> Node {
    let (Node::Object(now), Node::Object(was)) = (now, was) else { return was.clone() };
    let mut fields = Vec::with_capacity(now.len() + was.len());
    let mut older = was.iter().peekable();
    for (key, node) in now.iter() {
        while let Some((key, node)) = older.next_if(|(older, _)| *older < key) {
            fields.push((key.to_owned().into(), node.clone()));
        }
        let node = match older.next_if(|(older, _)| *older == key) {
            Some((_, was)) => put_back(node, was),
            None => node.clone(),
        };
        fields.push((key.to_owned().into(), node));
    }
    fields.extend(older.map(|(key, node)| (key.to_owned().into(), node.clone())));
    Node::Object(Fields::from_sorted(fields))
}

/// The keys whose values differ, with the old values; null for what was not there.
fn difference<S: Serialize>(was: &S, now: &S) -> Before {
    let (Some(mut was), Some(now)) = (json(was), json(now)) else { return Before::Absent };
    let mut fields = Map::new();
    for (key, value) in now {
        match was.remove(&key) {
            Some(old) if old == value => {}
            old => drop(fields.insert(key, old.unwrap_or(Value::Null))),
        }
    }
    fields.append(&mut was);
    Before::Fields(fields)
}

fn json<S: Serialize>(snapshot: &S) -> Option<Map<String, Value>> {
    match serde_json::to_value(snapshot) {
        Ok(Value::Object(map)) => Some(map),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Key;

    fn node(value: &Value) -> Node {
        match value {
            Value::Null => Node::Null,
            Value::Bool(false) => Node::False,
            Value::Bool(true) => Node::True,
            Value::Number(number) => Node::Int(number.as_i64().unwrap()),
            Value::String(text) => Node::Text(text.as_str().into()),
            Value::Array(list) => Node::List(list.iter().map(node).collect()),
            Value::Object(map) => Node::Object(Fields::from_any(
                map.iter().map(|(key, value)| (Key::Owned(key.clone()), node(value))),
            )),
        }
    }

    #[test]
    fn objects_are_merged_arrays_replaced_and_null_was_not_there() {
        let now = serde_json::json!({"b": {"x": 1, "y": 2}, "c": [1, 2], "d": 4, "f": {"z": 1}});
        let was =
            serde_json::json!({"a": 0, "b": {"x": 9}, "c": [3], "d": null, "f": null, "g": 7});
        let expect = serde_json::json!(
            {"a": 0, "b": {"x": 9, "y": 2}, "c": [3], "d": null, "f": null, "g": 7}
        );
        assert_eq!(put_back(&node(&now), &node(&was)), node(&expect));
    }

    #[test]
    fn only_what_differs_is_kept() {
        let now = serde_json::json!({"a": 1, "b": [1], "new": true});
        let was = serde_json::json!({"a": 1, "b": [2], "old": 5});
        let expect = serde_json::json!({"b": [2], "new": null, "old": 5});
        let Before::Fields(fields) = difference(&was, &now) else { panic!("fields differ") };
        assert_eq!(Value::Object(fields), expect);
    }
}
