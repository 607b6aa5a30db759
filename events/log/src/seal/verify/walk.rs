//! One step for each position: two trees grow side by side, of the leaves that the events have and
//! of those that are stored, until it is known which of them the trusted root belongs to.

use super::raw::RawEvent;
use super::verdict::{Fault, Verdict, What};
use crate::port::Hash;
use crate::seal::Frontier;

/// A size and a root from outside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// How many leaves.
    pub size: i64,
    /// The root over them.
    pub root: Hash,
}

/// A tree that may have broken off: where a leaf isn't known, there is no root any more.
type Side = Option<Frontier>;

/// The first event whose leaf isn't the stored one.
#[derive(Debug)]
struct Suspect {
    position: i64,
    event: Option<RawEvent>,
    stored: Hash,
    /// What became of the two, if it is known.
    moved: Option<What>,
    /// Whether the next stored root belongs to the recomputed leaves, or to the stored ones.
    judged: Option<(bool, bool)>,
}

/// The first stored root that belongs to neither tree.
#[derive(Debug)]
struct BadRoot {
    /// The first leaf that no earlier stored root covers.
    from: i64,
    size: i64,
    /// A later root belongs to the recomputed leaves, so that they are sound.
    healed: bool,
}

#[derive(Debug)]
pub(super) struct Walk {
    /// The position that is due.
    next: i64,
    events: i64,
    recomputed: Side,
    stored: Side,
    claim: Option<Claim>,
    /// Whether the claim's root belongs to the recomputed leaves, and to the stored ones.
    claimed: (bool, bool),
    suspect: Option<Suspect>,
    bad_root: Option<BadRoot>,
    /// The last size whose root was told.
    rooted: i64,
    /// Where events are missing that others follow.
    hole: Option<(i64, i64)>,
    /// Where events are missing, and none has followed yet.
    open_hole: Option<i64>,
    beside: Option<Fault>,
    extra: Option<Fault>,
}

impl Walk {
    pub(super) fn new(claim: Option<Claim>) -> Self {
        Self {
            next: 1,
            events: 0,
            recomputed: Some(Frontier::default()),
            stored: Some(Frontier::default()),
            claim,
            claimed: (false, false),
            suspect: None,
            bad_root: None,
            rooted: 0,
            hole: None,
            open_hole: None,
            beside: None,
            extra: None,
        }
    }

    pub(super) const fn next(&self) -> i64 {
        self.next
    }

    /// An event before the one that is due.
    pub(super) fn extra(&mut self, position: i64) {
        self.extra.get_or_insert(Fault::at(position, What::Extra));
    }

    /// The position that is due: its event and its stored leaf, as far as they are there.
    pub(super) fn step(&mut self, event: Option<RawEvent>, stored: Option<Hash>) {
        let position = self.next;
        self.next = self.next.saturating_add(1);
        let leaf = event.as_ref().map(RawEvent::leaf);
        push(&mut self.recomputed, leaf);
        push(&mut self.stored, stored.or(leaf));
        match &event {
            None => {
                self.open_hole.get_or_insert(position);
            }
            Some(event) => {
                self.events += 1;
                if let Some(from) = self.open_hole.take() {
                    self.hole.get_or_insert((from, position - 1));
                }
                if self.beside.is_none() {
                    self.beside = event.beside().map(|what| Fault::at(position, what));
                }
            }
        }
        if let Some(stored) = stored
            && leaf != Some(stored)
        {
            self.suspect(position, event, stored);
        }
        if let Some(claim) = self.claim.filter(|claim| claim.size == position) {
            self.claimed = (has(&self.recomputed, &claim.root), has(&self.stored, &claim.root));
        }
    }

    /// Positions up to this one hold nothing, and no leaves of them are stored.
    pub(super) fn gap(&mut self, through: i64) {
        if through < self.next {
            return;
        }
        self.open_hole.get_or_insert(self.next);
        (self.recomputed, self.stored) = (None, None);
        self.next = through.saturating_add(1);
    }

    fn suspect(&mut self, position: i64, event: Option<RawEvent>, stored: Hash) {
        let Some(first) = &mut self.suspect else {
            let (moved, judged) = (None, None);
            self.suspect = Some(Suspect { position, event, stored, moved, judged });
            return;
        };
        if first.moved.is_some() {
            return;
        }
        let belongs_here = |event: &RawEvent| event.leaf_at(position) == stored;
        let belongs_there = |event: &RawEvent| event.leaf_at(first.position) == first.stored;
        let here = first.event.as_ref().is_some_and(belongs_here);
        let there = event.as_ref().is_some_and(belongs_there);
        first.moved = match (here, there) {
            (true, true) => Some(What::Swapped { with: position }),
            (true, false) => Some(What::Removed { by: position }),
            (false, true) => Some(What::Displaced { to: position }),
            (false, false) => None,
        };
    }

