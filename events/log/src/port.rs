//! The port: what the rest of the ledger may ask of an event log, and what it may rely on.
//!
//! | guarantee | PostgreSQL | memory |
//! |---|---|---|
//! | an acknowledged append is durable | yes, `fsync` before the answer | until the process ends |
//! | positions are contiguous from 1, commit order is position order | yes | yes |
//! | a key is appended once, for ever, and a retry is told its position | yes | yes |
//! | expected revisions are exact, under any number of processes | yes | one process |
//! | a decision sees every fact acknowledged before it was asked | yes | yes |
//! | `recorded_at` never runs backwards and lies under the leaf | yes | yes |
//! | limits are exact, under any number of callers and processes | yes | one process |
//!
//! About limits: the counter that a decision is told holds all usage that stands before it in the
//! log, whoever appended it, and what running holds keep; nothing comes between that look and the
//! append or the refusal. So a decision that keeps to a limit never overshoots it, and refuses
//! nothing that has room at that place in the log. On PostgreSQL the lock on the log's head sees to
//! that, and the root beside it: whoever writes has seen all that was written before. In memory it
//! is a mutex, and no other process has that log. Whether the limit is the right one depends on the
//! facts that it was made from; [`Counter::facts`] tells a decision whether there are newer ones.

use std::fmt;
use std::sync::Arc;

use ledger_domain::id::{EventKey, FeatureSlug, StreamName, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use tokio::sync::watch;
use uuid::Uuid;

/// SHA-256.
pub type Hash = [u8; 32];

/// The stream's last revision that the writer has seen. There is no "any": an append that doesn't
/// know what it follows can't be told from its own retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Expected {
    /// The stream has no event yet.
    NoStream,
    /// The stream's last event has this revision.
    Revision(i64),
}

/// What an event does to the counters of usage, written in the transaction of its append. A hold
/// runs from its entry until `until`, unless a later entry names the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageEntry {
    /// Whose usage.
    pub trainer: TrainerId,
    /// Of what.
    pub feature: FeatureSlug,
    /// When it happened: it counts in the window that contains this instant.
    pub occurred_at: Timestamp,
    /// What it does.
    pub change: UsageChange,
}

/// The ways in which usage changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageChange {
    /// Counts at once; negative when a standing count goes down.
    Count(i64),
    /// Holds a quantity until an instant, unless it is settled before.
    Hold {
        /// The hold's id.
        id: Uuid,
        /// How much is held.
        quantity: i64,
        /// When it frees itself.
        until: Timestamp,
    },
    /// Ends a hold and counts what was really used of it (0 = released).
    Settle {
        /// The hold's id.
        id: Uuid,
        /// How much counts.
        quantity: i64,
    },
}

/// An event that asks to be appended. `data` and `metadata` are canonical JSON (sorted keys, no
/// floats); the log keeps the bytes as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Its key: appending it again changes nothing.
    pub key: EventKey,
    /// The stream that it belongs to: its own (`EventKey::own_stream`), which never holds a second
    /// event, or a shared one: `tenant`, `trainer-...`, `usage-...`. Others are refused.
    pub stream: StreamName,
    /// What the writer has seen of that stream. In a decision it isn't looked at: the event goes
    /// to the end of its stream, since nothing can come between the decision and the append.
    pub expected: Expected,
    /// Its type, as the codec names it.
    pub event_type: Arc<str>,
    /// The version of its type's shape.
    pub schema_version: i32,
    /// When it happened in the world.
    pub occurred_at: Timestamp,
    /// What it states; JSON.
    pub data: Vec<u8>,
    /// Who, why and from where; JSON.
    pub metadata: Vec<u8>,
    /// What makes this content differ from another under the same key.
    pub content_hash: Hash,
    /// The redacted body of the webhook that it came from; lies beside the log.
    pub body: Option<Vec<u8>>,
    /// Free text given with it (a reason, a note); lies beside the log.
    pub text: Option<String>,
    /// What it does to usage.
    pub usage: Option<UsageEntry>,
}

