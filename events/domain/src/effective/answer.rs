//! The shape of an answer.

use std::collections::BTreeMap;

use super::Entitlement;
use crate::catalog;
use crate::event::Code;
use crate::id::{EventKey, FeatureSlug, PlanSlug, StripeId};
use crate::time::{Interval, Timestamp};

/// The statuses that are not Stripe's.
pub mod status {
    /// Nothing gives a tier, and nothing ever did.
    pub const NONE: &str = "none";
    /// The default tier.
    pub const FREE: &str = "free";
    /// A tier that an administrator gave.
    pub const ASSIGNED: &str = "assigned";
    /// A tier that an administrator let the trainer keep for a while.
    pub const GRANDFATHERED: &str = "grandfathered";
}

/// What a trainer may do at an instant, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The tier that counts, locked or not.
    pub tier: Option<HeldTier>,
    /// The status of what gives the tier: one of Stripe's, or one of [`status`]. Suspension and an
    /// expired trial don't change it.
    pub status: Code,
    /// Whether the tier can be used. Features that add-ons or overrides give have their own say.
    pub access: Access,
    /// Why not, where access is locked.
    pub locked_by: Option<Denial>,
    /// The period that ran when Stripe last spoke of the subscription that gives the tier.
    pub current_period: Option<Interval>,
    /// When the trial of that subscription ends or ended, unless it was paid for since.
    pub trial_end: Option<Timestamp>,
    /// How many days of the trial are left, the one that has begun included; 0 after its end.
    pub trial_days_left: Option<u32>,
    /// When the subscription that gives the tier is to end.
    pub cancel_at: Option<Timestamp>,
    /// When the subscription that last gave a tier ended, where nothing gives one since.
    pub ended_at: Option<Timestamp>,
    /// The tier that a schedule will bring.
    pub scheduled_change: Option<ScheduledTier>,
    /// The add-ons held, in the catalogue's order; of each, the subscription that serves best.
    pub add_ons: Vec<HeldAddOn>,
    /// Every feature of the catalogue.
    pub features: BTreeMap<FeatureSlug, Entitlement>,
    /// The tiers on sale above this one, the nearest first.
    pub available_upgrades: Vec<PlanSlug>,
    /// Whether the trainer may change to one of them.
    pub can_upgrade: bool,
    /// How many calls a minute the tier allows; none without a tier.
    pub requests_per_minute: Option<u32>,
    /// How many payment disputes are open.
    pub open_disputes: u32,
    /// What somebody should look at.
    pub anomalies: Vec<Anomaly>,
    /// The next instant at which time alone may change this answer. Until then it is constant;
    /// none = it stays until a fact comes.
    pub valid_until: Option<Timestamp>,
}

/// The tier that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldTier {
    /// Its name in the catalogue.
    pub slug: PlanSlug,
    /// Its place in the order of tiers.
    pub level: u32,
    /// Its name on screen.
    pub name: Box<str>,
    /// How often it is billed; for a tier that an administrator gave, what it stands for in
    /// statistics.
    pub interval: Option<catalog::Interval>,
    /// Since when it has been held: the start of the subscription or the grant.
    pub since: Option<Timestamp>,
    /// What gives it.
    pub source: Source,
    /// The event that said so last.
    pub event: Option<EventKey>,
}

/// What gives a plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// A subscription.
    Subscription(StripeId),
    /// An act of an administrator.
    Grant(EventKey),
    /// The catalogue, to everybody who has nothing else.
    Default,
}

/// Whether a plan can be used. The order is that of usefulness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Access {
    /// There is no plan.
    None,
    /// There is one, and it can't be used; nothing is deleted.
    Locked,
    /// It can be used although a payment failed, for a while.
    Grace,
    /// It can be used.
    Granted,
}

impl Access {
    /// The word for it in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Locked => "locked",
            Self::Grace => "grace",
            Self::Granted => "granted",
        }
    }

    /// Whether the plan can be used.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Granted | Self::Grace)
    }
}

