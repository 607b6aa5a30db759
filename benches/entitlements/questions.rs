//! What is asked: requests made beforehand, so that the generator only writes them.

use anyhow::Result;

use crate::webhooks::{purchase, trainer};

/// Requests, one after the other in one buffer.
pub(crate) struct Questions {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Questions {
    /// One about each trainer.
    pub(crate) fn of_each(trainers: usize, token: &str) -> Self {
        Self::about(0..trainers, token)
    }

    /// So many, by a zipf law over so many trainers with an exponent.
    pub(crate) fn by_zipf(
        (trainers, exponent): (usize, f64),
        count: usize,
        seed: u64,
        token: &str,
    ) -> Self {
        let mut sums = Vec::with_capacity(trainers);
        let mut sum = 0.0;
        for rank in 1..=trainers {
            #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
            let share = (rank as f64).powf(-exponent);
            sum += share;
            sums.push(sum);
        }
        let mut random = Random(seed);
        let about = (0..count).map(|_| {
            let at = random.below_one() * sum;
            sums.partition_point(|below| *below <= at).min(trainers - 1)
        });
        Self::about(about, token)
    }

    /// What Stripe tells of each trainer's purchase.
    ///
    /// # Errors
    /// When it can't be signed.
    pub(crate) fn purchases(trainers: usize) -> Result<Self> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for nth in 0..trainers {
            bytes.extend(purchase(nth)?);
            ends.push(bytes.len());
        }
        Ok(Self { bytes, ends })
    }

    fn about(trainers: impl Iterator<Item = usize>, token: &str) -> Self {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for nth in trainers {
            let path = format!("/api/v1/entitlements/customers?trainer={}", trainer(nth));
            let head = format!(
                "GET {path} HTTP/1.1\r\nhost: ledger\r\nauthorization: Bearer {token}\r\n\r\n"
            );
            bytes.extend_from_slice(head.as_bytes());
            ends.push(bytes.len());
        }
        Self { bytes, ends }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, nth: usize) -> &[u8] {
        let begin = nth.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[begin..self.ends[nth]]
    }
}

/// Numbers that look random and are the same in every run (splitmix64).
struct Random(u64);

impl Random {
    fn below_one(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let number = ((mixed ^ (mixed >> 31)) >> 11) as f64;
        number / (1u64 << 53) as f64
    }
}
