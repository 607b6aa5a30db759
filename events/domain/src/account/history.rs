//! The steps in a subscription's life, derived from its facts each time they change: an earlier
//! fact that arrives late changes the steps after it.

use super::customer::CustomerUnit;
use super::facts::{Fact, Facts};
use super::snapshots::SubscriptionBrief;
use super::view::{Change, ChangeView};
use crate::event::stripe::Subscription;
use crate::id::{StripeId, TrainerId};
use crate::time::Timestamp;

/// What became of a subscription's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Whose it is.
    pub subscription: StripeId,
    /// The steps that may have changed, to the end.
    pub steps: Vec<ChangeView>,
    /// How many steps there are now: there may have been more.
    pub len: usize,
}

impl CustomerUnit {
    /// A subscription's history as far as it tells of the facts from a place on.
    pub(super) fn history(&self, facts: &Facts<Subscription>, from: usize) -> Option<History> {
        let (_, snapshot) = facts.current()?;
        let trainer = self.owner(facts);
        let (mut steps, mut len) = (Vec::new(), 0);
        let mut before: Option<&SubscriptionBrief> = None;
        for (place, fact) in facts.in_order() {
            for change in changes(before, &fact.brief) {
                if place >= from {
                    steps.push(step(&snapshot.id, trainer.as_ref(), len, (change, before, fact)));
                }
                len += 1;
            }
            if before.is_some() || has_begun(&fact.brief) {
                before = Some(&fact.brief);
            }
        }
        Some(History { subscription: snapshot.id.clone(), steps, len })
    }
}

fn step(
    subscription: &StripeId,
    trainer: Option<&TrainerId>,
    ordinal: usize,
    (change, before, fact): Step<'_>,
) -> ChangeView {
    ChangeView {
        subject: subscription.as_str().into(),
        ordinal: i32::try_from(ordinal).unwrap_or(i32::MAX),
        trainer: trainer.cloned(),
        change,
        from_prices: before.map(|brief| brief.prices.clone()).unwrap_or_default(),
        to_prices: match change {
            Change::Cancelled => Vec::new(),
            _ => fact.brief.prices.clone(),
        },
        tier: None,
        feature: None,
        at: Timestamp::from_unix(fact.at),
        actor: "stripe".into(),
        event: fact.key.clone(),
        position: fact.position,
    }
}

type Step<'a> = (Change, Option<&'a SubscriptionBrief>, &'a Fact<SubscriptionBrief>);

/// Whether it ever gave anything: a purchase that isn't paid yet has no history.
fn has_begun(brief: &SubscriptionBrief) -> bool {
    !matches!(brief.status.as_str(), "incomplete" | "incomplete_expired")
}

fn is_over(brief: &SubscriptionBrief) -> bool {
    matches!(brief.status.as_str(), "canceled" | "incomplete_expired")
}

fn owes(brief: &SubscriptionBrief) -> bool {
    matches!(brief.status.as_str(), "past_due" | "unpaid")
}

/// The steps from one fact to the next, in the order in which they are told.
fn changes(before: Option<&SubscriptionBrief>, after: &SubscriptionBrief) -> Vec<Change> {
    let Some(before) = before else {
        return first_changes(after);
    };
    let was = |status: &str| before.status == *status;
    let is = |status: &str| after.status == *status;
    let over = is_over(after);
    let rolled_over = match (before.period, after.period) {
        (Some((_, end)), Some((start, _))) => start >= end && !was("trialing"),
        _ => false,
    };
    let steps = [
        (was("trialing") && !is("trialing"), Change::TrialEnded),
        (!over && before.prices != after.prices, Change::PlanChanged),
        (!over && rolled_over, Change::Renewed),
        (!owes(before) && owes(after), Change::PaymentFailed),
        (owes(before) && !owes(after) && !over && !is("paused"), Change::Recovered),
        (!over && before.cancel_at.is_none() && after.cancel_at.is_some(), Change::CancelScheduled),
        (!over && before.cancel_at.is_some() && after.cancel_at.is_none(), Change::CancelWithdrawn),
        (!is_paused(before) && is_paused(after) && !over, Change::Paused),
        (is_paused(before) && !is_paused(after) && !over, Change::Resumed),
        (over && !is_over(before), Change::Cancelled),
    ];
    steps.into_iter().filter_map(|(happened, change)| happened.then_some(change)).collect()
}

fn is_paused(brief: &SubscriptionBrief) -> bool {
    brief.status == "paused" || brief.collection_paused
}

fn first_changes(after: &SubscriptionBrief) -> Vec<Change> {
    if !has_begun(after) {
        return Vec::new();
    }
    let mut steps = vec![Change::Created];
    if after.status == "trialing" {
        steps.push(Change::TrialStarted);
    }
    if owes(after) {
        steps.push(Change::PaymentFailed);
    }
    if after.cancel_at.is_some() && !is_over(after) {
        steps.push(Change::CancelScheduled);
    }
    if is_over(after) {
        steps.push(Change::Cancelled);
    }
    steps
}
