//! Whether the service can be asked: the log answers and the read models have caught up with it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger_domain::id::Tenant;
use ledger_log::EventLog;
use ledger_projections::Positions;
use tokio::time::timeout;

use crate::tenants::Tenants;

/// How long the log may take to answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// How far the read models may be behind while events keep coming. More than that, and answers
/// would be seconds old.
const LAG_EVENTS_MAX: i64 = 10_000;
/// How far they may be behind until they were up to date once: events may come at any moment.
const FIRST_LAG_EVENTS_MAX: i64 = 500;

/// Knows whether the service can be asked.
pub(crate) struct Readiness {
    pub(crate) log: Arc<dyn EventLog>,
    pub(crate) positions: Positions,
    pub(crate) tenants: Arc<Tenants>,
    /// The tenants whose read models were up to date at least once.
    pub(crate) current: Mutex<BTreeSet<Tenant>>,
}

impl Readiness {
    /// Nothing if it can, else the reason.
    pub(crate) async fn check(&self) -> Result<(), &'static str> {
        timeout(ASK_TIMEOUT, self.ask_all()).await.map_err(|_| "the database does not answer")?
    }

    /// How far the read models of a tenant are behind its log.
    async fn lag_events(&self, tenant: &Tenant) -> Result<i64, &'static str> {
        let head = self.log.head(tenant).await.map_err(|_| "the log can't be read")?;
        let head = head.ok_or("a log is not open")?.position;
        // Another process may be the one that writes the read models.
        let asked = if self.positions.known(tenant) >= head {
            head
        } else {
            self.positions.ask(tenant).await.map_err(|_| "the read models can't be read")?
        };
        Ok((head - asked).max(0))
    }

    /// Whether the read models have taken in everything that the logs hold.
    pub(crate) async fn is_current(&self) -> bool {
        for tenant in self.tenants.names() {
            if self.lag_events(&tenant).await != Ok(0) {
                return false;
            }
        }
        true
    }

    async fn ask_all(&self) -> Result<(), &'static str> {
        for tenant in self.tenants.names() {
            if self.positions.halted(&tenant).is_some() {
                return Err("read models are halted");
            }
            let lag_events = self.lag_events(&tenant).await?;
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            let was_current = current.contains(&tenant);
            let limit = if was_current { LAG_EVENTS_MAX } else { FIRST_LAG_EVENTS_MAX };
            if lag_events > limit {
                return Err("the read models have not caught up");
            }
            if !was_current {
                current.insert(tenant);
            }
        }
        Ok(())
    }
}
