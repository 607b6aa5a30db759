//! Whether the service can be asked: the log answers and the read models have caught up with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger_domain::id::Tenant;
use ledger_domain::time::{SECOND, Timestamp};
use ledger_log::EventLog as _;
use ledger_log::postgres::PostgresLog;
use ledger_projections::Positions;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::tenants::Tenants;

/// How long the log may take to answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);
/// How far the read models may be behind while events keep coming. More than that, and answers
/// would be seconds old.
const LAG_EVENTS_MAX: i64 = 10_000;
/// How long ago the log may have accepted the first event that they lack. A change of the process
/// that writes them takes seconds; with few events, a stand-still shows in nothing else.
const LAG_AGE_MAX: i64 = 60 * SECOND;

/// Why the service can't be asked. Anybody may hear the reason, operators alone of whom it is true.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotReady {
    /// What is wrong, and what to do.
    pub(crate) reason: &'static str,
    pub(crate) tenant: Option<Tenant>,
}

impl NotReady {
    const fn at_all(reason: &'static str) -> Self {
        Self { reason, tenant: None }
    }
}

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
    pub(crate) async fn check(&self) -> Result<(), NotReady> {
        if self.is_unreachable() {
            return Err(NotReady::at_all("the database can't be reached"));
        }
        if let Some(why) = self.log.blocked() {
            return Err(NotReady::at_all(why));
        }
        let asked = timeout(ASK_TIMEOUT, self.ask_all()).await;
        asked.map_err(|_| NotReady::at_all("the database does not answer"))?
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

    async fn ask_all(&self) -> Result<(), NotReady> {
        for tenant in self.tenants.names() {
            if let Err(reason) = self.ask(&tenant).await {
                return Err(NotReady { reason, tenant: Some(tenant) });
            }
        }
        Ok(())
    }

    async fn ask(&self, tenant: &Tenant) -> Result<(), &'static str> {
        if self.positions.halted(tenant).is_some() {
            return Err("read models are halted: the log says why and what to do");
        }
        let (head, reached) = self.progress(tenant).await?;
        let first = {
            let mut heads = self.first_heads.lock().unwrap_or_else(PoisonError::into_inner);
            *heads.entry(tenant.clone()).or_insert(head)
        };
        let mut waiting_since = None;
        if reached < head {
            let missing = self.log.read(tenant, reached, 1).await;
            let missing = missing.map_err(|_| "the log can't be read")?;
            waiting_since = missing.first().map(|event| event.recorded_at);
        }
        // The log's times are the machine's, whatever the service is told for a test.
        let now = Clock::system().now();
        verdict(Progress { first, head, reached, waiting_since }, now)
    }
}

/// How far the read models of a tenant are.
#[derive(Debug, Clone, Copy)]
struct Progress {
    /// Where the log ended when it was first asked for.
    first: i64,
    head: i64,
    reached: i64,
    /// When the log accepted the first event that they lack.
    waiting_since: Option<Timestamp>,
}

fn verdict(progress: Progress, now: Timestamp) -> Result<(), &'static str> {
    let Progress { first, head, reached, waiting_since } = progress;
    if reached < first || head - reached > LAG_EVENTS_MAX {
        return Err(
            "the read models have not caught up: wait until ledger_projection_lag_events has fallen",
        );
    }
    if waiting_since.is_some_and(|since| since.plus(LAG_AGE_MAX) < now) {
        return Err(
            "the read models stand still: `ledger replay status` tells which, and what to \
                    do is in docs/metrics.md",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_models_that_lack_much_or_for_long_are_not_ready() {
        let now = Timestamp::from_unix(1_790_000_000);
        let ago = |seconds: i64| Some(now.plus(-seconds * SECOND));
        for (first, head, reached, waiting_since, is_ready) in [
            (7, 7, 7, None, true),
            (7, 7, 6, ago(0), false),
            (7, 17, 7, ago(60), true),
            (7, 17, 7, ago(61), false),
            (7, 8, 7, ago(1_000_000), false),
            (7, 10_007, 7, ago(1), true),
            (7, 10_008, 7, ago(1), false),
            // Another machine's clock may be ahead.
            (7, 8, 7, ago(-5), true),
        ] {
            let progress = Progress { first, head, reached, waiting_since };
            assert_eq!(verdict(progress, now).is_ok(), is_ready, "{progress:?}");
        }
    }
}
