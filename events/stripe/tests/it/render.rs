//! A webhook's translation as the golden files show it.

use std::path::{Path, PathBuf};

use ledger_stripe::redact::{MetadataKeys, redact};
use ledger_stripe::signature::Verified;
use ledger_stripe::translate::{Translated, translate};
use serde_json::{Value, json};

/// The golden webhooks, in order: `tests/golden/<type>/<API version>.webhook.json`.
pub(crate) fn webhooks() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let is_webhook = |path: &PathBuf| path.to_string_lossy().ends_with(".webhook.json");
    let mut found: Vec<PathBuf> =
        files(&root).iter().flat_map(|folder| files(folder)).filter(is_webhook).collect();
    found.sort();
    found
}

/// Where the translation of a webhook is kept.
pub(crate) fn event_of(webhook: &Path) -> PathBuf {
    PathBuf::from(webhook.to_string_lossy().replace(".webhook.json", ".event.json"))
}

/// Reads and translates a webhook.
pub(crate) fn translated(webhook: &Path) -> Translated {
    let body = std::fs::read(webhook).expect("a readable file");
    let redacted = redact(Verified::from_api(&body), &MetadataKeys::default());
    translate(&redacted.expect("an event"))
}

/// Everything about a translation, readable.
pub(crate) fn render(translated: &Translated) -> Value {
    let parse = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).expect("canonical JSON") };
    json!({
        "content_hash": hex::encode(translated.content_hash),
        "data": parse(&translated.event.to_data()),
        "dead_letter": translated.dead_letter,
        "key": translated.key,
        "metadata": parse(&translated.metadata.to_bytes()),
        "occurred_at": translated.occurred_at,
        "schema_version": translated.event.schema_version(),
        "type": translated.event.type_name(),
    })
}

/// The text of a golden file.
pub(crate) fn text(translated: &Translated) -> String {
    format!("{:#}\n", render(translated))
}
