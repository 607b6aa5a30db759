//! Acts on one trainer, in stream `trainer-{id}`. Reasons and notes are free text and lie beside
//! the log, bound to their event by a salted hash.

use serde::{Deserialize, Serialize};

use crate::id::{FeatureSlug, PlanSlug, StripeId, TrainerId};
use crate::time::Timestamp;

/// A trainer is known before any purchase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrainerRegistered {
    /// Who.
    pub trainer: TrainerId,
}

/// A Stripe customer belongs to a trainer, says an administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CustomerLinked {
    /// The customer at Stripe.
    pub customer: StripeId,
    /// Who that is.
    pub trainer: TrainerId,
}

/// A tier is given without Stripe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TierAssigned {
    /// The first instant without it; none = until revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The billing interval it stands for, for statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<crate::event::Code>,
    /// Which tier.
    pub tier: PlanSlug,
    /// To whom.
    pub trainer: TrainerId,
}

/// An assigned or grandfathered tier is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TierAssignmentRevoked {
    /// From whom.
    pub trainer: TrainerId,
}

/// A tier is kept for a while, with limits that may be exceeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TierGrandfathered {
    /// The first instant without it.
    pub expires_at: Timestamp,
    /// Which tier.
    pub tier: PlanSlug,
    /// By whom.
    pub trainer: TrainerId,
}

/// One feature is granted, lifted or capped for a trainer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OverrideGranted {
    /// What the override does.
    pub effect: OverrideEffect,
    /// The first instant without it; none = until revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Of which feature. A later override of the same feature replaces an earlier one.
    pub feature: FeatureSlug,
    /// Whose.
    pub trainer: TrainerId,
}

/// What an override does to a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OverrideEffect {
    /// Switches a flag on, whatever the plan says.
    Grant,
    /// Allows at least this much; the plan may allow more.
    Lift(u64),
    /// Allows any amount.
    Unlimited,
    /// Allows at most this much (0 switches a flag off), whatever else grants it.
    Cap(u64),
}

/// An override is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OverrideRevoked {
    /// Of which feature.
    pub feature: FeatureSlug,
    /// Whose.
    pub trainer: TrainerId,
}

/// A trainer is locked out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrainerSuspended {
    /// Who.
    pub trainer: TrainerId,
}

/// A suspended trainer is let in again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrainerReinstated {
    /// Who.
    pub trainer: TrainerId,
}
