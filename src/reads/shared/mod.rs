//! What answers about trainers are made from, kept in Redis for all nodes: whoever has to read the
//! tables leaves there what it read, and whoever lacks it in memory looks there first.
//!
//! Redis is never believed about the present. What a node finds there is taken in only if
//!
//! 1. **a follower of the same feed made it**, for this trainer of this tenant: it bears a MAC over
//!    all of it and over its name, by a secret that is in the database beside the feed and new with
//!    each feed (`stored`). So nobody without the database can make one, change one, or put one
//!    where another one belongs.
//! 2. **this node could have made it then, and would have it still**: it has followed the feed
//!    since, and was told of nothing that concerns the trainer (`cache/adopt.rs`). So an old one
//!    that was put back is known to be old, and nobody needs to delete anything from Redis.
//!
//! From then on it is an entry in memory like any other, with the conditions of those: the feed was
//! heard lately, and as far as the question asks. `valid_until` bounds what is kept in Redis; no
//! answer rests on it.
//!
//! Redis may be dead, slow, empty or full of lies; that costs reading tables. A call has
//! [`CALL_MAX`], a value [`BYTES_MAX`], and after a failure Redis is left alone for a while
//! (`link`). What is written waits in a queue beside the requests, and is dropped where that is
//! full.

mod link;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use ledger_domain::id::{Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use metrics::{Counter, counter};
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::cache::{Entry, Following, Unfit};
use crate::clock::Clock;
use crate::config::RedisConfig;
use link::{Answer, Link};
pub(super) use stored::Stored;
use stored::{name, open, seal};

/// How long an entry may lie in Redis.
const LIFE: Duration = Duration::from_secs(300);

/// How long one call may take. The tables would have answered by then.
const CALL_MAX: Duration = Duration::from_millis(50);

/// The longest value that is written or read: a trainer with very many subscriptions isn't shared.
const BYTES_MAX: usize = 64 * 1024;

/// How many entries may wait to be written.
const QUEUE_MAX: usize = 256;

/// How many of them are written by one call.
const BATCH_MAX: usize = 32;

/// An entry on its way to Redis.
struct Waiting {
    tenant: Tenant,
    trainer: TrainerId,
    following: Following,
    entry: Arc<Entry>,
}

/// What nodes share of what they remember.
pub(crate) struct Shared {
    link: Link,
    clock: Clock,
    queue: mpsc::Sender<Waiting>,
    waiting: Mutex<mpsc::Receiver<Waiting>>,
    pub(super) hits: Counter,
    misses: Counter,
    unwritten: Counter,
}

/// Why what was found in Redis isn't used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is longer than [`BYTES_MAX`].
    TooLong,
    /// It isn't of the form that this program writes.
    Malformed,
    /// Its MAC is another one.
    Forged,
    /// Its time is over, or longer than anybody gives.
    Expired,
    /// Something has changed since, or nobody here knows whether it has.
    Old,
    /// It holds what this node hasn't heard of yet.
    Ahead,
    /// It is from under another catalogue or enforcement than was read here last.
    OtherCatalog,
    /// Usage has changed since, or other windows have begun, and the question is about usage.
    OtherUsage,
}

impl Refusal {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::TooLong,
        Self::Malformed,
        Self::Forged,
        Self::Expired,
        Self::Old,
        Self::Ahead,
        Self::OtherCatalog,
        Self::OtherUsage,
    ];

    /// The name that it is counted under.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::Forged => "forged",
            Self::Expired => "expired",
            Self::Old => "old",
            Self::Ahead => "ahead",
            Self::OtherCatalog => "other_catalog",
            Self::OtherUsage => "other_usage",
        }
    }
}

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Old => Self::Old,
            Unfit::Ahead => Self::Ahead,
        }
    }
}

impl Shared {
    pub(crate) fn new(config: &RedisConfig, clock: Clock) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        Self {
            link: Link::new(config),
            clock,
            queue,
            waiting: Mutex::new(waiting),
            hits: counter!("ledger_entitlement_redis_hits_total"),
            misses: counter!("ledger_entitlement_redis_misses_total"),
            unwritten: counter!("ledger_entitlement_redis_unwritten_total"),
        }
    }

    /// What a follower of the same feed left of a trainer, whenever that was.
    pub(super) async fn fetch(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        following: Following,
    ) -> Option<Stored> {
        let name = name(following.feed, tenant, trainer);
        let opened = match self.link.get(&name, BYTES_MAX).await? {
            Answer::Nothing => {
                self.misses.increment(1);
                return None;
            }
            Answer::Longer => Err(Refusal::TooLong),
            Answer::OtherType => Err(Refusal::Malformed),
            Answer::Value(value) => open(&value, &name, &following.key),
        };
        let now = self.clock.now();
        let believed = opened.and_then(|stored| match stored.time_left(now) {
            _ if !stored.is_for(tenant, trainer) => Err(Refusal::Forged),
            None => Err(Refusal::Expired),
            Some(_) => Ok(stored),
        });
        believed.map_err(|refusal| self.refused(refusal)).ok()
    }

    /// Counts what isn't used.
    pub(super) fn refused(&self, refusal: Refusal) {
        let reason = refusal.reason();
        counter!("ledger_entitlement_redis_refused_total", "reason" => reason).increment(1);
    }

    /// Leaves there what was read, in a while, if there is room in the queue.
    pub(super) fn leave(
        &self,
        (tenant, trainer): (&Tenant, &TrainerId),
        following: Following,
        entry: &Arc<Entry>,
    ) {
        let (tenant, trainer, entry) = (tenant.clone(), trainer.clone(), Arc::clone(entry));
        let waiting = Waiting { tenant, trainer, following, entry };
        if !self.link.is_in_use() || self.queue.try_send(waiting).is_err() {
            self.unwritten.increment(1);
        }
    }

    /// Keeps the connection, and writes what waits, until it is time to stop.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        tokio::join!(self.link.keep(stop), self.write(stop));
    }

    async fn write(&self, stop: &CancellationToken) {
        let mut waiting = self.waiting.lock().await;
        let mut batch = Vec::with_capacity(BATCH_MAX);
        loop {
            batch.clear();
            let more = waiting.recv_many(&mut batch, BATCH_MAX);
            if stop.run_until_cancelled(more).await.is_none_or(|count| count == 0) {
                return;
            }
            let now = self.clock.now();
            let values: Vec<_> = batch.iter().filter_map(|one| sealed(one, now)).collect();
            let written = if self.link.set(&values).await { values.len() } else { 0 };
            self.unwritten.increment((batch.len() - written) as u64);
        }
    }
}

/// An entry as it is written: its name, its value, and for how long; none if it can't be.
fn sealed(waiting: &Waiting, now: Timestamp) -> Option<(String, Vec<u8>, Duration)> {
    let Waiting { tenant, trainer, following, entry } = waiting;
    let name = name(following.feed, tenant, trainer);
    let stored = Stored::new(tenant, trainer, entry)?;
    let left = stored.time_left(now)?;
    let value = seal(&stored, &name, &following.key);
    (value.len() <= BYTES_MAX).then_some((name, value, left))
}
