//! How one subscription stands at an instant, whatever else its trainer holds.

use super::clock::Clock;
use super::{Access, Billing, Denial, LostDispute};
use crate::account::SubscriptionView;
use crate::catalog::{OnDisputeLost, Policies};
use crate::time::{DAY, SECOND, Timestamp};

/// Stripe's word for a subscription that has ended, and ours for one whose date has passed.
pub(super) const CANCELED: &str = "canceled";
/// Stripe's word for a first payment that never came.
pub(super) const INCOMPLETE_EXPIRED: &str = "incomplete_expired";
/// Stripe's word for a subscription on trial.
pub(super) const TRIALING: &str = "trialing";

/// What decides how a subscription stands.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    pub(super) policies: &'a Policies,
    pub(super) billing: Billing,
    pub(super) lost_disputes: &'a [LostDispute],
    pub(super) clock: &'a Clock,
}

/// How something that gives a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing<'a> {
    /// Stripe's word on it, but for a cancellation whose date has passed.
    pub(super) status: &'a str,
    /// [`Access::None`] = it has ended.
    pub(super) access: Access,
    pub(super) locked_by: Option<Denial>,
    /// When it ended, if it has and that is known.
    pub(super) ended_at: Option<Timestamp>,
    /// Whether the status is one that this ledger knows.
    pub(super) known: bool,
}

impl<'a> Standing<'a> {
    pub(super) const fn granted(status: &'a str) -> Self {
        Self::open(status, Access::Granted)
    }

    const fn open(status: &'a str, access: Access) -> Self {
        Self { status, access, locked_by: None, ended_at: None, known: true }
    }

    const fn locked(status: &'a str, by: Denial) -> Self {
        Self { locked_by: Some(by), ..Self::open(status, Access::Locked) }
    }

    const fn ended(status: &'a str, ended_at: Option<Timestamp>) -> Self {
        Self { ended_at, ..Self::open(status, Access::None) }
    }

    pub(super) fn is_live(&self) -> bool {
        self.access != Access::None
    }
}

/// How a subscription stands now.
pub(super) fn standing<'a>(view: &'a SubscriptionView, rules: Rules<'_>) -> Standing<'a> {
    let standing = by_status(view, rules);
    let lost = rules.policies.on_dispute_lost == OnDisputeLost::Lock
        && rules.lost_disputes.iter().any(|dispute| is_about(dispute, view));
    if lost && standing.access.is_open() {
        return Standing::locked(standing.status, Denial::SubscriptionInactive);
    }
    standing
}

fn by_status<'a>(view: &'a SubscriptionView, rules: Rules<'_>) -> Standing<'a> {
    let status = view.status.as_str();
    if status == CANCELED || status == INCOMPLETE_EXPIRED {
        // Stripe has said so: if its clock is ahead of ours, nobody waits for that.
        return Standing::ended(status, view.ended_at.or(view.canceled_at));
    }
    // What was to end has ended, whether the webhook that says so has come or not.
    let end = [view.ended_at, view.cancel_at].into_iter().flatten().min();
    if let Some(end) = end.filter(|end| rules.clock.reached(*end)) {
        return Standing::ended(CANCELED, Some(end));
    }
    match status {
        "active" => Standing::granted(status),
        TRIALING => on_trial(view, rules),
        "past_due" => past_due(view, rules),
        "unpaid" | "paused" | "incomplete" => {
            Standing::locked(status, Denial::SubscriptionInactive)
        }
        _ => Standing { known: false, ..Standing::locked(status, Denial::SubscriptionInactive) },
    }
}

/// Stripe takes about an hour to say what came of a trial. Where it bills, its word is awaited for
/// a while; where it doesn't, no word will come. A cancellation that was due at the trial's end
/// has been seen to before.
fn on_trial<'a>(view: &'a SubscriptionView, rules: Rules<'_>) -> Standing<'a> {
    let status = view.status.as_str();
    let Some(end) = trial_end(view) else {
        return Standing::granted(status);
    };
    let settle = match rules.billing {
        Billing::Stripe => i64::from(rules.policies.trial_settle_hours) * 3_600 * SECOND,
        Billing::Manual => 0,
    };
    // Asked apart: the answer holds what is left of the trial, so its end matters by itself.
    if !rules.clock.reached(end) || !rules.clock.reached(end.plus(settle)) {
        return Standing::granted(status);
    }
    Standing::locked(status, Denial::TrialExpired)
}

/// When a trial ends. During one, the period that runs is the trial.
pub(super) fn trial_end(view: &SubscriptionView) -> Option<Timestamp> {
    view.trial.or(view.current_period).map(|trial| trial.until)
}

/// The grace begins with the failure, not with Stripe's word on it. Where neither is known, the
/// period whose payment failed has a beginning.
fn past_due<'a>(view: &'a SubscriptionView, rules: Rules<'_>) -> Standing<'a> {
    let status = view.status.as_str();
    let since = view.past_due_since.or(view.current_period.map(|period| period.from));
    let grace = i64::from(rules.policies.past_due_grace_days) * DAY;
    match since {
        Some(since) if rules.clock.reached(since.plus(grace)) => {
            Standing::locked(status, Denial::SubscriptionInactive)
        }
        _ => Standing::open(status, Access::Grace),
    }
}

/// A subscription that began after the dispute was lost is paid for by other payments.
fn is_about(dispute: &LostDispute, view: &SubscriptionView) -> bool {
    match &dispute.subscription {
        Some(subscription) => *subscription == view.id,
        None => view.started_at.is_none_or(|started| started <= dispute.at),
    }
}
