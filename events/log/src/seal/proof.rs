//! Proofs over the Merkle tree of RFC 9162, section 2.1.

use super::{Frontier, empty_root, node};
use crate::port::Hash;

/// A whole tree in memory, for making proofs. Every complete subtree's hash is kept, so that a
/// proof costs a logarithm and not the tree.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// `levels[h][i]` is the hash over the leaves `i * 2^h .. (i + 1) * 2^h`.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Adds a leaf at the end.
    pub fn append(&mut self, leaf: Hash) {
        let mut subtree = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let row = &mut self.levels[level];
            row.push(subtree);
            let [.., left, right] = row.as_slice() else { return };
            if row.len() % 2 == 1 {
                return;
            }
            subtree = node(left, right);
        }
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// The root over the first `size` leaves; none if there are fewer.
    #[must_use]
    pub fn root(&self, size: u64) -> Option<Hash> {
        match size {
            0 => Some(empty_root()),
            _ if size > self.size() => None,
            _ => Some(self.hash(0, size)),
        }
    }

    /// The audit path of leaf `index` in the tree of the first `size` leaves; none if it isn't in
    /// there.
    #[must_use]
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        if index >= size || size > self.size() {
            return None;
        }
        let (mut start, mut length, mut path) = (0, size, Vec::new());
        while length > 1 {
            let split = split(length);
            if index - start < split {
                path.push(self.hash(start + split, length - split));
                length = split;
            } else {
                path.push(self.hash(start, split));
                start += split;
                length -= split;
            }
        }
        path.reverse();
        Some(path)
    }

    /// The proof that the tree of the first `old` leaves is a prefix of that of the first `new`;
    /// none if there is nothing to prove or not enough to prove it with.
    #[must_use]
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        if old == 0 || old > new || new > self.size() {
            return None;
        }
        let (mut start, mut length, mut proof) = (0, new, Vec::new());
        // Whether the part of the old tree that remains is the whole old tree, whose root the
        // verifier has.
        let mut whole = true;
        while old - start != length {
            let split = split(length);
            if old - start <= split {
                proof.push(self.hash(start + split, length - split));
                length = split;
            } else {
                proof.push(self.hash(start, split));
                start += split;
                length -= split;
                whole = false;
            }
        }
        if !whole {
            proof.push(self.hash(start, length));
        }
        proof.reverse();
        Some(proof)
    }

    /// The hash over `length` leaves from `start` on. `start` is a multiple of the power of two
    /// that `length` rounds up to, as all ranges of the recursion are.
    fn hash(&self, start: u64, length: u64) -> Hash {
        if length.is_power_of_two() {
            let level = length.trailing_zeros();
            let index = usize::try_from(start >> level).expect("an index of a vector in memory");
            return self.levels[level as usize][index];
        }
        let split = split(length);
        node(&self.hash(start, split), &self.hash(start + split, length - split))
    }
}

/// The largest power of two below `length`, which is at least 2.
fn split(length: u64) -> u64 {
    1 << (u64::BITS - 1 - (length - 1).leading_zeros())
}

/// How many leaves an [`Outline`] keeps one hash of.
const BLOCK: u64 = 1 << 10;

/// The tree without its lowest levels, for proofs of many leaves of a tree that is too large to be
/// kept: a hash for each 1,024 leaves. The leaves around the one that is proved are given again.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    blocks: Tree,
    open: Frontier,
}

impl Outline {
    /// Adds a leaf at the end.
    pub fn append(&mut self, leaf: Hash) {
        self.open.append(leaf);
        if self.open.size() == BLOCK {
            self.blocks.append(std::mem::take(&mut self.open).root());
        }
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.blocks.size() * BLOCK + self.open.size()
    }

    /// The same with its last block closed, however few leaves it has, and the root over it all.
    #[must_use]
    pub fn close(mut self) -> (ClosedOutline, Hash) {
        let size = self.size();
        if self.open.size() > 0 {
            self.blocks.append(self.open.root());
        }
        let root = self.blocks.root(self.blocks.size()).unwrap_or_else(empty_root);
        (ClosedOutline { blocks: self.blocks, size }, root)
    }
}

/// An [`Outline`] of all leaves.
#[derive(Debug, Clone)]
pub struct ClosedOutline {
    blocks: Tree,
    size: u64,
}

impl ClosedOutline {
    /// The indices of the leaves that must be given to prove this one.
    #[must_use]
    pub fn block(&self, index: u64) -> std::ops::Range<u64> {
        let from = index / BLOCK * BLOCK;
        from..(from + BLOCK).min(self.size)
    }

    /// The audit path of leaf `index` in the tree of all leaves, given the tree of its block; none
    /// if that isn't the block's.
    #[must_use]
    pub fn inclusion(&self, index: u64, block: &Tree) -> Option<Vec<Hash>> {
        // Blocks are complete but for the last, so the tree over their roots is the upper part of
        // the tree over all leaves.
        let mut path = block.inclusion(index % BLOCK, block.size())?;
        path.extend(self.blocks.inclusion(index / BLOCK, self.blocks.size())?);
        Some(path)
    }
}

/// Whether the path proves that the leaf is number `index` of the tree of `size` leaves with this
/// root (RFC 9162, section 2.1.3.2).
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            hash = node(sibling, &hash);
            while at % 2 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the proof shows that the tree of `old` leaves is a prefix of the tree of `new` leaves
