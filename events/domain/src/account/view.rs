//! What the facts add up to: the values that read models hold and that decisions are made from.
//!
//! A view holds dates, never an answer that time changes: whether a subscription gives access now
//! is computed from its view, the catalogue and the clock, by [`crate::effective`].

use serde::{Deserialize, Serialize};

use crate::event::stripe::Item;
use crate::event::{Code, OverrideEffect};
use crate::id::{EventKey, FeatureSlug, PlanSlug, StripeId, TrainerId};
use crate::money::Currency;
use crate::time::{Interval, Timestamp};

/// A subscription, as all facts about it make it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionView {
    /// Its id at Stripe.
    pub id: StripeId,
    /// Who pays.
    pub customer: Option<StripeId>,
    /// Whose it is: the trainer its latest fact names, else the customer's. None = not known yet.
    pub trainer: Option<TrainerId>,
    /// Stripe's last word on its status.
    pub status: Code,
    /// What it consists of.
    pub items: Vec<Item>,
    /// Whether `items` is all of it.
    pub items_complete: bool,
    /// The instant that its periods are counted from.
    pub anchor: Option<Timestamp>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// The period that ran when Stripe last spoke.
    pub current_period: Option<Interval>,
    /// Its trial, past or running.
    pub trial: Option<Interval>,
    /// When it is to end; the period's end where it is to end with the period.
    pub cancel_at: Option<Timestamp>,
    /// When its cancellation was asked for.
    pub canceled_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// While past due: the first failed payment of its oldest open invoice, else the instant at
    /// which Stripe first called it past due.
    pub past_due_since: Option<Timestamp>,
    /// Whether its invoices are not collected at present.
    pub collection_paused: bool,
    /// A change of its items that a schedule will make.
    pub scheduled: Option<ScheduledChange>,
    /// Whether it was ever active: paid for, not only tried.
    pub once_active: bool,
    /// The event that said the last word.
    pub last_event: EventKey,
    /// The position of the latest event that counted for it.
    pub position: i64,
}

/// A change that is to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledChange {
    /// When.
    pub at: Timestamp,
    /// The prices it will then be sold at.
    pub prices: Vec<StripeId>,
}

/// What a trainer holds by acts of administrators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantView {
    /// The event that gave it.
    pub event: EventKey,
    /// Whose it is.
    pub trainer: TrainerId,
    /// What was given.
    pub grant: Grant,
    /// From when on.
    pub granted_at: Timestamp,
    /// The first instant without it; none = until revoked.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back or replaced.
    pub revoked_at: Option<Timestamp>,
    /// Who gave it.
    pub actor: Box<str>,
    /// The position of the latest event that counted for it.
    pub position: i64,
}

/// What an administrator can give.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grant {
    /// A tier without Stripe.
    Assigned {
        /// Which.
        tier: PlanSlug,
        /// The billing interval it stands for, for statistics.
        interval: Option<Code>,
    },
    /// A tier whose limits may be exceeded.
    Grandfathered {
        /// Which.
        tier: PlanSlug,
    },
    /// One feature, lifted or capped.
    Override {
        /// Which.
        feature: FeatureSlug,
        /// How.
        effect: OverrideEffect,
    },
}

/// What the ledger knows of a trainer apart from subscriptions and grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainerView {
    /// Who.
    pub trainer: TrainerId,
    /// When the application registered the trainer.
    pub registered_at: Option<Timestamp>,
    /// When an administrator locked the trainer out, while that holds.
    pub suspended_at: Option<Timestamp>,
    /// The position of the latest act.
    pub position: i64,
}

/// Which trainer a Stripe customer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkView {
    /// The customer.
    pub customer: StripeId,
    /// The trainer.
    pub trainer: TrainerId,
    /// When that was said.
    pub since: Timestamp,
    /// By which event.
    pub event: EventKey,
    /// Whether events disagree about it.
    pub conflicting: bool,
    /// The position of the latest event that counted for it.
    pub position: i64,
}

/// The kinds of objects that money moves with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PaymentKind {
    /// An invoice.
    Invoice,
    /// A payment: a payment intent, or a charge that has none.
    Payment,
    /// A refund.
    Refund,
    /// A dispute.
    Dispute,
}

impl PaymentKind {
    /// The kind's name in read models and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
        }
    }
}

