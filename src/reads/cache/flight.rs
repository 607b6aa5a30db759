//! Reading the tables for all who ask about one trainer, and putting what was read into the cache.

use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ledger_domain::id::{Tenant, TrainerId};
use ledger_projections::Committed;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::{Cache, Entry, Following, Found, Key};

/// What those have in common who ask about one trainer at the same time.
#[derive(Default)]
pub(super) struct Flight {
    /// Held by the one who reads, for all others.
    turn: Mutex<Last>,
    /// The last change that the feed told of since the reading began.
    told: AtomicI64,
}

/// How the last reading ended.
#[derive(Default)]
pub(in crate::reads) enum Last {
    /// There was none, or it was given up.
    #[default]
    None,
    Read {
        began: Instant,
        entry: Arc<Entry>,
    },
    Failed {
        ended: Instant,
    },
}

impl Last {
    /// What was read from an instant on: it holds all that was acknowledged before it.
    pub(in crate::reads) fn read_since(&self, arrived: Instant, need: Committed) -> Option<Found> {
        match self {
            Self::Read { began, entry } if *began >= arrived && entry.position >= need.position => {
                Some(Found::just_read(Arc::clone(entry)))
            }
            _ => None,
        }
    }

    /// Whether a reading failed after an instant.
    pub(in crate::reads) fn failed_since(&self, arrived: Instant) -> bool {
        matches!(self, Self::Failed { ended } if *ended >= arrived)
    }
}

/// One who asks, until dropped.
pub(in crate::reads) struct Joined<'a> {
    cache: &'a Cache,
    key: Key,
    flight: Arc<Flight>,
}

impl Flight {
    pub(super) fn tell(&self, number: i64) {
        self.told.fetch_max(number, Ordering::Relaxed);
    }
}

impl Cache {
    /// Joins those who ask about a trainer.
    pub(in crate::reads) fn join(&self, tenant: &Tenant, trainer: &TrainerId) -> Joined<'_> {
        let key = (tenant.clone(), trainer.clone());
        let flight = Arc::clone(self.board().flights.entry(key.clone()).or_default());
        Joined { cache: self, key, flight }
    }
}

impl Joined<'_> {
    /// Waits for one's turn to read.
    pub(in crate::reads) async fn turn(&self) -> MutexGuard<'_, Last> {
        self.flight.turn.lock().await
    }

    /// Says that the tables are read from now on, by the one whose turn it is, and tells the era of
    /// the feed; 0 = it isn't heard.
    pub(in crate::reads) fn begin(&self) -> u64 {
        // Under the lock: either the feed leaves its word here, or what it told is committed
        // before the reading begins, and is read.
        let _board = self.cache.board();
        self.flight.told.store(i64::MIN, Ordering::Relaxed);
        self.cache.line(&self.key.0).map_or(0, |line| line.borrow().era)
    }

    /// Keeps what was read, unless the feed told of something newer meanwhile, or is another one.
    /// Tells by which feed it was kept.
    pub(in crate::reads) fn keep(&self, entry: &Arc<Entry>) -> Option<Following> {
        let entries = self.cache.entries.as_ref()?;
        let _board = self.cache.board();
        let (line, heard) = (self.cache.line(&self.key.0)?, entry.heard?);
        let line = *line.borrow();
        let is_ours = (entry.era, heard.id) == (line.era, line.cursor.id);
        let told = self.flight.told.load(Ordering::Relaxed);
        if !is_ours || heard.number < told.max(line.floor) {
            return None;
        }
        entries.insert(self.key.clone(), Arc::clone(entry));
        Some(Following { feed: line.cursor.id, key: line.key })
    }
}

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        let mut board = self.cache.board();
        if let Slot::Occupied(slot) = board.flights.entry(self.key.clone())
            // The board's own, and this one.
            && Arc::strong_count(slot.get()) == 2
        {
            slot.remove();
        }
    }
}
