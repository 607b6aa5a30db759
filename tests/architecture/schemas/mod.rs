//! Schemas of events: whatever was written under one of their earlier states must be readable under
//! today's. Writing the files anew can't hide a change, since earlier commits are compared.

#[path = "../../schemas.rs"]
mod committed;
mod compatible;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::history::states;
use crate::tree::{files, files_in};

/// The folder of the schemas.
const FOLDER: &str = "events/domain/schemas";

#[test]
fn schemas_still_allow_what_they_allowed_in_earlier_commits() {
    let now: BTreeMap<String, Value> = files_in(FOLDER)
        .into_iter()
        .map(|file| (file.path.clone(), parsed(&file.path, &file.text())))
        .collect();
    assert!(!now.is_empty(), "there are no schemas");
    let mut found = Vec::new();
    for earlier in states(FOLDER) {
        let Some(text) = earlier.text() else { continue };
        let then = parsed(&earlier.path, &text);
        found.extend(violations(&earlier.path, &then, now.get(&earlier.path)));
    }
    found.sort();
    found.dedup();
    crate::assert_none(&found);
}

/// What the translation of every golden webhook gave once, as its file tells.
const TRANSLATED: (&str, &str) = ("events/stripe/tests/golden/", ".event.json");

#[test]
fn what_golden_webhooks_are_translated_to_is_valid() {
    let (folder, ending) = TRANSLATED;
    let is_one = |path: &str| path.starts_with(folder) && path.ends_with(ending);
    let (mut count, mut found) = (0, Vec::new());
    for file in files().into_iter().filter(|file| is_one(&file.path)) {
        let event = parsed(&file.path, &file.text());
        let name =
            event["type"].as_str().map(|name| format!("{name}.v{}", event["schema_version"]));
        let of_data =
            committed::wrong(&name.unwrap_or_default(), event["data"].to_string().as_bytes());
        let of_metadata = committed::wrong("Metadata", event["metadata"].to_string().as_bytes());
        let wrong = of_data.into_iter().chain(of_metadata);
        found.extend(wrong.map(|what| format!("{}: {what}", file.path)));
        count += 1;
    }
    assert!(count > 100, "{count} golden translations");
    crate::assert_none(&found);
}

fn parsed(path: &str, text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What a schema of an earlier commit allowed and today's doesn't.
fn violations(path: &str, then: &Value, now: Option<&Value>) -> Vec<String> {
    let Some(now) = now else {
        return vec![format!("{path} is gone; logs still hold such events, put it back")];
    };
    let broken = compatible::broken(then, now);
    broken
        .into_iter()
        .map(|what| format!("{path}: {what}; logs hold such events: make a new version"))
        .collect()
}

#[test]
fn a_schema_that_is_gone_or_narrower_is_named() {
    let (wide, narrow) = (serde_json::json!({}), serde_json::json!({ "type": "string" }));
    assert!(violations("a.json", &wide, None)[0].contains("a.json is gone"));
    assert!(violations("a.json", &wide, Some(&narrow))[0].contains("make a new version"));
    assert!(violations("a.json", &narrow, Some(&wide)).is_empty());
}
