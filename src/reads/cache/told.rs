//! What the feed told lately, also of trainers that aren't in memory: by that an entry is judged
//! which another process made some time ago.
//!
//! It is kept in two halves. When the younger one is full, the elder is dropped, and what is told
//! of before that is forgotten: [`Told::since`] says how far back nothing is missing.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use ledger_domain::id::Tenant;
use uuid::Uuid;

use super::Key;

/// How many trainers each half has room for; together they take some 10 MiB at most.
const HALF: usize = 100_000;

/// The last changes that concerned a trainer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Last {
    /// That may have changed what it holds.
    pub(super) held: i64,
    /// That may have changed what it used.
    pub(super) used: i64,
}

/// By the hash of whom they concerned. Where two trainers have the same, each seems to have the
/// other's changes as well: an entry is refused that needn't have been.
type Half = HashMap<u64, Last>;

#[derive(Debug, Default)]
pub(super) struct Told {
    young: Half,
    old: Half,
    /// By tenant: the last change that isn't in either half, and the last not in the younger one.
    since: HashMap<Tenant, (i64, i64)>,
    hashing: RandomState,
}

impl Last {
    const NEVER: Self = Self { held: i64::MIN, used: i64::MIN };

    /// A change of what a trainer holds.
    pub(super) const fn holding(number: i64) -> Self {
        Self { held: number, ..Self::NEVER }
    }

    /// A change of nothing but what it used.
    pub(super) const fn using(number: i64) -> Self {
        Self { used: number, ..Self::NEVER }
    }

    /// The last of either kind.
    pub(super) fn number(self) -> i64 {
        self.held.max(self.used)
    }

    fn and(self, other: Self) -> Self {
        Self { held: self.held.max(other.held), used: self.used.max(other.used) }
    }
}

impl Told {
    /// A tenant's feed is followed from a change on, or from this one on anew.
    pub(super) fn begin(&mut self, tenant: &Tenant, number: i64) {
        self.since.insert(tenant.clone(), (number, number));
    }

    /// A change of a feed concerned a trainer. Numbers mean something within one feed only.
    pub(super) fn tell(&mut self, feed: Uuid, key: &Key, what: Last) {
        let hash = self.hash(feed, key);
        let last = self.young.entry(hash).or_insert(Last::NEVER);
        *last = last.and(what);
    }

    /// All feeds were heard as far as is said: makes room if there is none left.
    pub(super) fn turn(&mut self, heard: impl Iterator<Item = (Tenant, i64)>) {
        if self.young.len() < HALF {
            return;
        }
        self.old = std::mem::take(&mut self.young);
        let since = heard.map(|(tenant, number)| {
            let before = self.since.get(&tenant).map_or(number, |(_, young)| *young);
            (tenant, (before, number))
        });
        self.since = since.collect();
    }

    /// The last change of which nobody knows any more whom it concerned; none = nothing is known.
    pub(super) fn since(&self, tenant: &Tenant) -> Option<i64> {
        self.since.get(tenant).map(|(old, _)| *old)
    }

    /// What was told of a trainer since.
    pub(super) fn last(&self, feed: Uuid, key: &Key) -> Last {
        let hash = self.hash(feed, key);
        let of = |half: &Half| half.get(&hash).copied().unwrap_or(Last::NEVER);
        of(&self.young).and(of(&self.old))
    }

    fn hash(&self, feed: Uuid, key: &Key) -> u64 {
        self.hashing.hash_one((feed, key))
    }
}

#[cfg(test)]
mod tests {
    use ledger_domain::id::TrainerId;

    use super::*;

    #[test]
    fn what_is_forgotten_is_known_to_be() {
        let (tenant, feed) = (Tenant::try_new("a").unwrap(), Uuid::from_u128(1));
        let key = |nth: i64| (tenant.clone(), TrainerId::try_new(&format!("t{nth}")).unwrap());
        let mut told = Told::default();
        assert_eq!(told.since(&tenant), None);
        told.begin(&tenant, 0);
        let full = i64::try_from(HALF).unwrap();
        for number in 1..=3 * full {
            told.tell(feed, &key(number), Last::holding(number));
            told.turn([(tenant.clone(), number)].into_iter());
            let since = told.since(&tenant).unwrap();
            assert!((number - since) <= 2 * full && (number < full || number - since >= full));
            if number % 10_000 == 0 {
                for known in [since + 1, number] {
                    assert_eq!(told.last(feed, &key(known)).held, known);
                }
            }
        }
        assert!(told.young.len() + told.old.len() <= 2 * HALF);
        assert_eq!(told.since(&tenant), Some(2 * full));
        let other = told.last(Uuid::from_u128(2), &key(3 * full));
        assert_eq!(other, Last::NEVER, "another feed's");
    }
}
