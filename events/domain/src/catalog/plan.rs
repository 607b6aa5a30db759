//! Plans: tiers, of which a trainer holds one, and add-ons, held beside it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::feature::Allowance;
use crate::id::{FeatureSlug, PlanSlug, StripeId};

/// How often a subscription is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Interval {
    /// Every month.
    Month,
    /// Every year.
    Year,
}

impl Interval {
    /// Both of them, the shorter first.
    pub const ALL: [Self; 2] = [Self::Month, Self::Year];

    /// The word that Stripe, the catalogue file and JSON have for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What sort of plan it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PlanKind {
    /// A tier; a trainer has at most one that counts.
    Tier {
        /// Its place in the order of tiers. A higher level is an upgrade, whatever it costs.
        level: u32,
        /// How many calls a trainer may make in a minute.
        requests_per_minute: u32,
    },
    /// A plan held beside the tier, by a subscription of its own.
    AddOn {
        /// Its place among the add-ons, the lowest first; add-ons without one come last.
        rank: Option<u32>,
    },
}

/// Something that can be bought, or be assigned: a tier or an add-on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub(super) slug: PlanSlug,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) kind: PlanKind,
    pub(super) active: bool,
    /// Never holds an empty list, so that equal catalogues compare equal.
    pub(super) prices: BTreeMap<Interval, Vec<StripeId>>,
    pub(super) grants: BTreeMap<FeatureSlug, Allowance>,
}

impl Plan {
    /// The name by which everything refers to it.
    #[must_use]
    pub const fn slug(&self) -> &PlanSlug {
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

    /// Tier or add-on, with what only that sort has.
    #[must_use]
    pub const fn kind(&self) -> PlanKind {
        self.kind
    }

    /// Whether it is a tier.
    #[must_use]
    pub const fn is_tier(&self) -> bool {
        matches!(self.kind, PlanKind::Tier { .. })
    }

    /// The level of a tier; `None` for an add-on.
    #[must_use]
    pub const fn level(&self) -> Option<u32> {
        match self.kind {
            PlanKind::Tier { level, .. } => Some(level),
            PlanKind::AddOn { .. } => None,
        }
    }

    /// How many calls a minute a tier allows; `None` for an add-on.
    #[must_use]
    pub const fn requests_per_minute(&self) -> Option<u32> {
        match self.kind {
            PlanKind::Tier { requests_per_minute, .. } => Some(requests_per_minute),
            PlanKind::AddOn { .. } => None,
        }
    }

    /// Whether it can be bought. A retired plan can't, and is still honoured for who has it.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.active
    }

    /// Every Stripe price that means this plan at this interval: first the one that is sold, then
    /// older ones that existing subscriptions still hold. Empty if it isn't sold that way.
    #[must_use]
    pub fn prices(&self, interval: Interval) -> &[StripeId] {
        self.prices.get(&interval).map_or(&[], Vec::as_slice)
    }

    /// The Stripe price that a new subscription gets.
    #[must_use]
    pub fn sold_price(&self, interval: Interval) -> Option<&StripeId> {
        self.prices(interval).first()
    }

    /// What it grants. A feature that isn't here is not granted.
    #[must_use]
    pub const fn grants(&self) -> &BTreeMap<FeatureSlug, Allowance> {
        &self.grants
    }

    /// How much of one feature it grants; `None` if the plan doesn't mention it.
    #[must_use]
    pub fn allowance(&self, feature: &FeatureSlug) -> Option<Allowance> {
        self.grants.get(feature).copied()
    }

    /// Whether it lets a trainer who stands at `count` go further with a feature.
    #[must_use]
    pub fn allows_more_than(&self, feature: &FeatureSlug, count: u64) -> bool {
        self.allowance(feature).is_some_and(|allowance| allowance.allows_more_than(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_reads_the_same_everywhere() {
        for interval in Interval::ALL {
            let json = serde_json::to_string(&interval).expect("JSON");
            assert_eq!(json, format!("\"{interval}\""));
            assert_eq!(serde_json::from_str::<Interval>(&json).expect("an interval"), interval);
        }
        let by_interval = BTreeMap::from([(Interval::Year, 2), (Interval::Month, 1)]);
        assert_eq!(serde_json::to_string(&by_interval).expect("JSON"), r#"{"month":1,"year":2}"#);
    }
}
