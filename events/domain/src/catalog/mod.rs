//! The catalogue: what a product sells, to whom, and by which rules.
//!
//! A catalogue is written as a TOML file, [parsed](Catalog::parse), and published as an event
//! that holds the text and the [prices](Catalog::resolved_prices) that its variables stood for;
//! from those two it is [read again](Catalog::from_published) wherever the log is replayed. Which
//! one counts at an instant is for [`Catalogs`] to say. A value of [`Catalog`] has been checked:
//! levels and prices are unique, every grant fits its feature, the default tier exists.
//!
//! ```
//! use ledger_domain::catalog::Catalog;
//! use ledger_domain::id::StripeId;
//!
//! let text = r#"
//!     name = "Studio"
//!     audience = "trainer"
//!     [tiers.starter]
//!     name = "Starter"
//!     description = "Everything to begin with."
//!     level = 1
//!     requests_per_minute = 100
//!     prices.month = "env:STRIPE_PRICE_TIER_STARTER"
//! "#;
//! let environment = |_: &str| Some("price_1".to_owned());
//! let catalog = Catalog::parse(text, &environment).expect("no mistakes").catalog;
//! let price = StripeId::try_new("price_1").expect("an id");
//! let (plan, interval) = catalog.plan_by_price(&price).expect("a plan");
//! assert_eq!((plan.name(), interval.as_str()), ("Starter", "month"));
//! assert_eq!(Catalog::from_published(text, &catalog.resolved_prices()), Ok(catalog));
//! ```
//!
//! To add a policy, a key of a plan, or a sort of feature, begin in the file that holds the type,
//! then teach `read` to read it and `docs/catalog.md` to explain it.

mod feature;
mod in_force;
mod mistake;
mod plan;
mod policies;
mod read;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::id::{FeatureSlug, PlanSlug, StripeId};

pub use feature::{Allowance, Feature, FeatureKind, Reset};
pub use in_force::{Catalogs, Published};
pub use mistake::Mistake;
pub use plan::{Interval, Plan, PlanKind};
pub use policies::{Approval, NumberPolicy, OnDisputeLost, Policies, WhenInactive};
pub use read::{
    COUNT_MAX, FEATURES_MAX, FILE_BYTES_MAX, PLANS_MAX, PRICES_MAX, Parsed, ResolvedPrices,
    UnsetVariable,
};

/// What a trainer is called on screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience {
    /// One of them: `member`.
    pub one: String,
    /// Several: `members`.
    pub many: String,
}

/// A checked catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    name: String,
    audience: Audience,
    /// The tiers by level, then the add-ons by rank.
    plans: Vec<Plan>,
    tier_count: usize,
    features: Vec<Feature>,
    policies: Policies,
    plan_index: BTreeMap<PlanSlug, usize>,
    price_index: BTreeMap<StripeId, (usize, Interval)>,
    feature_index: BTreeMap<FeatureSlug, usize>,
}

impl Catalog {
    /// Puts checked parts in order and indexes them.
    fn assemble(
        name: String,
        audience: Audience,
        features: Vec<Feature>,
        mut plans: Vec<Plan>,
        policies: Policies,
    ) -> Self {
        plans.sort_by_key(|plan| match plan.kind {
            PlanKind::Tier { level, .. } => (0, level),
            PlanKind::AddOn { rank: Some(rank) } => (1, rank),
            PlanKind::AddOn { rank: None } => (2, 0),
        });
        let tier_count = plans.partition_point(Plan::is_tier);
        let plan_index = plans.iter().enumerate().map(|(i, plan)| (plan.slug.clone(), i)).collect();
        let price_index = plans
            .iter()
            .enumerate()
            .flat_map(|(i, plan)| {
                plan.prices.iter().map(move |(interval, ids)| (i, *interval, ids))
            })
            .flat_map(|(i, interval, ids)| ids.iter().map(move |id| (id.clone(), (i, interval))))
            .collect();
        let feature_index =
            features.iter().enumerate().map(|(i, feature)| (feature.slug.clone(), i)).collect();
        Self {
            name,
            audience,
            plans,
            tier_count,
            features,
            policies,
            plan_index,
            price_index,
            feature_index,
        }
    }