/// An event as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The log that it belongs to.
    pub log_id: Uuid,
    /// The version of the envelope and the leaf's encoding; 1.
    pub format: i16,
    /// The tenant whose log it is.
    pub tenant: Tenant,
    /// Its place in the tenant's log, from 1, without holes.
    pub position: i64,
    /// Its key.
    pub key: EventKey,
    /// Its stream.
    pub stream: StreamName,
    /// Its place in the stream, from 0.
    pub revision: i64,
    /// Its type.
    pub event_type: Arc<str>,
    /// The version of its type's shape.
    pub schema_version: i32,
    /// When it happened in the world.
    pub occurred_at: Timestamp,
    /// When the log accepted it.
    pub recorded_at: Timestamp,
    /// What it states, in the bytes that were sealed.
    pub data: Vec<u8>,
    /// Who, why and from where, in the bytes that were sealed.
    pub metadata: Vec<u8>,
    /// What makes this content differ from another under the same key.
    pub content_hash: Hash,
    /// The salted hash of the webhook's redacted body.
    pub body_hash: Option<Hash>,
    /// The salted hash of its free text.
    pub text_hash: Option<Hash>,
}

/// Where an event stands after an append. Having been there before is not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// This append put it there.
    Appended {
        /// Its place in the log.
        position: i64,
        /// Its place in its stream.
        revision: i64,
    },
    /// It was there already, at this place.
    AlreadyAppended {
        /// Its place in the log.
        position: i64,
        /// Its place in its stream.
        revision: i64,
    },
}

impl Outcome {
    /// The event's place in the log.
    #[must_use]
    pub const fn position(self) -> i64 {
        match self {
            Self::Appended { position, .. } | Self::AlreadyAppended { position, .. } => position,
        }
    }
}

/// The counter that a decision looks at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CounterKey {
    /// Whose usage.
    pub trainer: TrainerId,
    /// Of what.
    pub feature: FeatureSlug,
    /// The window that counts; none for a standing count, which never starts afresh.
    pub window: Option<Interval>,
}

/// What a decision is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// What counts in the window.
    pub used: i64,
    /// What running holds keep besides.
    pub held: i64,
    /// What the hold keeps that the decision names; none if it names none, and if that hold isn't
    /// running: it has expired, was settled, or was never placed in this window.
    pub hold: Option<i64>,
    /// The last event that isn't usage: what a decision rests on must be as new as it was when the
    /// question was asked. One that isn't refuses, and is asked again.
    pub facts: i64,
    /// The leader's clock.
    pub now: Timestamp,
}

/// What a decision says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Append this event, with its entry of usage.
    Append(Box<NewEvent>),
    /// Change nothing.
    Refuse,
}

/// A question that the log answers by appending or refusing, alone with its counter: nothing can
/// come between the look and the act.
#[derive(Clone)]
pub struct Decision {
    /// The key under which a granted event is appended; a retry under it is told the first result.
    pub key: EventKey,
    /// What makes this request differ from another under the same key.
    pub content_hash: Hash,
    /// The counter to look at.
    pub counter: CounterKey,
    /// The hold that the decision is about, for one that settles a hold.
    pub hold: Option<Uuid>,
    /// The pure decision; its event bears the decision's key and content hash. It may be called
    /// several times, as the counter changes under a retry. It runs inside the log, one after
    /// another with all others: it must not block, wait or compute for long.
    pub decide: Arc<dyn Fn(&Counter) -> Verdict + Send + Sync>,
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decision").field("key", &self.key).field("counter", &self.counter).finish()
    }
}

/// How a decision ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// Granted: the event is in the log. The counter is as it stands after it; for a repeated key,
    /// as it stands now.
    Granted(Outcome, Counter),
    /// Refused: nothing was appended, and nothing remembers it. The counter is what was looked at.
    Refused(Counter),
}

/// The end of a tenant's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The log's id.
    pub log_id: Uuid,
    /// Rises by one when the log is restored from a backup.
    pub epoch: i32,
    /// The last position; 0 before the log is opened.
    pub position: i64,
    /// The position of the last event that isn't usage: by then all that decides about usage, but
    /// for usage itself, was said.
    pub facts: i64,
    /// The Merkle root over all leaves up to it.
    pub root: Hash,
    /// When the last event was accepted.
    pub recorded_at: Timestamp,
}

