//! Who may write. A lease is a row with a token that no lease had before; the token stands on the
//! checkpoints, and a page whose checkpoint doesn't have it any more is rolled back. So a process
//! that was paused for however long can do no harm when it goes on.

use std::time::Duration;

use ledger_domain::id::Tenant;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::page::PageSize;
use super::panics::survived;
use super::session::Session;
use super::trouble::{Halt, Trouble};
use super::{Runner, wait};
use crate::control::{Checkpoint, store};

/// A lease that is held, with the checkpoint that it was taken at.
pub(super) struct Lease {
    pub(super) token: i64,
    pub(super) checkpoint: Checkpoint,
}

impl Runner {
    /// Takes the lease, if it is free, and projects until shutdown or trouble.
    pub(super) async fn lead(
        &self,
        tenant: &Tenant,
        page_events: &PageSize,
        shutdown: &CancellationToken,
    ) -> Result<(), Trouble> {
        let Some(lease) = self.take_lease(tenant).await? else {
            wait(self.config.lease_ttl / 4, shutdown).await;
            return Ok(());
        };
        let token = lease.token;
        tracing::info!(%tenant, token, position = lease.checkpoint.position, "projecting");
        // Also after a panic: the next one to hold the lease may be a program without the mistake.
        let ended = survived(self.project((tenant, lease), page_events, shutdown)).await;
        if !matches!(ended, Err(Trouble::Fenced)) {
            self.give_back(tenant, token).await;
        }
        ended
    }

    async fn project(
        &self,
        (tenant, lease): (&Tenant, Lease),
        page_events: &PageSize,
        shutdown: &CancellationToken,
    ) -> Result<(), Trouble> {
        let token = lease.token;
        let mut session = Session::begin(self, tenant, lease, page_events).await?;
        let _leading = self.positions.lead(tenant);
        tokio::select! {
            ended = session.follow(shutdown) => ended,
            trouble = self.keep_lease(tenant, token) => Err(trouble),
        }
    }

    /// In one transaction: the lease, and its token on the checkpoints.
    async fn take_lease(&self, tenant: &Tenant) -> Result<Option<Lease>, Trouble> {
        let Some(head) = self.log.head(tenant).await? else {
            return Ok(None);
        };
        let mut tx = self.begin().await?;
        let config = &self.config;
        let (name, owner) = (config.lease.as_str(), config.owner.as_str());
        let token = store::acquire(&mut tx, tenant, name, owner, config.lease_ttl).await?;
        let Some(token) = token else { return Ok(None) };
        let log = (head.log_id, head.epoch);
        let checkpoints = store::claim(&mut tx, tenant, &config.written(), log, token).await?;
        tx.commit().await?;
        Ok(Some(Lease { token, checkpoint: common(checkpoints)? }))
    }

    /// Renews the lease until somebody else has it, or it can't be renewed in time.
    async fn keep_lease(&self, tenant: &Tenant, token: i64) -> Trouble {
        let ttl = self.config.lease_ttl;
        let pause = (ttl / 4).max(Duration::from_millis(1));
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep_until(Instant::now() + pause).await;
            match self.renew(tenant, token).await {
                Ok(true) => renewed = Instant::now(),
                Ok(false) => return Trouble::Fenced,
                Err(error) if renewed.elapsed() >= ttl => return error.into(),
                Err(error) => tracing::debug!(%tenant, %error, "the lease isn't renewed yet"),
            }
        }
    }

    async fn renew(&self, tenant: &Tenant, token: i64) -> sqlx::Result<bool> {
        let mut tx = self.begin().await?;
        let (name, ttl) = (self.config.lease.as_str(), self.config.lease_ttl);
        let is_held = store::renew(&mut tx, tenant, name, token, ttl).await?;
        tx.commit().await?;
        Ok(is_held)
    }

    /// A courtesy: without it the successor waits until the lease runs out.
    async fn give_back(&self, tenant: &Tenant, token: i64) {
        let given = async {
            let mut tx = self.begin().await?;
            store::release(&mut tx, tenant, &self.config.lease, token).await?;
            tx.commit().await
        };
        if let Err(error) = given.await {
            tracing::debug!(%tenant, %error, "the lease is left to run out");
        }
    }

    /// A transaction on the versions that this runner writes. What serves is durable before anybody
    /// is told its position, else a crash of the server could take back what a reader waited for.
    /// What is built beside need not be: rows and checkpoint go together, and the log has the rest.
    pub(super) async fn begin(&self) -> sqlx::Result<sqlx::Transaction<'static, sqlx::Postgres>> {
        let path = self.config.schemas.search_path();
        // Every statement finds its rows by key. A plan that was made while a table was empty, and
        // would read all of it, would be kept for long.
        let durable = if self.config.schemas == crate::Schemas::LIVE { "on" } else { "off" };
        let begin = format!(
            "BEGIN; SET LOCAL search_path = {path}; SET LOCAL synchronous_commit = {durable}; \
             SET LOCAL enable_seqscan = off"
        );
        self.pool.begin_with(sqlx::AssertSqlSafe(begin)).await
    }
}

/// The one checkpoint of read models that advance together.
fn common(checkpoints: Vec<(String, Checkpoint)>) -> Result<Checkpoint, Halt> {
    let mut common: Option<Checkpoint> = None;
    let mut names = Vec::new();
    let mut is_uneven = false;
    for (name, checkpoint) in checkpoints {
        names.push(format!("{name} at {}", checkpoint.position));
        is_uneven |= *common.get_or_insert_with(|| checkpoint.clone()) != checkpoint;
    }
    match common {
        Some(common) if !is_uneven => Ok(common),
        _ => Err(Halt::Uneven(names.join(", "))),
    }
}
