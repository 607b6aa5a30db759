//! The facts about one Stripe object: a set with one order, whatever order they arrived in.
//!
//! Stripe stamps events with whole seconds, so the second alone can't order them. Within a second
//! the webhooks themselves tell: an event that says what the object was *before* follows the one
//! that left it so. The rules, in this order:
//!
//! 1. By the second in which Stripe made the event.
//! 2. Within a second, start from the state that the second before left, and follow the trail: the
//!    next fact is one whose `before` equals the state so far. See [`super::order`].
//! 3. A fact that no trail reaches and that tells of a change which has its place, in this second
//!    or as the last one up to two seconds before it, is a second telling: it stands beside the
//!    first.
//! 4. Where no fact continues the trail, take one that no other remaining fact leads to, by rank
//!    (created before others, deleted last; a draft invoice before a paid one), then by key.
//!
//! Facts before the last second are kept as fingerprints and briefs, so that the account doesn't
//! grow by whole snapshots. One more fact orders its own second (and the seconds after it while
//! their beginning changes), and stores the chunk that it falls into; see [`super::chunks`].

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::anomaly::FactAnomaly;
use super::chunks::Chunks;
use super::compared::{Earlier, Fields, earlier, fingerprint};
use super::links::Tie;
use super::order::{TRAIL_MAX, rival, settle};
use crate::event::Code;
use crate::event::stripe::Reported;
use crate::id::{EventKey, StripeId};

/// How many seconds after a fact a second event of its change may be stamped, unless the object
/// changes before.
const TWIN_SECONDS: i64 = 2;

/// What the order of facts needs to know of a kind of object.
pub(super) trait Snapshot: Serialize + DeserializeOwned + Clone {
    /// What is remembered of every fact, for history.
    type Brief: Serialize + DeserializeOwned + Clone;

    /// The fields by which two snapshots are held to be the same, normalised so that the API
    /// version doesn't show: the one list for the order of facts and for what people are told.
    fn compared(&self, fields: &mut impl Fields);

    /// Where a fact stands within its second if nothing better is known.
    fn rank(&self, cause: &Code) -> i64;

    /// Whether Stripe tells of the making of each such object by an event that the ledger asks for.
    const IS_CREATION_TOLD: bool = false;

    /// What the object was before, where what happened to it tells that without old values.
    fn before_by(&self, _cause: &Code) -> Option<Self> {
        None
    }

    /// Whether the object is over, so that no later word of another kind brings it back.
    fn is_final(&self, _cause: &Code) -> bool {
        false
    }

    /// What is remembered of this fact.
    fn brief(&self, cause: &Code) -> Self::Brief;

    /// Whether a fact may follow another one that it doesn't contradict.
    fn is_expected_step(_before: &Self::Brief, _after: &Self::Brief) -> bool {
        true
    }

    /// The customer that it says the object is of.
    fn customer(&self) -> Option<&StripeId> {
        None
    }

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
    /// There was one; the fact doesn't say what it looked like.
    Something,
    /// It looked like this.
    Known(u64),
}

impl Prior {
    /// Whether the fact says what was before.
    pub(super) const fn is_told(self) -> bool {
        matches!(self, Self::Nothing | Self::Known(_))
    }

    /// Whether the object can't have been in this state before the fact.
    pub(super) fn contradicts(self, state: Self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Something => state == Self::Nothing,
            Self::Nothing | Self::Known(_) => self != state,
        }
    }
}

