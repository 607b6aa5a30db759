//! Features: what plans grant, and how much of it.

use crate::id::FeatureSlug;

/// How a feature is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeatureKind {
    /// On or off.
    Flag,
    /// A standing count, such as customers: it goes up and down and never resets.
    Limit,
    /// A quantity that is used up and starts afresh.
    Quota {
        /// When it starts afresh.
        reset: Reset,
    },
}

impl FeatureKind {
    /// The kind in the words of the catalogue file: `flag`, `limit` or `quota`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Limit => "limit",
            Self::Quota { .. } => "quota",
        }
    }

    /// Whether `allowance` is one that a feature of this kind can have.
    #[must_use]
    pub const fn admits(self, allowance: Allowance) -> bool {
        matches!(
            (self, allowance),
            (Self::Flag, Allowance::Flag(_))
                | (Self::Limit | Self::Quota { .. }, Allowance::Capped(_) | Allowance::Unlimited)
        )
    }

    /// What a trainer has whom nothing grants the feature: a flag that is off, or a cap of 0.
    #[must_use]
    pub const fn nothing(self) -> Allowance {
        match self {
            Self::Flag => Allowance::Flag(false),
            Self::Limit | Self::Quota { .. } => Allowance::Capped(0),
        }
    }
}

/// When a quota starts afresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reset {
    /// Every month, on the anniversaries of the subscription's anchor; also under annual billing.
    Month,
    /// Whenever a new billing period begins.
    BillingPeriod,
}

impl Reset {
    /// The word for it in the catalogue file: `month` or `billing_period`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::BillingPeriod => "billing_period",
        }
    }
}

/// How much of a feature a plan grants.
///
/// The order is that of generosity: among allowances of one feature the greatest is the most
/// generous. Allowances of different kinds of features are never compared with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Allowance {
    /// A flag, on or off.
    Flag(bool),
    /// Up to this many.
    Capped(u64),
    /// As many as wanted.
    Unlimited,
}

impl Allowance {
    /// Whether anything at all is granted: a flag that is off and a cap of 0 grant nothing.
    #[must_use]
    pub const fn grants_something(self) -> bool {
        self.allows_more_than(0)
    }

    /// Whether a trainer who stands at `count` may go further. A flag that is on has no count.
    #[must_use]
    pub const fn allows_more_than(self, count: u64) -> bool {
        match self {
            Self::Flag(on) => on,
            Self::Capped(cap) => cap > count,
            Self::Unlimited => true,
        }
    }

    /// The cap, for an allowance that has one.
    #[must_use]
    pub const fn cap(self) -> Option<u64> {
        match self {
            Self::Capped(cap) => Some(cap),
            Self::Flag(_) | Self::Unlimited => None,
        }
    }
}

/// A feature of the product, as the catalogue declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    pub(super) slug: FeatureSlug,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) unit: Option<String>,
    pub(super) kind: FeatureKind,
}

impl Feature {
    /// The name by which plans and services refer to it.
    #[must_use]
    pub const fn slug(&self) -> &FeatureSlug {
        &self.slug
    }

    /// Its name on screen.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One sentence for the people who buy it.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What is counted, in the plural (`customers`); never set for a flag.
    #[must_use]
    pub fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// How it is measured.
    #[must_use]
    pub const fn kind(&self) -> FeatureKind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_allowance_is_the_most_generous() {
        use Allowance::{Capped, Flag, Unlimited};
        assert_eq!(Flag(false).max(Flag(true)), Flag(true));
        assert_eq!(Capped(9).max(Capped(20)), Capped(20));
        assert_eq!(Unlimited.max(Capped(u64::MAX)), Unlimited);
    }

    #[test]
    fn more_than_is_strict() {
        for (allowance, count, expected) in [
            (Allowance::Capped(9), 8, true),
            (Allowance::Capped(9), 9, false),
            (Allowance::Capped(0), 0, false),
            (Allowance::Unlimited, u64::MAX, true),
            (Allowance::Flag(true), 7, true),
            (Allowance::Flag(false), 0, false),
        ] {
            assert_eq!(allowance.allows_more_than(count), expected, "{allowance:?} and {count}");
        }
    }

    #[test]
    fn a_kind_admits_its_own_allowances() {
        let quota = FeatureKind::Quota { reset: Reset::Month };
        for kind in [FeatureKind::Flag, FeatureKind::Limit, quota] {
            assert!(kind.admits(kind.nothing()));
            assert!(!kind.nothing().grants_something());
            assert_eq!(kind.admits(Allowance::Unlimited), kind != FeatureKind::Flag);
            assert_eq!(kind.admits(Allowance::Flag(true)), kind == FeatureKind::Flag);
        }
    }
}
