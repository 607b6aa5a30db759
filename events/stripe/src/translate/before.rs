//! What an object was before an event.

use std::collections::BTreeMap;

use ledger_domain::event::stripe::Before;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Report;
use super::read::{Missing, View};

/// Puts `previous_attributes` back onto the object, normalises the result with the same code, and
/// keeps what differs. Stripe's old values can't be normalised by themselves: they are parts of
/// objects, in the places where the body's API version has them.
pub(super) fn before<S: Serialize + PartialEq>(
    report: &Report<'_>,
    snapshot: &S,
    normalise: impl Fn(View<'_>, &str) -> Result<S, Missing>,
) -> Before {
    if report.cause == "created" {
        return Before::NoObject;
    }
    let Some(previous) = report.previous else { return Before::Absent };
    match normalise(View::before(report.object, previous), report.cause) {
        Ok(was) if was == *snapshot => Before::Fields(Map::new()),
        Ok(was) => difference(&was, snapshot).map_or(Before::Absent, Before::Fields),
        // What can't be read before the event tells nothing; the event itself could be read.
        Err(_) => Before::Absent,
    }
}

/// The keys whose values differ, with the old values; null for what was not there.
///
/// Most keys are equal: comparing them as JSON texts spares a tree of each.
fn difference<S: Serialize>(was: &S, now: &S) -> Option<Map<String, Value>> {
    let (was, now) = (serde_json::to_vec(was).ok()?, serde_json::to_vec(now).ok()?);
    let mut was: BTreeMap<&str, &RawValue> = serde_json::from_slice(&was).ok()?;
    let now: BTreeMap<&str, &RawValue> = serde_json::from_slice(&now).ok()?;
    let mut fields = Map::new();
    for (key, value) in now {
        match was.remove(key) {
            Some(old) if old.get() == value.get() => {}
            Some(old) => drop(fields.insert(key.to_owned(), serde_json::from_str(old.get()).ok()?)),
            None => drop(fields.insert(key.to_owned(), Value::Null)),
        }
    }
    for (key, old) in was {
        fields.insert(key.to_owned(), serde_json::from_str(old.get()).ok()?);
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_kept() {
        let now = json!({"a": 1, "b": [1], "new": true});
        let was = json!({"a": 1, "b": [2], "old": {"x": 5}});
        let fields = difference(&was, &now).map(Value::Object);
        assert_eq!(fields, Some(json!({"b": [2], "new": null, "old": {"x": 5}})));
    }
}