/// Why something is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Denial {
    /// Nothing that the trainer holds grants the feature.
    FeatureNotAvailable,
    /// A standing count is at its limit.
    LimitReached,
    /// A quota is used up until its next window.
    QuotaExhausted,
    /// What grants the feature can't be used: it isn't paid for, is paused, or has ended.
    SubscriptionInactive,
    /// What grants the feature was on trial, and nobody paid for it.
    TrialExpired,
    /// An administrator locked the trainer out.
    AccountSuspended,
}

impl Denial {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::FeatureNotAvailable,
        Self::LimitReached,
        Self::QuotaExhausted,
        Self::SubscriptionInactive,
        Self::TrialExpired,
        Self::AccountSuspended,
    ];

    /// The code that problem documents carry.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::FeatureNotAvailable => "feature_not_available",
            Self::LimitReached => "limit_reached",
            Self::QuotaExhausted => "quota_exhausted",
            Self::SubscriptionInactive => "subscription_inactive",
            Self::TrialExpired => "trial_expired",
            Self::AccountSuspended => "account_suspended",
        }
    }
}

/// A change of tier that is to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledTier {
    /// The tier it brings.
    pub tier: PlanSlug,
    /// When.
    pub at: Timestamp,
}

/// An add-on held beside the tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldAddOn {
    /// Its name in the catalogue.
    pub slug: PlanSlug,
    /// The status of what gives it.
    pub status: Code,
    /// Whether it can be used.
    pub access: Access,
    /// Why not, where access is locked.
    pub locked_by: Option<Denial>,
    /// How often it is billed.
    pub interval: Option<catalog::Interval>,
    /// Since when it has been held.
    pub since: Option<Timestamp>,
    /// The end of the period that ran when Stripe last spoke.
    pub current_period_end: Option<Timestamp>,
    /// When it is to end.
    pub cancel_at: Option<Timestamp>,
    /// What gives it.
    pub source: Source,
    /// The event that said so last.
    pub event: Option<EventKey>,
}

/// Something that doesn't make an answer impossible, but that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anomaly {
    /// More than one tier can be used: somebody may pay twice.
    SeveralTiers(Vec<Source>),
    /// The same add-on is held more than once.
    AddOnTwice {
        /// Which.
        add_on: PlanSlug,
        /// By what.
        sources: Vec<Source>,
    },
    /// A subscription to a tier had a trial although an earlier one had one.
    SecondTrial {
        /// Which subscription.
        subscription: StripeId,
        /// The first one that had a trial.
        earlier: StripeId,
    },
    /// A live subscription has a price that no plan of the catalogue has.
    UnknownPrice {
        /// Which subscription.
        subscription: StripeId,
        /// Which price.
        price: StripeId,
    },
    /// A live subscription has a status that this ledger doesn't know; it counts as locked.
    UnknownStatus {
        /// Which subscription.
        subscription: StripeId,
        /// What Stripe said.
        status: Code,
    },
    /// A live subscription has more items than Stripe showed.
    ItemsIncomplete(StripeId),
    /// An administrator gave a plan that the catalogue doesn't have.
    UnknownPlan {
        /// By which event.
        event: EventKey,
        /// Which.
        plan: PlanSlug,
    },
    /// An override is of a feature that the catalogue doesn't have, or doesn't fit its kind.
    UselessOverride {
        /// By which event.
        event: EventKey,
        /// Which feature.
        feature: FeatureSlug,
    },
}

impl Anomaly {
    /// The word for it in answers.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SeveralTiers(_) => "several_tiers",
            Self::AddOnTwice { .. } => "add_on_twice",
            Self::SecondTrial { .. } => "second_trial",
            Self::UnknownPrice { .. } => "unknown_price",
            Self::UnknownStatus { .. } => "unknown_status",
            Self::ItemsIncomplete(_) => "items_incomplete",
            Self::UnknownPlan { .. } => "unknown_plan",
            Self::UselessOverride { .. } => "useless_override",
        }
    }
}