/// One object that money moves with, however many webhooks told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentView {
    /// The object's id at Stripe.
    pub object: StripeId,
    /// What it is.
    pub kind: PaymentKind,
    /// Who pays.
    pub customer: Option<StripeId>,
    /// Whose it is; none = not known yet.
    pub trainer: Option<TrainerId>,
    /// The subscription it bills.
    pub subscription: Option<StripeId>,
    /// The invoice it belongs to, where it isn't one.
    pub invoice: Option<StripeId>,
    /// The payment it belongs to, where it isn't one.
    pub payment: Option<StripeId>,
    /// Stripe's last word on its status.
    pub status: Code,
    /// Minor units: the invoice's total, the payment's, refund's or dispute's amount.
    pub amount_minor: i64,
    /// Minor units that were really paid (invoice, payment).
    pub paid_minor: i64,
    /// Minor units given back so far (payment).
    pub refunded_minor: i64,
    /// What the amounts count in.
    pub currency: Currency,
    /// When it was made.
    pub created_at: Timestamp,
    /// When Stripe last told of it.
    pub updated_at: Timestamp,
    /// Since when it is lost (dispute).
    pub lost_at: Option<Timestamp>,
    /// How often its payment was tried (invoice).
    pub attempt_count: i64,
    /// When its payment is tried next (invoice).
    pub next_attempt_at: Option<Timestamp>,
    /// Why it was made or failed, in Stripe's words.
    pub reason: Option<Code>,
    /// The events that told of it, in the order of the facts.
    pub event_ids: Vec<EventKey>,
    /// The position of the latest event that counted for it.
    pub position: i64,
}

/// One step in the life of a subscription or in what an administrator gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeView {
    /// What it is a step of: a subscription's id, or `trainer` for acts of administrators.
    pub subject: Box<str>,
    /// Orders the steps of its subject that have one instant.
    pub ordinal: i32,
    /// Whose step; none = not known yet.
    pub trainer: Option<TrainerId>,
    /// What happened.
    pub change: Change,
    /// The prices before, by which the catalogue knows the plan.
    pub from_prices: Vec<StripeId>,
    /// The prices after.
    pub to_prices: Vec<StripeId>,
    /// The tier given or taken by an act.
    pub tier: Option<PlanSlug>,
    /// The feature of an override.
    pub feature: Option<FeatureSlug>,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Box<str>,
    /// The event that tells of it.
    pub event: EventKey,
    /// That event's position.
    pub position: i64,
}

/// The steps. Whether a change of plan is an upgrade is for the catalogue to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// A subscription began.
    Created,
    /// It is sold at other prices now.
    PlanChanged,
    /// A new period began.
    Renewed,
    /// A trial began.
    TrialStarted,
    /// A trial ended.
    TrialEnded,
    /// A payment failed.
    PaymentFailed,
    /// It was paid after all.
    Recovered,
    /// It is to end.
    CancelScheduled,
    /// It is not to end after all.
    CancelWithdrawn,
    /// It ended.
    Cancelled,
    /// It was paused.
    Paused,
    /// It goes on after a pause.
    Resumed,
    /// A tier was given.
    Assigned,
    /// A given tier was taken back.
    AssignmentRevoked,
    /// A tier was kept for a while.
    Grandfathered,
    /// A feature was granted, lifted or capped.
    Override,
    /// An override was taken back.
    OverrideRevoked,
    /// The trainer was locked out.
    Suspended,
    /// The trainer was let in again.
    Reinstated,
}

impl Change {
    /// Every step.
    pub const ALL: [Self; 19] = [
        Self::Created,
        Self::PlanChanged,
        Self::Renewed,
        Self::TrialStarted,
        Self::TrialEnded,
        Self::PaymentFailed,
        Self::Recovered,
        Self::CancelScheduled,
        Self::CancelWithdrawn,
        Self::Cancelled,
        Self::Paused,
        Self::Resumed,
        Self::Assigned,
        Self::AssignmentRevoked,
        Self::Grandfathered,
        Self::Override,
        Self::OverrideRevoked,
        Self::Suspended,
        Self::Reinstated,
    ];

    /// The step's name in read models and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::PlanChanged => "plan_changed",
            Self::Renewed => "renewed",
            Self::TrialStarted => "trial_started",
            Self::TrialEnded => "trial_ended",
            Self::PaymentFailed => "payment_failed",
            Self::Recovered => "recovered",
            Self::CancelScheduled => "cancel_scheduled",
            Self::CancelWithdrawn => "cancel_withdrawn",
            Self::Cancelled => "cancelled",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Assigned => "assigned",
            Self::AssignmentRevoked => "assignment_revoked",
            Self::Grandfathered => "grandfathered",
            Self::Override => "override",
            Self::OverrideRevoked => "override_revoked",
            Self::Suspended => "suspended",
            Self::Reinstated => "reinstated",
        }
    }
}
