//! Verifying a log from its raw rows: no stored hash is trusted, but for leaves that hash to a root
//! from outside. Pure; whoever reads the rows hands them over in their order.
//!
//! [`LogVerifier`] takes the rows of the tables, [`BundleVerifier`] the events of an export, which
//! bring their leaves or proofs with them. To add something that can be wrong: a variant of
//! [`What`], and a test here that does it to a log.

mod bundle;
mod raw;
#[cfg(test)]
mod tests;
mod verdict;
mod walk;

pub use bundle::{BundleVerifier, ListedEvent, Reach};
pub use raw::{RawBeside, RawEvent};
pub use verdict::{Fault, Verdict, What};
pub use walk::Claim;

use self::walk::Walk;
use crate::port::Hash;

/// A row with the root after a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawSeal {
    /// How many leaves.
    pub size: i64,
    /// The root over them.
    pub root: Vec<u8>,
    /// The leaves of the batch, one after another.
    pub leaves: Option<Vec<u8>>,
}

/// The row with the end of a log, and what the other rows say of it in the same moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawHead {
    /// The last position.
    pub position: i64,
    /// The root.
    pub root: Vec<u8>,
    /// The frontier.
    pub frontier: Vec<u8>,
    /// Where the last event stands, and where the last seal.
    pub last: (i64, i64),
}

impl RawHead {
    /// Where the log ends by any of its rows.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.position.max(self.last.0).max(self.last.1)
    }
}

/// Verifies a log from all its rows. Events come in the order of their positions, and each seal
/// before the first event that it covers: [`LogVerifier::wants_seal`] says when one is due.
#[derive(Debug)]
pub struct LogVerifier {
    walk: Walk,
    /// The seal whose events come now.
    seal: Option<RawSeal>,
    /// The first position that its leaves are of.
    leaves_from: i64,
    ended: bool,
    seals: Option<Fault>,
}

impl LogVerifier {
    /// A verifier that compares with this root, or with what is stored alone.
    #[must_use]
    pub fn new(claim: Option<Claim>) -> Self {
        Self { walk: Walk::new(claim), seal: None, leaves_from: 1, ended: false, seals: None }
    }

    /// Whether the next seal must come before the event at this position.
    #[must_use]
    pub fn wants_seal(&self, position: i64) -> bool {
        !self.ended && self.seal.as_ref().is_none_or(|seal| seal.size < position)
    }

    /// The next seal; none after the last.
    pub fn seal(&mut self, seal: Option<RawSeal>) {
        self.finish_batch();
        let Some(mut seal) = seal else {
            self.ended = true;
            return;
        };
        let due = seal.size.saturating_sub(self.walk.next()).saturating_add(1);
        let (hashes, rest) = seal.leaves.as_deref().unwrap_or_default().as_chunks::<32>();
        let count = i64::try_from(hashes.len()).unwrap_or(i64::MAX);
        self.leaves_from = seal.size.saturating_sub(count).saturating_add(1);
        if !rest.is_empty() || count > due {
            self.seals.get_or_insert(Fault::at(seal.size, What::Leaves));
            (seal.leaves, self.leaves_from) = (None, seal.size.saturating_add(1));
        } else if seal.leaves.is_some() && count < due {
            self.seals.get_or_insert(Fault::at(seal.size - count, What::SealMissing));
        }
        self.seal = Some(seal);
    }

    /// The next event.
    pub fn event(&mut self, event: RawEvent) {
        let position = event.position;
        if position < self.walk.next() {
            return self.walk.extra(position);
        }
        self.skip_to(position - 1);
        self.walk.step(Some(event), self.stored(position));
        self.tell_root();
    }

    /// What came of it.
    #[must_use]
    pub fn finish(mut self, head: &RawHead) -> Verdict {
        self.finish_batch();
        let mut of_head = Vec::new();
        let end = head.end();
        if head.position < end {
            of_head.push(Fault::at(head.position, What::HeadBehind));
        }
        if head.last.1 < head.position {
            self.seals.get_or_insert(Fault::at(head.position, What::SealMissing));
        }
        if self.walk.next() - 1 == head.position {
            if !self.walk.fits_root(&head.root) {
                of_head.push(Fault::at(head.position, What::HeadRoot));
            }
            if !self.walk.fits_frontier(&head.frontier) {
                of_head.push(Fault::at(head.position, What::HeadFrontier));
            }
        }
        let seals = self.seals.take();
        let mut verdict = self.walk.conclude(end);
        // What the head says follows from the events: where these are wrong, so is it.
        if verdict.faults.iter().any(|fault| fault.what.is_of_events()) {
            of_head.retain(|fault| fault.what == What::HeadBehind);
        }
        verdict.faults.extend(seals.into_iter().chain(of_head));
        verdict.faults.sort_by_key(|fault| (fault.position, fault.through));
        verdict
    }

    /// The stored leaf of a position within the present batch.
    fn stored(&self, position: i64) -> Option<Hash> {
        let seal = self.seal.as_ref().filter(|seal| position <= seal.size)?;
        let index = usize::try_from(position.checked_sub(self.leaves_from)?).ok()?;
        let (hashes, _) = seal.leaves.as_deref()?.as_chunks::<32>();
        hashes.get(index).copied()
    }

    fn finish_batch(&mut self) {
        if let Some(size) = self.seal.as_ref().map(|seal| seal.size) {
            self.skip_to(size);
        }
    }

    /// Positions up to this one hold no event.
    fn skip_to(&mut self, through: i64) {
        let sealed = self.seal.as_ref().map_or(0, |seal| seal.size).min(through);
        let bare = sealed.min(self.leaves_from - 1);
        if bare >= self.walk.next() {
            self.walk.gap(bare);
            self.tell_root();
        }
        while self.walk.next() <= sealed {
            let stored = self.stored(self.walk.next());
            self.walk.step(None, stored);
            self.tell_root();
        }
        self.walk.gap(through);
    }

    /// Compares with the batch's root if the batch ends here.
    fn tell_root(&mut self) {
        if let Some(seal) = self.seal.as_ref().filter(|seal| seal.size == self.walk.next() - 1) {
            self.walk.root(seal.size, &seal.root);
        }
    }
}
