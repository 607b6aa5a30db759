//! The order of the facts of one second: a trail from what the object was before each fact to what
//! it was after it.
//!
//! A trail may pass through one state several times, when something is switched on, off and on
//! again. What comes back to a state is walked before what leaves it for good, so that a trail
//! that takes in all facts is found wherever there is one; all such trails end alike.
//!
//! A trail costs more than in proportion to its facts, and nobody changes one object hundreds of
//! times in a second. Where a second holds more than [`TRAIL_MAX`] facts they stand by rank and id,
//! and the first of them says that nobody knows their order.

use super::fact::{Fact, Prior};

/// The most facts of one second among which a trail is looked for.
pub(super) const TRAIL_MAX: usize = 64;

/// How many seconds after a fact a second event of its change may be stamped and still be known as
/// such, unless the object changes before.
pub(super) const TWIN_SECONDS: i64 = 2;

/// How many seconds after a fact another that tells of the same change may as well be a second
/// event of it, though the object has changed in between.
pub(super) const REPEATED_SECONDS: i64 = 60;

/// What there was before a second.
pub(super) struct Before<B> {
    /// What the object was.
    pub(super) state: Prior,
    /// The fact that left it so, those after it that say the same, and others of its second that
    /// left it so, too, if that was so shortly before that a second event of one of these changes
    /// may be in the second.
    pub(super) last: Vec<Fact<B>>,
    /// What the object was before those facts, if an event that tells of its change and of the next
    /// one at once may be in the second.
    pub(super) passed: Option<Prior>,
    pub(super) rules: Rules,
}

/// What a kind of object says of its facts' ranks.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// See [`super::facts::Snapshot::decides`].
    pub(super) decides: Decides,
    /// See [`super::facts::Snapshot::is_echo`].
    pub(super) is_echo: fn(i64) -> bool,
    /// See [`super::facts::Snapshot::may_return`].
    pub(super) may_return: fn(i64, i64) -> bool,
    /// See [`super::facts::Snapshot::TELLS_TWO_CHANGES`].
    pub(super) tells_two_changes: bool,
}

/// Whether ranks decide between two facts.
pub(super) type Decides = fn(i64, i64) -> bool;

impl<B: Clone> Before<B> {
    /// What there was before the second that begins at a place.
    pub(super) fn of(facts: &[Fact<B>], second: usize, rules: Rules) -> Self {
        Self {
            state: state_before(facts, second),
            last: last_changes(facts, second),
            passed: passed_state(facts, second).filter(|_| rules.tells_two_changes),
            rules,
        }
    }
}

fn state_before<B>(facts: &[Fact<B>], index: usize) -> Prior {
    index.checked_sub(1).map_or(Prior::Nothing, |i| Prior::Known(facts[i].after))
}

/// The fact that left the object as it was before a place, and those after it that say the same, if
/// a second event of its change may be in the place's second.
fn shortly_before<B>(facts: &[Fact<B>], index: usize) -> &[Fact<B>] {
    let Some(last) = index.checked_sub(1) else { return &[] };
    let since = facts[index].at - TWIN_SECONDS;
    let says_the_same = |fact: &&Fact<B>| fact.at >= since && fact.after == facts[last].after;
    let same = facts[..index].iter().rev().take(TRAIL_MAX).take_while(says_the_same).count();
    &facts[index - same..index]
}

/// Those facts, and others of the last second that left the object the same: which of several ways
/// back to one state was the last, nothing tells.
fn last_changes<B: Clone>(facts: &[Fact<B>], index: usize) -> Vec<Fact<B>> {
    let run = shortly_before(facts, index);
    let Some(last) = run.last() else { return Vec::new() };
    let before = facts[..index - run.len()].iter().rev().take(TRAIL_MAX);
    let same_second = before.take_while(|fact| fact.at == last.at);
    let mut changes: Vec<Fact<B>> =
        same_second.filter(|fact| fact.after == last.after).cloned().collect();
    changes.reverse();
    changes.extend_from_slice(run);
    changes
}

/// What the object was before those facts, if the first of them doesn't tell it itself, and an
/// event that tells of both changes at once may be in the place's second.
fn passed_state<B>(facts: &[Fact<B>], index: usize) -> Option<Prior> {
    let before = shortly_before(facts, index);
    before.first().filter(|first| !first.before.is_told())?;
    Some(state_before(facts, index - before.len())).filter(|passed| *passed != Prior::Nothing)
}

