//! Whether the service can be asked: the log answers and the read models have caught up with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger_domain::id::Tenant;
use ledger_log::EventLog as _;
use ledger_log::postgres::PostgresLog;
use ledger_projections::Positions;
use tokio::time::timeout;

use crate::tenants::Tenants;

/// How long the log may take to answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// How far the read models may be behind while events keep coming. More than that, and answers
/// would be seconds old.
const LAG_EVENTS_MAX: i64 = 10_000;

/// Knows whether the service can be asked.
pub(crate) struct Readiness {
    pub(crate) log: Arc<PostgresLog>,
    pub(crate) positions: Positions,
    pub(crate) tenants: Arc<Tenants>,
    /// Where each tenant's log ended when it was first asked for. Until the read models hold that
    /// much, a fresh installation has no catalogue, and an old one may know nobody yet.
    pub(crate) first_heads: Mutex<BTreeMap<Tenant, i64>>,
}

impl Readiness {
    /// Whether every question would wait in vain for a connection.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.log.is_unreachable()
    }

    /// Nothing if it can, else the reason.
    pub(crate) async fn check(&self) -> Result<(), &'static str> {
        if self.is_unreachable() {
            return Err("the database can't be reached");
        }
        if let Some(why) = self.log.blocked() {
            return Err(why);
        }
        timeout(ASK_TIMEOUT, self.ask_all()).await.map_err(|_| "the database does not answer")?
    }

    /// Where a tenant's log ends, and how much of it the read models hold.
    async fn progress(&self, tenant: &Tenant) -> Result<(i64, i64), &'static str> {
        let head = self.log.head(tenant).await.map_err(|_| "the log can't be read")?;
        let head = head.ok_or("a log is not open")?.position;
        // Another process may be the one that writes the read models.
        let asked = if self.positions.known(tenant) >= head {
            head
        } else {
            self.positions.ask(tenant).await.map_err(|_| "the read models can't be read")?
        };
        Ok((head, asked))
    }

    /// Whether the read models have taken in everything that the logs hold.
    pub(crate) async fn is_current(&self) -> bool {
        for tenant in self.tenants.names() {
            if !self.progress(&tenant).await.is_ok_and(|(head, reached)| reached >= head) {
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
            let (head, reached) = self.progress(&tenant).await?;
            let mut first = self.first_heads.lock().unwrap_or_else(PoisonError::into_inner);
            if reached < *first.entry(tenant).or_insert(head) || head - reached > LAG_EVENTS_MAX {
                return Err("the read models have not caught up");
            }
        }
        Ok(())
    }
}
