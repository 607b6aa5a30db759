//! Whether the live read models are what the log says, and the counters of usage with them.
//!
//! Every read model is built anew beside the live one, by the same runner with the same fold and
//! stores, from the first event to the one that the live read model has reached. Then both are
//! compared, row by row, in one snapshot of the database in which both stand at the same position.
//!
//! **The two meet.** What is built follows the live read models, never overtakes them, and so
//! stands where they stand whenever they rest for a moment. On a busy log they don't: after a few
//! attempts the live checkpoint is held for as long as it takes to catch up with it, mostly for
//! milliseconds. Where the live read models are quicker than the building it takes several holds of
//! two seconds, a minute's worth at most, in which what they serve grows old; appends never wait.
//! `build` does this.
//!
//! **What is compared** is read from the catalogue of the database: every table of a read model's
//! schema and every column of a table. So a table can't be forgotten, and a live table of another
//! shape than today's program makes is named too. The columns left out are those that `layout`
//! lists, with the reason. `compare` does this.
//!
//! **The fold's own state** (tables of `unit`, `part`, `state`) is compared too: a wrong state
//! shows in no row until the next fact makes it one. It is JSON in bytes, so what counts is what it
//! says and not how it is spelled; `meaning` tells which parts of it say nothing.
//!
//! **The counters of usage**, which the log keeps beside its events, aren't built anew but compared
//! with what each event says, along with the read model `usage`. `counters` does this.
//!
//! **Nothing of the live read models can be written.** The runner's search path has no live schema.
//! What it makes goes away at the end, also at an end by the token, and what a crash leaves behind
//! is removed by the next verification.
//!
//! A unit that is parked beside or live has rows that lack its events. The report lists what is
//! parked on either side.

mod build;
mod compare;
mod counters;
mod error;
mod layout;
mod meaning;
pub(crate) mod progress;
mod report;
mod store;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ledger_domain::id::Tenant;
use ledger_log::EventLog;
use ledger_log::postgres::Pools;
use ledger_projections::{Config, ReadModel, Runner, Schemas, Version};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::capped::CappedLog;
use crate::schema::{self, Occupied};
use build::Build;
pub use error::VerifyError;
pub use progress::{Phase, Progress};
pub use report::{CountersReport, Difference, Digest, ModelReport, Parked, Report, TableReport};

/// The lease of the runner that builds beside.
const LEASE: &str = "verify";

/// How a verification works.
#[derive(Debug, Clone)]
pub struct VerifyConfig {
    /// Who this is, unique among all processes and times.
    pub owner: String,
    /// The read models to verify; with [`ReadModel::Usage`] the counters of usage, too.
    pub models: Vec<ReadModel>,
    /// How many bytes of memory folded units may keep while they are built.
    pub cache_bytes: usize,
    /// How many events are taken in at once, at most.
    pub page_events_max: usize,
    /// How long the schemas stay ours without a sign of life. What a crash leaves behind can be
    /// removed after that.
    pub lease_ttl: Duration,
    /// How many differing rows of each table the report lists; the rest is counted.
    pub differences_max: usize,
    /// How many attempts in a row may fail to bring what is built nearer to the live read models.
    pub attempts_max: u32,
    /// How long the building may stand still before it is given up.
    pub patience: Duration,
}

impl VerifyConfig {
    /// The usual settings, for all read models.
    #[must_use]
    pub fn new(owner: impl Into<String>) -> Self {
        Self {
            owner: owner.into(),
            models: ReadModel::ALL.to_vec(),
            cache_bytes: 64 << 20,
            page_events_max: 4_096,
            lease_ttl: Duration::from_secs(10),
            differences_max: 100,
            attempts_max: 20,
            patience: Duration::from_secs(60),
        }
    }

    fn runner(&self) -> Config {
        let beside = |schemas: Schemas, model| schemas.with(model, Version::Next);
        Config {
            lease: LEASE.into(),
            // All of them, also where only some are written: no live name is in reach.
            schemas: ReadModel::ALL.into_iter().fold(Schemas::LIVE, beside),
            models: self.models.clone(),
            lease_ttl: self.lease_ttl,
            linger: Duration::ZERO,
            // Nobody reads these rows meanwhile, so pages needn't be quick.
            page_time: Duration::from_secs(5),
            page_events_max: self.page_events_max,
            cache_bytes: self.cache_bytes,
            ..Config::live(self.owner.clone())
        }
    }

    /// The schemas of some version of the read models to verify.
    fn schemas(&self, version: Version) -> Vec<String> {
        self.models.iter().map(|model| model.schema(version)).collect()
    }
}

