//! What answers about trainers are made from, remembered in this process.
//!
//! An entry holds facts and never an answer: what a trainer holds, what it used within the windows
//! of now, and the catalogues. `effective` judges them by the clock at each question, so time may
//! pass without anybody telling the cache.
//!
//! What changes is told by the feed of the read models ([`ledger_projections::Feed`]), which every
//! process follows (`follow`). Three rules keep an entry from being used when it is old:
//!
//! 1. **Told before used.** What the feed tells is taken out of the cache first, and only then it
//!    is said how far the feed was heard; who asks looks in the other order. So an entry that is
//!    found is right at least up to the place that was read before it (`lookup`).
//! 2. **Heard lately, and far enough.** Nothing is used unless the feed was heard within [`FRESH`],
//!    up to the position that the question asks for and every one that this process knows to be
//!    committed. A feed that is broken or behind costs reading the tables, and nothing else.
//! 3. **No change lost while reading.** Somebody reads the tables as of change 5; the feed tells of
//!    change 6, which concerns the trainer and finds nothing to take out; then what was read is put
//!    in, and would stay. So whoever reads says so beforehand (`flight`), the feed leaves word
//!    there, and what is older than the word isn't kept. Both happen under one lock.
//!
//! A feed that begins anew (another runner, a restored backup), or of which a part is lost, makes a
//! new era: nothing from before is used.
//!
//! An entry that another process made is adopted (`adopt`) where it would be here by now, had this
//! process made it itself; from then on it is like any other.

mod adopt;
mod entry;
mod flight;
mod follow;
mod lookup;
#[cfg(test)]
mod tests;
mod told;
mod weight;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use ledger_domain::id::{Tenant, TrainerId};
use ledger_projections::{Change, Cursor, FeedKey, Heard, Whose};
use metrics::{Counter, counter};
use quick_cache::Weighter;
use quick_cache::sync::Cache as Bounded;
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

pub(super) use adopt::{Following, Unfit};
pub(super) use entry::{Entry, Found, Sum, counted, judged};
use flight::Flight;
pub(super) use flight::Last;
use told::Told;

/// How old the last word of the feed may be. It is asked several times as often.
const FRESH: Duration = Duration::from_secs(1);

/// About what an entry takes, to divide the room by.
const ENTRY_BYTES: u64 = 2_048;

/// Whose entry it is. Tenants share nothing but the room.
type Key = (Tenant, TrainerId);

/// What answers are made from, by trainer.
pub(crate) struct Cache {
    entries: Option<Bounded<Key, Arc<Entry>, Weight>>,
    lines: RwLock<HashMap<Tenant, Arc<watch::Sender<Line>>>>,
    /// Held by whoever changes lines, or puts entries in or takes them out.
    board: Mutex<Board>,
    /// When the feed was last asked with success, in microseconds since `begun`; 0 = never.
    heard_at: AtomicU64,
    begun: Instant,
    pub(super) hits: Counter,
    pub(super) misses: Counter,
}

/// How far the feed of a tenant was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line {
    /// Unlike that of any line before whose word isn't valid any more.
    era: u64,
    cursor: Cursor,
    key: FeedKey,
    /// Where the read models were then.
    position: i64,
    /// Entries that lack this change are of no use: it concerned everybody.
    floor: i64,
}

#[derive(Default)]
struct Board {
    /// Who is reading the tables.
    flights: HashMap<Key, Arc<Flight>>,
    eras: u64,
    /// What was told lately; none where no entry of another process's is ever adopted.
    told: Option<Told>,
}

#[derive(Debug, Clone, Copy)]
struct Weight;

impl Weighter<Key, Arc<Entry>> for Weight {
    fn weight(&self, _: &Key, entry: &Arc<Entry>) -> u64 {
        entry.weight()
    }
}

impl Cache {
    /// An empty cache with room for so many bytes; with none it keeps nothing.
    pub(crate) fn new(bytes_max: u64) -> Self {
        let expected = usize::try_from(bytes_max / ENTRY_BYTES).unwrap_or(usize::MAX);
        let entries = (bytes_max > 0).then(|| Bounded::with_weighter(expected, bytes_max, Weight));
        Self {
            entries,
            lines: RwLock::default(),
            board: Mutex::default(),
            heard_at: AtomicU64::new(0),
            begun: Instant::now(),
            hits: counter!("ledger_entitlement_cache_hits_total"),
            misses: counter!("ledger_entitlement_cache_misses_total"),
        }
    }