/// Orders the facts of one second.
pub(super) fn settle<B: Clone>(before: &Before<B>, mut facts: Vec<Fact<B>>) -> Vec<Fact<B>> {
    let previous = before.last.as_slice();
    sort(&mut facts);
    if facts.len() > TRAIL_MAX {
        let undecided = |(i, fact)| Fact { is_tied: i == 0, is_gap: false, ..fact };
        return facts.into_iter().enumerate().map(undecided).collect();
    }
    let mut state = before.state;
    let mut ordered: Vec<Fact<B>> = Vec::with_capacity(facts.len());
    while !facts.is_empty() {
        let mut trail = trail(state, previous, &facts);
        if trail.is_empty()
            && ordered.is_empty()
            && let Some(passed) = before.passed
            && facts.iter().any(|fact| fact.before == passed)
        {
            state = passed;
            trail = self::trail(state, previous, &facts);
        }
        if trail.is_empty()
            && let Some((twin, place)) = twin(&facts, previous, &ordered)
        {
            let fact = facts.remove(twin);
            ordered.insert(place, Fact { is_tied: false, is_gap: false, ..fact });
            continue;
        }
        let (next, is_tied) = if trail.is_empty() {
            let is_known = matches!(state, Prior::Known(_));
            let (next, rival) = starting(&facts, is_known, before.rules.decides);
            if let Some(place) = overtaken(&facts[next], &ordered, before.rules.decides) {
                let fact = facts.remove(next);
                ordered.insert(place, Fact { is_tied: rival.is_some(), is_gap: false, ..fact });
                continue;
            }
            (vec![next], rival.is_some())
        } else {
            (trail, false)
        };
        let left = left_over(&facts, &next, (previous, &ordered));
        for &i in &next {
            let fact = &facts[i];
            let is_gap = fact.before.contradicts(state);
            // The same change twice: that it was taken back in between is likely, and not certain.
            let mut earlier = previous.iter().chain(&ordered);
            let is_again = fact.changes() && earlier.any(|other| other.is_twin_of(fact));
            // What led back to where it began, so that the other one could follow, is missing; and
            // it may as well have followed the other one.
            let is_rivalled = left.iter().any(|&other| fact.rivals(&facts[other]));
            // What is missing may have come between the two, or before both in the other order.
            let is_broken = is_gap && !ordered.is_empty() && Prior::Known(fact.after) != state;
            state = Prior::Known(fact.after);
            let is_tied = is_tied || is_again || is_rivalled || is_broken;
            ordered.push(Fact { is_tied, is_gap, ..fact.clone() });
        }
        let mut i = 0;
        facts.retain(|_| {
            i += 1;
            !next.contains(&(i - 1))
        });
    }
    doubt_untold(before.rules, &mut ordered);
    ordered
}

/// Doubts the facts without old values that may have another place in their second. An echo tells
/// of a change that another fact tells of, and its place is only where the object is what it shows:
/// where the object was something else in the same second, that change may be missing, and
/// everything else may have come before it. And the object may have returned to what a fact shows.
fn doubt_untold<B>(rules: Rules, ordered: &mut [Fact<B>]) {
    for i in 0..ordered.len() {
        let fact = &ordered[i];
        let others = ordered[i + 1..].iter().filter(|later| later.after != fact.after);
        let is_left = others.clone().any(|later| !(rules.decides)(later.rank, fact.rank));
        let returns = others.clone().any(|later| (rules.may_return)(later.rank, fact.rank));
        let is_told = i.checked_sub(1).is_none_or(|i| ordered[i].after == fact.after);
        let is_odd_echo = (rules.is_echo)(fact.rank) && (is_left || !is_told);
        if !fact.before.is_told() && (is_odd_echo || returns) {
            ordered[i].is_tied = true;
        }
    }
}

/// Doubts the facts of a second that make the object otherwise and could be second events of what
/// was told before: of a change or a state within the last minute, or of the creation.
pub(super) fn doubt_repeated<B>(earlier: &[Fact<B>], ordered: &mut [Fact<B>], rules: Rules) {
    for i in 0..ordered.len() {
        let before = i.checked_sub(1).map_or(earlier.last(), |i| ordered.get(i));
        let changed = before.filter(|before| before.after != ordered[i].after);
        let is_odd = |before: &Fact<B>| {
            let returns = before.is_final || (rules.may_return)(before.rank, ordered[i].rank);
            may_repeat(&ordered[i], earlier, returns)
        };
        if changed.is_some_and(is_odd) {
            ordered[i].is_tied = true;
        }
    }
}

