//! The steps in a subscription's life, derived from its facts each time they change: an earlier
//! fact that arrives late changes the steps after it.

use std::ops::RangeInclusive;

use super::customer::CustomerUnit;
use super::fact::Fact;
use super::facts::Facts;
use super::landmarks::Mark;
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
    /// The stretch that it tells of, its last second included. What came before and comes after
    /// stands.
    pub seconds: RangeInclusive<Timestamp>,
    /// All steps of that stretch.
    pub steps: Vec<ChangeView>,
}

impl CustomerUnit {
    /// A subscription's history as far as it tells of the facts of some seconds.
    pub(super) fn history(
        &self,
        facts: &Facts<Subscription>,
        seconds: &RangeInclusive<i64>,
    ) -> Option<History> {
        let (_, snapshot) = facts.current()?;
        let trainer = self.owner(facts);
        let places = facts.places(seconds);
        let mut told = facts.counting(places.clone()).peekable();
        // Where nothing is told, nobody looks for what was before.
        let begun = facts.begun().filter(|begun| told.peek().is_some() && *begun < places.start);
        let last = begun.and_then(|begun| facts.counting(begun..places.start).next_back());
        let mut before = last.map(|(_, fact)| &fact.brief);
        let mut steps: Vec<ChangeView> = Vec::new();
        for (_, fact) in told {
            for change in changes(before, &fact.brief) {
                let at = Timestamp::from_unix(fact.at);
                let beside = steps.iter().rev().take_while(|step| step.at == at).count();
                steps.push(step(&snapshot.id, trainer.as_ref(), beside, (change, before, fact)));
            }
            if before.is_some() || has_begun(&fact.brief) {
                before = Some(&fact.brief);
            }
        }
        let second = |at: &i64| Timestamp::from_unix(*at);
        let seconds = second(seconds.start())..=second(seconds.end());
        Some(History { subscription: snapshot.id.clone(), seconds, steps })
    }
}

/// Whether a fact bears a mark of subscriptions.
pub(super) fn bears(brief: &SubscriptionBrief, mark: Mark) -> bool {
    match mark {
        Mark::Begun => has_begun(brief),
        Mark::Active => brief.status == "active",
        Mark::Undue => brief.status != "past_due",
        Mark::Over | Mark::NotCreation | Mark::Ended | Mark::OfOwner | Mark::OfAnother => false,
        Mark::Failed | Mark::NotLost | Mark::Named | Mark::Bought | Mark::Completed => false,
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
        (!was("trialing") && is("trialing"), Change::TrialStarted),
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
    if is_paused(after) && !is_over(after) {
        steps.push(Change::Paused);
    }
    if is_over(after) {
        steps.push(Change::Cancelled);
    }
    steps
}
