//! What the appending task remembers of each log, so that it need not ask the database before
//! every batch. It is right as long as nobody else has appended, which the head's position tells;
//! after that it is still what was right at the remembered end.

use std::collections::BTreeSet;
use std::hash::Hash as Hashable;

use ledger_domain::id::{EventKey, FeatureSlug, StreamName, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use uuid::Uuid;

use crate::map::HashMap;
use crate::port::{Counter, CounterKey, Hash, Head, UsageChange, UsageEntry};
use crate::seal::Frontier;

/// Keys remembered per tenant and generation. Small, since a generation is dropped in one go while
/// callers wait.
const IDS_MAX: usize = 8_192;
/// Stream heads remembered per tenant and generation; more than one batch can touch.
const STREAMS_MAX: usize = 32_768;
/// Counters remembered per tenant and generation; more than one batch can touch.
const COUNTERS_MAX: usize = 32_768;
/// Windows of one counter that are kept from one batch to the next.
const WINDOWS_MAX: usize = 4;

/// The end of a log, with all that is needed to go on from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tip {
    pub(crate) log_id: Uuid,
    pub(crate) epoch: i32,
    pub(crate) position: i64,
    /// The last event that isn't usage.
    pub(crate) facts: i64,
    pub(crate) frontier: Frontier,
    pub(crate) root: Hash,
    pub(crate) recorded_at: Timestamp,
}

impl Tip {
    pub(crate) const fn head(&self) -> Head {
        Head {
            log_id: self.log_id,
            epoch: self.epoch,
            position: self.position,
            facts: self.facts,
            root: self.root,
            recorded_at: self.recorded_at,
        }
    }
}

/// Where an event stands whose key is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) position: i64,
    pub(crate) revision: i64,
    pub(crate) content_hash: Hash,
}

/// A counter's owner and subject, whatever the window.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    pub(crate) trainer: TrainerId,
    pub(crate) feature: FeatureSlug,
}

impl From<&CounterKey> for Subject {
    fn from(key: &CounterKey) -> Self {
        Self { trainer: key.trainer.clone(), feature: key.feature.clone() }
    }
}

impl From<&UsageEntry> for Subject {
    fn from(entry: &UsageEntry) -> Self {
        Self { trainer: entry.trainer.clone(), feature: entry.feature.clone() }
    }
}

/// All logs that were touched, by tenant.
pub(crate) type Logs = HashMap<Tenant, LogState>;

/// What is remembered of one log.
#[derive(Debug)]
pub(crate) struct LogState {
    /// Not known, known not to exist, or the end.
    pub(crate) tip: Option<Option<Tip>>,
    /// Last revisions of shared streams; none = no event yet.
    pub(crate) streams: Recent<StreamName, Option<i64>>,
    pub(crate) counters: Recent<Subject, Usage>,
    ids: Recent<EventKey, Known>,
    /// Keys found in the log while the present batch was tried; kept until it is done, however
    /// many there are.
    learned: HashMap<EventKey, Known>,
}

impl Default for LogState {
    fn default() -> Self {
        Self::with_limits(STREAMS_MAX, COUNTERS_MAX, IDS_MAX)
    }
}

impl LogState {
    fn with_limits(streams: usize, counters: usize, ids: usize) -> Self {
        Self {
            tip: None,
            streams: Recent::new(streams),
            counters: Recent::new(counters),
            ids: Recent::new(ids),
            learned: HashMap::default(),
        }
    }

    /// A state that forgets nothing: the log of the engine in memory.
    pub(crate) fn unbounded() -> Self {
        Self::with_limits(usize::MAX, usize::MAX, usize::MAX)
    }

    pub(crate) fn known(&self, key: &EventKey) -> Option<Known> {
        self.ids.peek(key).or_else(|| self.learned.get(key)).copied()
    }

    pub(crate) fn learn(&mut self, key: EventKey, known: Known) {
        self.learned.insert(key, known);
    }

    pub(crate) fn remember(&mut self, key: EventKey, known: Known) {
        self.ids.insert(key, known);
    }

