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
//!    first. Where nothing goes on from the state that the second before left, the trail may go on
//!    from the one before that, if the fact in between tells no old values: one event may tell of
//!    two changes at once.
//! 4. Where no fact continues the trail, take one that no other remaining fact leads to, by rank
//!    (created before others, deleted last; a draft invoice before a paid one), then by key. A fact
//!    without old values follows the one that tells how the object became what it says, and stands
//!    before what has its place already and a rank that decides.
//! 5. Doubt what has its place all the same and may as well have another: a change that was told
//!    up to a minute before and taken back since, a state that was told then and left since, a
//!    creation after something else, an echo of a change in a second in which the object was
//!    something else, and a state that a payment may have returned to in that second.
//!
//! Facts before the last second are kept as fingerprints and briefs, so that the account doesn't
//! grow by whole snapshots. One more fact orders its own second (and the seconds after it while
//! their beginning changes), and stores the chunk that it falls into; see [`super::chunks`]. What
//! is shown of the others is found by [`super::landmarks`], and what is odd by its second.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::anomaly::FactAnomaly;
use super::chunks::Chunks;
use super::compared::{Earlier, Fields, earlier, fingerprint};
use super::fact::{Fact, Named, Prior};
use super::landmarks::{Landmarks, Mark};
use super::order::{
    Before, REPEATED_SECONDS, Rules, TRAIL_MAX, TWIN_SECONDS, doubt_repeated, rival, settle,
};
use super::ties::Tie;
use crate::event::Code;
use crate::event::stripe::Reported;
use crate::id::{EventKey, StripeId};

/// What the order of facts needs to know of a kind of object.
pub(super) trait Snapshot: Serialize + DeserializeOwned + Clone {
    /// What is remembered of every fact, for history.
    type Brief: Serialize + DeserializeOwned + Clone;

    /// The fields by which two snapshots are held to be the same, normalised so that the API
    /// version doesn't show: the one list for the order of facts and for what people are told.
    fn compared(&self, fields: &mut impl Fields);

    /// Where a fact stands within its second if nothing better is known.
    fn rank(&self, cause: &Code) -> i64;

    /// Whether ranks decide between two facts of one second: else nothing but their ids does.
    fn decides(rank: i64, other: i64) -> bool {
        rank != other
    }

    /// Whether a fact of a rank tells of a change that another fact tells of.
    fn is_echo(_rank: i64) -> bool {
        false
    }

    /// Whether an object that a fact of a rank tells of may well return to the state that a fact of
    /// another rank told of before it, without old values.
    fn may_return(_from: i64, _to: i64) -> bool {
        false
    }

    /// Whether Stripe tells of the making of each such object by an event that the ledger asks for.
    const IS_CREATION_TOLD: bool = false;

    /// Whether one event may tell of two changes at once, as that of an invoice that is finalised
    /// and paid by one call.
    const TELLS_TWO_CHANGES: bool = false;

    /// What the object was before, where its cause tells that without old values.
    fn before_by(&self, _cause: &Code) -> Option<Self> {
        None
    }

    /// Whether the object is over, so that no later word of another kind brings it back.
    fn is_final(&self, _cause: &Code) -> bool {
        false
    }

    /// What is remembered of this fact.
    fn brief(reported: &Reported<Self>) -> Self::Brief;

