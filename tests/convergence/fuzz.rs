//! Webhooks that somebody tampered with: leaves replaced, keys taken away, arbitrary trees grafted
//! into them, personal data put everywhere. Nothing panics, and nothing personal survives redaction
//! or gets into an event.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use ledger_domain::codec;
use ledger_domain::event::Entry;
use ledger_simulator::shell::render::{CATALOGUE, Links, Renderer, Version};
use ledger_simulator::world::life::random_life;
use ledger_stripe::redact::{MetadataKeys, redact};
use ledger_stripe::signature::Verified;
use ledger_stripe::translate::translate;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

use crate::ledger::Ledger;

/// How long the long form tries.
const SOAK: Duration = Duration::from_mins(10);

/// Free text, as a person's name and address are. No id and no code looks like this.
const FREE: &str = "canary 7 <c@example.test>";

/// Looks like an id or a code, and would pass where one is allowed.
const IDLIKE: &str = "canary_7";

/// Where the business's own names for what it sells stand; nothing else is free text.
const OWN_NAMES: [&str; 2] = ["nickname", "lookup_key"];

/// Kinds of objects of which the business chose the name.
const SOLD: [&str; 3] = ["product", "plan", "price"];

/// Names of fields that are about people, which nobody took from the program.
static ABOUT_PEOPLE: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("../../events/stripe/tests/personal_fields.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
});

/// What to do to a webhook, somewhere.
#[derive(Debug, Clone)]
enum Harm {
    Replace(Value),
    Remove,
    Insert(&'static str, Value),
    InsertUnknown,
    Twice,
    OldValues(Value),
}

/// Webhooks of every kind that lives tell of, in many versions.
static WEBHOOKS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let mut webhooks = Vec::new();
    for (seed, version) in (0..).zip(CATALOGUE) {
        let (world, _) = random_life(&mut StdRng::seed_from_u64(seed), 40);
        let links = Links::of(world.events());
        let version = Version::parse(version).expect("a version");
        let told = world.events().iter().enumerate().skip(20);
        let told = told.filter(|(_, event)| version.knows(&event.kind));
        let renderer = Renderer { links: &links };
        webhooks.extend(told.map(|(at, event)| renderer.event(at, event, &version, 1)));
    }
    webhooks
});

fn about_people() -> impl Strategy<Value = &'static str> {
    prop::sample::select(ABOUT_PEOPLE.iter().copied().collect::<Vec<_>>())
}

fn arbitrary() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        Just(json!(FREE)),
        Just(json!(IDLIKE)),
        "[a-z_]{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let key = prop_oneof![
        about_people().prop_map(str::to_owned),
        prop::sample::select(&["id", "object", "data", "items", "price", "metadata", "name"][..])
            .prop_map(str::to_owned),
        Just(FREE.to_owned()),
        "[a-z_]{1,10}",
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        3 => arbitrary().prop_map(Harm::Replace),
        1 => Just(Harm::Remove),
        3 => (about_people(), personal())
            .prop_map(|(key, value)| Harm::Insert(key, value)),
        1 => Just(Harm::InsertUnknown),
        1 => Just(Harm::Twice),
        1 => arbitrary().prop_map(Harm::OldValues),
    ]
}

/// What may stand in a field that is about a person.
fn personal() -> impl Strategy<Value = Value> {
    let object = json!({ "id": IDLIKE, "name": FREE });
    prop::sample::select(vec![json!(FREE), json!(IDLIKE), json!(7), json!(true), object])
}

/// Does it to the `place`th node, counted round and round.
fn inflict(webhook: &mut Value, place: usize, harm: &Harm) {
    if let Harm::OldValues(old) = harm {
        if let Some(data) = webhook.get_mut("data").and_then(Value::as_object_mut) {
            data.insert("previous_attributes".to_owned(), old.clone());
        }
        return;
    }
    let mut left = place % count(webhook).max(1);
    inflict_within(webhook, &mut left, harm);
}

fn children(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Object(fields) => fields.values_mut().collect(),
        Value::Array(list) => list.iter_mut().collect(),
        _ => Vec::new(),
    }
}

fn count(value: &Value) -> usize {
    match value {
        Value::Object(fields) => 1 + fields.values().map(count).sum::<usize>(),
        Value::Array(list) => 1 + list.iter().map(count).sum::<usize>(),
        _ => 1,
    }
}

/// Tells whether it was done.
fn inflict_within(value: &mut Value, left: &mut usize, harm: &Harm) -> bool {
    if *left == 0 {
        match (harm, &mut *value) {
            (Harm::Insert(key, new), Value::Object(fields)) => {
                fields.insert((*key).to_owned(), new.clone());
            }
            (Harm::InsertUnknown, Value::Object(fields)) => {
                fields.insert(FREE.to_owned(), json!(FREE));
                fields.insert("unheard_of".to_owned(), json!({ FREE: IDLIKE, "name": FREE }));
            }
            (Harm::Twice, Value::Array(list)) => {
                let again = list.clone();
                list.extend(again);
            }
            (Harm::Replace(new), old) => *old = new.clone(),
            (_, old) => *old = Value::Null,
        }
        return true;
    }
    *left -= 1;
    children(value).into_iter().any(|child| inflict_within(child, left, harm))
}

