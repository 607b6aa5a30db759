//! To use what is held.

use ledger_domain::event::{Event, UsageReserved};
use ledger_domain::id::FeatureSlug;
use ledger_domain::time::Interval;
use ledger_domain::usage::{Refusal, Tally, Terms, decide_commit};
use uuid::Uuid;

use super::Act;
use crate::reads::{Basis, Seen};

/// Ends a hold and counts what was really used of it, in the window in which it was held.
pub(crate) struct Commit {
    pub(crate) hold: UsageReserved,
    /// How much; none = all that is held.
    pub(crate) quantity: Option<i64>,
}

impl Act for Commit {
    fn window(&self, _: &Basis, _: &Seen, _: &FeatureSlug) -> Option<Interval> {
        self.hold.window
    }

    fn hold(&self) -> Option<Uuid> {
        Some(self.hold.hold)
    }

    fn decide(&self, _: &Terms, tally: &Tally) -> Result<Event, Refusal> {
        decide_commit(&self.hold, tally, self.quantity)
    }
}
