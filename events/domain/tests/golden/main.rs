//! Every shape that was ever written into a log, kept as a file. `golden/<Type>.v<version>.json`
//! holds the data of an event with every field set, `golden/<Type>.v<version>.<case>.json` the same
//! type in another form: each variant of its enums, each field that may be left out.
//! `golden/Metadata.<case>.json` holds what stands beside the data. `tests/folds` has a text for
//! each: what the event folds to, or where an event with such metadata belongs.
//!
//! Golden files are only ever added. The list of their checksums keeps an existing one from being
//! changed; no test writes any. What they fold to is read by people: it changes when a view gains a
//! field, and a change of anything else is a change of what old events mean.

mod shape;

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
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::shape::{Rewrite, missing, rewritten};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn folds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/folds")
}

/// The golden files by name, without its ending.
fn golden() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder()).expect("the folder of golden files") {
        let path = file.expect("a golden file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(name) = name.strip_suffix(".json") else { continue };
        let data = fs::read(&path).expect("a golden file");
        let data = data.strip_suffix(b"\n").expect("a last newline").to_vec();
        found.push((name.to_owned(), data));
    }
    found.sort();
    found
}

/// The data of an event as it was once written.
struct Sample {
    name: String,
    event_type: String,
    version: i32,
    data: Vec<u8>,
}

impl Sample {
    fn event(&self) -> Event {
        codec::decode(&self.event_type, self.version, &self.data).expect("a known shape")
    }
}

fn samples() -> Vec<Sample> {
    let of_events = golden().into_iter().filter(|(name, _)| !is_metadata(name));
    let read = of_events.map(|(name, data)| {
        let (event_type, rest) = name.split_once(".v").expect("<Type>.v<version>");
        let version = rest.split('.').next().expect("a version");
        let version = version.parse().expect("a version is a number");
        Sample { event_type: event_type.to_owned(), version, data, name }
    });
    read.collect()
}

/// The frozen metadata by name.
fn metadata() -> Vec<(String, Vec<u8>)> {
    golden().into_iter().filter(|(name, _)| is_metadata(name)).collect()
}

fn is_metadata(name: &str) -> bool {
    name.starts_with("Metadata.")
}

#[test]
fn every_type_has_a_golden_file_of_every_version() {
    let have: BTreeSet<(String, i32)> =
        samples().into_iter().map(|sample| (sample.event_type, sample.version)).collect();
    for &(event_type, current) in TYPES {
        for version in 1..=current {
            assert!(
                have.contains(&(event_type.into(), version)),
                "golden/{event_type}.v{version}.json is missing"
            );
        }
    }
}

/// What the decoder can read, some golden file holds: no variant can be renamed, and no field that
/// was left out become one that must be there, without a test that fails.
#[test]
fn every_variant_and_every_field_has_a_golden_file_with_it_and_without() {
    let mut lacking = Vec::new();
    for &(event_type, current) in TYPES {
        let samples: Vec<Sample> = samples()
            .into_iter()
            .filter(|sample| sample.event_type == event_type && sample.version == current)
            .collect();
        let rewrite = rewriting(&samples.first().expect("a golden file").event());
        let files: Vec<Value> = samples.iter().map(|sample| json(&sample.data)).collect();
        let ways = missing(&files, rewrite);
        lacking
            .extend(ways.iter().map(|way| format!("{event_type}.v{current}.<case>.json: {way}")));
    }
    let files: Vec<Value> = metadata().iter().map(|(_, data)| json(data)).collect();
    let ways = missing(&files, rewritten::<Metadata>);
    lacking.extend(ways.iter().map(|way| format!("Metadata.<case>.json: {way}")));
    assert!(lacking.is_empty(), "no golden file has this:\n{}", lacking.join("\n"));
}

#[test]
fn every_golden_file_decodes_and_the_current_ones_are_written_the_same_way() {
    for sample in samples() {
        let (event, name) = (sample.event(), &sample.name);
        assert_eq!(event.type_name(), sample.event_type);
        if event.schema_version() == sample.version {
            assert_eq!(text(&event.to_data()), text(&sample.data), "{name}");
        }
    }
}

/// The metadata have no version: what any program ever wrote is read by each, and written the same
/// way, for it lies below the seals.
#[test]
fn every_frozen_metadata_is_read_and_written_the_same_way() {
    for (name, data) in metadata() {
        let read = Metadata::from_bytes(&data).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(text(&read.to_bytes()), text(&data), "{name}");
    }
}

#[test]
fn what_is_written_is_canonical_json() {
    for (name, data) in golden() {
        // A map of serde_json sorts its keys, so writing it again shows whether they were sorted.
        let value = json(&data);
        let sorted = serde_json::to_string(&value).expect("JSON");
        assert_eq!(sorted, text(&data), "{name}");
        assert!(!has_float(&value), "{name} holds a float");
    }
}

