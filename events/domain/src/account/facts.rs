//! The facts about one Stripe object: a set with one order, whatever order they arrived in.
//!
//! Stripe stamps events with whole seconds, so the second alone can't order them. Within a second
//! the webhooks themselves tell: an event that says what the object was *before* follows the one
//! that left it so. The rules, in this order:
//!
//! 1. By the second in which Stripe made the event.
//! 2. Within a second, start from the state that the second before left, and follow the trail: the
//!    next fact is one whose `before` equals the state so far. See [`super::order`].
//! 3. Where no fact continues the trail, take one that no other remaining fact leads to, by rank
//!    (created before others, deleted last; a draft invoice before a paid one), then by key.
//!
//! Facts before the last second are kept as fingerprints and briefs, so that the account doesn't
//! grow by whole snapshots. One more fact orders its own second (and the seconds after it while
//! their beginning changes), and stores the chunk that it falls into; see [`super::chunks`].

use std::hash::Hasher;
use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use siphasher::sip::SipHasher13;

use super::chunks::Chunks;
use super::links::Tie;
use super::order::settle;
use crate::event::Code;
use crate::event::stripe::{Before, Reported};
use crate::id::EventKey;

/// What the order of facts needs to know of a kind of object.
pub(super) trait Snapshot: Serialize + DeserializeOwned + Clone {
    /// What is remembered of every fact, for history.
    type Brief: Serialize + DeserializeOwned + Clone;

    /// The fields by which two snapshots are held to be the same, normalised so that the API
    /// version doesn't show.
    fn compared(&self) -> impl Serialize;

    /// Where a fact stands within its second if nothing better is known.
    fn rank(&self, cause: &Code) -> i64;

    /// Whether the object is over, so that no later word of another kind brings it back.
    fn is_final(&self, _cause: &Code) -> bool {
        false
    }

    /// What is remembered of this fact.
    fn brief(&self, cause: &Code) -> Self::Brief;

    /// What it tells of which objects belong together.
    fn ties(&self) -> Vec<Tie> {
        Vec::new()
    }
}

/// What an object was before a fact, as far as the fact tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prior {
    /// The fact doesn't say.
    Unknown,
    /// There was no such object.
    Nothing,
    /// It looked like this.
    Known(u64),
}

/// One fact in its place.
#[derive(Debug, Clone)]
pub(super) struct Fact<B> {
    /// The second in which Stripe made the event.
    pub(super) at: i64,
    /// The event.
    pub(super) key: EventKey,
    /// The event's place in the log.
    pub(super) position: i64,
    /// What is remembered of it.
    pub(super) brief: B,
    pub(super) before: Prior,
    pub(super) after: u64,
    pub(super) rank: i64,
    /// Whether it says that the object is over.
    pub(super) is_final: bool,
    /// Whether nothing but its id could tell its place.
    pub(super) is_tied: bool,
    /// Whether the object was otherwise before it than the facts so far make it.
    pub(super) is_gap: bool,
}

/// Something about the order of an object's facts that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderAnomaly {
    /// The event says the object was otherwise before than the facts so far make it: a fact is
    /// missing. The events concerned are the one that says so and the one before it, if any.
    GapSuspected(EventKey, Option<EventKey>),
    /// Nothing but its id could tell where the event stands among those of its second.
    OrderConflict(EventKey),
}

/// The facts of one object in order.
#[derive(Debug, Clone)]
pub(super) struct Facts<S: Snapshot> {
    pub(super) facts: Vec<Fact<S::Brief>>,
    /// Whole snapshots: those of the last second and of the second of the current fact.
    pub(super) snapshots: Vec<(EventKey, S)>,
    /// What all facts together told of which objects belong together.
    pub(super) told: Vec<Tie>,
    pub(super) chunks: Chunks,
    /// The places of the first and the last fact that says that the object is over.
    over: Option<(usize, usize)>,
    /// The position of the latest event among the facts.
    position: i64,
    /// How many facts are out of place.
    odd: usize,
    /// From which fact on something changed since the last look, and whether any was odd then.
    news: Option<(usize, bool)>,
}

