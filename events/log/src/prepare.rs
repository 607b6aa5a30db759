//! What the log asks of an event before it takes it, and the work on it that needs no place in the
//! log: this runs in the caller's task, so that the one task that appends has less to do.

use serde::de::IgnoredAny;

use crate::port::{AppendError, Expected, Hash, NewEvent, UsageChange};
use crate::seal::{Salt, body_hash, text_hash};

/// The longest `data` of an event.
pub const DATA_BYTES_MAX: usize = 1 << 20;
/// The longest `metadata` of an event.
pub const METADATA_BYTES_MAX: usize = 1 << 16;
/// The longest redacted body beside an event.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// The longest free text beside an event.
pub const TEXT_BYTES_MAX: usize = 1 << 16;
/// The longest name of an event's type.
pub const TYPE_BYTES_MAX: usize = 64;
/// The most events in one append.
pub const APPEND_EVENTS_MAX: usize = 10_000;
/// The most bytes in one append.
pub const APPEND_BYTES_MAX: usize = 64 << 20;
/// The largest quantity of one entry of usage, so that sums stay far from the end of an `i64`.
pub const QUANTITY_MAX: i64 = 1_000_000_000_000;

/// An event that keeps the log's rules, ready to be given its place.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) event: NewEvent,
    /// Whether others may append to its stream.
    pub(crate) shared: bool,
    pub(crate) body: Option<Beside>,
    pub(crate) text: Option<Beside>,
}

/// What lies beside an event, and what binds it to the event.
#[derive(Debug, Clone)]
pub(crate) struct Beside {
    pub(crate) salt: Salt,
    pub(crate) hash: Hash,
    /// What is stored: a body is compressed, a text is as it was.
    pub(crate) stored: Vec<u8>,
}

impl Prepared {
    /// Checks an event against the log's rules.
    pub(crate) fn try_new(mut event: NewEvent) -> Result<Self, AppendError> {
        let shared = check(&event).map_err(AppendError::Refused)?;
        let body = event.body.take().map(|body| {
            let salt = salt();
            let hash = body_hash(&salt, &body);
            Beside { salt, hash, stored: compress(&body) }
        });
        let text = event.text.take().map(|text| {
            let salt = salt();
            let hash = text_hash(&salt, &text);
            Beside { salt, hash, stored: text.into_bytes() }
        });
        Ok(Self { event, shared, body, text })
    }

    /// About how much of the wire and the disk it takes.
    pub(crate) fn bytes(&self) -> usize {
        let beside = |beside: &Option<Beside>| beside.as_ref().map_or(0, |b| b.stored.len());
        self.event.data.len() + self.event.metadata.len() + beside(&self.body) + beside(&self.text)
    }
}

#[expect(clippy::disallowed_methods, reason = "a salt that could be foretold would guard nothing")]
fn salt() -> Salt {
    rand::random()
}

/// Checks the events of one append.
pub(crate) fn prepare(events: Vec<NewEvent>) -> Result<Vec<Prepared>, AppendError> {
    if events.len() > APPEND_EVENTS_MAX {
        return Err(AppendError::Refused("too many events in one append"));
    }
    let prepared = events.into_iter().map(Prepared::try_new).collect::<Result<Vec<_>, _>>()?;
    if prepared.iter().map(Prepared::bytes).sum::<usize>() > APPEND_BYTES_MAX {
        return Err(AppendError::Refused("too many bytes in one append"));
    }
    Ok(prepared)
}

fn check(event: &NewEvent) -> Result<bool, &'static str> {
    if event.event_type.is_empty()
        || event.event_type.len() > TYPE_BYTES_MAX
        || !event.event_type.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        return Err("an event's type is 1 to 64 of A-Z a-z 0-9");
    }
    if event.data.len() > DATA_BYTES_MAX || event.metadata.len() > METADATA_BYTES_MAX {
        return Err("the event is too large");
    }
    if event.body.as_ref().is_some_and(|body| body.len() > BODY_BYTES_MAX) {
        return Err("the body beside the event is too large");
    }
    if event.text.as_ref().is_some_and(|text| text.len() > TEXT_BYTES_MAX || text.contains('\0')) {
        return Err("the text beside the event is too large or holds a zero byte");
    }
    // What isn't JSON now could never be read, nor taken out again.
    let json = |bytes| serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
    if !json(&event.data) || !json(&event.metadata) {
        return Err("the event's data or metadata isn't JSON");
    }
    if let Some(usage) = &event.usage {
        check_usage(usage.change)?;
    }
    stream_kind(event)
}

