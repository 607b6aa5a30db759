//! Which tier counts, among all that a trainer holds.

use std::cmp::Reverse;

use super::clock::Clock;
use super::held::{Everything, Held, Origin};
use super::standing::{CANCELED, Standing, TRIALING, trial_end};
use super::{Access, Denial, HeldTier, ScheduledTier, status};
use crate::catalog::{Catalog, WhenInactive};
use crate::event::Code;
use crate::time::Timestamp;

/// What comes of looking at all tiers held.
#[derive(Debug)]
pub(super) struct Choice<'a> {
    /// The tier that counts, locked or not.
    pub(super) held: Option<Held<'a>>,
    /// Where there is none: the tier that ended last.
    pub(super) ended: Option<Held<'a>>,
    pub(super) status: &'a str,
    pub(super) ended_at: Option<Timestamp>,
}

/// The best tier that can be used, else the default tier, else the best that is locked, else the
/// memory of one that has ended.
pub(super) fn choose<'a>(all: &Everything<'a>, catalog: &'a Catalog) -> Choice<'a> {
    let best = all.tiers().next();
    if let Some(open) = best.filter(|tier| tier.is_open()) {
        return Choice::of(open.clone());
    }
    if let Some(tier) = default_tier(all, catalog) {
        return Choice::of(Held::default_tier(tier));
    }
    match best {
        Some(locked) if locked.is_locked() => Choice::of(locked.clone()),
        _ => nothing(all),
    }
}

impl<'a> Choice<'a> {
    fn of(held: Held<'a>) -> Self {
        let status = held.standing.status;
        Self { held: Some(held), ended: None, status, ended_at: None }
    }
}

impl<'a> Everything<'a> {
    /// The tiers held or once held, the best first.
    pub(super) fn tiers(&self) -> impl Iterator<Item = &Held<'a>> {
        self.held.iter().filter(|held| held.plan.is_tier())
    }
}

/// The default tier, for a trainer who may have it: under [`WhenInactive::Lock`] it is for those
/// who never paid for a tier. An add-on that was paid for is none of its business.
fn default_tier<'a>(
    all: &Everything<'a>,
    catalog: &'a Catalog,
) -> Option<&'a crate::catalog::Plan> {
    let paid = || {
        let mut subscriptions = all.tiers().filter_map(Held::subscription);
        subscriptions.any(|view| view.once_active)
    };
    match catalog.policies().when_inactive {
        WhenInactive::Lock if paid() => None,
        WhenInactive::Lock | WhenInactive::DefaultTier => catalog.default_tier(),
    }
}

/// Nothing gives a tier. The status is that of what gave the last one, or of a subscription that
/// may give one for all the catalogue knows.
fn nothing<'a>(all: &Everything<'a>) -> Choice<'a> {
    let unknown = all.unknown.iter().map(|(_, standing)| *standing);
    if let Some(live) = unknown.clone().find(Standing::is_live) {
        return Choice { held: None, ended: None, status: live.status, ended_at: None };
    }
    // A first payment that never came is no reason to forget what was really cancelled.
    let recency = |standing: &Standing<'_>| (standing.status == CANCELED, standing.ended_at);
    let ended = all.tiers().min_by_key(|tier| Reverse(recency(&tier.standing)));
    let unknown = unknown.min_by_key(|standing| Reverse(recency(standing)));
    match (ended, unknown) {
        (Some(tier), unknown)
            if unknown.is_none_or(|unknown| recency(&unknown) <= recency(&tier.standing)) =>
        {
            let Standing { status, ended_at, .. } = tier.standing;
            Choice { held: None, ended: Some(tier.clone()), status, ended_at }
        }
        (_, Some(Standing { status, ended_at, .. })) => {
            Choice { held: None, ended: None, status, ended_at }
        }
        (_, None) => Choice { held: None, ended: None, status: status::NONE, ended_at: None },
    }
}

impl Held<'_> {
    /// A tier as answers show it.
    pub(super) fn shown(&self) -> HeldTier {
        HeldTier {
            slug: self.plan.slug().clone(),
            level: self.plan.level().unwrap_or(0),
            name: self.plan.name().into(),
            interval: self.interval,
            since: self.since,
            source: self.source(),
            event: self.event(),
        }
    }

    /// Whether it can be used, seen that the trainer may be locked out.
    pub(super) const fn access(&self, suspended: bool) -> (Access, Option<Denial>) {
        if suspended {
            (Access::Locked, Some(Denial::AccountSuspended))
        } else {
            (self.standing.access, self.standing.locked_by)
        }
    }

    /// When its trial ends or ended, while Stripe calls it a trial.
    pub(super) fn trial_end(&self) -> Option<Timestamp> {
        let view = self.subscription().filter(|view| view.status == *TRIALING)?;
        trial_end(view)
    }

    /// The tier that a schedule will bring: only while it lies ahead, only if it is another one,
    /// and only if the subscription lives to see it.
    pub(super) fn scheduled(&self, catalog: &Catalog, clock: &Clock) -> Option<ScheduledTier> {
        let Origin::Subscription(view, _) = self.origin else {
            return None;
        };
        let scheduled = view.scheduled.as_ref()?;
        let plans = scheduled.prices.iter().filter_map(|price| catalog.plan_by_price(price));
        let tiers = plans.map(|(plan, _)| plan).filter(|plan| plan.is_tier());
        let tier = tiers.max_by_key(|tier| tier.level())?;
        let outlived = view.cancel_at.is_some_and(|end| end <= scheduled.at);
        if tier.slug() == self.plan.slug() || outlived || clock.reached(scheduled.at) {
            return None;
        }
        Some(ScheduledTier { tier: tier.slug().clone(), at: scheduled.at })
    }

    pub(super) fn status(&self) -> Code {
        Code::new(self.standing.status)
    }
}
