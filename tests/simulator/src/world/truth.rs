//! What a subscription really is, for tests to compare with what somebody made of the events.

use serde_json::{Map, Value};

use super::subscriptions::prices_of;
use super::template::{integer, text};
use super::{Event, World};

/// A subscription at its customer's present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// Its id.
    pub subscription: String,
    /// Its customer's id.
    pub customer: String,
    /// `metadata.trainer_id` of the subscription, else the trainer that its customer was last said
    /// to be: by the customer's metadata, or by a session's `client_reference_id` or metadata. Once
    /// said, it holds until another is named; metadata that stay as they are name nobody again.
    pub trainer: Option<String>,
    /// As Stripe calls it.
    pub status: String,
    /// The ids of its prices, in the order of its items.
    pub prices: Vec<String>,
    /// How many of each are sold.
    pub quantities: Vec<i64>,
    /// Beginning and end of the current period.
    pub period: (i64, i64),
    /// When its trial ends or ended.
    pub trial_end: Option<i64>,
    /// When it is to be canceled.
    pub cancel_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// When the next phase of its schedule with other prices starts, and those.
    pub scheduled: Option<(i64, Vec<String>)>,
    /// What was paid on all of its invoices.
    pub paid_minor: i64,
    /// What of that was given back.
    pub refunded_minor: i64,
}

impl World {
    /// What every subscription is now, oldest first.
    #[must_use]
    pub fn truth(&self) -> Vec<Truth> {
        let made = self.made.get("subscription").into_iter().flatten();
        made.filter_map(|id| self.truth_of(id)).collect()
    }

    fn truth_of(&self, id: &str) -> Option<Truth> {
        let of = self.subscriptions.get(id)?;
        let invoices: Vec<_> =
            self.invoices.values().filter(|invoice| invoice.subscription == id).collect();
        let refunded = self.all("refund").filter(|refund| {
            let intent = refund["payment_intent"].as_str().and_then(|id| self.paid_by.get(id));
            refund["status"] == "succeeded"
                && intent
                    .and_then(|id| self.invoices.get(id))
                    .is_some_and(|it| it.subscription == id)
        });
        let schedule = of.schedule.as_ref().and_then(|schedule| self.schedules.get(schedule));
        let next = schedule.and_then(super::Schedule::next_change);
        Some(Truth {
            subscription: id.to_owned(),
            customer: of.customer.clone(),
            trainer: self.trainer_of(id),
            status: of.status.name().to_owned(),
            prices: prices_of(&of.items),
            quantities: of.items.iter().map(|item| item.quantity).collect(),
            period: of.period,
            trial_end: of.trial.map(|trial| trial.1),
            cancel_at: of.cancel_at,
            ended_at: of.ended_at,
            scheduled: next.map(|phase| (phase.start, prices_of(&phase.items))),
            paid_minor: invoices.iter().map(|invoice| invoice.amount_paid).sum(),
            refunded_minor: refunded.map(|refund| integer(&refund, "amount")).sum(),
        })
    }

    fn trainer_of(&self, id: &str) -> Option<String> {
        let of = self.subscriptions.get(id)?;
        let own = of.metadata.get("trainer_id").and_then(|trainer| trainer.as_str());
        own.map(str::to_owned).or_else(|| {
            let latest_first = || self.events.iter().rev();
            let named = |event: &Event| named_by(&event.object, &of.customer);
            let anew = latest_first().filter(|event| event.names_anew()).find_map(named);
            // A page that ran out says it where nobody else does.
            anew.or_else(|| latest_first().find_map(named))
        })
    }
}

impl Event {
    /// Whether the trainer that it names wasn't named before: each event of a customer shows all of
    /// the metadata, whatever it tells of.
    #[must_use]
    pub fn names_anew(&self) -> bool {
        let is_named_before = |previous: &Map<String, Value>| {
            let metadata = previous.get("metadata");
            metadata.is_none_or(|metadata| metadata.get("trainer_id").is_none())
        };
        match self.kind.as_str() {
            "customer.deleted" | "checkout.session.expired" => false,
            "customer.updated" => !self.previous_attributes.as_ref().is_some_and(is_named_before),
            _ => true,
        }
    }
}

/// The trainer that an object says a customer is.
fn named_by(object: &Value, customer: &str) -> Option<String> {
    let own = &object["metadata"]["trainer_id"];
    let said = match text(object, "object") {
        "customer" if object["id"] == customer => own.as_str(),
        "checkout.session" if object["customer"] == customer => {
            object["client_reference_id"].as_str().or_else(|| own.as_str())
        }
        _ => None,
    };
    said.map(str::to_owned)
}
