//! What was so: how each subscription stood after every call and every act of time, and who each
//! customer was said to be. Nothing here looks into events, so that an event that lacks, or tells
//! something else, shows.

use serde_json::Value;

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

/// Who somebody said that a customer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The trainer.
    pub trainer: String,
    /// The event that tells of it.
    pub event: String,
    /// Whether the page was left unpaid that says so: it counts only where nothing else does.
    pub unpaid: bool,
}

impl World {
    /// Who a customer was said to be, in the order in which that was said: by the metadata of who
    /// is made a customer or gets other metadata, and by the page on which somebody subscribed, or
    /// could have.
    #[must_use]
    pub fn said(&self, customer: &str) -> &[Said] {
        self.said.get(customer).map_or(&[], Vec::as_slice)
    }

    /// Somebody says who a customer is; the last event tells of that.
    pub(super) fn say(&mut self, customer: &str, trainer: Option<&str>, unpaid: bool) {
        let Some((trainer, event)) = trainer.zip(self.events.last()) else { return };
        let said = Said { trainer: trainer.to_owned(), event: event.id.clone(), unpaid };
        self.said.entry(customer.to_owned()).or_default().push(said);
    }

    /// The page of a session says who its customer is.
    pub(super) fn say_of_session(&mut self, session: &str, unpaid: bool) {
        let Some(of) = self.sessions.get(session) else { return };
        let Some(customer) = of.customer.clone() else { return };
        let in_metadata = of.metadata.get("trainer_id").and_then(Value::as_str);
        let trainer = of.reference.as_deref().or(in_metadata).map(str::to_owned);
        self.say(&customer, trainer.as_deref(), unpaid);
    }

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
