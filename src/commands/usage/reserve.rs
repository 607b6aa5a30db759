//! To hold a quantity for a while.

use ledger_domain::event::Event;
use ledger_domain::usage::{Refusal, Tally, Terms, decide_reserve};
use uuid::Uuid;

use super::Act;

/// Holds a quantity, if there is room for it. An unsettled hold frees itself.
pub(crate) struct Reserve {
    pub(crate) quantity: i64,
    /// The hold's id: that of the event.
    pub(crate) hold: Uuid,
    /// For how many microseconds.
    pub(crate) lasts: i64,
}

impl Act for Reserve {
    fn decide(&self, terms: &Terms, tally: &Tally) -> Result<Event, Refusal> {
        decide_reserve(terms, tally, self.quantity, (self.hold, self.lasts))
    }
}