impl<S: Snapshot> Default for Facts<S> {
    fn default() -> Self {
        Self::restored(Vec::new(), Vec::new(), Vec::new())
    }
}

impl<S: Snapshot> Facts<S> {
    /// The facts as they were stored.
    pub(super) fn restored(
        facts: Vec<Fact<S::Brief>>,
        snapshots: Vec<(EventKey, S)>,
        told: Vec<Tie>,
    ) -> Self {
        let position = facts.iter().map(|fact| fact.position).max().unwrap_or(0);
        let odd = facts.iter().filter(|fact| fact.is_odd()).count();
        let (chunks, over, news) = (Chunks::default(), None, None);
        let mut restored = Self { facts, snapshots, told, chunks, over, position, odd, news };
        restored.find_end();
        restored
    }

    /// Adds a fact; one that is there already changes nothing. Tells whether anything changed.
    pub(super) fn insert(
        &mut self,
        at: i64,
        key: &EventKey,
        position: i64,
        reported: &Reported<S>,
    ) -> bool {
        let second = self.second(at);
        if self.facts[second.clone()].iter().any(|fact| fact.key == *key) {
            return false;
        }
        let Reported { before, cause, snapshot } = reported;
        let fact = Fact {
            at,
            key: key.clone(),
            position,
            brief: snapshot.brief(cause),
            before: prior(before, snapshot),
            after: fingerprint(&snapshot.compared()),
            rank: snapshot.rank(cause),
            is_final: snapshot.is_final(cause),
            is_tied: false,
            is_gap: false,
        };
        let (_, was_odd) = *self.news.get_or_insert((second.start, self.odd > 0));
        self.news = self.news.map(|(from, _)| (from.min(second.start), was_odd));
        self.position = self.position.max(position);
        let may_end = fact.is_final || self.over.is_some();
        self.facts.insert(second.end, fact);
        self.chunks.added(&self.facts, second.end);
        self.snapshots.push((key.clone(), snapshot.clone()));
        self.snapshots.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for tie in snapshot.ties() {
            if !self.told.contains(&tie) {
                self.told.push(tie);
                self.told.sort_unstable();
            }
        }
        self.settle_from(second.start);
        if may_end {
            self.find_end();
        }
        self.forget_old_snapshots();
        true
    }

    /// The object as it is now by all that is known, and the fact that says so.
    #[must_use]
    pub(super) fn current(&self) -> Option<(&Fact<S::Brief>, &S)> {
        let fact = &self.facts[self.current_index()?];
        let (_, snapshot) = self.snapshots.iter().find(|(key, _)| *key == fact.key)?;
        Some((fact, snapshot))
    }

