//! The steps of a trainer's life that time took and no event has told of yet.
//!
//! They are computed when they are asked for, from the dates that the last events gave, as access
//! is: nothing has to run for them. An event that tells the step takes its place, and one that
//! moves the date moves it.

use ledger_domain::account::{Grant, GrantView, SubscriptionView};
use ledger_domain::catalog::Policies;
use ledger_domain::effective::Holdings;
use ledger_domain::id::{EventId, PlanSlug, StripeId};
use ledger_domain::time::{DAY, Timestamp};
use ledger_projections::queries::Place;

/// A step that time took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lapse {
    pub(crate) what: Lapsed,
    pub(crate) at: Timestamp,
    /// The prices of the subscription that it is a step of, by which the catalogue knows the plan.
    pub(crate) prices: Vec<StripeId>,
    /// The tier whose grant ended.
    pub(crate) tier: Option<PlanSlug>,
    /// The event that gave the date.
    pub(crate) event: EventId,
    /// The subscription, or the event of the grant.
    subject: String,
}

/// What time did. In the order in which steps of one instant are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lapsed {
    /// A trial ended, and Stripe hasn't said what came of it.
    TrialEnded,
    /// Nobody paid within the days of grace.
    GraceEnded,
    /// The date has passed at which a subscription was to end.
    Cancelled,
    /// A tier was given until then.
    AssignmentExpired,
    /// A tier was kept until then.
    GrandfatheringExpired,
    /// A feature was granted, lifted or capped until then.
    OverrideExpired,
}

impl Lapsed {
    /// The step's name in answers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TrialEnded => "trial_ended",
            Self::GraceEnded => "grace_ended",
            Self::Cancelled => "cancelled",
            Self::AssignmentExpired => "assignment_expired",
            Self::GrandfatheringExpired => "grandfathering_expired",
            Self::OverrideExpired => "override_expired",
        }
    }

    /// Whether the plan is the same afterwards.
    pub(crate) const fn leaves_plan(self) -> bool {
        matches!(self, Self::TrialEnded | Self::GraceEnded)
    }
}

impl Lapse {
    /// Where it stands among all steps: after those that events tell of the same instant.
    pub(super) fn place(&self) -> Place {
        let subject = self.subject.clone();
        Place { at: self.at.to_datetime(), subject, ordinal: i32::MAX - 8 + self.what as i32 }
    }
}

/// Everything that time did to what a trainer holds, by the rules of `effective`.
pub(super) fn lapses(holdings: &Holdings, policies: &Policies, now: Timestamp) -> Vec<Lapse> {
    let of_subscriptions =
        holdings.subscriptions.iter().flat_map(|view| of_subscription(view, policies));
    let of_grants = holdings.grants.iter().filter_map(of_grant);
    of_subscriptions.chain(of_grants).filter(|lapse| lapse.at <= now).collect()
}

fn of_subscription(view: &SubscriptionView, policies: &Policies) -> Vec<Lapse> {
    let status = view.status.as_str();
    // What is over, an event has told; what never began, has no history.
    if matches!(status, "canceled" | "incomplete" | "incomplete_expired") {
        return Vec::new();
    }
    let step = |what, at| Lapse {
        what,
        at,
        prices: view.items.iter().map(|item| item.price.id.clone()).collect(),
        tier: None,
        event: view.last_event.id.clone(),
        subject: view.id.as_str().to_owned(),
    };
    let end = [view.ended_at, view.cancel_at].into_iter().flatten().min();
    let period = view.current_period;
    let mut steps: Vec<Lapse> = end.map(|end| step(Lapsed::Cancelled, end)).into_iter().collect();
    // With the subscription its trial ends, but no grace: nobody waits for a payment any more.
    if status == "trialing" {
        let trial = view.trial.or(period).map(|trial| trial.until);
        let ended = trial.into_iter().chain(end).min();
        steps.extend(ended.map(|at| step(Lapsed::TrialEnded, at)));
    }
    if status == "past_due" {
        let since = view.past_due_since.or(period.map(|period| period.from));
        let over = since.map(|at| at.plus(i64::from(policies.past_due_grace_days) * DAY));
        let over = over.filter(|over| end.is_none_or(|end| *over < end));
        steps.extend(over.map(|at| step(Lapsed::GraceEnded, at)));
    }
    steps
}

/// One that was taken back or replaced before has ended by that, and an event tells it.
fn of_grant(view: &GrantView) -> Option<Lapse> {
    let at = view.expires_at.filter(|at| view.revoked_at.is_none_or(|revoked| *at < revoked))?;
    let (what, tier) = match &view.grant {
        Grant::Assigned { tier, .. } => (Lapsed::AssignmentExpired, Some(tier.clone())),
        Grant::Grandfathered { tier } => (Lapsed::GrandfatheringExpired, Some(tier.clone())),
        Grant::Override { .. } => (Lapsed::OverrideExpired, None),
    };
    let event = view.event.id.clone();
    let subject = event.as_str().to_owned();
    Some(Lapse { what, at, prices: Vec::new(), tier, event, subject })
}

#[cfg(test)]
#[path = "lapses_tests.rs"]
mod tests;