/// What is personal, by a field's name or by a text, with the way to it.
fn survivors(value: &Value, path: &mut Vec<String>, sold: bool, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            // An event is about what its type says; in it, `object` is no name of a kind.
            let kind = fields.get("object").and_then(Value::as_str).filter(|kind| *kind != "event");
            let sold = kind.map_or(sold, |kind| SOLD.contains(&kind));
            for (key, value) in fields {
                path.push(key.clone());
                let forbidden = ABOUT_PEOPLE.contains(key.as_str()) && !value.is_null();
                if key.contains(FREE) || key.contains(IDLIKE) || forbidden {
                    found.push(path.join("."));
                }
                let sold = sold || SOLD.contains(&key.as_str());
                survivors(value, path, sold, found);
                path.pop();
            }
        }
        Value::Array(list) => list.iter().for_each(|value| survivors(value, path, sold, found)),
        Value::String(text) => {
            let key = path.last().map_or("", String::as_str);
            let own = OWN_NAMES.contains(&key) || (key == "name" && sold);
            if text.contains(FREE) && !own {
                found.push(format!("{} = {text}", path.join(".")));
            }
        }
        _ => {}
    }
}

fn check(webhook: &Value) -> Result<(), TestCaseError> {
    let body = webhook.to_string();
    let redacted = match redact(Verified::from_api(body.as_bytes()), &MetadataKeys::default()) {
        Ok(redacted) => redacted,
        Err(refused) => {
            let mut told = format!("{refused} {refused:?}");
            let mut source = std::error::Error::source(&refused);
            while let Some(error) = source {
                write!(told, " {error} {error:?}").expect("a string grows");
                source = error.source();
            }
            prop_assert!(!told.contains(FREE) && !told.contains(IDLIKE), "{}", told);
            return Ok(());
        }
    };
    let about_sale = SOLD
        .iter()
        .any(|kind| webhook["type"].as_str().is_some_and(|of| of.starts_with(&format!("{kind}."))));
    let mut found = Vec::new();
    let stored: Value = serde_json::from_slice(&redacted.to_bytes()).expect("JSON");
    survivors(&stored, &mut Vec::new(), about_sale, &mut found);
    prop_assert!(found.is_empty(), "stored: {:?}", found);

    let translated = translate(&redacted);
    let data = translated.event.to_data();
    let event = &translated.event;
    let decoded = codec::decode(event.type_name(), event.schema_version(), &data);
    prop_assert_eq!(&decoded.expect("what was written can be read"), event);
    for bytes in [data, translated.metadata.to_bytes()] {
        let told: Value = serde_json::from_slice(&bytes).expect("JSON");
        survivors(&told, &mut Vec::new(), about_sale, &mut found);
    }
    prop_assert!(found.is_empty(), "in the event: {:?}", found);
    let entry = Entry {
        key: translated.key,
        position: 1,
        occurred_at: translated.occurred_at,
        recorded_at: translated.occurred_at,
        metadata: translated.metadata,
        event: translated.event,
    };
    // Whatever it says, it can be folded, and folded again.
    Ledger::of([&entry, &entry]);
    Ok(())
}

#[test]
fn harmed_webhooks_neither_panic_nor_betray_anybody() {
    let begun = Instant::now();
    loop {
        let mut runner = TestRunner::new(crate::config(3_000, 100_000));
        let webhook = any::<prop::sample::Index>();
        let harms = prop::collection::vec((any::<usize>(), harm()), 0..6);
        let result = runner.run(&(webhook, harms), |(webhook, harms)| {
            let mut webhook = webhook.get(&WEBHOOKS).clone();
            for (place, harm) in &harms {
                inflict(&mut webhook, *place, harm);
            }
            check(&webhook)
        });
        result.unwrap_or_else(|failed| panic!("{failed}"));
        if !crate::is_soak() || begun.elapsed() > SOAK {
            return;
        }
    }
}

/// It belongs to another log.
#[test]
fn a_webhook_of_another_mode_is_taken_in() {
    let mut webhook = WEBHOOKS[0].clone();
    assert_eq!(webhook["livemode"], false);
    webhook["livemode"] = json!(true);
    check(&webhook).unwrap();
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let found = |value: Value| {
        let mut found = Vec::new();
        survivors(&value, &mut Vec::new(), false, &mut found);
        found.len()
    };
    assert_eq!(found(json!({ "a": [{ "name": FREE }], "nickname": FREE })), 1);
    assert_eq!(found(json!({ "object": "product", "name": FREE, "email": IDLIKE })), 1);
    assert_eq!(found(json!({ "id": IDLIKE, IDLIKE: 1 })), 1);
    assert_eq!(found(json!({ "card": { "exp_month": 7, "brand": IDLIKE } })), 1);
    assert_eq!(found(json!({ "evidence": {}, "verification": true, "phone": null })), 2);
    let mut told: Map<String, Value> = Map::new();
    for webhook in WEBHOOKS.iter() {
        told.insert(webhook["type"].as_str().expect("a type").to_owned(), Value::Null);
    }
    assert!(told.len() > 25, "{told:?}");
}
