//! The steps in a subscription's life, derived from its facts each time they change: an earlier
//! fact that arrives late changes the steps after it.

use super::customer::CustomerUnit;
use super::facts::{Fact, Facts};
use super::snapshots::SubscriptionBrief;
use super::view::{Change, ChangeView};
use crate::event::stripe::Subscription;
use crate::id::StripeId;
use crate::time::Timestamp;

impl CustomerUnit {
    /// The whole history of a subscription.
    pub(super) fn history(
        &self,
        facts: &Facts<Subscription>,
    ) -> Option<(StripeId, Vec<ChangeView>)> {
        let (_, snapshot) = facts.current()?;
        let trainer = self.owner_of(facts);
        let mut steps = Vec::new();
        let mut before: Option<&SubscriptionBrief> = None;
        for fact in facts.in_order() {
            for change in changes(before, &fact.brief) {
                steps.push((change, before, fact));
            }
            if has_begun(&fact.brief) || before.is_some() {
                before = Some(&fact.brief);
            }
        }
        let view = |(ordinal, (change, before, fact)): (usize, Step<'_>)| ChangeView {
            subject: snapshot.id.as_str().into(),
            ordinal: i32::try_from(ordinal).unwrap_or(i32::MAX),
            trainer: trainer.clone(),
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
        };
        Some((snapshot.id.clone(), steps.into_iter().enumerate().map(view).collect()))
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