    /// Whether a fact bears a mark of its kind of object.
    fn bears(_brief: &Self::Brief, _mark: Mark) -> bool {
        false
    }

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

/// The facts of one object in order.
#[derive(Debug, Clone)]
pub(super) struct Facts<S: Snapshot> {
    pub(super) facts: Vec<Fact<S::Brief>>,
    /// Whole snapshots: those of which one is the current one, or may become it.
    pub(super) snapshots: Vec<(EventKey, S)>,
    /// What all facts together told of which objects belong together.
    pub(super) told: Vec<Tie>,
    pub(super) chunks: Chunks,
    landmarks: Landmarks,
    /// The position of the latest event among the facts.
    position: i64,
    /// The seconds with a fact that is out of place.
    odd: BTreeSet<i64>,
    /// Those of the last look.
    odd_then: BTreeSet<i64>,
    /// What changed since the last look.
    changed: Option<Changed>,
}

/// What changed among the facts since the last look.
#[derive(Debug, Clone)]
struct Changed {
    /// From the first to the last second in which anything may stand or show otherwise.
    seconds: RangeInclusive<i64>,
    /// Whether it was contested before whose the object is.
    was_contested: bool,
}

/// What became of an object's facts since the last look.
#[derive(Debug)]
pub(super) struct News {
    /// From the first to the last second in which anything may stand or show otherwise.
    pub(super) seconds: RangeInclusive<i64>,
    /// What is odd about the facts as the set shows it now; none = what was said of it holds.
    pub(super) anomalies: Option<Vec<FactAnomaly>>,
}

/// All seconds.
pub(super) const ALWAYS: RangeInclusive<i64> = i64::MIN..=i64::MAX;

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
        let mut landmarks = Landmarks::default();
        facts.iter().for_each(|fact| landmarks.note(fact.at, |mark| Self::bears(fact, mark)));
        let position = facts.iter().map(|fact| fact.position).max().unwrap_or(0);
        let odd: BTreeSet<i64> =
            facts.iter().filter(|fact| fact.is_odd()).map(|fact| fact.at).collect();
        let (odd_then, chunks, changed) = (odd.clone(), Chunks::default(), None);
        Self { facts, snapshots, told, chunks, landmarks, position, odd, odd_then, changed }
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
            brief: S::brief(reported),
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
        let is_contested = self.conflicting_customer().is_some();
        let (over, begun) = (self.landmarks.first(Mark::Over), self.begun_at());
        self.position = self.position.max(position);
        self.landmarks.note(at, |mark| Self::bears(&fact, mark));
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
        let settled = self.settle_from(second.start);
        // An end takes what comes after it out of history, and of a purchase that isn't paid yet
        // there is none.
        let until = if self.landmarks.first(Mark::Over) != over {
            i64::MAX
        } else if self.begun_at() != begun {
            begun.map_or(i64::MAX, |begun| settled.max(begun))
        } else {
            settled
        };
        let changed = self.changed.take();
        let new = || Changed { seconds: at..=until, was_contested: is_contested };
        let changed = changed.unwrap_or_else(new);
        let (from, to) = (changed.seconds.start(), changed.seconds.end());
        self.changed = Some(Changed { seconds: at.min(*from)..=until.max(*to), ..changed });
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

    /// Of some places, those of facts that count: none after the object is over, unless it says so
    /// too.
    pub(super) fn counting(
        &self,
        places: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = (usize, &Fact<S::Brief>)> + use<'_, S> {
        let over = self.first(Mark::Over).unwrap_or(self.facts.len());
        let facts = places.clone().zip(&self.facts[places]);
        facts.filter(move |(i, fact)| *i <= over || fact.is_final)
    }

    /// The places of the facts of some seconds.
    pub(super) fn places(&self, seconds: &RangeInclusive<i64>) -> Range<usize> {
        let from = self.facts.partition_point(|fact| fact.at < *seconds.start());
        from..self.facts.partition_point(|fact| fact.at <= *seconds.end())
    }

    /// The place of the first fact that bears a mark.
    pub(super) fn first(&self, mark: Mark) -> Option<usize> {
        let mut second = self.second(self.landmarks.first(mark)?);
        second.find(|i| Self::bears(&self.facts[*i], mark))
    }

    /// The place of the last fact that bears a mark.
    pub(super) fn last(&self, mark: Mark) -> Option<usize> {
        let mut second = self.second(self.landmarks.last(mark)?);
        second.rfind(|i| Self::bears(&self.facts[*i], mark))
    }

    /// The place of the first fact that counts and from which on there is a history.
    pub(super) fn begun(&self) -> Option<usize> {
        let first = self.first(Mark::Begun)?;
        let counts = self.counting(first..first + 1).next().is_some();
        if counts { Some(first) } else { self.first(Mark::Ended) }
    }

    fn begun_at(&self) -> Option<i64> {
        self.begun().map(|place| self.facts[place].at)
    }

