//! The facts about one Stripe object: a set with one order, whatever order they arrived in.
//!
//! Stripe stamps events with whole seconds, so the second alone can't order them. Within a second
//! the webhooks themselves tell: an event that says what the object was *before* follows the one
//! that left it so. The rules, in this order:
//!
//! 1. By the second in which Stripe made the event.
//! 2. Within a second, start from the state that the second before left, and follow the trail: the
//!    next fact is the one whose `before` equals the state so far (the smallest key among several).
//! 3. Where no fact continues the trail, take one that no other remaining fact leads to, by rank
//!    (created before others, deleted last; a draft invoice before a paid one), then by key.
//!
//! Facts before the last second are kept as fingerprints and briefs, so that one more fact costs
//! what its own second holds and the account doesn't grow by whole snapshots.

use std::hash::Hasher;
use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use siphasher::sip::SipHasher13;

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
}

/// What an object was before a fact, as far as the fact tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Prior {
    /// The fact doesn't say.
    Unknown,
    /// There was no such object.
    Nothing,
    /// It looked like this.
    Known(u64),
}

/// One fact in its place.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Fact<B> {
    /// The second in which Stripe made the event.
    pub(super) at: i64,
    /// The event.
    pub(super) key: EventKey,
    /// The event's place in the log.
    pub(super) position: i64,
    /// What is remembered of it.
    pub(super) brief: B,
    before: Prior,
    after: u64,
    rank: i64,
    is_final: bool,
    tied: bool,
}

impl<B> Fact<B> {
    /// Whether it says that the object is over.
    #[must_use]
    pub(super) const fn is_final(&self) -> bool {
        self.is_final
    }
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
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(serialize = "", deserialize = ""))]
pub(super) struct Facts<S: Snapshot> {
    facts: Vec<Fact<S::Brief>>,
    /// Whole snapshots: those of the last second and of the second of the current fact.
    snapshots: Vec<(EventKey, S)>,
}

impl<S: Snapshot> Default for Facts<S> {
    fn default() -> Self {
        Self { facts: Vec::new(), snapshots: Vec::new() }
    }
}

impl<S: Snapshot> Facts<S> {
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
            tied: false,
        };
        self.facts.insert(second.end, fact);
        self.snapshots.push((key.clone(), snapshot.clone()));
        self.settle_from(second.start);
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

    /// The facts that count, in order: none after the object is over, unless it says so too.
    pub(super) fn in_order(&self) -> impl DoubleEndedIterator<Item = &Fact<S::Brief>> {
        let over = self.facts.iter().position(|fact| fact.is_final).unwrap_or(self.facts.len());
        self.facts
            .iter()
            .enumerate()
            .filter_map(move |(i, fact)| (i <= over || fact.is_final).then_some(fact))
    }

    /// Every fact in order.
    #[must_use]
    pub(super) fn all(&self) -> &[Fact<S::Brief>] {
        &self.facts
    }

    /// The position of the latest event among the facts.
    #[must_use]
    pub(super) fn position(&self) -> i64 {
        self.facts.iter().map(|fact| fact.position).max().unwrap_or(0)
    }

    /// Missing facts and undecided order, as the set shows them now.
    #[must_use]
    pub(super) fn anomalies(&self) -> Vec<OrderAnomaly> {
        let mut found = Vec::new();
        for (i, fact) in self.facts.iter().enumerate() {
            let so_far = state_before(&self.facts, i);
            if fact.before != Prior::Unknown && fact.before != so_far {
                let previous = i.checked_sub(1).map(|i| self.facts[i].key.clone());
                found.push(OrderAnomaly::GapSuspected(fact.key.clone(), previous));
            }
            if fact.tied {
                found.push(OrderAnomaly::OrderConflict(fact.key.clone()));
            }
        }
        found
    }

    fn current_index(&self) -> Option<usize> {
        let last = self.facts.len().checked_sub(1)?;
        Some(self.facts.iter().rposition(|fact| fact.is_final).unwrap_or(last))
    }

    /// The places of the facts of one second.
    fn second(&self, at: i64) -> Range<usize> {
        let start = self.facts.partition_point(|fact| fact.at < at);
        let len = self.facts[start..].partition_point(|fact| fact.at == at);
        start..start + len
    }

    /// Orders the second that a new fact fell into, then the seconds after it for as long as
    /// the state that they start from changes their order.
    fn settle_from(&mut self, start: usize) {
        let mut second = self.second(self.facts[start].at);
        let mut is_first = true;
        loop {
            let facts = &mut self.facts;
            let before = state_before(facts, second.start);
            let settled = settle(before, facts[second.clone()].to_vec());
            let same = settled
                .iter()
                .zip(&facts[second.clone()])
                .all(|(new, old)| new.key == old.key && new.tied == old.tied);
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

fn state_before<B>(facts: &[Fact<B>], index: usize) -> Prior {
    index.checked_sub(1).map_or(Prior::Nothing, |i| Prior::Known(facts[i].after))
}

/// Orders the facts of one second, starting from the state before it.
fn settle<B: Clone>(start: Prior, mut facts: Vec<Fact<B>>) -> Vec<Fact<B>> {
    facts.sort_by(|a, b| (a.rank, &a.key).cmp(&(b.rank, &b.key)));
    let mut state = start;
    let mut ordered = Vec::with_capacity(facts.len());
    while !facts.is_empty() {
        let (next, tied) = match continuing(state, &facts) {
            Some(next) => (next, false),
            None => starting(&facts),
        };
        let mut fact = facts.remove(next);
        fact.tied = tied;
        state = Prior::Known(fact.after);
        ordered.push(fact);
    }
    ordered
}

/// The fact that continues the trail, the smallest key among several.
fn continuing<B>(state: Prior, facts: &[Fact<B>]) -> Option<usize> {
    (0..facts.len())
        .filter(|&i| facts[i].before == state)
        .min_by(|&a, &b| facts[a].key.cmp(&facts[b].key))
}

/// The fact to go on with where the trail breaks off, and whether only its id decided. The facts
/// are sorted by rank and key.
fn starting<B>(facts: &[Fact<B>]) -> (usize, bool) {
    let leads_to = |i: usize| {
        (0..facts.len())
            .any(|other| other != i && facts[i].before == Prior::Known(facts[other].after))
    };
    let mut heads = (0..facts.len()).filter(|&i| !leads_to(i));
    let next = heads.next().unwrap_or(0);
    let tied = heads
        .take_while(|&i| facts[i].rank == facts[next].rank)
        .any(|i| facts[i].after != facts[next].after);
    (next, tied)
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
