//! The committed schemas of events: that they are those of the types, and say what the decoder
//! accepts. That they still allow what was written before, a test of the whole repository says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use ledger_domain::codec;
use ledger_domain::event::{Metadata, TYPES};
use ledger_domain::schema;
use serde_json::{Map, Value, json};

const COMMAND: &str = "cargo run -p ledger-domain --example schemas";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn committed(name: &str) -> String {
    fs::read_to_string(folder("schemas").join(format!("{name}.json"))).unwrap_or_default()
}

#[test]
fn the_schemas_of_current_versions_are_those_of_the_types() {
    let differs = schema::all().into_iter().filter(|made| made.text() != committed(made.name));
    let names: Vec<&str> = differs.map(|made| made.name).collect();
    assert!(names.is_empty(), "`{COMMAND}` writes anew: {}", names.join(", "));
}

#[test]
fn every_version_of_every_type_has_a_schema() {
    let files = fs::read_dir(folder("schemas")).expect("the folder of schemas");
    let found: BTreeSet<String> = files
        .map(|file| file.expect("a schema").file_name().to_string_lossy().into_owned())
        .collect();
    let versions = |&(name, current): &(&str, i32)| {
        (1..=current).map(|version| format!("{name}.v{version}.json")).collect::<Vec<_>>()
    };
    let mut wanted: BTreeSet<String> = TYPES.iter().flat_map(versions).collect();
    wanted.insert("Metadata.json".to_owned());
    assert_eq!(found, wanted);
}

/// What is read and what a schema says of it.
struct Shape {
    name: String,
    event: Option<(String, i32)>,
    validator: Validator,
    golden: Value,
}

impl Shape {
    fn of(name: String, golden: Value) -> Self {
        let mut parts = name.split('.');
        let event_type = parts.next().expect("a type").to_owned();
        let version = parts.next().and_then(|part| part.strip_prefix('v')?.parse().ok());
        let event = (event_type != "Metadata").then(|| version.expect("a version"));
        let event = event.map(|version: i32| (event_type.clone(), version));
        let file = match &event {
            Some((event_type, version)) => format!("{event_type}.v{version}"),
            None => event_type,
        };
        let schema: Value = serde_json::from_str(&committed(&file)).expect("a schema");
        let options = jsonschema::options().should_validate_formats(true);
        let validator = options.build(&schema).expect("a JSON Schema");
        Self { name, event, validator, golden }
    }

    fn is_read(&self, value: &Value) -> bool {
        let data = value.to_string().into_bytes();
        match &self.event {
            Some((event_type, version)) => codec::decode(event_type, *version, &data).is_ok(),
            None => Metadata::from_bytes(&data).is_ok(),
        }
    }
}

fn golden() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for file in fs::read_dir(folder("golden")).expect("the folder of golden files") {
        let path = file.expect("a golden file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".json") else { continue };
        let text = fs::read_to_string(&path).expect("a golden file");
        shapes.push(Shape::of(name.to_owned(), serde_json::from_str(&text).expect("JSON")));
    }
    assert!(shapes.len() > TYPES.len(), "there are golden files");
    shapes
}

#[test]
fn every_golden_file_is_valid() {
    for shape in golden() {
        let wrong: Vec<String> =
            shape.validator.iter_errors(&shape.golden).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", shape.name);
    }
}

/// Golden files with one thing changed at any place: what the decoder then refuses, the schema
/// refuses, and nothing else.
#[test]
fn schemas_allow_what_the_decoder_reads_and_nothing_else() {
    let (mut allowed, mut refused) = (0, 0);
    for shape in golden() {
        for (at, changed) in changed(&shape.golden) {
            let is_read = shape.is_read(&changed);
            let is_valid = shape.validator.is_valid(&changed);
            assert_eq!(is_valid, is_read, "{} changed at {at}: {changed}", shape.name);
            *if is_read { &mut allowed } else { &mut refused } += 1;
        }
    }
    assert!(allowed > 100 && refused > 100, "{allowed} allowed, {refused} refused");
}

/// A document with each of its values taken away, or put in another's place.
fn changed(document: &Value) -> Vec<(String, Value)> {
    let mut paths = Vec::new();
    paths_of(document, "", &mut paths);
    let others = [json!(null), json!(true), json!(-7), json!(1_000), json!("né"), json!({})];
    let mut changed = Vec::new();
    for path in paths {
        let at = |value: Option<&Value>| {
            let mut document = document.clone();
            let (parent, key) = path.rsplit_once('/').expect("not the root");
            match (document.pointer_mut(parent).expect("it is there"), value) {
                (Value::Object(fields), Some(value)) => {
                    fields.insert(key.to_owned(), value.clone());
                }
                (Value::Object(fields), None) => drop(fields.remove(key)),
                (list, value) => list[key.parse::<usize>().expect("an index")] = json!(value),
            }
            (path.clone(), document)
        };
        changed.push(at(None));
        changed.extend(others.iter().map(|other| at(Some(other))));
    }
    let mut more = document.clone();
    more["a_field_of_a_later_time"] = Value::Object(Map::new());
    changed.push(("the end".to_owned(), more));
    changed
}

fn paths_of(value: &Value, path: &str, paths: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(list) => {
            list.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    if !path.is_empty() {
        paths.push(path.to_owned());
    }
    for (key, value) in below {
        paths_of(value, &format!("{path}/{key}"), paths);
    }
}
