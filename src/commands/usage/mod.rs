//! Counting usage: what the trainer holds is loaded, an act is decided inside the log next to the
//! counter, and its event appended in the same step.
//!
//! To add an act: implement [`Act`] in a file of its own; its rule belongs to
//! `ledger_domain::usage`.

mod acts;
mod commit;
mod consume;
mod record;
mod release;
mod reserve;
mod rounds;

use ledger_domain::codec;
use ledger_domain::event::{Event, Metadata, UsageReserved};
use ledger_domain::id::{EventId, EventKey, FeatureSlug, Namespace, Tenant, TrainerId};
use ledger_domain::time::Interval;
use ledger_domain::usage::Refusal;
use ledger_log::{AppendError, Counter, EventLog, Outcome, ReadError};
use sha2::{Digest, Sha256};
use uuid::Uuid;

pub(crate) use acts::Act;
pub(crate) use commit::Commit;
pub(crate) use consume::Consume;
pub(crate) use record::Record;
pub(crate) use release::{GiveUp, Release};
pub(crate) use reserve::Reserve;
pub(crate) use rounds::{ask, carry_out};

use crate::reads::{Reads, ReadsError, Seen};

/// What the commands work with.
#[derive(Clone, Copy)]
pub(crate) struct Books<'a> {
    pub(crate) log: &'a dyn EventLog,
    pub(crate) reads: &'a Reads,
}

/// Who asks for what, under which key.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) tenant: Tenant,
    pub(crate) trainer: TrainerId,
    pub(crate) feature: FeatureSlug,
    /// The id of the event that may come of it; the same for a retry.
    pub(crate) id: Uuid,
    /// What makes it differ from another request under the same key.
    pub(crate) content_hash: [u8; 32],
    pub(crate) metadata: Metadata,
}

/// What came of it.
pub(crate) struct Ruling {
    /// The event, or why there is none.
    pub(crate) ruled: Result<Event, Refusal>,
    /// Where the event stands; none if there is none, or nothing was to be appended.
    pub(crate) outcome: Option<Outcome>,
    /// As it stands after the act, or as it was looked at.
    pub(crate) counter: Counter,
    /// The window of that counter.
    pub(crate) window: Option<Interval>,
    pub(crate) seen: Seen,
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    #[error(transparent)]
    Reads(#[from] ReadsError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error("the event at position {0} can't be read by this version")]
    Unreadable(i64),
    /// What it rests on changed at every look.
    #[error("no decision came to rest")]
    Restless,
}

/// The key of an event that came of a request.
pub(crate) fn key_of(id: Uuid) -> EventKey {
    let namespace = Namespace::try_new("api").expect("a constant namespace");
    EventKey::new(namespace, EventId::try_new(&id.to_string()).expect("a UUID is an event id"))
}

/// The hash of what was asked for.
pub(crate) fn content_hash<T: serde::Serialize>(content: &T) -> [u8; 32] {
    let bytes = serde_json::to_vec(content).expect("requests have text keys and no floats");
    Sha256::digest(bytes).into()
}

/// The hold that a reservation placed; none if there was no such one of this trainer and feature.
pub(crate) async fn hold_of(
    books: Books<'_>,
    (tenant, trainer, feature): (&Tenant, &TrainerId, &FeatureSlug),
    hold: Uuid,
) -> Result<Option<UsageReserved>, UsageError> {
    match event_of(books.log, tenant, &key_of(hold)).await? {
        Some(Event::UsageReserved(reserved))
            if reserved.trainer == *trainer && reserved.feature == *feature =>
        {
            Ok(Some(reserved))
        }
        _ => Ok(None),
    }
}

/// The event under a key.
async fn event_of(
    log: &dyn EventLog,
    tenant: &Tenant,
    key: &EventKey,
) -> Result<Option<Event>, UsageError> {
    let Some(found) = log.find(tenant, key).await? else { return Ok(None) };
    let decoded = codec::decode(&found.event_type, found.schema_version, &found.data);
    decoded.map(Some).map_err(|_| UsageError::Unreadable(found.position))
}
