//! What is allowed, compared with what was used.

use super::{Denial, Entitlement, Outcome};
use crate::catalog::{Allowance, FeatureKind};

/// How much of a feature was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Meter {
    /// How much.
    pub used: u64,
    /// Of how much; none for a flag and where there is no limit.
    pub limit: Option<u64>,
    /// What is left; none where there is no limit, 0 where the feature can't be used.
    pub remaining: Option<u64>,
    /// The share of the limit that was used, rounded down; more than 100 over the limit. Of a limit
    /// of 0 that is 0 while nothing was used, else 100.
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

/// Whether `quantity` more of a feature may be used after `used`, in its window if it has one.
///
/// A quantity of 0 asks whether the trainer stands within the limit. To ask whether there is room
/// at all, ask for 1.
#[must_use]
pub fn check(entitlement: &Entitlement, used: u64, quantity: u64, outcome: Outcome) -> Check {
    let meter = entitlement.meter(used);
    let after = used.checked_add(quantity);
    // What can't even be counted fits under no limit.
    let fits = entitlement.limit().is_none_or(|limit| after.is_some_and(|after| after <= limit));
    let denial = match entitlement.denial {
        Some(denial) => Some(denial),
        None if fits || entitlement.soft => None,
        None => Some(full(entitlement.kind)),
    };
    Check {
        allowed: denial.is_none() || !outcome.enforced,
        denial,
        meter,
        over_soft_limit: entitlement.granted() && entitlement.soft && !fits,
    }
}

const fn full(kind: FeatureKind) -> Denial {
    match kind {
        FeatureKind::Quota { .. } => Denial::QuotaExhausted,
        FeatureKind::Limit | FeatureKind::Flag => Denial::LimitReached,
    }
}

impl Entitlement {
    /// How usage compares with what is allowed.
    #[must_use]
    pub fn meter(&self, used: u64) -> Meter {
        let cap = match self.allowance {
            Allowance::Capped(cap) => cap,
            Allowance::Flag(_) | Allowance::Unlimited => {
                let remaining = (!self.granted() && self.kind != FeatureKind::Flag).then_some(0);
                let (limit, percent, warning) = (None, None, None);
                return Meter { used, limit, remaining, percent, warning, over: false };
            }
        };
        // Who has used nothing needs no warning, whatever the limit is.
        let warning = if !self.granted() || used == 0 {
            None
        } else if used >= cap {
            Some(Warning::Reached)
        } else if hundredfold(used) >= u128::from(cap) * u128::from(self.warn_percent) {
            Some(Warning::Near)
        } else {
            None
        };
        let remaining = if self.granted() { cap.saturating_sub(used) } else { 0 };
        let of_nothing = if used == 0 { 0 } else { 100 };
        let percent = hundredfold(used).checked_div(u128::from(cap)).unwrap_or(of_nothing);
        Meter {
            used,
            limit: Some(cap),
            remaining: Some(remaining),
            percent: Some(u64::try_from(percent).unwrap_or(u64::MAX)),
            warning,
            over: used > cap,
        }
    }
}

fn hundredfold(count: u64) -> u128 {
    u128::from(count) * 100
}
