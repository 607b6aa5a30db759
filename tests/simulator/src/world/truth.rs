//! What a subscription really is, for tests to compare with what somebody made of the events.

use super::World;
use super::subscriptions::prices_of;
use super::template::integer;

/// A subscription at its customer's present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// Its id.
    pub subscription: String,
    /// Its customer's id.
    pub customer: String,
    /// `metadata.trainer_id` of the subscription, else the trainer that its customer was last said
    /// to be ([`World::said`]). Once said, it holds until another is named.
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
        let said = || self.said(&of.customer).iter().rev();
        let last = || said().find(|said| !said.unpaid).or_else(|| said().next());
        own.or_else(|| Some(last()?.trainer.as_str())).map(str::to_owned)
    }
}
