//! What is known of a trainer now: the read models, the catalogue in force, and the clock, put
//! together by `effective`.

pub(crate) mod anomalies;
mod as_of;
mod basis;
mod cache;
mod catalogs;
mod held;
mod lapses;
mod parked;
mod past;
mod public;
mod rate;
mod shared;
mod store;
pub(crate) mod trail;
mod upkeep;

use std::sync::Arc;
use std::time::Duration;

use ledger_domain::catalog::Catalog;
use ledger_domain::effective::{Effective, Outcome};
use ledger_domain::event::Enforcement;
use ledger_domain::id::{Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_log::postgres::Pools;
use ledger_log::{EventLog, ReadError};
use ledger_projections::{Positions, QueryError, WaitError, as_reader};
use ledger_replay::AsOf;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::http::Used;
use crate::tenants::Tenants;
pub(crate) use as_of::PastError;
pub(crate) use basis::{Basis, Seen};
pub(crate) use cache::Cache;
use cache::{Found, judged};
use catalogs::CatalogCache;
pub(crate) use lapses::Lapse;
pub(crate) use parked::Reached;
pub(crate) use past::{From, Past, PastStep};
use public::Public;
pub(crate) use shared::{Refusal, Shared};
pub(crate) use upkeep::DeadLetter;

/// How long a question waits for the position that it asks for.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Answers questions about trainers, and about the ledger itself.
pub(crate) struct Reads {
    pools: Pools,
    log: Arc<dyn EventLog>,
    positions: Positions,
    clock: Clock,
    tenants: Arc<Tenants>,
    catalogs: CatalogCache,
    public: Public,
    cache: Arc<Cache>,
    /// What other nodes remember, where they share it.
    shared: Option<Arc<Shared>>,
    as_of: AsOf,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadsError {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Log(#[from] ReadError),
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// An event behind the answer could not be taken in, and the answer ends before it.
    #[error("what is known ends at position {at}: an event after it could not be taken in")]
    Parked {
        /// Where it ends.
        at: i64,
    },
    /// A question about the past that has no answer.
    #[error("the past can't be told: {0}")]
    Past(PastError),
    #[error("too many questions about the past are asked at once")]
    Busy,
    /// Whoever read for all who ask at the same time couldn't, and has told why.
    #[error("the reading that was shared failed")]
    Shared,
    /// What is in the log can't be folded.
    #[error("the events of a trainer can't be folded")]
    Fold,
    /// Nothing was published yet, or the read models haven't taken it in.
    #[error("no catalogue is in force yet")]
    NoCatalog,
}

/// What a trainer may do at an instant.
pub(crate) struct Standing {
    pub(crate) answer: Effective,
    pub(crate) used: Used,
    pub(crate) catalog: Arc<Catalog>,
    /// Whether denials are carried out for this trainer.
    pub(crate) outcome: Outcome,
    pub(crate) now: Timestamp,
    /// The position that all this is of.
    pub(crate) reached: Reached,
}

impl Reads {
    pub(crate) fn new(
        pools: Pools,
        log: Arc<dyn EventLog>,
        positions: Positions,
        (clock, tenants): (Clock, Arc<Tenants>),
        (cache, shared): (Arc<Cache>, Option<Arc<Shared>>),
    ) -> Self {
        let as_of = AsOf::new(&pools, Arc::clone(&log));
        let (catalogs, public) = (CatalogCache::default(), Public::default());
        Self { pools, log, positions, clock, tenants, catalogs, public, cache, shared, as_of }
    }

    /// Waits until the read models have reached a position, but not for long.
    pub(crate) async fn wait_for(
        &self,
        tenant: &Tenant,
        position: Option<i64>,
    ) -> Result<(), ReadsError> {
        if let Some(position) = position.filter(|position| *position > 0) {
            self.positions.wait_for(tenant, position, Instant::now() + WAIT_MAX).await?;
        }
        Ok(())
    }

    /// What a trainer may do now, as of a position that is wanted, or later.
    pub(crate) async fn standing(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        wanted: Option<i64>,
    ) -> Result<Standing, ReadsError> {
        let judge = |found: &Found, now: Timestamp| {
            let entry = &found.entry;
            let billing = self.tenants.billing(tenant.as_str());
            let (answer, catalog) = judged(&entry.holdings, &entry.catalogs, billing, now)?;
            let Some(used) = found.used(&answer) else { return Ok(None) };
            let outcome = Outcome::of(&entry.mode, trainer);
            let reached = found.reached();
            Ok(Some(Standing { answer, used, catalog, outcome, now, reached }))
        };
        self.judge((tenant, trainer), wanted, judge).await
    }

    /// How far denials are carried out, and the position that this is of.
    pub(crate) async fn enforcement(
        &self,
        tenant: &Tenant,
    ) -> Result<(Arc<Enforcement>, Reached), ReadsError> {
        let mut reader = as_reader(&self.pools.api, tenant, None).await?;
        let position = reader.position().await?;
        let (_, mode) = self.catalogs.of(tenant, &mut reader).await?;
        let parked = parked::store::first_parked(&mut reader, tenant, None).await?;
        reader.finish().await?;
        Ok((mode, Reached::new(position, parked)))
    }

    /// The catalogue in force now, and the position that this is of.
    pub(crate) async fn catalog(
        &self,
        tenant: &Tenant,
    ) -> Result<(Arc<Catalog>, Reached), ReadsError> {
        let mut reader = as_reader(&self.pools.api, tenant, None).await?;
        let position = reader.position().await?;
        let (catalogs, _) = self.catalogs.of(tenant, &mut reader).await?;
        let parked = parked::store::first_parked(&mut reader, tenant, None).await?;
        reader.finish().await?;
        let catalog = catalogs.in_force(self.clock.now().micros()).cloned();
        Ok((catalog.ok_or(ReadsError::NoCatalog)?, Reached::new(position, parked)))
    }
}
