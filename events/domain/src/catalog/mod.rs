//! The catalogue: what a product sells, to whom, and by which rules.

mod feature;
mod plan;
mod policies;

pub use feature::{Allowance, Feature, FeatureKind, Reset};
pub use plan::{Interval, Plan, PlanKind};
pub use policies::{Approval, NumberPolicy, OnDisputeLost, Policies, WhenInactive};
