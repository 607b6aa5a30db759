//! Chance that can be repeated: the same seed gives the same life.

/// A small generator of numbers (SplitMix64). Not for secrets.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, but without, `end`; 0 if that is 0.
    pub(super) fn below(&mut self, end: i64) -> i64 {
        let end = u64::try_from(end).unwrap_or(0).max(1);
        i64::try_from(self.next() % end).unwrap_or(0)
    }

    /// A number from `from` up to, but without, `until`.
    pub(super) fn between(&mut self, from: i64, until: i64) -> i64 {
        from + self.below(until - from)
    }

    /// True this often in a hundred times.
    pub(super) fn chance(&mut self, percent: i64) -> bool {
        self.below(100) < percent
    }

    /// An index into a list, by the weights of its entries.
    pub(super) fn weighted(&mut self, weights: &[i64]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        0
    }

    /// Letters and digits, as in Stripe's ids.
    pub(super) fn letters(&mut self, count: usize) -> String {
        const ALPHABET: [u8; 32] = *b"abcdefghijkmnpqrstuvwxyz23456789";
        (0..count)
            .map(|_| char::from(ALPHABET[usize::try_from(self.below(32)).unwrap_or(0)]))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let roll = |seed| {
            let mut dice = Dice::new(seed);
            (dice.letters(14), dice.below(100), dice.weighted(&[1, 2, 3]))
        };
        assert_eq!(roll(7), roll(7));
        assert_ne!(roll(7), roll(8));
    }

    #[test]
    fn numbers_stay_within_bounds() {
        let mut dice = Dice::new(1);
        assert!((0..1000).all(|_| (5..9).contains(&dice.between(5, 9))));
        assert!((0..100).all(|_| dice.below(0) == 0));
        assert!((0..100).all(|_| dice.weighted(&[0, 1]) == 1));
    }
}
