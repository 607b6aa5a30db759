//! Verifying an export: events in a file, each with the leaf that the log stored or with a proof.

use super::super::verify_inclusion;
use super::raw::RawEvent;
use super::verdict::{Fault, Verdict, What};
use super::walk::{Claim, Walk};
use crate::port::Hash;

/// What of a log an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Every event from the first to this position.
    Whole(i64),
    /// Every event from the first of these positions to the second.
    Range(i64, i64),
    /// Some events, as those of one trainer.
    Some,
}

/// An event of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEvent {
    /// The event.
    pub event: RawEvent,
    /// The leaf that the log stored.
    pub leaf: Option<Hash>,
    /// The audit path to the root of the checkpoint.
    pub proof: Option<Vec<Hash>>,
}

/// Verifies the events of an export in the order of its lines.
#[derive(Debug)]
pub struct BundleVerifier {
    claim: Claim,
    reach: Reach,
    whole: Option<Walk>,
    /// The position after the last event.
    next: i64,
    events: i64,
    unproved: Option<Fault>,
    missing: Option<Fault>,
    beside: Option<Fault>,
}

impl BundleVerifier {
    /// A verifier of an export against a checkpoint.
    #[must_use]
    pub fn new(reach: Reach, claim: Claim) -> Self {
        let whole = matches!(reach, Reach::Whole(_)).then(|| Walk::new(Some(claim)));
        let next = if let Reach::Range(from, _) = reach { from } else { 1 };
        let (events, unproved, missing, beside) = (0, None, None, None);
        Self { claim, reach, whole, next, events, unproved, missing, beside }
    }

    /// The next event.
    pub fn event(&mut self, listed: ListedEvent) {
        let ListedEvent { event, leaf, proof } = listed;
        let position = event.position;
        if let Some(walk) = &mut self.whole {
            if position < walk.next() {
                return walk.extra(position);
            }
            walk.gap(position - 1);
            return walk.step(Some(event), leaf);
        }
        self.events += 1;
        if position < self.next {
            self.missing.get_or_insert(Fault::at(position, What::Extra));
            return;
        }
        if matches!(self.reach, Reach::Range(..)) && position > self.next {
            self.missing.get_or_insert(Fault::at(self.next, What::Missing));
        }
        self.next = position.saturating_add(1);
        if !self.proves(&event, proof.as_deref()) {
            self.unproved.get_or_insert(Fault::at(position, What::Unproved));
        }
        if self.beside.is_none() {
            self.beside = event.beside().map(|what| Fault::at(position, what));
        }
    }

    fn proves(&self, event: &RawEvent, proof: Option<&[Hash]>) -> bool {
        let index = event.position.checked_sub(1).and_then(|index| u64::try_from(index).ok());
        let (Some(index), Ok(size)) = (index, u64::try_from(self.claim.size)) else {
            return false;
        };
        let leaf = event.leaf();
        proof.is_some_and(|path| verify_inclusion(&leaf, index, size, path, &self.claim.root))
    }

    /// What came of it.
    #[must_use]
    pub fn finish(self) -> Verdict {
        if let (Some(walk), Reach::Whole(end)) = (self.whole, self.reach) {
            return walk.conclude(end);
        }
        let mut faults: Vec<Fault> =
            self.unproved.into_iter().chain(self.missing).chain(self.beside).collect();
        if let Reach::Range(_, to) = self.reach
            && self.next <= to
        {
            faults.push(Fault::at(self.next, What::TailCut { end: to }));
        }
        faults.sort_by_key(|fault| (fault.position, fault.through));
        let proved = faults.is_empty().then_some(self.claim.size);
        Verdict { events: self.events, root: None, proved, faults }
    }
}