/// (RFC 9162, section 2.1.4.2). Every tree follows the empty one.
#[must_use]
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> bool {
    if old == 0 || old == new {
        return proof.is_empty()
            && if old == 0 { *old_root == empty_root() } else { old_root == new_root };
    }
    if old > new {
        return false;
    }
    // A whole old tree is its own first node, which the proof leaves out.
    let (first, rest) = match proof.split_first() {
        _ if old.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (first, rest),
        None => return false,
    };
    let (mut at, mut last) = (old - 1, new - 1);
    while at % 2 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            old_hash = node(sibling, &old_hash);
            new_hash = node(sibling, &new_hash);
            while at % 2 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node(&new_hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use sha2::{Digest, Sha256};

    use super::*;

    /// The definition of the RFC, word by word.
    fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => *leaf,
            _ => {
                let mut k = 1;
                while k * 2 < leaves.len() {
                    k *= 2;
                }
                node(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
            }
        }
    }

    fn leaves(count: usize, seed: u8) -> Vec<Hash> {
        (0..count)
            .map(|n| Sha256::digest([&[seed][..], &n.to_be_bytes()].concat()).into())
            .collect()
    }

    fn tree(leaves: &[Hash]) -> Tree {
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.append(*leaf));
        tree
    }

    proptest! {
        #[test]
        fn frontier_and_tree_agree_with_the_definition(count in 0usize..300, seed in any::<u8>()) {
            let leaves = leaves(count, seed);
            let mut frontier = Frontier::default();
            leaves.iter().for_each(|leaf| frontier.append(*leaf));
            prop_assert_eq!(frontier.root(), naive_root(&leaves));
            prop_assert_eq!(tree(&leaves).root(count as u64), Some(naive_root(&leaves)));
            let half = naive_root(&leaves[..count / 2]);
            prop_assert_eq!(tree(&leaves).root(count as u64 / 2), Some(half));
        }

        #[test]
        fn an_inclusion_proof_holds_for_its_leaf_alone(
            count in 1usize..200,
            at in any::<usize>(),
            off in 1u64..9,
        ) {
            let leaves = leaves(count, 7);
            let (index, size) = ((at % count) as u64, count as u64);
            let root = naive_root(&leaves);
            let path = tree(&leaves).inclusion(index, size).expect("inside");
            let leaf = &leaves[at % count];
            prop_assert!(verify_inclusion(leaf, index, size, &path, &root));
            prop_assert!(!verify_inclusion(&[0; 32], index, size, &path, &root));
            prop_assert!(!verify_inclusion(leaf, index, size, &path, &[0; 32]));
            prop_assert!(!verify_inclusion(leaf, index + size, size, &path, &root));
            if size > 1 {
                let other = (index + off) % size;
                prop_assert_eq!(verify_inclusion(leaf, other, size, &path, &root), other == index);
                prop_assert!(!verify_inclusion(leaf, index, size, &path[1..], &root));
            }
        }

        #[test]
        fn a_consistency_proof_holds_for_its_two_trees_alone(
            old in 1usize..150,
            more in 0usize..150,
        ) {
            let new = old + more;
            let leaves = leaves(new, 3);
            let (old_root, new_root) = (naive_root(&leaves[..old]), naive_root(&leaves));
            let (m, n) = (old as u64, new as u64);
            let proof = tree(&leaves).consistency(m, n).expect("enough leaves");
            prop_assert!(verify_consistency(m, n, &old_root, &new_root, &proof));
            prop_assert!(!verify_consistency(m, n, &[0; 32], &new_root, &proof));
            prop_assert!(!verify_consistency(m, n, &old_root, &[0; 32], &proof));
            prop_assert!(!verify_consistency(m + n, n, &old_root, &new_root, &proof));
            if more > 0 {
                let longer = [&proof[..], &[[1; 32]]].concat();
                prop_assert!(!verify_consistency(m, n, &old_root, &new_root, &longer));
                prop_assert!(!verify_consistency(m, n, &old_root, &new_root, &proof[1..]));
            }
        }
    }

    #[test]
    fn an_outline_proves_what_the_whole_tree_proves() {
        for count in [0, 1, 2, 1_023, 1_024, 1_025, 2_048, 3_000, 5_121] {
            let (leaves, mut outline) = (leaves(count, 5), Outline::default());
            leaves.iter().for_each(|leaf| outline.append(*leaf));
            let (whole, size) = (tree(&leaves), count as u64);
            assert_eq!(outline.size(), size);
            let (outline, root) = outline.close();
            assert_eq!(Some(root), whole.root(size), "{count}");
            for index in (0..size).step_by(97).chain(size.checked_sub(1)) {
                let range = outline.block(index);
                let at = |index: u64| usize::try_from(index).expect("small");
                let block = tree(&leaves[at(range.start)..at(range.end)]);
                let path = outline.inclusion(index, &block);
                assert_eq!(path, whole.inclusion(index, size), "{index} of {count}");
            }
        }
    }

    #[test]
    fn a_changed_leaf_breaks_every_later_consistency() {
        let before = leaves(37, 1);
        let mut after = leaves(80, 1);
        after[11] = [9; 32];
        let proof = tree(&after).consistency(37, 80).expect("enough leaves");
        assert!(!verify_consistency(37, 80, &naive_root(&before), &naive_root(&after), &proof));
    }

    #[test]
    fn what_cannot_be_proved_is_not() {
        let tree = tree(&leaves(5, 1));
        assert_eq!(tree.inclusion(5, 5), None);
        assert_eq!(tree.inclusion(0, 6), None);
        assert_eq!(tree.consistency(0, 5), None);
        assert_eq!(tree.consistency(6, 5), None);
        assert!(verify_consistency(0, 5, &empty_root(), &[1; 32], &[]));
    }
}