    /// What is stored as the root over the first `size` leaves, right after the last of them.
    pub(super) fn root(&mut self, size: i64, root: &[u8]) {
        debug_assert_eq!(size, self.next - 1, "a root is told after its last leaf");
        let fits = (has(&self.recomputed, root), has(&self.stored, root));
        if let Some(suspect) = &mut self.suspect {
            suspect.judged.get_or_insert(fits);
        }
        match (&mut self.bad_root, fits) {
            (None, (false, false)) => {
                let from = self.rooted + 1;
                self.bad_root = Some(BadRoot { from, size, healed: false });
            }
            (Some(bad), (true, _)) => bad.healed = true,
            _ => {}
        }
        self.rooted = size;
    }

    /// Whether this is the recomputed tree's frontier, or the stored leaves'.
    pub(super) fn fits_frontier(&self, bytes: &[u8]) -> bool {
        let is = |side: &Side| side.as_ref().is_some_and(|side| side.to_bytes() == bytes);
        is(&self.recomputed) || is(&self.stored)
    }

    /// Whether this is the root of one of the trees.
    pub(super) fn fits_root(&self, root: &[u8]) -> bool {
        has(&self.recomputed, root) || has(&self.stored, root)
    }

    /// What came of it. `end` is where the log itself says that it ends, by its head or its seals.
    pub(super) fn conclude(mut self, end: i64) -> Verdict {
        let mut faults: Vec<Fault> = Vec::new();
        faults.extend(self.extra);
        faults.extend(self.hole.map(|(from, _)| Fault::at(from, What::Missing)));
        let last = self.open_hole.map_or(self.next, |from| from) - 1;
        if end > last {
            faults.push(Fault::at(last + 1, What::TailCut { end }));
        } else if let Some(claim) = self.claim.filter(|claim| claim.size > last) {
            faults.push(Fault::at(last + 1, What::Older { signed: claim.size }));
        }
        faults.extend(self.suspected());
        faults.extend(self.unfit_root());
        let covered = self.claim.map_or(0, |claim| claim.size);
        let explains = |fault: &Fault| fault.position <= covered && fault.what.is_of_events();
        if covered > 0 && !self.claimed.0 && !faults.iter().any(explains) {
            let through = covered.min(last);
            faults.push(Fault { position: 1, through, what: What::NotSigned });
        }
        // Of what is wrong at one position, the event comes first.
        faults.extend(self.beside);
        faults.sort_by_key(|fault| (fault.position, fault.through));
        let root = self.recomputed.take().map(|tree| tree.root());
        let proved = self.claimed.0.then_some(covered);
        Verdict { events: self.events, root, proved, faults }
    }

    /// Of the first event and leaf that differ, the one that was altered.
    fn suspected(&self) -> Option<Fault> {
        let suspect = self.suspect.as_ref()?;
        let is_covered = self.claim.is_some_and(|claim| suspect.position <= claim.size);
        let (recomputed, stored) = match self.claimed {
            claimed @ ((true, _) | (_, true)) if is_covered => claimed,
            _ => suspect.judged.unwrap_or_default(),
        };
        let event = if suspect.event.is_none() {
            What::Missing
        } else {
            suspect.moved.unwrap_or(What::Altered)
        };
        // What has moved proves by itself that the leaves are those that were stored at first.
        let what = match (recomputed, stored) {
            (true, _) => What::Leaf,
            (false, true) => event,
            (false, false) if event != What::Altered => event,
            (false, false) => What::AlteredOrLeaf,
        };
        // A hole that is told already.
        let told = self.hole.map(|(from, _)| from).or(self.open_hole);
        (what != What::Missing || told != Some(suspect.position))
            .then(|| Fault::at(suspect.position, what))
    }

    /// Of the first stored root that belongs to nothing, what is wrong.
    fn unfit_root(&self) -> Option<Fault> {
        let BadRoot { from, size, healed } = *self.bad_root.as_ref()?;
        let is_covered = self.claim.is_some_and(|claim| size <= claim.size);
        if healed || (is_covered && self.claimed.0) {
            return Some(Fault::at(size, What::Root));
        }
        // A missing event, or one that is altered and known, explains it.
        let known = self.suspect.as_ref().map(|suspect| suspect.position);
        let missing = self.hole.map(|(from, _)| from).or(self.open_hole);
        if known.into_iter().chain(missing).any(|position| position <= size) {
            return None;
        }
        let what = if from == size { What::Altered } else { What::AlteredAmong };
        Some(Fault { position: from, through: size, what })
    }
}

fn push(side: &mut Side, leaf: Option<Hash>) {
    match (side.as_mut(), leaf) {
        (Some(tree), Some(leaf)) => tree.append(leaf),
        _ => *side = None,
    }
}

fn has(side: &Side, root: &[u8]) -> bool {
    side.as_ref().is_some_and(|tree| tree.root()[..] == *root)
}
