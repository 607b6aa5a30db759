//! How often a trainer may call.

use std::num::NonZeroU32;

use ledger_domain::catalog::Plan;
use ledger_domain::id::{Tenant, TrainerId};

use super::{Reads, ReadsError, Seen};
use crate::throttle::{Policy, Quota};

/// The name of the limit of those without a tier.
const WITHOUT_TIER: &str = "default";

impl Reads {
    /// How often a trainer may call: as its tier says, and without one as the lowest tier does.
    /// None = the catalogue has no tiers.
    pub(crate) async fn rate(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
    ) -> Result<Option<Policy>, ReadsError> {
        let basis = self.basis(tenant, trainer, None).await?;
        Ok(policy(&basis.at(basis.read_at)?))
    }
}

fn policy(seen: &Seen) -> Option<Policy> {
    let of_tier = seen.answer.tier.as_ref().zip(seen.answer.requests_per_minute);
    let (name, calls) = match of_tier {
        Some((tier, calls)) => (tier.slug.as_str(), calls),
        // By level, so the first one is the lowest.
        None => (WITHOUT_TIER, seen.catalog.tiers().iter().find_map(Plan::requests_per_minute)?),
    };
    Some(Policy { name: name.into(), quota: Quota::per_minute(NonZeroU32::new(calls)?) })
}
