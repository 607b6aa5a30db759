//! To count what has happened.

use ledger_domain::event::Event;
use ledger_domain::id::FeatureSlug;
use ledger_domain::time::{Interval, Timestamp};
use ledger_domain::usage::{Refusal, Tally, Terms, decide_record};

use super::Act;
use crate::reads::{Basis, Seen};

/// Counts a quantity in the window in which it was used, whatever the limit.
pub(crate) struct Record {
    pub(crate) quantity: i64,
    /// When; none = now.
    pub(crate) occurred_at: Option<Timestamp>,
}

impl Act for Record {
    fn window(&self, basis: &Basis, seen: &Seen, feature: &FeatureSlug) -> Option<Interval> {
        basis.window_at(seen, feature, self.occurred_at.unwrap_or(seen.at))
    }

    fn decide(&self, terms: &Terms, tally: &Tally) -> Result<Event, Refusal> {
        decide_record(terms, tally, self.quantity, self.occurred_at)
    }
}
