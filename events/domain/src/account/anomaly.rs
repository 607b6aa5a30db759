//! What a person should look at, as the set of an object's facts shows it. It is computed from the
//! set each time that changes, and gone once the set no longer shows it.

use crate::id::EventKey;

/// Something about an object's facts that a person should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactAnomaly {
    /// The event says the object was otherwise before than the facts so far make it: a fact is
    /// missing. The events concerned are the one that says so and the one before it, if any. Or the
    /// customer was deleted, and what ended its subscription then is missing.
    GapSuspected(EventKey, Option<EventKey>),
    /// Nothing but their ids tells that the event came after another one of its second.
    OrderConflict(EventKey, EventKey),
    /// A subscription has a status that shouldn't follow the one before it. The events concerned
    /// are those that say so.
    UnexpectedTransition(EventKey, EventKey),
    /// An event says of a customer that it is another trainer than an earlier event says.
    ConflictingLink(EventKey, EventKey),
    /// An event says that an object is of another customer than the one that has it, and no later
    /// event says otherwise. The other event is the last one that agrees, if any does.
    ConflictingCustomer(EventKey, Option<EventKey>),
}

impl FactAnomaly {
    /// Its name in read models and answers.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::GapSuspected(..) => "gap_suspected",
            Self::OrderConflict(..) => "order_conflict",
            Self::UnexpectedTransition(..) => "unexpected_transition",
            Self::ConflictingLink(..) => "conflicting_link",
            Self::ConflictingCustomer(..) => "conflicting_customer",
        }
    }

    /// The event concerned.
    #[must_use]
    pub const fn event(&self) -> &EventKey {
        match self {
            Self::GapSuspected(event, _)
            | Self::OrderConflict(event, _)
            | Self::UnexpectedTransition(event, _)
            | Self::ConflictingLink(event, _)
            | Self::ConflictingCustomer(event, _) => event,
        }
    }

    /// The event that it doesn't fit.
    #[must_use]
    pub const fn other(&self) -> Option<&EventKey> {
        match self {
            Self::GapSuspected(_, other) | Self::ConflictingCustomer(_, other) => other.as_ref(),
            Self::OrderConflict(_, other)
            | Self::UnexpectedTransition(_, other)
            | Self::ConflictingLink(_, other) => Some(other),
        }
    }
}
