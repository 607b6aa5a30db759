//! What an act brings to its decision, and when its event happened.

use ledger_domain::event::Event;
use ledger_domain::id::FeatureSlug;
use ledger_domain::time::{Interval, Timestamp};
use ledger_domain::usage::{Refusal, Tally, Terms};
use ledger_log::Counter;
use uuid::Uuid;

use crate::reads::{Basis, Seen};

/// Something that can be done to usage.
pub(crate) trait Act: Send + Sync + 'static {
    /// The window whose counter it looks at: the one of now, unless the act says otherwise.
    fn window(&self, _: &Basis, seen: &Seen, feature: &FeatureSlug) -> Option<Interval> {
        seen.answer.features.get(feature).and_then(|has| has.window)
    }

    /// The hold that it is about.
    fn hold(&self) -> Option<Uuid> {
        None
    }

    /// What comes of it. Pure: it runs inside the log, perhaps more than once.
    fn decide(&self, terms: &Terms, tally: &Tally) -> Result<Event, Refusal>;
}

/// The counter, as decisions know it.
pub(super) const fn tally(counter: &Counter) -> Tally {
    let Counter { used, held, hold, facts, now } = *counter;
    Tally { used, held, hold, facts, now }
}

/// When an event happened. What was used of a hold counts when it was held; that it was used is
/// said now.
pub(super) const fn said_at(event: &Event, now: Timestamp) -> Timestamp {
    match event {
        Event::UsageRecorded(e) => e.occurred_at,
        _ => now,
    }
}
