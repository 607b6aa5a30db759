//! Events as they are read from the log.

use ledger_domain::codec;
use ledger_domain::event::{Entry, Metadata};
use ledger_log::Recorded;

/// An event, or the position of one that this program can't read.
pub(super) enum Decoded {
    Entry(Box<Entry>),
    Unreadable(i64),
}

pub(super) fn decode(recorded: Recorded) -> Decoded {
    let position = recorded.position;
    let metadata = Metadata::from_bytes(&recorded.metadata);
    let event = codec::decode(&recorded.event_type, recorded.schema_version, &recorded.data);
    let (Ok(metadata), Ok(event)) = (metadata, event) else {
        return Decoded::Unreadable(position);
    };
    let Recorded { key, occurred_at, recorded_at, .. } = recorded;
    Decoded::Entry(Box::new(Entry { key, position, occurred_at, recorded_at, metadata, event }))
}