    /// The product's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a trainer is called on screen.
    #[must_use]
    pub const fn audience(&self) -> &Audience {
        &self.audience
    }

    /// The decisions of the business.
    #[must_use]
    pub const fn policies(&self) -> &Policies {
        &self.policies
    }

    /// All tiers by level, retired ones too.
    #[must_use]
    pub fn tiers(&self) -> &[Plan] {
        &self.plans[..self.tier_count]
    }

    /// All add-ons by rank, retired ones too.
    #[must_use]
    pub fn add_ons(&self) -> &[Plan] {
        &self.plans[self.tier_count..]
    }

    /// All features, in the order of the file.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// A tier or an add-on.
    #[must_use]
    pub fn plan(&self, slug: &PlanSlug) -> Option<&Plan> {
        self.plan_index.get(slug).map(|index| &self.plans[*index])
    }

    /// A tier; `None` also for the name of an add-on.
    #[must_use]
    pub fn tier(&self, slug: &PlanSlug) -> Option<&Plan> {
        self.plan(slug).filter(|plan| plan.is_tier())
    }

    /// The tier of a level.
    #[must_use]
    pub fn tier_by_level(&self, level: u32) -> Option<&Plan> {
        let tiers = self.tiers();
        let index = tiers.binary_search_by_key(&Some(level), Plan::level).ok()?;
        tiers.get(index)
    }

    /// The tier of a trainer to whom nothing else gives one.
    #[must_use]
    pub fn default_tier(&self) -> Option<&Plan> {
        self.policies.default_tier.as_ref().and_then(|slug| self.tier(slug))
    }

    /// The plan that a Stripe price means, and how often it is billed.
    #[must_use]
    pub fn plan_by_price(&self, price: &StripeId) -> Option<(&Plan, Interval)> {
        self.price_index.get(price).map(|(index, interval)| (&self.plans[*index], *interval))
    }

    /// A feature.
    #[must_use]
    pub fn feature(&self, slug: &FeatureSlug) -> Option<&Feature> {
        self.feature_index.get(slug).map(|index| &self.features[*index])
    }

    /// How much of a feature a plan grants; `None` if it doesn't, or if there is no such plan.
    #[must_use]
    pub fn allowance(&self, plan: &PlanSlug, feature: &FeatureSlug) -> Option<Allowance> {
        self.plan(plan)?.allowance(feature)
    }

    /// The lowest tier on sale that grants anything of a feature.
    #[must_use]
    pub fn lowest_tier_granting(&self, feature: &FeatureSlug) -> Option<&Plan> {
        self.lowest_tier_allowing_more_than(feature, 0)
    }

    /// The lowest tier on sale under which a trainer who stands at `count` may go further.
    #[must_use]
    pub fn lowest_tier_allowing_more_than(
        &self,
        feature: &FeatureSlug,
        count: u64,
    ) -> Option<&Plan> {
        self.tiers().iter().find(|tier| tier.active && tier.allows_more_than(feature, count))
    }

    /// The first add-on on sale with which a trainer who stands at `count` may go further: the way
    /// out for features that no tier grants.
    #[must_use]
    pub fn lowest_add_on_allowing_more_than(
        &self,
        feature: &FeatureSlug,
        count: u64,
    ) -> Option<&Plan> {
        self.add_ons().iter().find(|plan| plan.active && plan.allows_more_than(feature, count))
    }

    /// The tiers on sale above a level, the nearest first; all that are on sale for a trainer who
    /// has no tier.
    pub fn upgrades_from(&self, level: Option<u32>) -> impl Iterator<Item = &Plan> {
        let begin = self.tiers().partition_point(|tier| tier.level() <= level);
        self.tiers()[begin..].iter().filter(|tier| tier.active)
    }

    /// The prices of every plan that has any: what is published beside the text.
    #[must_use]
    pub fn resolved_prices(&self) -> ResolvedPrices {
        self.plans
            .iter()
            .filter(|plan| !plan.prices.is_empty())
            .map(|plan| (plan.slug.as_str().to_owned(), plan.prices.clone()))
            .collect()
    }
}
