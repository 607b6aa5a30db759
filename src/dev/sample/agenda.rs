//! What is to happen when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What can happen to a trainer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    SignUp,
    /// Another month: whatever chance brings.
    Live,
    Upgrade,
    ScheduleDowngrade,
    TakeDowngradeBack,
    CancelAtEnd,
    ChangeMind,
    CancelNow,
    CardFails,
    CardWorks,
    PayOpenInvoice,
    Refund,
    Dispute,
    CloseDispute,
    BuyAddOn,
    CancelAddOn,
}

/// Acts by time. Those of one instant happen in the order in which they were planned.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    acts: BinaryHeap<Reverse<(i64, u64, usize, Act)>>,
    planned: u64,
}

impl Agenda {
    pub(super) fn plan(&mut self, at: i64, trainer: usize, act: Act) {
        self.planned += 1;
        self.acts.push(Reverse((at, self.planned, trainer, act)));
    }

    /// The next act that isn't later than that.
    pub(super) fn next(&mut self, until: i64) -> Option<(i64, usize, Act)> {
        let Reverse((at, _, trainer, act)) = self.acts.pop()?;
        (at <= until).then_some((at, trainer, act))
    }
}