/// Verifies read models.
#[derive(Clone)]
pub struct Verifier {
    pools: Pools,
    log: Arc<dyn EventLog>,
    config: VerifyConfig,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Verifier {
    /// A verifier of the read models in a database, against a log. It uses the connections of the
    /// role `ledger_projector`.
    #[must_use]
    pub const fn new(pools: Pools, log: Arc<dyn EventLog>, config: VerifyConfig) -> Self {
        Self { pools, log, config }
    }

    /// Verifies the read models of one tenant. Progress is told as it is made. When the token is
    /// cancelled, what was made is removed and the verification ends; dropping the future leaves
    /// that to the next verification, which first waits until the lease has run out.
    ///
    /// # Errors
    /// If there is nothing to compare, if the live read models aren't of this log, or if something
    /// that is needed isn't available; see [`VerifyError::is_unavailable`].
    #[tracing::instrument(skip_all, fields(%tenant))]
    pub async fn verify(
        &self,
        tenant: &Tenant,
        shutdown: &CancellationToken,
        progress: &watch::Sender<Progress>,
    ) -> Result<Report, VerifyError> {
        let position = self.check_log(tenant).await?;
        self.occupy(tenant, shutdown).await?;
        let done = self.build_and_compare(tenant, position, shutdown, progress).await;
        let left = schema::leave(&self.pools.projector, &self.config.owner, LEASE).await;
        if let Err(error) = left {
            // What was found is worth more than order; the next verification cleans up.
            let error: &dyn std::error::Error = &error;
            tracing::warn!(
                error,
                "what the verification made is still there; the next one removes it"
            );
        }
        done
    }

    /// Whether the live read models are of this log at all; tells where they are.
    async fn check_log(&self, tenant: &Tenant) -> Result<i64, VerifyError> {
        let live = self.config.schemas(Version::Live);
        let live = store::live(&self.pools.projector, tenant, &live).await?;
        let head = self.log.head(tenant).await?.ok_or(VerifyError::NotBegun)?;
        if (live.log_id, live.epoch) != (head.log_id, head.epoch) {
            return Err(VerifyError::OtherLog);
        }
        if live.position > head.position {
            return Err(VerifyError::Behind { position: live.position, head: head.position });
        }
        Ok(live.position)
    }

    /// Takes the schemas. Those of a verification that crashed are free once its lease has run out.
    async fn occupy(
        &self,
        tenant: &Tenant,
        shutdown: &CancellationToken,
    ) -> Result<(), VerifyError> {
        let VerifyConfig { owner, lease_ttl, .. } = &self.config;
        let give_up = Instant::now() + *lease_ttl + Duration::from_secs(2);
        loop {
            let pool = &self.pools.projector;
            match schema::occupy(pool, tenant, owner, LEASE, *lease_ttl).await? {
                Occupied::Ours => return Ok(()),
                Occupied::Foreign(schema) => return Err(VerifyError::Foreign(schema)),
                Occupied::Busy if Instant::now() > give_up => return Err(VerifyError::Busy),
                Occupied::Busy => {}
            }
            if timeout(Duration::from_millis(250), shutdown.cancelled()).await.is_ok() {
                return Err(VerifyError::Interrupted);
            }
        }
    }

    async fn build_and_compare(
        &self,
        tenant: &Tenant,
        position: i64,
        shutdown: &CancellationToken,
        progress: &watch::Sender<Progress>,
    ) -> Result<Report, VerifyError> {
        let log = Arc::new(CappedLog::new(Arc::clone(&self.log)));
        log.raise(position);
        let projector = self.pools.projector.clone();
        let runner = Runner::new(projector, Arc::clone(&log) as _, self.config.runner());
        let stop = CancellationToken::new();
        let mut running = pin!(runner.run(tenant, &stop));
        let work = async {
            let build = Build::new(&self.pools.projector, tenant, &self.config, &log, &runner);
            let (snapshot, attempts) = build.meet(progress).await?;
            compare::compare(snapshot, attempts, &*self.log, &self.config, progress).await
        };
        // The work only reads, so it can be left anywhere.
        let done = tokio::select! {
            ended = &mut running => return Err(match ended {
                Err(halt) => VerifyError::Halted(halt),
                Ok(()) => VerifyError::Interrupted,
            }),
            done = work => done,
            () = shutdown.cancelled() => Err(VerifyError::Interrupted),
        };
        stop.cancel();
        // It finishes its page, and then nobody writes the schemas any more. That it might have
        // halted at the last moment changes nothing of what was compared.
        let _ = running.await;
        done
    }
}