/// Why nothing was appended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Somebody else has written to the stream since the writer looked: load, decide, try again.
    #[error("stream {stream} is at revision {actual:?}, not where the writer expected it")]
    WrongExpectedRevision {
        /// The stream.
        stream: StreamName,
        /// Its last revision; none if it has no event.
        actual: Option<i64>,
    },
    /// The key was used before, with another content.
    #[error("the key was used at position {position} with another content")]
    IdReused {
        /// Where the first content stands.
        position: i64,
        /// Its place in its stream.
        revision: i64,
    },
    /// No log was opened for this tenant.
    #[error("tenant {0} has no log")]
    UnknownTenant(Tenant),
    /// The request breaks a limit of the log; the text says which.
    #[error("the append was refused: {0}")]
    Refused(&'static str),
    /// The log can't be reached or is overloaded. Whether the event was appended is unknown;
    /// trying again with the same key is safe.
    #[error("the event log is unavailable: {0}")]
    Unavailable(&'static str),
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The log can't be reached.
    #[error("the event log can't be read")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What was read can't have been written by this program.
    #[error("the event log is corrupt at position {position}: {what}")]
    Corrupt {
        /// Where.
        position: i64,
        /// What is wrong there.
        what: String,
    },
}

/// How many bytes of data and metadata a page holds at most, but for its last event: events may be
/// a thousand times as large as usual.
pub const PAGE_BYTES_MAX: usize = 16 << 20;

/// An event log. One implementation per engine, one contract for all of them (`contract`).
#[async_trait::async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Opens a tenant's log with its first event, if it isn't open yet, and tells its head. Of
    /// several at once one opens it, and all are told the same log.
    async fn open(&self, tenant: &Tenant, first: OpenLog) -> Result<Head, AppendError>;

    /// Appends events to one tenant's log, all or none, and answers once they are durable, with
    /// one outcome for each event in their order.
    ///
    /// Events whose key is in the log already are left out and answered with their place, before
    /// any expected revision is looked at, so that a retry succeeds after others have appended.
    /// Dropping the future leaves the append undecided, as a lost answer does: try again.
    async fn append(
        &self,
        tenant: &Tenant,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Outcome>, AppendError>;

    /// Decides and appends in one step. A refusal rests on every fact acknowledged before the
    /// question was asked, by whichever process.
    async fn append_decided(
        &self,
        tenant: &Tenant,
        decision: Decision,
    ) -> Result<Decided, AppendError>;

    /// The end of the log; none if it was never opened.
    async fn head(&self, tenant: &Tenant) -> Result<Option<Head>, ReadError>;

    /// Every tenant that has a log.
    async fn tenants(&self) -> Result<Vec<Tenant>, ReadError>;

    /// At most `limit` events after a position, in order, of at most [`PAGE_BYTES_MAX`] or one: as
    /// long as any comes, more may follow.
    async fn read(
        &self,
        tenant: &Tenant,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError>;

    /// The events at some positions, in order; a position where none stands is left out. Whoever
    /// asks for many asks several times: what is found comes at once.
    async fn read_at(&self, tenant: &Tenant, positions: &[i64])
    -> Result<Vec<Recorded>, ReadError>;

    /// At most `limit` events of one stream from a revision on, in order.
    async fn read_stream(
        &self,
        tenant: &Tenant,
        stream: &StreamName,
        from_revision: i64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError>;

    /// One event by its key.
    async fn find(&self, tenant: &Tenant, key: &EventKey) -> Result<Option<Recorded>, ReadError>;

    /// The redacted webhook body that lies beside an event, while it is kept.
    async fn body(&self, tenant: &Tenant, key: &EventKey) -> Result<Option<Vec<u8>>, ReadError>;

    /// The usage of one trainer and feature within an interval, as (occurred at, quantity), settled
    /// holds included and running ones left out, up to a position of the log; in no particular
    /// order.
    async fn usage(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        feature: &FeatureSlug,
        within: Interval,
        up_to: i64,
    ) -> Result<Vec<(Timestamp, i64)>, ReadError>;

    /// Tells the highest position known to be durable, each time it moves. It may lag behind what
    /// other processes write by a moment, and never runs ahead.
    fn watch(&self, tenant: &Tenant) -> watch::Receiver<i64>;
}

/// What opens a log: the id that every event carries, and the first event.
#[derive(Debug, Clone)]
pub struct OpenLog {
    /// A fresh id for the log; ignored if it is open already.
    pub log_id: Uuid,
    /// `LogOpened`, in stream `tenant` at revision 0.
    pub event: NewEvent,
}
