//! Every shape that was ever written into a log, kept as a file: `golden/<Type>.v<version>.json`
//! holds the data with every field set, `tests/folds/<Type>.v<version>.txt` what it folds to.
//!
//! Golden files are only ever added. The list of their checksums keeps an existing one from being
//! changed; no test writes any. What they fold to is read by people: it changes when a view gains a
//! field, and a change of anything else is a change of what old events mean.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ledger_domain::account::{
    CustomerChanges, CustomerUnit, LogIdentity, Route, TenantUnit, TrainerUnit, route,
};
use ledger_domain::codec;
use ledger_domain::event::{Entry, Event, Metadata, TYPES};
use ledger_domain::id::{EventId, EventKey, Namespace, StripeId};
use ledger_domain::time::Timestamp;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn folds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/folds")
}

/// The golden files as (type, version, data).
fn golden() -> Vec<(String, i32, Vec<u8>)> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder()).expect("the folder of golden files") {
        let path = file.expect("a golden file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".json") else { continue };
        let (event_type, version) = stem.split_once(".v").expect("<Type>.v<version>.json");
        let data = fs::read(&path).expect("a golden file");
        let data = data.strip_suffix(b"\n").expect("a last newline").to_vec();
        found.push((event_type.into(), version.parse().expect("a version"), data));
    }
    found.sort();
    found
}

#[test]
fn every_type_has_a_golden_file_of_every_version() {
    let have: BTreeSet<(String, i32)> = golden().into_iter().map(|(t, v, _)| (t, v)).collect();
    for &(event_type, current) in TYPES {
        for version in 1..=current {
            assert!(
                have.contains(&(event_type.into(), version)),
                "golden/{event_type}.v{version}.json is missing"
            );
        }
    }
}

#[test]
fn every_golden_file_decodes_and_the_current_ones_are_written_the_same_way() {
    for (event_type, version, data) in golden() {
        let event = codec::decode(&event_type, version, &data).expect("a known shape");
        assert_eq!(event.type_name(), event_type);
        if event.schema_version() == version {
            let written = String::from_utf8(event.to_data()).expect("UTF-8");
            assert_eq!(written, String::from_utf8_lossy(&data), "{event_type} v{version}");
        }
    }
}

#[test]
fn what_is_written_is_canonical_json() {
    for (event_type, version, data) in golden() {
        // A map of serde_json sorts its keys, so writing it again shows whether they were sorted.
        let value: serde_json::Value = serde_json::from_slice(&data).expect("JSON");
        let sorted = serde_json::to_string(&value).expect("JSON");
        assert_eq!(sorted, String::from_utf8_lossy(&data), "{event_type} v{version}");
        assert!(!has_float(&value), "{event_type} v{version} holds a float");
    }
}

#[test]
fn every_golden_file_folds_to_its_frozen_state() {
    for (event_type, version, data) in golden() {
        let event = codec::decode(&event_type, version, &data).expect("a known shape");
        let path = folds().join(format!("{event_type}.v{version}.txt"));
        let folded = folded(event);
        let frozen = fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("{} is missing; it should hold:\n{folded}", path.display()));
        assert_eq!(folded, frozen, "{event_type} v{version} folds to another state");
    }
}

fn has_float(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Number(number) => number.is_f64(),
        serde_json::Value::Array(values) => values.iter().any(has_float),
        serde_json::Value::Object(fields) => fields.values().any(has_float),
        _ => false,
    }
}

fn folded(event: Event) -> String {
    let key = EventKey::new(Namespace::stripe(), EventId::try_new("evt_1").expect("an id"));
    let entry = Entry {
        key,
        position: 7,
        occurred_at: Timestamp::from_unix(1_775_000_000),
        recorded_at: Timestamp::from_unix(1_775_000_001),
        metadata: Metadata { actor: "someone".into(), ..Metadata::default() },
        event,
    };
    let log = LogIdentity { livemode: true, account: None };
    match route(&entry, &log) {
        Route::Customer { customer, ties, waits_for } => {
            let known = StripeId::try_new("cus_1").expect("an id");
            let mut unit = CustomerUnit::new(customer.clone().unwrap_or(known));
            unit.evolve(&entry);
            // The stored form of the state may change with the program; what it shows may not.
            let CustomerChanges { subscriptions, payments, histories, link, anomalies, .. } =
                unit.take_changes();
            format!(
                "{customer:?}\n{ties:?}\n{waits_for:?}\n{subscriptions:#?}\n{payments:#?}\n\
                 {histories:#?}\n{link:#?}\n{anomalies:#?}\n"
            )
        }
        Route::Trainer(trainer) => {
            let mut unit = TrainerUnit::new(trainer);
            unit.evolve(&entry);
            let changes = unit.changes();
            let (trainer, grants, history) = (changes.trainer, changes.grants, changes.history);
            format!("{trainer:#?}\n{grants:#?}\n{history:#?}\n")
        }
        Route::Tenant => format!("{:#?}\n", TenantUnit::default().evolve(&entry)),
        Route::Usage(trainer, feature) => format!("usage of {feature} by {trainer}\n"),
        Route::Foreign | Route::Nowhere => "nothing\n".into(),
    }
}
