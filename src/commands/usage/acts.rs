//! What an act brings to its decision, and what its event does to the counter.

use ledger_domain::event::Event;
use ledger_domain::id::FeatureSlug;
use ledger_domain::time::{Interval, Timestamp};
use ledger_domain::usage::{Refusal, Tally, Terms};
use ledger_log::{Counter, UsageChange, UsageEntry};
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

/// When an event happened, and what it does to the counters; none for one that isn't usage.
pub(super) fn entry(event: &Event, now: Timestamp) -> Option<(Timestamp, UsageEntry)> {
    let (trainer, feature, occurred_at, change) = match event {
        Event::UsageRecorded(e) => {
            (&e.trainer, &e.feature, e.occurred_at, UsageChange::Count(e.quantity))
        }
        Event::UsageConsumed(e) => {
            (&e.trainer, &e.feature, e.occurred_at, UsageChange::Count(e.quantity))
        }
        Event::UsageReleased(e) => {
            let down = UsageChange::Count(e.quantity.saturating_neg());
            (&e.trainer, &e.feature, e.occurred_at, down)
        }
        Event::UsageReserved(e) => {
            let (id, quantity, until) = (e.hold, e.quantity, e.expires_at);
            let hold = UsageChange::Hold { id, quantity, until };
            (&e.trainer, &e.feature, e.occurred_at, hold)
        }
        Event::ReservationCommitted(e) => {
            let settle = UsageChange::Settle { id: e.hold, quantity: e.quantity };
            (&e.trainer, &e.feature, e.occurred_at, settle)
        }
        Event::ReservationReleased(e) => {
            (&e.trainer, &e.feature, now, UsageChange::Settle { id: e.hold, quantity: 0 })
        }
        _ => return None,
    };
    let (trainer, feature) = (trainer.clone(), feature.clone());
    // What was used of a hold counts when it was held; that it was used is said now.
    let said_at = match event {
        Event::UsageRecorded(e) => e.occurred_at,
        _ => now,
    };
    Some((said_at, UsageEntry { trainer, feature, occurred_at, change }))
}