    /// Ends a batch: what it looked up becomes ordinary memory, but for keys beyond the remembered
    /// end, which the root there doesn't cover.
    pub(crate) fn settle(&mut self) {
        let end = self.tip.as_ref().and_then(|tip| tip.as_ref()).map_or(0, |tip| tip.position);
        for (key, known) in self.learned.drain().take(IDS_MAX) {
            if known.position <= end {
                self.ids.insert(key, known);
            }
        }
        if self.tip == Some(None) {
            self.tip = None;
        }
    }

    /// Forgets all that another process may have changed. That is the keys, too: a backup that was
    /// put back, or a standby that took over, may lack some, and what is remembered of them would
    /// be compared with an end that was read without them.
    pub(crate) fn forget(&mut self) {
        self.tip = None;
        self.streams.clear();
        self.counters.clear();
        self.ids.clear();
        self.learned.clear();
    }

    /// Forgets the keys that were found while the batch was tried: they may stand beyond the
    /// remembered end.
    pub(crate) fn unlearn(&mut self) {
        self.learned.clear();
    }

    /// Takes over the end of the log as it was read.
    pub(crate) fn set_tip(&mut self, tip: Option<Tip>) {
        self.tip = Some(tip);
    }
}

/// A map that forgets what wasn't used lately: two generations, the older dropped as a whole.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    max: usize,
}

impl<K: Hashable + Eq + Clone, V> Recent<K, V> {
    fn new(max: usize) -> Self {
        Self { young: HashMap::default(), old: HashMap::default(), max }
    }

    /// Looks without keeping.
    pub(crate) fn peek(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// Looks, and keeps what was found for another generation.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        if !self.young.contains_key(key)
            && let Some((key, value)) = self.old.remove_entry(key)
        {
            self.young.insert(key, value);
        }
        self.young.get_mut(key)
    }

    /// A value that the older generation has under this key is hidden until it goes.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.max {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, value);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

/// The usage of one trainer and feature, for the windows that were asked about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Usage {
    windows: Vec<Window>,
}

/// Invariant: `held` is the sum of `holds`, and `ends` holds each of them once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    window: Option<Interval>,
    used: i64,
    held: i64,
    holds: HashMap<Uuid, (i64, Timestamp)>,
    ends: BTreeSet<(Timestamp, Uuid)>,
}

impl Window {
    pub(crate) fn new(window: Option<Interval>) -> Self {
        Self { window, ..Self::default() }
    }

    pub(crate) fn hold(&mut self, id: Uuid, quantity: i64, until: Timestamp) {
        self.unhold(id);
        self.holds.insert(id, (quantity, until));
        self.ends.insert((until, id));
        self.held = self.held.saturating_add(quantity);
    }

    fn unhold(&mut self, id: Uuid) {
        if let Some((quantity, until)) = self.holds.remove(&id) {
            self.ends.remove(&(until, id));
            self.held = self.held.saturating_sub(quantity);
        }
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some(&(until, id)) = self.ends.first() {
            if until > now {
                return;
            }
            self.unhold(id);
        }
    }

    fn apply(&mut self, entry: &UsageEntry) {
        let counts = self.window.is_none_or(|window| window.contains(entry.occurred_at));
        match entry.change {
            UsageChange::Count(quantity) if counts => self.count(quantity),
            UsageChange::Count(_) => {}
            UsageChange::Hold { id, quantity, until } if counts => self.hold(id, quantity, until),
            UsageChange::Hold { id, .. } => self.unhold(id),
            UsageChange::Settle { id, quantity } => {
                self.unhold(id);
                if counts {
                    self.count(quantity);
                }
            }
        }
    }

    pub(crate) fn count(&mut self, quantity: i64) {
        self.used = self.used.saturating_add(quantity);
    }
}

impl Usage {
    /// The counter of one window; none if that window was never loaded.
    pub(crate) fn counter(
        &mut self,
        window: Option<Interval>,
        hold: Option<Uuid>,
        now: Timestamp,
        facts: i64,
    ) -> Option<Counter> {
        let found = self.windows.iter_mut().find(|known| known.window == window)?;
        found.expire(now);
        let hold = hold.and_then(|id| found.holds.get(&id)).map(|(quantity, _)| *quantity);
        Some(Counter { used: found.used, held: found.held, hold, facts, now })
    }

