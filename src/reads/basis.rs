//! What a command about one trainer is judged by: read at one position, looked at for any instant.

use std::sync::Arc;

use ledger_domain::catalog::{Catalog, Catalogs};
use ledger_domain::effective::{
    Billing, Effective, Holdings, Outcome, Setting, effective, window_at,
};
use ledger_domain::event::Enforcement;
use ledger_domain::id::{FeatureSlug, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use ledger_projections::as_reader;

use super::{Reached, Reads, ReadsError, parked};

/// What is known of a trainer at one position.
pub(crate) struct Basis {
    trainer: TrainerId,
    holdings: Holdings,
    catalogs: Arc<Catalogs>,
    mode: Arc<Enforcement>,
    billing: Billing,
    /// Where the read models were.
    position: i64,
    /// Up to where all of it is there.
    reached: Reached,
    /// The time when it was read.
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
    /// What is known of a trainer.
    pub(crate) async fn basis(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
    ) -> Result<Basis, ReadsError> {
        let mut reader = as_reader(&self.pools.api, tenant, Some(trainer)).await?;
        let (holdings, position) = reader.holdings(trainer).await?;
        let (catalogs, mode) = self.catalogs.of(tenant, &mut reader).await?;
        let parked = parked::store::first_parked(&mut reader, tenant, Some(trainer)).await?;
        reader.finish().await?;
        let reached = Reached::new(position, parked);
        let (trainer, billing, read_at) = (trainer.clone(), self.billing, self.clock.now());
        Ok(Basis { trainer, holdings, catalogs, mode, billing, position, reached, read_at })
    }
}

impl Basis {
    /// What follows from it at an instant.
    pub(crate) fn at(&self, now: Timestamp) -> Result<Seen, ReadsError> {
        let published = self.catalogs.published_in_force(now.micros());
        let published = published.ok_or(ReadsError::NoCatalog)?;
        let answer = effective(&self.holdings, &self.setting(&published.catalog, now));
        Ok(Seen {
            answer,
            catalog: Arc::clone(&published.catalog),
            catalog_position: published.position,
            outcome: Outcome::of(&self.mode, &self.trainer),
            at: now,
            position: self.position,
            reached: self.reached,
        })
    }

    /// The window of a quota that contains an instant, seen from another.
    pub(crate) fn window_at(
        &self,
        seen: &Seen,
        feature: &FeatureSlug,
        at: Timestamp,
    ) -> Option<Interval> {
        window_at(&self.holdings, &self.setting(&seen.catalog, seen.at), feature, at)
    }

    fn setting<'a>(&self, catalog: &'a Catalog, now: Timestamp) -> Setting<'a> {
        let next = self.catalogs.next_change_after(now.micros());
        let catalog_until = next.map(Timestamp::from_micros);
        Setting { catalog, catalog_until, billing: self.billing, now }
    }
}
