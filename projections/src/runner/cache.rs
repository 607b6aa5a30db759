//! Units that were folded lately, as the tables have them.
//!
//! The least recently folded one goes first. That fits what Stripe sends, which is many facts about
//! one customer within minutes and then nothing for weeks, and it fits how units are used: each one
//! leaves the cache while it is folded and comes back afterwards. A policy that counts how often an
//! entry is used would see every unit as new each time, and drop what is wanted next.

use hashlink::LinkedHashMap;
use ledger_domain::account::UnitKey;

/// What takes up room in memory.
pub(super) trait Weigh {
    /// About how many bytes.
    fn weight(&self) -> usize;
}

/// Units within a bound of bytes.
pub(super) struct Cache<U> {
    /// The least recently folded one first, with the weight that it had when it came.
    units: LinkedHashMap<UnitKey, (U, usize)>,
    bytes: usize,
    bytes_max: usize,
}

impl<U: Weigh> Cache<U> {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { units: LinkedHashMap::new(), bytes: 0, bytes_max }
    }

    pub(super) fn contains(&self, key: &UnitKey) -> bool {
        self.units.contains_key(key)
    }

    pub(super) fn take(&mut self, key: &UnitKey) -> Option<U> {
        let (unit, weight) = self.units.remove(key)?;
        self.bytes -= weight;
        Some(unit)
    }

    /// Keeps a unit; those that were folded longest ago make room for it. One that is larger than
    /// all the room there is isn't kept.
    pub(super) fn put(&mut self, key: UnitKey, unit: U) {
        drop(self.take(&key));
        let weight = unit.weight();
        if weight > self.bytes_max {
            return;
        }
        self.bytes += weight;
        self.units.insert(key, (unit, weight));
        while self.bytes > self.bytes_max
            && let Some((_, (_, weight))) = self.units.pop_front()
        {
            self.bytes -= weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger_domain::id::StripeId;

    use super::*;

    impl Weigh for usize {
        fn weight(&self) -> usize {
            *self
        }
    }

    fn key(n: usize) -> UnitKey {
        UnitKey::Customer(StripeId::try_new(&format!("cus_{n}")).unwrap())
    }

    fn kept(cache: &Cache<usize>, keys: std::ops::Range<usize>) -> Vec<usize> {
        keys.filter(|n| cache.contains(&key(*n))).collect()
    }

    #[test]
    fn what_was_folded_longest_ago_goes_first() {
        let mut cache = Cache::new(300);
        (0..3).for_each(|n| cache.put(key(n), 100));
        let unit = cache.take(&key(0)).unwrap();
        cache.put(key(0), unit);
        cache.put(key(3), 100);
        assert_eq!(kept(&cache, 0..4), [0, 2, 3]);
    }

    /// Many customers by turns, after many others that never come again.
    #[test]
    fn customers_that_come_by_turns_stay() {
        let mut cache = Cache::new(10_000);
        (0..1_000).for_each(|n| cache.put(key(n), 100));
        for round in 0..5 {
            for n in 1_000..1_090 {
                let unit = cache.take(&key(n));
                assert_eq!(unit.is_some(), round > 0, "customer {n} in round {round}");
                cache.put(key(n), 100);
            }
        }
    }

    #[test]
    fn a_unit_counts_as_heavy_as_it_is_now() {
        let mut cache = Cache::new(300);
        cache.put(key(0), 10);
        cache.put(key(1), 250);
        cache.put(key(0), 100);
        assert_eq!((kept(&cache, 0..2), cache.bytes), (vec![0], 100));
        cache.put(key(0), 20);
        cache.put(key(2), 280);
        assert_eq!((kept(&cache, 0..3), cache.bytes), (vec![0, 2], 300));
    }

    #[test]
    fn what_is_larger_than_all_the_room_displaces_nothing() {
        let mut cache = Cache::new(300);
        cache.put(key(0), 100);
        cache.put(key(1), 301);
        assert_eq!((kept(&cache, 0..2), cache.bytes), (vec![0], 100));
    }
}
