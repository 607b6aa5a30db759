//! Tests of the catalogue as a whole, by its public interface.

mod documented;
mod in_force;
mod lookups;
mod mistakes;
mod published;
mod shipped;

use super::{Catalog, Mistake, Parsed};
use crate::id::{FeatureSlug, PlanSlug, StripeId};

/// A small product with something of every sort in it.
const SMALL: &str = r#"
name = "Small"
audience = "member"
[features.seats]
name = "Seats"
description = "People."
kind = "limit"
[features.reports]
name = "Reports"
description = "Charts."
kind = "flag"
[features.runs]
name = "Runs"
description = "Jobs."
kind = "quota"
reset = "billing_period"
[tiers.big]
name = "Big"
description = "All."
level = 30
requests_per_minute = 300
prices.month = ["env:STRIPE_PRICE_BIG", "price_big_old"]
grants = { seats = "unlimited", reports = true }
[tiers.free]
name = "Free"
description = "Some."
level = 0
requests_per_minute = 10
grants = { seats = 1, reports = false }
[tiers.middle]
name = "Middle"
description = "More."
level = 20
requests_per_minute = 100
active = false
prices.month = "price_middle"
grants = { seats = 5, reports = true }
[tiers.small]
name = "Small"
description = "A little more."
level = 10
requests_per_minute = 100
prices = { month = "price_small", year = "price_small_year" }
grants = { seats = 3 }
[add_ons.jobs]
name = "Jobs"
description = "Unranked."
prices.month = "price_jobs"
grants.runs = "unlimited"
[add_ons.few_jobs]
name = "Few jobs"
description = "Ranked."
rank = 7
prices.month = "price_few_jobs"
grants.runs = 10
[policies]
default_tier = "free"
trial_days = 10
"#;

/// Reads a catalogue where a variable `STRIPE_PRICE_X` holds `price_x`.
fn parse(text: &str) -> Result<Parsed, Vec<Mistake>> {
    Catalog::parse(text, &|variable| {
        Some(variable.trim_start_matches("STRIPE_").to_ascii_lowercase())
    })
}

fn small() -> Catalog {
    parse(SMALL).expect("a catalogue without mistakes").catalog
}

fn plan(text: &str) -> PlanSlug {
    PlanSlug::try_new(text).expect("a plan's name")
}

fn feature(text: &str) -> FeatureSlug {
    FeatureSlug::try_new(text).expect("a feature's name")
}

fn price(text: &str) -> StripeId {
    StripeId::try_new(text).expect("a price's id")
}