    pub(crate) fn add_window(&mut self, window: Window) {
        self.windows.push(window);
    }

    /// Changes every window that the entry touches.
    pub(crate) fn apply(&mut self, entry: &UsageEntry) {
        self.windows.iter_mut().for_each(|window| window.apply(entry));
    }

    /// Drops the windows asked about longest ago. Only between batches: within one, a window that
    /// vanished would be loaded again and again.
    pub(crate) fn trim(&mut self) {
        let surplus = self.windows.len().saturating_sub(WINDOWS_MAX);
        self.windows.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;

    fn entry(at: i64, change: UsageChange) -> UsageEntry {
        UsageEntry {
            trainer: TrainerId::try_new("t1").expect("a trainer"),
            feature: FeatureSlug::try_new("customers").expect("a feature"),
            occurred_at: Timestamp::from_unix(at),
            change,
        }
    }

    #[test]
    fn holds_count_until_they_end_or_are_settled() {
        let at = Timestamp::from_unix;
        let mut usage = Usage::default();
        usage.add_window({
            let mut all = Window::new(None);
            all.count(3);
            all
        });
        let month = Some(Interval { from: at(100), until: at(200) });
        usage.add_window(Window::new(month));
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        usage.apply(&entry(150, UsageChange::Hold { id: one, quantity: 5, until: at(160) }));
        usage.apply(&entry(90, UsageChange::Hold { id: two, quantity: 7, until: at(170) }));
        let mut seen = |window, now| {
            let counter = usage.counter(window, Some(two), at(now), 1);
            counter.map(|c| (c.used, c.held, c.hold))
        };
        assert_eq!(seen(None, 159), Some((3, 12, Some(7))));
        assert_eq!(seen(month, 159), Some((0, 5, None)));
        assert_eq!(seen(None, 160), Some((3, 7, Some(7))), "a hold ends at its instant");
        assert_eq!(seen(Some(Interval { from: at(0), until: at(1) }), 0), None);
        usage.apply(&entry(150, UsageChange::Settle { id: two, quantity: 4 }));
        let mut seen = |window, now| {
            let counter = usage.counter(window, Some(two), at(now), 1);
            counter.map(|c| (c.used, c.held, c.hold))
        };
        assert_eq!(seen(None, 161), Some((7, 0, None)));
        assert_eq!(seen(month, 161), Some((4, 0, None)));
    }

    #[test]
    fn keys_beyond_the_remembered_end_are_not_kept() {
        let frontier = Frontier::default();
        let (root, recorded_at, log_id) = (frontier.root(), Timestamp::MIN, Uuid::nil());
        let (epoch, position, facts) = (1, 5, 5);
        let mut log = LogState::default();
        log.set_tip(Some(Tip { log_id, epoch, position, facts, frontier, root, recorded_at }));
        let at = |position| Known { position, revision: 0, content_hash: [1; 32] };
        log.learn(key("api", "last"), at(5));
        log.learn(key("api", "next"), at(6));
        assert_eq!(log.known(&key("api", "next")), Some(at(6)), "while the batch is tried");
        log.settle();
        assert_eq!(log.known(&key("api", "last")), Some(at(5)));
        assert_eq!(log.known(&key("api", "next")), None);
    }

    #[test]
    fn what_is_used_stays_and_the_rest_goes() {
        let mut recent = Recent::new(2);
        recent.insert(1, "one");
        recent.insert(2, "two");
        recent.insert(3, "three");
        assert!(recent.get(&1).is_some());
        recent.insert(4, "four");
        recent.insert(5, "five");
        assert!(recent.peek(&2).is_none(), "two generations unused");
        assert!(recent.peek(&1).is_some(), "used in between");
    }

    #[test]
    fn a_newer_value_is_never_replaced_by_an_older_generations() {
        let mut recent = Recent::new(2);
        recent.insert(1, 10);
        recent.insert(2, 20);
        // The generation is full: what follows opens a new one, beside which 10 still stands.
        recent.insert(1, 11);
        for other in 3..9 {
            assert_eq!(recent.peek(&1), Some(&11));
            assert_eq!(recent.get(&1).copied(), Some(11));
            recent.insert(other, 0);
        }
    }
}
