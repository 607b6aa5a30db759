//! What is allowed, compared with what was used.

use super::Denial;

/// Whether denials are enforced for one trainer, and by which mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// The mode: `on`, `off`, `shadow`, `internal` or `percent`.
    pub mode: &'static str,
    /// Whether a denial is carried out.
    pub enforced: bool,
}

/// How much of a feature was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Meter {
    /// How much.
    pub used: u64,
    /// Of how much; none for a flag and where there is no limit.
    pub limit: Option<u64>,
    /// What is left; none where there is no limit, 0 where the feature can't be used.
    pub remaining: Option<u64>,
    /// The share of the limit that was used, rounded down; more than 100 over the limit.
    pub percent: Option<u64>,
    /// How near the limit is.
    pub warning: Option<Warning>,
    /// Whether more was used than is allowed, as after a downgrade or under a soft limit.
    pub over: bool,
}

/// How near a limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Warning {
    /// The catalogue's share of it was used: 80 % unless it says otherwise.
    Near,
    /// All of it was used.
    Reached,
}

/// Whether a quantity of a feature may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Check {
    /// Whether it may, as things are enforced for the trainer.
    pub allowed: bool,
    /// Why full enforcement denies it; also set where it is allowed all the same.
    pub denial: Option<Denial>,
    /// The usage before the quantity.
    pub meter: Meter,
    /// Whether the quantity goes over a soft limit: allowed, counted and flagged.
    pub over_soft_limit: bool,
}

impl Check {
    /// Whether full enforcement would deny it.
    #[must_use]
    pub const fn would_deny(&self) -> bool {
        self.denial.is_some()
    }
}
