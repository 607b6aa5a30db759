//! The way out of a denial: what a trainer would have to hold.

use crate::catalog::{Catalog, Plan};
use crate::id::FeatureSlug;

/// The lowest tier on sale that allows `need` of a feature in all: the count or the use of the
/// window that a request would lead to. For a flag, any need is the same. None if no tier does;
/// then an [add-on](required_add_on) may.
#[must_use]
pub fn required_tier<'a>(
    catalog: &'a Catalog,
    feature: &FeatureSlug,
    need: u64,
) -> Option<&'a Plan> {
    catalog.lowest_tier_allowing_more_than(feature, need.saturating_sub(1))
}

/// The first add-on on sale that allows `need` of a feature in all.
#[must_use]
pub fn required_add_on<'a>(
    catalog: &'a Catalog,
    feature: &FeatureSlug,
    need: u64,
) -> Option<&'a Plan> {
    catalog.lowest_add_on_allowing_more_than(feature, need.saturating_sub(1))
}
