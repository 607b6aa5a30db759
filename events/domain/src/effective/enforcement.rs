//! For whom denials are enforced.

use sha2::{Digest, Sha256};

use crate::event::Enforcement;
use crate::id::TrainerId;

/// Whether denials are enforced for one trainer, and by which mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// The mode: `on`, `off`, `shadow`, `internal` or `percent`.
    pub mode: &'static str,
    /// Whether a denial is carried out.
    pub enforced: bool,
}

impl Outcome {
    /// What a mode means for a trainer.
    #[must_use]
    pub fn of(mode: &Enforcement, trainer: &TrainerId) -> Self {
        let (mode, enforced) = match mode {
            Enforcement::On => ("on", true),
            Enforcement::Off => ("off", false),
            Enforcement::Shadow => ("shadow", false),
            Enforcement::Internal(trainers) => ("internal", trainers.contains(trainer)),
            Enforcement::Percent(percent) => ("percent", bucket(trainer) < *percent),
        };
        Self { mode, enforced }
    }
}

/// The place of a trainer among a hundred, always the same: the first eight bytes of the SHA-256
/// of the trainer's id, read as a big-endian number, modulo 100. The limits hold for a trainer
/// under [`Enforcement::Percent`] if this is below the percentage, so a trainer once included
/// stays included while the percentage grows.
#[must_use]
pub fn bucket(trainer: &TrainerId) -> u8 {
    let digest = Sha256::digest(trainer.as_str());
    let (head, _) = digest.split_at(8);
    let number = head.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    u8::try_from(number % 100).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trainer(id: &str) -> TrainerId {
        TrainerId::try_new(id).expect("a trainer id")
    }

    /// Who is denied depends on these: they may never change.
    #[test]
    fn the_place_of_a_trainer_is_fixed() {
        let longest = "x".repeat(128);
        for (id, expected) in
            [("t1", 86), ("t2", 20), ("trainer-42", 71), ("org:7.a_b", 43), (&longest, 90)]
        {
            assert_eq!(bucket(&trainer(id)), expected, "{id}");
        }
    }

    #[test]
    fn modes_decide_for_whom_limits_hold() {
        let t1 = trainer("t1");
        let internal = Enforcement::Internal(vec![trainer("t2"), t1.clone()]);
        let others = Enforcement::Internal(vec![trainer("t2")]);
        for (mode, word, enforced) in [
            (Enforcement::On, "on", true),
            (Enforcement::Off, "off", false),
            (Enforcement::Shadow, "shadow", false),
            (internal, "internal", true),
            (others, "internal", false),
            (Enforcement::Percent(0), "percent", false),
            (Enforcement::Percent(bucket(&t1)), "percent", false),
            (Enforcement::Percent(bucket(&t1) + 1), "percent", true),
            (Enforcement::Percent(100), "percent", true),
        ] {
            assert_eq!(Outcome::of(&mode, &t1), Outcome { mode: word, enforced }, "{mode:?}");
        }
    }

    #[test]
    fn a_percentage_is_about_that_many_trainers() {
        let below = |percent| {
            let mode = Enforcement::Percent(percent);
            (0..10_000).filter(|n| Outcome::of(&mode, &trainer(&format!("t{n}"))).enforced).count()
        };
        for percent in [10_u8, 50, 90] {
            let expected = usize::from(percent) * 100;
            assert!(below(percent).abs_diff(expected) < 200, "{percent}: {}", below(percent));
        }
    }
}
