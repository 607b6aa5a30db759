//! Policies: what the business decided about trials, late payment, and lapsed subscriptions.

use std::ops::RangeInclusive;

use crate::id::PlanSlug;

/// What becomes of a trainer whose paid subscription has ended or lapsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WhenInactive {
    /// Access ends: the default tier is for trainers who never paid.
    Lock,
    /// The trainer goes on with the default tier.
    DefaultTier,
}

/// Who lets a purchase take effect where billing is done by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Approval {
    /// An administrator approves each request.
    Manual,
    /// A request takes effect at once.
    Auto,
}

/// What losing a payment dispute does to access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnDisputeLost {
    /// Nothing; the dispute is shown and counted.
    Keep,
    /// The disputed subscription is locked.
    Lock,
}

/// The decisions of the business. A catalogue's policies have been checked: every number is in
/// its range, and the default tier is an active tier of that catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// How long a first subscription is free of charge; 0 means that there is no trial.
    pub trial_days: u32,
    /// How long access goes on after a trial's end while Stripe's word on the payment is awaited.
    pub trial_settle_hours: u32,
    /// How many days before its end a trial is announced as ending; 0 means never.
    pub trial_reminder_days: u32,
    /// How long access goes on after a payment first failed.
    pub past_due_grace_days: u32,
    /// What becomes of a trainer whose paid subscription has ended or lapsed.
    pub when_inactive: WhenInactive,
    /// The tier of a trainer to whom nothing else gives one.
    pub default_tier: Option<PlanSlug>,
    /// Who lets a purchase take effect where billing is done by hand.
    pub approval: Approval,
    /// What losing a payment dispute does to access.
    pub on_dispute_lost: OnDisputeLost,
    /// How long a grandfathered trainer keeps the old tier, unless the administrator says.
    pub grandfather_days: u32,
    /// How long a reserved quantity is held, unless the request says.
    pub hold_minutes: u32,
    /// From what share of a limit or quota on usage answers warn. Reaching it always warns.
    pub usage_warning_percent: u32,
}

/// A policy that is a number: its key in the file, its default, and what it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberPolicy {
    /// The key in the catalogue file.
    pub key: &'static str,
    /// What it is when the file doesn't say.
    pub default: u32,
    /// The numbers it may be.
    pub range: RangeInclusive<u32>,
}

macro_rules! number_policies {
    ($($(#[$doc:meta])* $constant:ident = $key:literal, $default:literal, $range:expr;)*) => {
        impl Policies {
            $($(#[$doc])* pub const $constant: NumberPolicy =
                NumberPolicy { key: $key, default: $default, range: $range };)*
            /// Every policy that is a number.
            pub const NUMBERS: &'static [NumberPolicy] = &[$(Self::$constant),*];
        }
    };
}

number_policies! {
    /// No trial unless one is asked for; Stripe allows two years.
    TRIAL_DAYS = "trial_days", 0, 0..=730;
    /// Stripe charges about an hour after a trial's end; a day covers its retries, a week is much.
    TRIAL_SETTLE_HOURS = "trial_settle_hours", 24, 0..=168;
    /// Stripe announces a trial's end three days ahead, too.
    TRIAL_REMINDER_DAYS = "trial_reminder_days", 3, 0..=30;
    /// A week: about as long as Stripe retries a card.
    PAST_DUE_GRACE_DAYS = "past_due_grace_days", 7, 0..=90;
    /// A quarter of a year to get used to a new catalogue.
    GRANDFATHER_DAYS = "grandfather_days", 90, 1..=3650;
    /// Long enough for one job, short enough that a crash frees what it held.
    HOLD_MINUTES = "hold_minutes", 5, 1..=1440;
    /// Early enough to act on.
    USAGE_WARNING_PERCENT = "usage_warning_percent", 80, 1..=100;
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            trial_days: Self::TRIAL_DAYS.default,
            trial_settle_hours: Self::TRIAL_SETTLE_HOURS.default,
            trial_reminder_days: Self::TRIAL_REMINDER_DAYS.default,
            past_due_grace_days: Self::PAST_DUE_GRACE_DAYS.default,
            when_inactive: WhenInactive::Lock,
            default_tier: None,
            approval: Approval::Manual,
            on_dispute_lost: OnDisputeLost::Keep,
            grandfather_days: Self::GRANDFATHER_DAYS.default,
            hold_minutes: Self::HOLD_MINUTES.default,
            usage_warning_percent: Self::USAGE_WARNING_PERCENT.default,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_within_its_range() {
        for policy in Policies::NUMBERS {
            assert!(policy.range.contains(&policy.default), "{}", policy.key);
        }
    }
}