/// Whose a fact says that the object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// It doesn't say.
    Nobody,
    /// Of the customer among whose facts it is.
    Owner,
    /// Of another one.
    Other,
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
    pub(super) named: Named,
    /// Whether it says that the object is over.
    pub(super) is_final: bool,
    /// Whether nothing but its id could tell its place.
    pub(super) is_tied: bool,
    /// Whether the object was otherwise before it than the facts so far make it.
    pub(super) is_gap: bool,
    /// Whether the object should not have become what it says, by what it was.
    pub(super) is_unexpected: bool,
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
    /// How many facts name another customer.
    astray: usize,
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
        let astray = facts.iter().filter(|fact| fact.named == Named::Other).count();
        let (chunks, over, news) = (Chunks::default(), None, None);
        let mut restored =
            Self { facts, snapshots, told, chunks, over, position, odd, astray, news };
        restored.find_end();
        restored
    }

    /// Adds a fact about an object of `owner`; one that is there already changes nothing. Tells
    /// whether anything changed.
    pub(super) fn insert(
        &mut self,
        owner: Option<&StripeId>,
        (at, key, position): (i64, &EventKey, i64),
        reported: &Reported<S>,
    ) -> bool {
        let second = self.second(at);
        if self.facts[second.clone()].iter().any(|fact| fact.key == *key) {
            return false;
        }
        let Reported { cause, snapshot, .. } = reported;
        let fact = Fact {
            at,
            key: key.clone(),
            position,
            brief: snapshot.brief(cause),
            before: prior(reported),
            after: fingerprint(snapshot),
            rank: snapshot.rank(cause),
            named: match snapshot.customer() {
                None => Named::Nobody,
                named if named == owner => Named::Owner,
                _ => Named::Other,
            },
            is_final: snapshot.is_final(cause),
            is_tied: false,
            is_gap: false,
            is_unexpected: false,
        };
        let (_, was_odd) = *self.news.get_or_insert((second.start, self.odd + self.astray > 0));
        self.news = self.news.map(|(from, _)| (from.min(second.start), was_odd));
        self.position = self.position.max(position);
        self.astray += usize::from(fact.named == Named::Other);
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

    /// The facts of one second in order.
    #[must_use]
    pub(super) fn of_second(&self, at: i64) -> &[Fact<S::Brief>] {
        &self.facts[self.second(at)]
    }

    /// The position of the latest event among the facts.
    #[must_use]
    pub(super) const fn position(&self) -> i64 {
        self.position
    }

    /// From which fact on something changed since the last call; and what is odd about the facts
    /// as the set shows it now, if anything is or was.
    pub(super) fn take_news(&mut self) -> (usize, Option<Vec<FactAnomaly>>) {
        let (from, was_odd) = self.news.take().unwrap_or((self.facts.len(), false));
        (from, (was_odd || self.odd + self.astray > 0).then(|| self.anomalies()))
    }

    fn anomalies(&self) -> Vec<FactAnomaly> {
        let (mut found, mut conflicts) = (Vec::new(), BTreeMap::new());
        for (i, fact) in self.facts.iter().enumerate() {
            let previous = i.checked_sub(1).map(|i| self.facts[i].key.clone());
            if fact.is_gap {
                found.push(FactAnomaly::GapSuspected(fact.key.clone(), previous.clone()));
            }
            if let Some(rival) = self.rival(i) {
                let (first, second) = (i.min(rival), i.max(rival));
                conflicts.entry(&self.facts[second].key).or_insert(&self.facts[first].key);
            }
            if let Some(previous) = previous.filter(|_| fact.is_unexpected) {
                found.push(FactAnomaly::UnexpectedTransition(fact.key.clone(), previous));
            }
        }
        let conflict = |(second, first): (&EventKey, &EventKey)| {
            FactAnomaly::OrderConflict(second.clone(), first.clone())
        };
        found.extend(conflicts.into_iter().map(conflict));
        found.extend(self.conflicting_customer());
        found
    }

    /// Whether the latest word on whose the object is names another customer than the one that has
    /// it, by that fact and the last one that agrees.
    fn conflicting_customer(&self) -> Option<FactAnomaly> {
        let last = |is_meant: fn(Named) -> bool| {
            self.facts.iter().rev().find(|fact| is_meant(fact.named)).map(|fact| &fact.key)
        };
        let other = last(|named| named == Named::Other).filter(|_| self.astray > 0)?;
        let is_latest = last(|named| named != Named::Nobody) == Some(other);
        let agreeing = last(|named| named == Named::Owner).cloned();
        is_latest.then(|| FactAnomaly::ConflictingCustomer(other.clone(), agreeing))
    }

    /// Of a fact whose place only its id decided: another that could have had the place.
    fn rival(&self, index: usize) -> Option<usize> {
        let fact = &self.facts[index];
        if !fact.is_tied {
            return None;
        }
        let second = self.second(fact.at);
        rival(&self.facts[second.clone()], index - second.start).map(|rival| second.start + rival)
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
            let start = state_before(facts, second.start);
            let previous = shortly_before(facts, second.start);
            let mut settled = settle(start, previous, facts[second.clone()].to_vec());
            let before = second.start.checked_sub(1).map(|last| &facts[last]);
            mark_unexpected::<S>(before, &mut settled);
            let old = &facts[second.clone()];
            let same = settled.iter().zip(old).all(|(new, old)| new.stands_as(old));
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

    /// Keeps the snapshots of which one may become the current one: those of the last second and of
    /// the second of the current fact. Of a second without a trail that is the current one alone.
    fn forget_old_snapshots(&mut self) {
        let (Some(last), Some(current)) = (self.facts.last(), self.current_index()) else {
            return;
        };
        let current = &self.facts[current];
        let seconds = [self.second(last.at), self.second(current.at)];
        let small = seconds.into_iter().filter(|second| second.len() <= TRAIL_MAX);
        let facts = small.flat_map(|second| &self.facts[second]).chain([last, current]);
        let kept: Vec<&EventKey> = facts.map(|fact| &fact.key).collect();
        self.snapshots.retain(|(key, _)| kept.contains(&key));
    }
}

impl<B> Fact<B> {
    const fn is_odd(&self) -> bool {
        self.is_gap || self.is_tied || self.is_unexpected
    }

    /// Whether it is the same fact, and as odd in its place.
    fn stands_as(&self, other: &Self) -> bool {
        let odd = |fact: &Self| (fact.is_gap, fact.is_tied, fact.is_unexpected);
        self.key == other.key && odd(self) == odd(other)
    }
}

fn state_before<B>(facts: &[Fact<B>], index: usize) -> Prior {
    index.checked_sub(1).map_or(Prior::Nothing, |i| Prior::Known(facts[i].after))
}

/// The fact before a place, if a second event of its change may be in the place's second.
fn shortly_before<B>(facts: &[Fact<B>], index: usize) -> &[Fact<B>] {
    let last = index.saturating_sub(1);
    let is_short = facts[index].at - facts[last].at <= TWIN_SECONDS;
    if is_short { &facts[last..index] } else { &[] }
}

/// Finds the steps of a second, from the fact before it on, that should not happen.
fn mark_unexpected<S: Snapshot>(before: Option<&Fact<S::Brief>>, facts: &mut [Fact<S::Brief>]) {
    // Of so many nobody knows the order, and so nothing can be said about a step.
    let is_undecided = facts.len() > TRAIL_MAX;
    for i in 0..facts.len() {
        let (earlier, later) = facts.split_at_mut(i);
        let previous = earlier.last().or(before);
        later[0].is_unexpected = !is_undecided
            && previous.is_some_and(|previous| is_unexpected::<S>(previous, &later[0]));
    }
}

/// Whether a step from one fact to the next should not happen. Of facts between which one is
/// missing, or whose order nobody knows, nothing can be said.
fn is_unexpected<S: Snapshot>(previous: &Fact<S::Brief>, fact: &Fact<S::Brief>) -> bool {
    let is_undecided = fact.is_tied || (previous.is_tied && previous.at == fact.at);
    !fact.is_gap && !is_undecided && !S::is_expected_step(&previous.brief, &fact.brief)
}

fn prior<S: Snapshot>(reported: &Reported<S>) -> Prior {
    match earlier(reported) {
        Earlier::Unknown => Prior::Unknown,
        Earlier::Something => Prior::Something,
        Earlier::Nothing => Prior::Nothing,
        Earlier::Object(before) => Prior::Known(fingerprint(&*before)),
    }
}