    fn bears(fact: &Fact<S::Brief>, mark: Mark) -> bool {
        match mark {
            Mark::Over => fact.is_final,
            Mark::NotCreation => fact.before != Prior::Nothing,
            Mark::Ended => fact.is_final && S::bears(&fact.brief, Mark::Begun),
            Mark::OfOwner => fact.named == Named::Owner,
            Mark::OfAnother => fact.named == Named::Other,
            of_its_kind => S::bears(&fact.brief, of_its_kind),
        }
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

    /// What became of the facts since the last call.
    pub(super) fn take_news(&mut self) -> News {
        let Some(Changed { seconds, was_contested }) = self.changed.take() else {
            return News { seconds: ALWAYS, anomalies: None };
        };
        let within = |odd: &BTreeSet<i64>| odd.range(seconds.clone()).copied().collect::<Vec<_>>();
        let (odd, odd_then) = (within(&self.odd), within(&self.odd_then));
        for at in &odd_then {
            self.odd_then.remove(at);
        }
        self.odd_then.extend(&odd);
        let is_contested = was_contested || self.conflicting_customer().is_some();
        let tells = is_contested || !(odd.is_empty() && odd_then.is_empty());
        News { seconds, anomalies: tells.then(|| self.anomalies()) }
    }

    /// What is odd about the facts.
    pub(super) fn anomalies(&self) -> Vec<FactAnomaly> {
        let (mut found, mut conflicts) = (Vec::new(), BTreeMap::new());
        for i in self.odd.iter().flat_map(|at| self.second(*at)) {
            let fact = &self.facts[i];
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
        let other = self.last(Mark::OfAnother)?;
        let agreeing = self.last(Mark::OfOwner);
        let key = |place: usize| self.facts[place].key.clone();
        let is_latest = agreeing.is_none_or(|agreeing| agreeing < other);
        is_latest.then(|| FactAnomaly::ConflictingCustomer(key(other), agreeing.map(key)))
    }

    /// Of a fact whose place only its id decided: another that could have had the place.
    fn rival(&self, index: usize) -> Option<usize> {
        let fact = &self.facts[index];
        if !fact.is_tied {
            return None;
        }
        let second = self.second(fact.at);
        let place = index - second.start;
        let rival = rival(&self.facts[second.clone()], place, S::decides);
        let rival = rival.map(|rival| second.start + rival);
        // Alone in its second it may be a second event of a change before the one that it follows.
        rival.or_else(|| index.checked_sub(1))
    }

    /// The last fact that says that the object is over, else the last. Nothing is made twice: once
    /// anything else is told, a creation is the last word no more, however late it is told again.
    fn current_index(&self) -> Option<usize> {
        let last = self.facts.len().checked_sub(1)?;
        Some(self.last(Mark::Over).or_else(|| self.last(Mark::NotCreation)).unwrap_or(last))
    }

    /// The places of the facts of one second.
    fn second(&self, at: i64) -> Range<usize> {
        let start = self.facts.partition_point(|fact| fact.at < at);
        let len = self.facts[start..].partition_point(|fact| fact.at == at);
        start..start + len
    }

    /// Orders the second that a new fact fell into, then the seconds after it for as long as
    /// the state that they start from changes what is known of them. Tells the last second that it
    /// looked at.
    fn settle_from(&mut self, start: usize) -> i64 {
        let rules = Rules {
            decides: S::decides,
            is_echo: S::is_echo,
            may_return: S::may_return,
            tells_two_changes: S::TELLS_TWO_CHANGES,
        };
        let mut second = self.second(self.facts[start].at);
        let new = self.facts[start].at;
        let mut same_seconds = 0;
        let mut is_first = true;
        loop {
            let at = self.facts[second.start].at;
            self.chunks.touch(&self.facts, at);
            let facts = &mut self.facts;
            let before = Before::of(facts, second.start, rules);
            let mut settled = settle(&before, facts[second.clone()].to_vec());
            doubt_repeated(&facts[..second.start], &mut settled, rules);
            let before = second.start.checked_sub(1).map(|last| &facts[last]);
            mark_unexpected::<S>(before, &mut settled);
            let old = &facts[second.clone()];
            let same = settled.iter().zip(old).all(|(new, old)| new.stands_as(old));
            if settled.iter().any(Fact::is_odd) {
                self.odd.insert(at);
            } else {
                self.odd.remove(&at);
            }
            facts[second.clone()].clone_from_slice(&settled);
            // A second's order rests on the facts of up to two seconds before it, and on the state
            // that those began with; whether it is in doubt, on those of a minute.
            same_seconds = if same && !is_first { same_seconds + 1 } else { 0 };
            let Some(next) = self.facts.get(second.end) else { return at };
            if same_seconds > TWIN_SECONDS && next.at > new + REPEATED_SECONDS {
                return at;
            }
            is_first = false;
            second = self.second(self.facts[second.end].at);
        }
    }

    /// Keeps the snapshots of which one may become the current one: those of the last second, or
    /// once the object is over those that say so in the last second that does. Of a second without
    /// a trail that is the current one alone.
    fn forget_old_snapshots(&mut self) {
        let Some(current) = self.current_index() else { return };
        let second = self.second(self.facts[current].at);
        let of_trail = Some(second).filter(|second| second.len() <= TRAIL_MAX);
        let places = of_trail.unwrap_or(current..current + 1);
        let is_like = |fact: &&Fact<S::Brief>| {
            let mut marks = [Mark::Over, Mark::NotCreation].into_iter();
            marks.all(|mark| Self::bears(fact, mark) == Self::bears(&self.facts[current], mark))
        };
        let facts = self.facts[places].iter().filter(is_like);
        let kept: Vec<&EventKey> = facts.map(|fact| &fact.key).collect();
        self.snapshots.retain(|(key, _)| kept.contains(&key));
    }
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
