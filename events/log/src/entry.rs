//! What an event does to the counters of usage, and the row that keeps it. Whoever appends an event
//! and whoever checks its row ask here.

use ledger_domain::event::Event;
use ledger_domain::time::Timestamp;
use uuid::Uuid;

use crate::port::{UsageChange, UsageEntry};

/// A change as its row spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageRow {
    /// What counts; 0 for a hold.
    pub quantity: i64,
    /// What a hold keeps.
    pub held: Option<i64>,
    /// When a hold frees itself.
    pub held_until: Option<Timestamp>,
    /// The id of a hold, or of the hold that is settled.
    pub hold_id: Option<Uuid>,
}

impl UsageEntry {
    /// What an event does to the counters; none for one that isn't usage. A hold that ends unused
    /// ends when that is said: its event names no instant.
    #[must_use]
    pub fn of(event: &Event, said_at: Timestamp) -> Option<Self> {
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
                (&e.trainer, &e.feature, said_at, UsageChange::Settle { id: e.hold, quantity: 0 })
            }
            _ => return None,
        };
        let (trainer, feature) = (trainer.clone(), feature.clone());
        Some(Self { trainer, feature, occurred_at, change })
    }
}

impl UsageChange {
    /// The change as its row spells it.
    #[must_use]
    pub const fn row(self) -> UsageRow {
        let (quantity, held, held_until, hold_id) = match self {
            Self::Count(quantity) => (quantity, None, None, None),
            Self::Hold { id, quantity, until } => (0, Some(quantity), Some(until), Some(id)),
            Self::Settle { id, quantity } => (quantity, None, None, Some(id)),
        };
        UsageRow { quantity, held, held_until, hold_id }
    }
}