    /// The facts that count with their places, in order: none after the object is over, unless it
    /// says so too.
    pub(super) fn in_order(
        &self,
    ) -> impl DoubleEndedIterator<Item = (usize, &Fact<S::Brief>)> + use<'_, S> {
        let over = self.over.map_or(self.facts.len(), |(first, _)| first);
        self.facts.iter().enumerate().filter(move |(i, fact)| *i <= over || fact.is_final)
    }

    /// Every fact in order.
    #[must_use]
    pub(super) fn all(&self) -> &[Fact<S::Brief>] {
        &self.facts
    }

    /// The position of the latest event among the facts.
    #[must_use]
    pub(super) const fn position(&self) -> i64 {
        self.position
    }

    /// From which fact on something changed since the last call; and missing facts and undecided
    /// order as the set shows them now, if any are there or were.
    pub(super) fn take_news(&mut self) -> (usize, Option<Vec<OrderAnomaly>>) {
        let (from, was_odd) = self.news.take().unwrap_or((self.facts.len(), false));
        (from, (was_odd || self.odd > 0).then(|| self.anomalies()))
    }

    fn anomalies(&self) -> Vec<OrderAnomaly> {
        let mut found = Vec::new();
        for (i, fact) in self.facts.iter().enumerate() {
            if fact.is_gap {
                let previous = i.checked_sub(1).map(|i| self.facts[i].key.clone());
                found.push(OrderAnomaly::GapSuspected(fact.key.clone(), previous));
            }
            if fact.is_tied {
                found.push(OrderAnomaly::OrderConflict(fact.key.clone()));
            }
        }
        found
    }

    fn current_index(&self) -> Option<usize> {
        let last = self.facts.len().checked_sub(1)?;
        Some(self.over.map_or(last, |(_, last)| last))
    }

    fn find_end(&mut self) {
        let first = self.facts.iter().position(|fact| fact.is_final);
        let last = self.facts.iter().rposition(|fact| fact.is_final);
        self.over = first.zip(last);
    }

    /// The places of the facts of one second.
    fn second(&self, at: i64) -> Range<usize> {
        let start = self.facts.partition_point(|fact| fact.at < at);
        let len = self.facts[start..].partition_point(|fact| fact.at == at);
        start..start + len
    }

    /// Orders the second that a new fact fell into, then the seconds after it for as long as
    /// the state that they start from changes what is known of them.
    fn settle_from(&mut self, start: usize) {
        let mut second = self.second(self.facts[start].at);
        let mut is_first = true;
        loop {
            self.chunks.touch(&self.facts, self.facts[second.start].at);
            let facts = &mut self.facts;
            let before = state_before(facts, second.start);
            let settled = settle(before, facts[second.clone()].to_vec());
            let old = &facts[second.clone()];
            let same = settled.iter().zip(old).all(|(new, old)| {
                (&new.key, new.is_tied, new.is_gap) == (&old.key, old.is_tied, old.is_gap)
            });
            self.odd += settled.iter().filter(|fact| fact.is_odd()).count();
            self.odd -= old.iter().filter(|fact| fact.is_odd()).count();
            facts[second.clone()].clone_from_slice(&settled);
            if second.end == facts.len() || (same && !is_first) {
                return;
            }
            is_first = false;
            second = self.second(self.facts[second.end].at);
        }
    }

    fn forget_old_snapshots(&mut self) {
        let (Some(last), Some(current)) = (self.facts.last(), self.current_index()) else {
            return;
        };
        let kept = [last.at, self.facts[current].at];
        let facts = &self.facts;
        self.snapshots.retain(|(key, _)| {
            facts.iter().rev().any(|fact| fact.key == *key && kept.contains(&fact.at))
        });
    }
}

impl<B> Fact<B> {
    const fn is_odd(&self) -> bool {
        self.is_gap || self.is_tied
    }
}

fn state_before<B>(facts: &[Fact<B>], index: usize) -> Prior {
    index.checked_sub(1).map_or(Prior::Nothing, |i| Prior::Known(facts[i].after))
}

fn prior<S: Snapshot>(before: &Before, snapshot: &S) -> Prior {
    match before {
        Before::Absent => Prior::Unknown,
        Before::NoObject => Prior::Nothing,
        Before::Fields(fields) => {
            let Ok(Value::Object(mut object)) = serde_json::to_value(snapshot) else {
                return Prior::Unknown;
            };
            for (key, value) in fields {
                match value {
                    Value::Null => object.remove(key),
                    value => object.insert(key.clone(), value.clone()),
                };
            }
            serde_json::from_value::<S>(Value::Object(object))
                .map_or(Prior::Unknown, |before| Prior::Known(fingerprint(&before.compared())))
        }
    }
}

/// A fingerprint that doesn't depend on the compiler: it is stored.
fn fingerprint(compared: &impl Serialize) -> u64 {
    struct Sink(SipHasher13);
    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.write(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Sink(SipHasher13::new());
    serde_json::to_writer(&mut sink, compared).expect("compared fields have text keys, no floats");
    sink.0.finish()
}
