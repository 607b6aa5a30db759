//! What a command about one trainer is judged by: read at one position, looked at for any instant.

use std::sync::Arc;

use ledger_domain::catalog::Catalog;
use ledger_domain::effective::{Billing, Effective, Outcome, Setting, effective, window_at};
use ledger_domain::id::{FeatureSlug, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};

use super::cache::Found;
use super::{Reached, Reads, ReadsError};

/// What is known of a trainer at one position.
pub(crate) struct Basis {
    trainer: TrainerId,
    found: Found,
    billing: Billing,
    /// The time when it was found to be so.
    pub(crate) read_at: Timestamp,
}

/// What follows from it at an instant.
pub(crate) struct Seen {
    pub(crate) answer: Effective,
    pub(crate) catalog: Arc<Catalog>,
    /// Where that catalogue was published.
    pub(crate) catalog_position: i64,
    pub(crate) outcome: Outcome,
    pub(crate) at: Timestamp,
    /// Where the read models were.
    pub(crate) position: i64,
    /// Up to where all of it is there.
    pub(crate) reached: Reached,
}

impl Reads {
    /// What is known of a trainer, as of a position that is wanted, or later. Usage that was
    /// counted since doesn't matter: whoever decides by it looks at the log's own counters.
    pub(crate) async fn basis(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        wanted: Option<i64>,
    ) -> Result<Basis, ReadsError> {
        let judge = |found: &Found, read_at| {
            let (trainer, found) = (trainer.clone(), found.clone());
            let billing = self.tenants.billing(tenant.as_str());
            Ok(Some(Basis { trainer, found, billing, read_at }))
        };
        self.judge((tenant, trainer), wanted, judge).await
    }
}

impl Basis {
    /// What follows from it at an instant.
    pub(crate) fn at(&self, now: Timestamp) -> Result<Seen, ReadsError> {
        let entry = &*self.found.entry;
        let published = entry.catalogs.published_in_force(now.micros());
        let published = published.ok_or(ReadsError::NoCatalog)?;
        let answer = effective(&entry.holdings, &self.setting(&published.catalog, now));
        Ok(Seen {
            answer,
            catalog: Arc::clone(&published.catalog),
            catalog_position: published.position,
            outcome: Outcome::of(&entry.mode, &self.trainer),
            at: now,
            position: self.found.position,
            reached: self.found.reached(),
        })
    }

    /// The window of a quota that contains an instant, seen from another.
    pub(crate) fn window_at(
        &self,
        seen: &Seen,
        feature: &FeatureSlug,
        at: Timestamp,
    ) -> Option<Interval> {
        window_at(&self.found.entry.holdings, &self.setting(&seen.catalog, seen.at), feature, at)
    }

    fn setting<'a>(&self, catalog: &'a Catalog, now: Timestamp) -> Setting<'a> {
        let next = self.found.entry.catalogs.next_change_after(now.micros());
        let catalog_until = next.map(Timestamp::from_micros);
        Setting { catalog, catalog_until, billing: self.billing, now }
    }
}