    /// The same, with entries that other processes made.
    pub(crate) fn with_others(self) -> Self {
        self.board().told = Some(Told::default());
        self
    }

    /// Whether anything is ever kept.
    pub(crate) const fn is_on(&self) -> bool {
        self.entries.is_some()
    }

    /// How far each tenant's feed was heard.
    fn cursors(&self) -> Vec<(Tenant, Cursor)> {
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|(tenant, line)| (tenant.clone(), line.borrow().cursor)).collect()
    }

    /// Takes out what the feed tells of, and then says how far it was heard. `asked_at` is when it
    /// was asked: what happened later it may not know.
    fn hear(&self, heard: Vec<(Tenant, Heard)>, asked_at: Instant) {
        let mut board = self.board();
        let mut there = HashMap::with_capacity(heard.len());
        for (tenant, heard) in heard {
            let line = self.line(&tenant);
            let before = line.as_ref().map(|line| *line.borrow());
            let Heard { to: cursor, position, key, changes } = heard;
            let (era, floor) = match (before, changes) {
                (Some(before), Some(changes)) => {
                    let floor = self.take_out(&mut board, &tenant, cursor.id, &changes);
                    (before.era, floor.max(before.floor))
                }
                _ => {
                    board.eras += 1;
                    if let Some(told) = &mut board.told {
                        told.begin(&tenant, cursor.number);
                    }
                    (board.eras, i64::MIN)
                }
            };
            let next = Line { era, cursor, key, position, floor };
            let line = line.unwrap_or_else(|| Arc::new(watch::Sender::new(next)));
            line.send_if_modified(|line| std::mem::replace(line, next) != next);
            there.insert(tenant, line);
        }
        if let Some(told) = &mut board.told {
            let number = |line: &watch::Sender<Line>| line.borrow().cursor.number;
            told.turn(there.iter().map(|(tenant, line)| (tenant.clone(), number(line))));
        }
        *self.lines.write().unwrap_or_else(PoisonError::into_inner) = there;
        let at = asked_at.saturating_duration_since(self.begun).as_micros();
        self.heard_at.store(u64::try_from(at).unwrap_or(u64::MAX).max(1), Ordering::Release);
    }

    /// Takes out whoever changed, and tells the last change that concerned everybody.
    fn take_out(&self, board: &mut Board, tenant: &Tenant, feed: Uuid, changes: &[Change]) -> i64 {
        let mut floor = i64::MIN;
        for Change { number, whose } in changes {
            let Whose::Of { trainers, users } = whose else {
                floor = *number;
                continue;
            };
            for trainer in trainers {
                let key = (tenant.clone(), trainer.clone());
                board.tell(feed, &key, told::Last::holding(*number));
                if let Some(entries) = &self.entries {
                    entries.remove_if(&key, |entry| entry.number() < *number);
                }
            }
            for trainer in users {
                let key = (tenant.clone(), trainer.clone());
                board.tell(feed, &key, told::Last::using(*number));
                if let Some(entry) = self.entries.as_ref().and_then(|all| all.peek(&key)) {
                    entry.lacks_usage(*number);
                }
            }
        }
        floor
    }

    /// How long ago the feed was last heard; none = never.
    fn unheard(&self) -> Option<Duration> {
        match self.heard_at.load(Ordering::Acquire) {
            0 => None,
            at => Some(self.begun.elapsed().saturating_sub(Duration::from_micros(at))),
        }
    }

    fn line(&self, tenant: &Tenant) -> Option<Arc<watch::Sender<Line>>> {
        self.lines.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    /// Leaves word of a change for whoever is reading, or adopts an entry later.
    fn tell(&mut self, feed: Uuid, key: &Key, what: told::Last) {
        if let Some(flight) = self.flights.get(key) {
            flight.tell(what.number());
        }
        if let Some(told) = &mut self.told {
            told.tell(feed, key, what);
        }
    }
}