/// Whether a fact may tell once more of what an earlier one tells: of a change, or, without old
/// values, of a state to which the object doesn't return by itself.
fn may_repeat<B>(fact: &Fact<B>, earlier: &[Fact<B>], returns: bool) -> bool {
    if fact.before == Prior::Nothing {
        return !earlier.is_empty();
    }
    let since = fact.at - REPEATED_SECONDS;
    let mut late = earlier.iter().rev().take(TRAIL_MAX).take_while(|other| other.at >= since);
    let counts = if fact.before.is_told() { fact.changes() } else { !returns };
    counts && late.any(|other| other.is_twin_of(fact))
}

/// The place of a fact that doesn't tell what was before it, where the trail went past what it says
/// to something of a higher rank: sometimes one event tells of two changes at once.
fn overtaken<B>(fact: &Fact<B>, ordered: &[Fact<B>], decides: Decides) -> Option<usize> {
    let comes_later = |other: &Fact<B>| other.rank > fact.rank && decides(other.rank, fact.rank);
    let place = ordered.iter().position(comes_later)?;
    (!fact.before.is_told()).then_some(place)
}

/// The facts that have no place yet, and tell of no change that has one.
fn left_over<B>(
    facts: &[Fact<B>],
    next: &[usize],
    (previous, ordered): (&[Fact<B>], &[Fact<B>]),
) -> Vec<usize> {
    let is_placed = |fact: &Fact<B>| {
        let mut placed = next.iter().map(|&i| &facts[i]).chain(previous).chain(ordered);
        placed.any(|other| other.is_twin_of(fact))
    };
    (0..facts.len()).filter(|i| !next.contains(i) && !is_placed(&facts[*i])).collect()
}

/// The facts that follow each other from a state on, as far as they do.
fn trail<B>(start: Prior, previous: &[Fact<B>], facts: &[Fact<B>]) -> Vec<usize> {
    let copies = copies(previous, facts);
    let mut walked = vec![false; facts.len()];
    let mut path = walk(start, (facts, &copies), &mut walked);
    let mut place = 0;
    while place <= path.len() && path.len() < facts.len() {
        let state = match place.checked_sub(1) {
            Some(last) => Prior::Known(facts[path[last]].after),
            None => start,
        };
        let mut detour = walk(state, (facts, &copies), &mut walked.clone());
        // As far as it comes back: what leads on from there may be a second event of one change.
        let back = detour.iter().rposition(|&i| Prior::Known(facts[i].after) == state);
        detour.truncate(back.map_or(0, |last| last + 1));
        if detour.is_empty() {
            place += 1;
            continue;
        }
        detour.iter().for_each(|&i| walked[i] = true);
        path.splice(place..place, detour);
    }
    path
}

/// How many facts of the second with smaller keys, or from before it, tell of the same change, for
/// each fact.
fn copies<B>(previous: &[Fact<B>], facts: &[Fact<B>]) -> Vec<usize> {
    let earlier = |fact: &Fact<B>| {
        let smaller = facts.iter().filter(|other| other.key < fact.key);
        previous.iter().chain(smaller).filter(|other| other.is_twin_of(fact)).count()
    };
    facts.iter().map(earlier).collect()
}

/// Walks on from a state until no fact continues: the smallest rank and key first, but what no
/// other fact tells before what another has told. Facts that change nothing come as soon as the
/// object is what they say.
fn walk<B>(
    start: Prior,
    (facts, copies): (&[Fact<B>], &[usize]),
    walked: &mut [bool],
) -> Vec<usize> {
    let mut path = Vec::new();
    let mut state = start;
    loop {
        for i in 0..facts.len() {
            let stays = Prior::Known(facts[i].after) == state && !facts[i].changes_from(state);
            if stays && !walked[i] {
                walked[i] = true;
                path.push(i);
            }
        }
        let next = (0..facts.len())
            .filter(|&i| !walked[i] && facts[i].before == state)
            .min_by_key(|&i| (copies[i], facts[i].rank, &facts[i].key));
        let Some(next) = next else { return path };
        walked[next] = true;
        path.push(next);
        state = Prior::Known(facts[next].after);
    }
}

/// A fact that tells of a change which has its place already, and the place after that: sometimes
/// Stripe makes two events of one change.
fn twin<B>(facts: &[Fact<B>], previous: &[Fact<B>], ordered: &[Fact<B>]) -> Option<(usize, usize)> {
    facts.iter().enumerate().find_map(|(i, fact)| {
        let is_twin = |other: &Fact<B>| other.is_twin_of(fact);
        let place = ordered.iter().rposition(is_twin).map(|place| place + 1);
        let place = place.or_else(|| previous.iter().any(is_twin).then_some(0))?;
        fact.before.is_told().then_some((i, place))
    })
}

