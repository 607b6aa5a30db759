//! What subscriptions were: how each stood after every call and every act of time. Nothing here
//! looks at events, so that an event that lacks, or tells something else, shows.

use super::World;
use super::subscriptions::{Status, Subscription, prices_of};

/// How a subscription stood from some second on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stood {
    /// Since when.
    pub at: i64,
    /// As Stripe calls it.
    pub status: &'static str,
    /// The ids of its prices, in the order of its items.
    pub prices: Vec<String>,
    /// Beginning and end of the current period.
    pub period: (i64, i64),
    /// Whether it is to be canceled.
    pub is_to_end: bool,
    /// Whether nothing is collected, though it may be active.
    pub is_paused: bool,
}

impl Stood {
    fn of(of: &Subscription, at: i64) -> Self {
        Self {
            at,
            status: of.status.name(),
            prices: prices_of(&of.items),
            period: of.period,
            is_to_end: of.cancel_at.is_some(),
            is_paused: of.status == Status::Paused || of.pause.is_some(),
        }
    }
}

impl World {
    /// How a subscription stood, oldest first. Of what one call changes only the end is there.
    #[must_use]
    pub fn past(&self, subscription: &str) -> &[Stood] {
        self.past.get(subscription).map_or(&[], Vec::as_slice)
    }

    /// A call or an act of time is over.
    pub(super) fn remember(&mut self) {
        for id in self.subscriptions.take_changed() {
            let now = self.now_of(&id);
            let Some(of) = self.subscriptions.get(&id) else { continue };
            let stands = Stood::of(of, now);
            let past = self.past.entry(id).or_default();
            if past.last().is_none_or(|last| Stood { at: now, ..last.clone() } != stands) {
                past.push(stands);
            }
        }
    }
}
