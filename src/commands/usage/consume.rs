//! To ask and to count in one step.

use ledger_domain::event::Event;
use ledger_domain::usage::{Refusal, Tally, Terms, decide_consume};

use super::Act;

/// Counts a quantity at the log's clock, if there is room for it.
pub(crate) struct Consume {
    pub(crate) quantity: i64,
}

impl Act for Consume {
    fn decide(&self, terms: &Terms, tally: &Tally) -> Result<Event, Refusal> {
        decide_consume(terms, tally, self.quantity)
    }
}
