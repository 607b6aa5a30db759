//! Logs whose events bear a time to come.

use std::collections::BTreeSet;

use ledger_domain::id::Tenant;
use ledger_domain::time::{SECOND, Timestamp};
use metrics::gauge;

use crate::batch::Slot;

/// The tenants whose last event was recorded at a time to come: a clock was ahead then, and since
/// no event is older than the one before it, all that follow bear its time until the clocks have
/// come that far.
#[derive(Debug, Default)]
pub(super) struct AheadOfClock(BTreeSet<Tenant>);

impl AheadOfClock {
    /// Compares the time that a log's new events bear with the clock, and tells once where it
    /// begins to be ahead.
    pub(super) fn look(&mut self, slot: &Slot, now: Timestamp) {
        let ahead = slot.after.recorded_at.micros().saturating_sub(now.micros()).max(0);
        #[expect(clippy::cast_precision_loss, reason = "a gauge of seconds")]
        let seconds = ahead as f64 / SECOND as f64;
        gauge!("ledger_log_ahead_of_clock_seconds", "tenant" => slot.tenant.to_string())
            .set(seconds);
        if ahead <= SECOND {
            self.0.remove(&slot.tenant);
        } else if self.0.insert(slot.tenant.clone()) {
            tracing::warn!(
                tenant = %slot.tenant, seconds, until = %slot.after.recorded_at,
                "the last event was recorded at a time to come, by a clock that was ahead; until \
                 then all new events bear that time"
            );
        }
    }
}
