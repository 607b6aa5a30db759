//! What the tests of redaction share.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]

use std::collections::BTreeSet;

use ledger_stripe::redact::{MetadataKeys, Redacted, redact};
use ledger_stripe::signature::Verified;
use serde_json::{Value, json};

/// Names of fields that are about people, which nobody took from the program.
pub(crate) fn about_people() -> BTreeSet<&'static str> {
    let lines = include_str!("../personal_fields.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// An event about `object`.
pub(crate) fn event(object: &Value) -> Value {
    json!({
        "id": "evt_1", "object": "event", "type": "something.happened", "created": 1_790_000_000,
        "livemode": false, "data": {"object": object},
    })
}

/// A body, redacted.
pub(crate) fn redacted(body: &str) -> Redacted {
    redact(Verified::from_api(body.as_bytes()), &MetadataKeys::default()).unwrap()
}

/// What is stored of an event.
pub(crate) fn stored(event: &Value) -> Value {
    serde_json::from_slice(&redacted(&event.to_string()).to_bytes()).unwrap()
}

/// Stripe's example objects: name and object.
pub(crate) fn fixtures() -> Vec<(String, Value)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let mut fixtures: Vec<(String, Value)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
        })
        .collect();
    fixtures.sort_by(|a, b| a.0.cmp(&b.0));
    fixtures
}

/// Every leaf of `value` with the path to it.
pub(crate) fn leaves(value: &Value) -> Vec<(String, &Value)> {
    fn walk<'v>(value: &'v Value, path: &str, found: &mut Vec<(String, &'v Value)>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    walk(value, &format!("{path}.{key}"), found);
                }
            }
            Value::Array(list) => {
                for value in list {
                    walk(value, &format!("{path}[]"), found);
                }
            }
            leaf => found.push((path.to_owned(), leaf)),
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}
