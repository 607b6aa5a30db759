//! Where among an object's facts the first and the last of a sort stand, so that nobody has to go
//! through all of them to find one.

/// What is looked for among an object's facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// The fact says that the object is over.
    Over,
    /// It tells of something else than the object's creation.
    NotCreation,
    /// It names the customer among whose facts it is.
    OfOwner,
    /// It names another customer.
    OfAnother,
    /// The subscription has begun: it is no purchase that isn't paid yet.
    Begun,
    /// It has begun and is over.
    Ended,
    /// The subscription is active.
    Active,
    /// The subscription isn't past due.
    Undue,
    /// A payment of the invoice failed.
    Failed,
    /// The dispute isn't lost.
    NotLost,
    /// The checkout session names a trainer.
    Named,
    /// It names one and wasn't left unpaid.
    Bought,
    /// It names one and tells that it was completed.
    Completed,
}

impl Mark {
    const ALL: [Self; 13] = [
        Self::Over,
        Self::NotCreation,
        Self::OfOwner,
        Self::OfAnother,
        Self::Begun,
        Self::Ended,
        Self::Active,
        Self::Undue,
        Self::Failed,
        Self::NotLost,
        Self::Named,
        Self::Bought,
        Self::Completed,
    ];
}

/// For each mark the first and the last second with a fact that bears it. Facts only ever come, so
/// each of these seconds moves one way.
#[derive(Debug, Clone, Default)]
pub(super) struct Landmarks([Option<(i64, i64)>; Mark::ALL.len()]);

impl Landmarks {
    /// Takes note of a fact of a second.
    pub(super) fn note(&mut self, at: i64, bears: impl Fn(Mark) -> bool) {
        for mark in Mark::ALL.into_iter().filter(|mark| bears(*mark)) {
            let seconds = &mut self.0[mark as usize];
            let (first, last) = seconds.unwrap_or((at, at));
            *seconds = Some((first.min(at), last.max(at)));
        }
    }

    /// The first second with such a fact.
    pub(super) fn first(&self, mark: Mark) -> Option<i64> {
        self.0[mark as usize].map(|(first, _)| first)
    }

    /// The last second with such a fact.
    pub(super) fn last(&self, mark: Mark) -> Option<i64> {
        self.0[mark as usize].map(|(_, last)| last)
    }
}