/// Of the facts of a second in their order, another one that could have had a fact's place: one
/// that the trail could have gone on with, else the nearest one that leaves the object otherwise.
pub(super) fn rival<B: Clone>(
    ordered: &[Fact<B>],
    place: usize,
    decides: Decides,
) -> Option<usize> {
    if ordered.len() > TRAIL_MAX {
        return Some(place + 1);
    }
    let mut rest = ordered[place..].to_vec();
    sort(&mut rest);
    let head = starting(&rest, true, decides).1.map(|head| rest[head].key.clone());
    let others = || (0..ordered.len()).filter(|&i| ordered[i].after != ordered[place].after);
    let head = others().find(|&other| Some(&ordered[other].key) == head.as_ref());
    head.or_else(|| others().min_by_key(|other| other.abs_diff(place)))
}

fn sort<B>(facts: &mut [Fact<B>]) {
    facts.sort_by(|a, b| (a.rank, &a.key).cmp(&(b.rank, &b.key)));
}

/// The fact to go on with where the trail breaks off, and another one that it precedes by nothing
/// but its id, if there is one: one that no other leads to, or any where all lead to each other.
/// A fact without old values may lead to the one that tells how the object became so, in a circle
/// that can be entered anywhere, if something is known of the object before. The facts are sorted
/// by rank and key.
fn starting<B>(facts: &[Fact<B>], is_known: bool, decides: Decides) -> (usize, Option<usize>) {
    let leads_to = |i: usize| {
        // What tells of no change leads nowhere: whatever leads to it leads on from there, too.
        let makes = |other: &Fact<B>| other.changes() || !other.before.is_told();
        let told = facts.iter().enumerate();
        let mut told = told.filter(|(other, fact)| *other != i && makes(fact));
        told.any(|(_, fact)| leads(fact, &facts[i])) || is_told_of(facts, i)
    };
    let mut heads: Vec<usize> = (0..facts.len()).filter(|&i| !leads_to(i)).collect();
    let is_round = heads.is_empty();
    if is_round {
        heads = (0..facts.len()).collect();
    }
    let next = heads[0];
    let is_other = |i: &usize| facts[*i].after != facts[next].after;
    let is_rival = |i: &usize| is_other(i) && !decides(facts[next].rank, facts[*i].rank);
    let rival = heads.into_iter().skip(1).find(is_rival);
    let is_untold = is_known && !is_round && !facts[next].before.is_told();
    let is_in_circle = is_untold && (0..facts.len()).any(|i| tells(facts, i, next));
    (next, rival.or_else(|| (0..facts.len()).filter(|_| is_in_circle).find(is_other)))
}

/// Whether a fact tells that the object was before it as another one left it.
fn leads<B>(fact: &Fact<B>, next: &Fact<B>) -> bool {
    next.before == Prior::Known(fact.after)
}

/// Whether another fact tells how the object became what a fact without old values says, and not
/// how it became so again after that one.
fn is_told_of<B>(facts: &[Fact<B>], i: usize) -> bool {
    let tells = |other: usize| tells(facts, other, i);
    if facts[i].before.is_told() || !(0..facts.len()).any(tells) {
        return false;
    }
    let mut follows = vec![false; facts.len()];
    let mut ways = vec![i];
    while let Some(from) = ways.pop() {
        for next in 0..facts.len() {
            if !follows[next] && leads(&facts[from], &facts[next]) {
                follows[next] = true;
                ways.push(next);
            }
        }
    }
    (0..facts.len()).any(|other| tells(other) && !follows[other])
}

/// Whether a fact tells how the object became what another one says.
fn tells<B>(facts: &[Fact<B>], teller: usize, of: usize) -> bool {
    facts[teller].changes() && facts[teller].after == facts[of].after
}

impl<B> Fact<B> {
    /// Whether it says that the object was otherwise before.
    fn changes(&self) -> bool {
        self.changes_from(Prior::Known(self.after))
    }

    fn changes_from(&self, state: Prior) -> bool {
        self.before.is_told() && self.before != state
    }

    /// Whether it says that the object was the same before as the other one, and became something
    /// else, where nothing but the id tells which was first.
    fn rivals(&self, other: &Self) -> bool {
        let begin_alike = self.before.is_told() && self.before == other.before;
        begin_alike && self.rank == other.rank && self.after != other.after
    }

    /// Whether it tells of the same change.
    fn is_twin_of(&self, other: &Self) -> bool {
        self.before == other.before && self.after == other.after
    }
}
