//! Following the feed of changed answers.

use std::sync::Arc;
use std::time::Duration;

use ledger_projections::Feed;
use metrics::gauge;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::Cache;
use crate::errors::chain;

/// How often the feed is asked without being told to.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// How long the database may take to answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

impl Cache {
    /// Follows the feed until it is time to stop. Whatever goes wrong, entries aren't used once
    /// the last word is too old.
    pub(crate) async fn follow(self: Arc<Self>, feed: Feed, stop: CancellationToken) {
        let mut is_heard = true;
        while !stop.is_cancelled() {
            let asked_at = Instant::now();
            let known = self.cursors();
            let trouble = match timeout(ASK_TIMEOUT, feed.ask(&known)).await {
                Ok(Ok(heard)) => {
                    self.hear(heard, asked_at);
                    None
                }
                Ok(Err(error)) => Some(chain(&error)),
                Err(_) => Some("the database doesn't answer".to_owned()),
            };
            self.report();
            match (&trouble, is_heard) {
                (None, false) => tracing::info!("answers are remembered again"),
                (Some(error), true) => {
                    tracing::warn!(error, "changes of answers can't be heard: tables are read");
                }
                _ => {}
            }
            is_heard = trouble.is_none();
            let next = asked_at + ASK_EVERY;
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep_until(next) => {}
                () = feed.rung(), if is_heard => {}
            }
        }
    }

    fn report(&self) {
        let (bytes, entries) =
            self.entries.as_ref().map_or((0, 0), |all| (all.weight(), all.len()));
        gauge!("ledger_entitlement_cache_bytes").set(bytes as f64);
        gauge!("ledger_entitlement_cache_entries").set(entries as f64);
        let age = self.unheard().unwrap_or_else(|| self.begun.elapsed());
        gauge!("ledger_entitlement_feed_age_seconds").set(age.as_secs_f64());
    }
}