#[test]
fn every_golden_file_folds_to_its_frozen_state() {
    let of_events = samples().into_iter().map(|sample| {
        let folded = folded(sample.event());
        (sample.name, folded)
    });
    let of_metadata = metadata().into_iter().map(|(name, data)| {
        let metadata = Metadata::from_bytes(&data).expect("metadata");
        (name, placed(metadata))
    });
    let mut wanted = BTreeSet::new();
    for (name, folded) in of_events.chain(of_metadata) {
        let path = folds().join(format!("{name}.txt"));
        let frozen = fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("{} is missing; it should hold:\n{folded}", path.display()));
        assert_eq!(folded, frozen, "{name} folds to another state");
        wanted.insert(path);
    }
    for file in fs::read_dir(folds()).expect("the folder of folds") {
        let path = file.expect("a fold").path();
        assert!(wanted.contains(&path), "{} is of no golden file", path.display());
    }
}

fn json(data: &[u8]) -> Value {
    serde_json::from_slice(data).expect("JSON")
}

fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).expect("UTF-8")
}

/// How a payload of an event's type is read and written. A new event is named here, or this doesn't
/// compile.
fn rewriting(event: &Event) -> Rewrite {
    fn of<T: DeserializeOwned + Serialize>(_: &T) -> Rewrite {
        rewritten::<T>
    }
    match event {
        Event::LogOpened(payload) => of(payload),
        Event::CatalogPublished(payload) => of(payload),
        Event::EnforcementChanged(payload) => of(payload),
        Event::IdReuseSeen(payload) => of(payload),
        Event::SubscriptionReported(payload) => of(payload),
        Event::ScheduleReported(payload) => of(payload),
        Event::InvoiceReported(payload) => of(payload),
        Event::InvoicePaymentReported(payload) => of(payload),
        Event::PaymentIntentReported(payload) => of(payload),
        Event::ChargeReported(payload) => of(payload),
        Event::RefundReported(payload) => of(payload),
        Event::DisputeReported(payload) => of(payload),
        Event::CheckoutSessionReported(payload) => of(payload),
        Event::CustomerReported(payload) => of(payload),
        Event::PriceReported(payload) => of(payload),
        Event::ProductReported(payload) => of(payload),
        Event::EntitlementSummaryReported(payload) => of(payload),
        Event::StripeEventRecorded(payload) => of(payload),
        Event::TrainerRegistered(payload) => of(payload),
        Event::CustomerLinked(payload) => of(payload),
        Event::TierAssigned(payload) => of(payload),
        Event::TierAssignmentRevoked(payload) => of(payload),
        Event::TierGrandfathered(payload) => of(payload),
        Event::OverrideGranted(payload) => of(payload),
        Event::OverrideRevoked(payload) => of(payload),
        Event::TrainerSuspended(payload) => of(payload),
        Event::TrainerReinstated(payload) => of(payload),
        Event::UsageRecorded(payload) => of(payload),
        Event::UsageConsumed(payload) => of(payload),
        Event::UsageReserved(payload) => of(payload),
        Event::ReservationCommitted(payload) => of(payload),
        Event::ReservationReleased(payload) => of(payload),
        Event::UsageReleased(payload) => of(payload),
    }
}

fn has_float(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_float),
        Value::Object(fields) => fields.values().any(has_float),
        _ => false,
    }
}

fn entry(event: Event, metadata: Metadata) -> Entry {
    let key = EventKey::new(Namespace::stripe(), EventId::try_new("evt_1").expect("an id"));
    Entry {
        key,
        position: 7,
        occurred_at: Timestamp::from_unix(1_775_000_000),
        recorded_at: Timestamp::from_unix(1_775_000_001),
        metadata,
        event,
    }
}

/// Where an event with such metadata belongs in three logs, and who is said to have done it.
fn placed(metadata: Metadata) -> String {
    let registered = codec::decode("TrainerRegistered", 1, br#"{"trainer":"t1"}"#);
    let entry = entry(registered.expect("a trainer"), metadata);
    let (subject, actor) = (&entry.metadata.subject, &entry.metadata.actor);
    let place = |livemode, account: Option<&str>| {
        let account = account.map(|id| StripeId::try_new(id).expect("an id"));
        route(&entry, &LogIdentity { livemode, account })
    };
    format!(
        "test: {:?}\nlive: {:?}\nlive, acct_1: {:?}\n{subject:#?}\n{actor}\n",
        place(false, None),
        place(true, None),
        place(true, Some("acct_1")),
    )
}

fn folded(event: Event) -> String {
    let entry = entry(event, Metadata { actor: "someone".into(), ..Metadata::default() });
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
