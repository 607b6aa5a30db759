//! Ids, made from the seed and a counter, so that the same calls give the same ids.

use sha2::{Digest, Sha256};

const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

#[derive(Debug, Clone)]
pub(super) struct Ids {
    seed: u64,
    made: u64,
    salt: Option<u64>,
}

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, made: 0, salt: None }
    }

    /// From now on ids are made from this number, too.
    pub(super) fn salt(&mut self, salt: u64) {
        self.salt = Some(salt);
    }

    /// A prefix, a line, and 24 letters and digits.
    pub(super) fn next(&mut self, prefix: &str) -> String {
        self.made += 1;
        let mut digest = Sha256::new();
        digest.update(self.seed.to_be_bytes());
        digest.update(self.made.to_be_bytes());
        if let Some(salt) = self.salt {
            digest.update(salt.to_be_bytes());
        }
        let letters = digest.finalize();
        let letters = letters.iter().take(24);
        let letters = letters.map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
        format!("{prefix}_{}", letters.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides() {
        let (mut one, mut same, mut other) = (Ids::new(7), Ids::new(7), Ids::new(8));
        let first = one.next("sub");
        assert_eq!(first.len(), 28);
        assert_eq!(first, same.next("sub"));
        assert_ne!(first, other.next("sub"));
        assert_ne!(one.next("sub"), first);
        same.salt(1);
        assert_ne!(one.next("sub"), same.next("sub"));
    }
}
