//! To give back: what is held, or what is counted.

use ledger_domain::event::{Event, UsageReserved};
use ledger_domain::id::FeatureSlug;
use ledger_domain::time::Interval;
use ledger_domain::usage::{Refusal, Tally, Terms, decide_give_up, decide_release};
use uuid::Uuid;

use super::Act;
use crate::reads::{Basis, Seen};

/// Ends a hold unused.
pub(crate) struct GiveUp {
    pub(crate) hold: UsageReserved,
}

impl Act for GiveUp {
    fn window(&self, _: &Basis, _: &Seen, _: &FeatureSlug) -> Option<Interval> {
        self.hold.window
    }

    fn hold(&self) -> Option<Uuid> {
        Some(self.hold.hold)
    }

    fn decide(&self, _: &Terms, tally: &Tally) -> Result<Event, Refusal> {
        decide_give_up(&self.hold, tally)
    }
}

/// Counts a standing count down.
pub(crate) struct Release {
    pub(crate) quantity: i64,
}

impl Act for Release {
    fn window(&self, _: &Basis, _: &Seen, _: &FeatureSlug) -> Option<Interval> {
        None
    }

    fn decide(&self, terms: &Terms, tally: &Tally) -> Result<Event, Refusal> {
        decide_release(terms, tally, self.quantity)
    }
}
