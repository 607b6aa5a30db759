//! From the simulator's events to entries of the log, the way that webhooks take: rendered in an
//! API version, redacted, translated.

use std::cell::RefCell;
use std::collections::HashMap;

use ledger_domain::event::stripe::Unread;
use ledger_domain::event::{Entry, Event};
use ledger_domain::id::{EventId, EventKey};
use ledger_simulator::adversary::Delivery;
use ledger_simulator::shell::render::{Links, Renderer, Version};
use ledger_simulator::world;
use ledger_stripe::redact::{MetadataKeys, redact};
use ledger_stripe::signature::Verified;
use ledger_stripe::translate::{Translated, translate};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::Value;

use crate::schemas::wrong;

/// One version of each shape that Stripe's objects ever had.
pub(crate) const VERSIONS: [&str; 8] = [
    "2017-08-15",
    "2020-08-27",
    "2023-10-16",
    "2024-10-28.acacia",
    "2025-06-30.basil",
    "2025-09-30.clover",
    "2026-03-25.dahlia",
    "2026-10-28.endive",
];

/// An event, and what became of it on the way to the log.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    /// As it happened.
    pub(crate) event: world::Event,
    /// As the log has it. Its position is for the log to say.
    pub(crate) entry: Entry,
}

/// The entries of deliveries, in their order. Versions that don't know an event leave it out; where
/// there are several, another one tells what is sold, of which each change tells the one before,
/// and which invoice a payment paid, of which newer versions tell nowhere else.
pub(crate) fn tell(events: &[world::Event], deliveries: Vec<Delivery>) -> Vec<Told> {
    let links = Links::of(events);
    let first = deliveries.first().and_then(|delivery| delivery.api_version.clone());
    let are_several = deliveries.iter().any(|delivery| delivery.api_version != first);
    let renderer = Renderer { links: &links };
    let mut told = Vec::with_capacity(deliveries.len());
    for Delivery { index, event, api_version, .. } in deliveries {
        let version = api_version.as_deref().and_then(Version::parse);
        let version = version
            .filter(|version| !(are_several && is_told_once(&event)) || version.knows(&event.kind));
        let version = version.unwrap_or_else(Version::newest);
        if version.knows(&event.kind) {
            let tell = || entry(&renderer.event(index, &event, &version, 1));
            let is_in_all_lives = is_about_sale(&event) && event.kind.ends_with(".created");
            let entry = if is_in_all_lives { once(&event, &version, tell) } else { tell() };
            told.push(Told { event, entry });
        }
    }
    told
}

/// Whether some versions tell by this event alone what all know.
fn is_told_once(event: &world::Event) -> bool {
    is_about_sale(event) || event.kind.starts_with("invoice_payment.")
}

/// Whether it's about what is sold, which begins the same in all lives.
fn is_about_sale(event: &world::Event) -> bool {
    ["product.", "price.", "plan."].iter().any(|start| event.kind.starts_with(start))
}

/// What was told before in the same words needn't be translated again: that would take a third of
/// the time of all tests.
fn once(event: &world::Event, version: &Version, tell: impl Fn() -> Entry) -> Entry {
    type Known = HashMap<(String, String), (world::Event, Entry)>;
    thread_local! {
        static KNOWN: RefCell<Known> = RefCell::default();
    }
    let key = (event.id.clone(), version.name().to_owned());
    KNOWN.with_borrow_mut(|known| match known.get(&key) {
        Some((same, entry)) if same == event => entry.clone(),
        _ => known.entry(key).insert_entry((event.clone(), tell())).get().1.clone(),
    })
}

/// What the log would hold of a webhook.
pub(crate) fn entry(webhook: &Value) -> Entry {
    let body = webhook.to_string();
    let verified = Verified::from_api(body.as_bytes());
    let redacted = redact(verified, &MetadataKeys::default()).expect("the simulator tells events");
    let translated = translate(&redacted);
    if let Event::StripeEventRecorded(recorded) = &translated.event {
        let unread = matches!(recorded.reason, Unread::Unusable(_));
        assert!(!unread, "{:?} of {body}", recorded.reason);
    }
    // One in sixteen, of every kind: each would take a long run much of its time.
    if translated.content_hash[0] < 16 {
        expect_valid(&translated);
    }
    Entry {
        key: translated.key,
        position: 0,
        occurred_at: translated.occurred_at,
        recorded_at: translated.occurred_at,
        metadata: translated.metadata,
        event: translated.event,
    }
}

/// What is translated is as the committed schemas say.
fn expect_valid(translated: &Translated) {
    let event = &translated.event;
    let schema = format!("{}.v{}", event.type_name(), event.schema_version());
    let of_data = wrong(&schema, &event.to_data());
    let of_metadata = wrong("Metadata", &translated.metadata.to_bytes());
    assert!(of_data.is_empty() && of_metadata.is_empty(), "{event:?}: {of_data:?}{of_metadata:?}");
}

/// A second event of the same change, made so many seconds later.
pub(crate) fn entry_again(first: &Entry, seconds: i64) -> Entry {
    let id = EventId::try_new(&format!("{}x", first.key.id)).expect("an id");
    let occurred_at = first.occurred_at.plus(seconds * 1_000_000);
    let key = EventKey::new(first.key.namespace.clone(), id);
    Entry { key, occurred_at, recorded_at: occurred_at, ..first.clone() }
}

/// All of them in some order, and some of them again, before or after any other.
pub(crate) fn shuffled<'a>(entries: impl IntoIterator<Item = &'a Entry>, seed: u64) -> Vec<Entry> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut entries: Vec<Entry> = entries.into_iter().cloned().collect();
    let again: Vec<Entry> = entries.sample(&mut random, entries.len() / 4).cloned().collect();
    entries.extend(again);
    entries.shuffle(&mut random);
    entries
}

/// Who is said to be which trainer by these events: customer and trainer. A customer's own metadata
/// say it, and so does the session of a page, by its `client_reference_id` or else its metadata.
pub(crate) fn claims<'a>(events: &[&'a world::Event]) -> impl Iterator<Item = (&'a str, &'a str)> {
    events.iter().filter_map(|event| {
        let object = &event.object;
        let own = object["metadata"]["trainer_id"].as_str();
        let (customer, trainer) = match object["object"].as_str()? {
            "customer" => (&object["id"], own),
            "checkout.session" => {
                (&object["customer"], object["client_reference_id"].as_str().or(own))
            }
            _ => return None,
        };
        Some((customer.as_str()?, trainer?))
    })
}
