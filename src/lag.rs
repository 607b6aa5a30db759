//! How far the read models that serve are behind the log. It is measured from outside their runner:
//! one that is stuck, or lives in another process, tells nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ledger_domain::id::Tenant;
use ledger_domain::time::Timestamp;
use ledger_log::EventLog;
use ledger_projections::Positions;
use metrics::gauge;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::panics::survived;
use crate::ticks::Ticks;

/// How often it is measured.
pub(crate) const INTERVAL: Duration = Duration::from_secs(2);
/// How long the database may take to answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// Measures the lag of every tenant that has a log.
pub(crate) struct LagMeter {
    log: Arc<dyn EventLog>,
    positions: Positions,
    /// When the log accepted the first event that each tenant's read models lack, if they lack any.
    /// Kept while nobody answers: what waited then goes on waiting.
    waiting_since: BTreeMap<Tenant, Option<Timestamp>>,
}

/// Where the read models of a tenant are.
struct Progress {
    position: i64,
    lag: i64,
    /// When the log accepted the first event that they lack, if there is one and it can be read.
    since: Option<Timestamp>,
}

impl LagMeter {
    pub(crate) fn new(log: Arc<dyn EventLog>, positions: Positions) -> Self {
        Self { log, positions, waiting_since: BTreeMap::new() }
    }

    /// Measures at each tick.
    pub(crate) async fn follow(mut self, mut ticks: Ticks) {
        while ticks.next().await {
            survived("the meter of the lag", self.measure()).await;
        }
    }

    async fn measure(&mut self) {
        let listed = timeout(ASK_TIMEOUT, self.log.tenants()).await;
        // A database that doesn't answer for one tenant is not waited for by all.
        let mut is_answering = listed.is_ok();
        for tenant in listed.into_iter().flatten().flatten() {
            self.waiting_since.entry(tenant).or_default();
        }
        let tenants: Vec<Tenant> = self.waiting_since.keys().cloned().collect();
        for tenant in tenants {
            let mut progress = None;
            if is_answering {
                let asked = timeout(ASK_TIMEOUT, self.ask(&tenant)).await;
                is_answering = asked.is_ok();
                progress = asked.ok().flatten();
            }
            self.report(tenant, progress.as_ref());
        }
    }

    /// Nothing if it can't be asked.
    async fn ask(&self, tenant: &Tenant) -> Option<Progress> {
        let head = self.log.head(tenant).await.ok()??.position;
        // Not what this process knows: another one may be the one that writes.
        let position = self.positions.ask(tenant).await.ok()?;
        let lag = (head - position).max(0);
        let mut since = None;
        if lag > 0 {
            let next = self.log.read(tenant, position, 1).await.unwrap_or_default();
            since = next.first().map(|event| event.recorded_at);
        }
        Some(Progress { position, lag, since })
    }

    fn report(&mut self, tenant: Tenant, progress: Option<&Progress>) {
        let label = tenant.to_string();
        // The log's times are the machine's, whatever the service is told for a test.
        let now = Clock::system().now();
        let since = self.waiting_since.entry(tenant).or_default();
        if let Some(&Progress { position, lag, since: found }) = progress {
            // An event that can't be read may be the very one that holds the runner up.
            *since = if lag == 0 { None } else { found.or(*since).or(Some(now)) };
            gauge!("ledger_projection_position", "tenant" => label.clone()).set(position as f64);
            gauge!("ledger_projection_lag_events", "tenant" => label.clone()).set(lag as f64);
        }
        let micros = since.map_or(0, |since| now.micros().saturating_sub(since.micros()).max(0));
        gauge!("ledger_projection_lag_seconds", "tenant" => label).set(micros as f64 / 1e6);
    }
}
