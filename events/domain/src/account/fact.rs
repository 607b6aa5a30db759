//! One fact in its place, as it is remembered.

use crate::id::EventKey;

/// What an object was before a fact, as far as the fact tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Prior {
    /// The fact doesn't say.
    Unknown,
    /// There was no such object.
    Nothing,
    /// There was one; the fact doesn't say what it looked like.
    Something,
    /// It looked like this.
    Known(u64),
}

impl Prior {
    /// Whether the fact says what was before.
    pub(super) const fn is_told(self) -> bool {
        matches!(self, Self::Nothing | Self::Known(_))
    }

    /// Whether the object can't have been in this state before the fact.
    pub(super) fn contradicts(self, state: Self) -> bool {
        match self {
            Self::Unknown => false,
            Self::Something => state == Self::Nothing,
            Self::Nothing | Self::Known(_) => self != state,
        }
    }
}

/// Whose a fact says that the object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// It doesn't say.
    Nobody,
    /// Of the customer among whose facts it is.
    Owner,
    /// Of another one.
    Other,
}

/// One fact in its place.
#[derive(Debug, Clone)]
pub(super) struct Fact<B> {
    /// The second in which Stripe made the event.
    pub(super) at: i64,
    /// The event.
    pub(super) key: EventKey,
    /// The event's place in the log.
    pub(super) position: i64,
    /// What is remembered of it.
    pub(super) brief: B,
    pub(super) before: Prior,
    pub(super) after: u64,
    pub(super) rank: i64,
    pub(super) named: Named,
    /// Whether it says that the object is over.
    pub(super) is_final: bool,
    /// Whether nothing but its id could tell its place.
    pub(super) is_tied: bool,
    /// Whether the object was otherwise before it than the facts so far make it.
    pub(super) is_gap: bool,
    /// Whether the object should not have become what it says, by what it was.
    pub(super) is_unexpected: bool,
}

impl<B> Fact<B> {
    pub(super) const fn is_odd(&self) -> bool {
        self.is_gap || self.is_tied || self.is_unexpected
    }

    /// Whether it is the same fact, and as odd in its place.
    pub(super) fn stands_as(&self, other: &Self) -> bool {
        let odd = |fact: &Self| (fact.is_gap, fact.is_tied, fact.is_unexpected);
        self.key == other.key && odd(self) == odd(other)
    }
}
