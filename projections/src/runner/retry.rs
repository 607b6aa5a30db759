//! Trying parked units again: the events that queue up for one are taken in like a page that ends
//! where the checkpoint is.
//!
//! A customer that is tried again is folded afresh with the last of its queue: it may have lost an
//! object while it was parked, or be parked because the fold failed that took the object away.

use std::collections::HashSet;
use std::time::Duration;

use ledger_domain::account::UnitKey;
use ledger_domain::id::{StripeId, Tenant};
use sqlx::PgConnection;
use tokio::time::Instant;

use super::given::read_at;
use super::page::Page;
use super::session::Session;
use super::trouble::Trouble;
use crate::control::store;

/// How often the table is asked for units that somebody else made due.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// A parked unit that is tried again.
#[derive(Clone, Copy)]
pub(super) struct Retried<'a> {
    pub(super) unit: &'a str,
    /// The first events of its queue.
    pub(super) positions: &'a [i64],
    /// Whether these are all of it.
    pub(super) is_all: bool,
}

impl Retried<'_> {
    /// The customer, where nothing is left in its queue afterwards.
    pub(super) fn folded_afresh(self) -> Option<StripeId> {
        match self.unit.parse() {
            Ok(UnitKey::Customer(customer)) if self.is_all => Some(customer),
            _ => None,
        }
    }
}

/// The parked units, as far as they are known in memory.
pub(super) struct Parked {
    pub(super) units: HashSet<String>,
    /// Whether the table has to be asked before anything is said of what is due.
    pub(super) is_stale: bool,
    due: Vec<(String, Instant)>,
    asked: Instant,
}

impl Parked {
    pub(super) async fn load(
        conn: &mut PgConnection,
        tenant: &Tenant,
        read_models: &[String],
    ) -> sqlx::Result<Self> {
        let asked = Instant::now();
        let rows = store::parked(conn, tenant, read_models).await?;
        let units = rows.iter().map(|(unit, _)| unit.clone()).collect();
        let due = rows.into_iter().map(|(unit, seconds)| {
            let seconds = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
            (unit, asked + seconds.min(Duration::from_secs(86_400)))
        });
        Ok(Self { units, is_stale: false, due: due.collect(), asked })
    }

    /// How long until a unit is due, or the table is to be asked.
    pub(super) fn due_in(&self, now: Instant) -> Duration {
        match self.due.first() {
            None => Duration::MAX,
            Some((_, due)) => due.min(&(self.asked + ASK_EVERY)).saturating_duration_since(now),
        }
    }
}

impl Session<'_> {
    /// Tries the units that are due, as many as fit into a page's time: the others after the next
    /// page, so that new events don't wait for all of them.
    pub(super) async fn retry_due(&mut self) -> Result<(), Trouble> {
        let is_due = !self.parked.units.is_empty()
            && (self.parked.is_stale || self.parked.due_in(Instant::now()).is_zero());
        if !is_due {
            return Ok(());
        }
        self.reload_parked().await?;
        let now = Instant::now();
        let due = self.parked.due.iter().filter(|(_, due)| *due <= now);
        for unit in due.map(|(unit, _)| unit.clone()).collect::<Vec<_>>() {
            self.retry(&unit).await?;
            if now.elapsed() >= self.runner.config.page_time {
                break;
            }
        }
        if self.parked.is_stale {
            self.reload_parked().await?;
        }
        Ok(())
    }

    async fn reload_parked(&mut self) -> Result<(), Trouble> {
        let mut tx = self.runner.begin().await?;
        self.parked = Parked::load(&mut tx, self.tenant, &self.written).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Tries one unit. Where it fails again it is parked again, for longer.
    async fn retry(&mut self, unit: &str) -> Result<(), Trouble> {
        let mut tx = self.runner.begin().await?;
        let written = &self.written;
        let events_max = self.runner.config.retried_events_max.max(1);
        // One more than are taken in tells whether any are left.
        let limit = i64::try_from(events_max).unwrap_or(i64::MAX).saturating_add(1);
        let mut positions =
            store::parked_events(&mut tx, self.tenant, written, unit, limit).await?;
        tx.commit().await?;
        let is_all = positions.len() <= events_max;
        positions.truncate(events_max);
        let events = read_at(&*self.runner.log, self.tenant, &positions).await?;
        tracing::info!(tenant = %self.tenant, unit, events = events.len(), "trying a parked unit again");
        let page = Page { events, end: self.checkpoint.clone() };
        self.take_in(page, Some(Retried { unit, positions: &positions, is_all })).await
    }
}