fn check_usage(change: UsageChange) -> Result<(), &'static str> {
    let fits = match change {
        UsageChange::Count(quantity) => (-QUANTITY_MAX..=QUANTITY_MAX).contains(&quantity),
        UsageChange::Hold { quantity, .. } | UsageChange::Settle { quantity, .. } => {
            (0..=QUANTITY_MAX).contains(&quantity)
        }
    };
    if fits { Ok(()) } else { Err("the quantity is out of range") }
}

/// Whether the event's stream is shared. The two kinds can't meet: an event's own stream is told
/// from the dedupe row alone, so no other event may ever land in it.
fn stream_kind(event: &NewEvent) -> Result<bool, &'static str> {
    if is_shared(event.stream.as_str()) {
        return Ok(true);
    }
    let own = own_key(event.stream.as_str());
    if own != Some((event.key.namespace.as_str(), event.key.id.as_str())) {
        return Err("the stream is neither a shared one nor the event's own");
    }
    if event.expected != Expected::NoStream {
        return Err("an event's own stream holds nothing before it");
    }
    Ok(false)
}

/// Whether a stream may hold more than one event.
pub(crate) fn is_shared(stream: &str) -> bool {
    stream == "tenant" || stream.starts_with("trainer-") || stream.starts_with("usage-")
}

/// The namespace and id of the one event of a stream that isn't shared. No namespace has a hyphen:
/// `a-b` with `c` and `a` with `b-c` would share a stream.
pub(crate) fn own_key(stream: &str) -> Option<(&str, &str)> {
    stream.split_once('-')
}

/// Compresses a body for storage.
pub(crate) fn compress(body: &[u8]) -> Vec<u8> {
    lz4_flex::block::compress_prepend_size(body)
}

/// The body from what was stored; none if that was never made by [`compress`].
pub(crate) fn decompress(stored: &[u8]) -> Option<Vec<u8>> {
    // The length stands in front: an altered one must not make the reader allocate gigabytes.
    let (length, _) = lz4_flex::block::uncompressed_size(stored).ok()?;
    if length > BODY_BYTES_MAX {
        return None;
    }
    lz4_flex::block::decompress_size_prepended(stored).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;

    #[test]
    fn streams_of_one_event_and_shared_ones_never_meet() {
        let ok = |namespace, id, stream| stream_kind(&event(namespace, id, stream));
        assert_eq!(ok("stripe", "evt_1", "stripe-evt_1"), Ok(false));
        assert_eq!(ok("api", "a-b", "api-a-b"), Ok(false));
        assert_eq!(ok("api", "1", "trainer-t1"), Ok(true));
        assert_eq!(ok("api", "1", "tenant"), Ok(true));
        assert!(ok("a_b", "c", "a-b-c").is_err());
        assert!(ok("api", "1", "stripe-evt_1").is_err());
        assert!(ok("api", "1", "elsewhere").is_err());
        // A namespace that looks like a shared stream is one, and then needs its revision.
        assert_eq!(ok("trainer", "1", "trainer-1"), Ok(true));
    }

    #[test]
    fn limits_are_kept() {
        let refused = |change: fn(&mut NewEvent)| {
            let mut event = event("stripe", "evt_1", "stripe-evt_1");
            change(&mut event);
            Prepared::try_new(event).is_err()
        };
        assert!(!refused(|_| ()));
        assert!(refused(|e| e.data = b"{".to_vec()));
        assert!(refused(|e| e.metadata = Vec::new()));
        assert!(refused(|e| e.data = vec![b'1'; DATA_BYTES_MAX + 1]));
        assert!(refused(|e| e.body = Some(vec![0; BODY_BYTES_MAX + 1])));
        assert!(refused(|e| e.text = Some("a\0b".to_owned())));
        assert!(refused(|e| e.event_type = "A type".into()));
        assert!(refused(|e| e.expected = Expected::Revision(0)));
    }

    #[test]
    fn a_body_comes_back_and_a_forged_length_does_not_allocate() {
        let body = b"{\"a\":1}".repeat(100);
        assert_eq!(decompress(&compress(&body)), Some(body));
        assert_eq!(decompress(&[0xFF, 0xFF, 0xFF, 0x7F, 1, 2, 3]), None);
        assert_eq!(decompress(&[]), None);
    }
}
