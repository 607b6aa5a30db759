//! Leaves and proofs for an export, of a log of any size.

use std::collections::VecDeque;
use std::ops::Range;

use anyhow::bail;
use ledger_log::Hash;
use ledger_log::postgres::{RawReader, StoredLeaves};
use ledger_log::seal::verify::{Claim, RawEvent};
use ledger_log::seal::{ClosedOutline, Outline, Tree};

/// The leaves of a log in the order of their positions: as they are stored, or as the events have
/// them where they aren't.
struct Leaves<'a> {
    reader: &'a RawReader,
    /// None where the stored ones aren't to be used.
    stored: Option<StoredLeaves>,
    recomputed: VecDeque<(i64, Hash)>,
    end: i64,
}

impl<'a> Leaves<'a> {
    fn new(reader: &'a RawReader, end: i64, use_stored: bool) -> Self {
        let stored = use_stored.then(|| StoredLeaves::new(reader));
        Self { reader, stored, recomputed: VecDeque::new(), end }
    }

    /// The leaf of a position after the last one that was asked for.
    async fn at(&mut self, position: i64) -> anyhow::Result<Hash> {
        if let Some(stored) = &mut self.stored
            && let Some(leaf) = stored.at(position).await?
        {
            return Ok(leaf);
        }
        while self.recomputed.front().is_some_and(|(at, _)| *at < position) {
            self.recomputed.pop_front();
        }
        if self.recomputed.is_empty() {
            let page = self.reader.events(position - 1, self.end).await?;
            self.recomputed = page.iter().map(|event| (event.position, event.leaf())).collect();
        }
        match self.recomputed.front() {
            Some((at, leaf)) if *at == position => Ok(*leaf),
            _ => bail!("the event at position {position} is missing: see `ledger audit verify`"),
        }
    }
}

/// Proves events of a log in the order of their positions.
pub(crate) struct Prover<'a> {
    leaves: Leaves<'a>,
    outline: ClosedOutline,
    block: (Range<u64>, Tree),
}

impl<'a> Prover<'a> {
    /// A prover by the leaves that the checkpoint was made of; none if the log has others now.
    pub(crate) async fn over(
        reader: &'a RawReader,
        claim: Claim,
        mut at: impl FnMut(i64),
    ) -> anyhow::Result<Option<Self>> {
        // Stored leaves prove the events that were, recomputed ones those that are; where nobody
        // altered anything they are the same.
        for use_stored in [true, false] {
            let mut leaves = Leaves::new(reader, claim.size, use_stored);
            let mut outline = Outline::default();
            for position in 1..=claim.size {
                outline.append(leaves.at(position).await?);
                if position % 10_000 == 0 {
                    at(position);
                }
            }
            let (outline, root) = outline.close();
            if root == claim.root {
                let leaves = Leaves::new(reader, claim.size, use_stored);
                return Ok(Some(Self { leaves, outline, block: (0..0, Tree::default()) }));
            }
        }
        Ok(None)
    }

    /// The audit path of an event.
    pub(crate) async fn prove(&mut self, event: &RawEvent) -> anyhow::Result<Option<Vec<Hash>>> {
        let Some(index) = event.position.checked_sub(1).and_then(|at| u64::try_from(at).ok())
        else {
            return Ok(None);
        };
        if !self.block.0.contains(&index) {
            let range = self.outline.block(index);
            let mut block = Tree::default();
            for index in range.clone() {
                block.append(self.leaves.at(i64::try_from(index)? + 1).await?);
            }
            self.block = (range, block);
        }
        Ok(self.outline.inclusion(index, &self.block.1))
    }
}
