//! Usage, in stream `usage-{trainer}-{feature}`. Each event says by which limit it was judged, so
//! that a later reader needs no reconstruction to see why it was allowed.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::is_false;
use crate::id::{FeatureSlug, TrainerId};
use crate::time::{Interval, Timestamp};

/// What a request for usage was judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Judgement {
    /// The position of the catalogue that was in force.
    pub catalog_position: i64,
    /// The limit that was applied; none = unlimited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// How far denials were enforced: `on`, `off`, `shadow`, `internal`, `percent`.
    pub mode: Box<str>,
    /// Whether full enforcement would have denied it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub would_deny: bool,
}

/// Usage that happened, counted whatever the limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageRecorded {
    /// Of what.
    pub feature: FeatureSlug,
    /// When; it counts in the window that contains this instant.
    pub occurred_at: Timestamp,
    /// How much.
    pub quantity: i64,
    /// Whose.
    pub trainer: TrainerId,
}

/// Usage that was asked for, allowed and counted in one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageConsumed {
    /// Of what.
    pub feature: FeatureSlug,
    /// By what it was judged.
    pub judgement: Judgement,
    /// When the leader decided.
    pub occurred_at: Timestamp,
    /// How much.
    pub quantity: i64,
    /// Whose.
    pub trainer: TrainerId,
    /// The window it was judged in; none for a standing count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Interval>,
}

/// Usage that was asked for and is held until it is committed, released or expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageReserved {
    /// When the hold frees itself.
    pub expires_at: Timestamp,
    /// Of what.
    pub feature: FeatureSlug,
    /// The hold's id.
    pub hold: Uuid,
    /// By what it was judged.
    pub judgement: Judgement,
    /// When the leader decided.
    pub occurred_at: Timestamp,
    /// How much.
    pub quantity: i64,
    /// Whose.
    pub trainer: TrainerId,
    /// The window it was judged in; none for a standing count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Interval>,
}

/// A hold ended in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReservationCommitted {
    /// Of what.
    pub feature: FeatureSlug,
    /// The hold's id.
    pub hold: Uuid,
    /// When the hold was placed: the usage counts in the window of that instant.
    pub occurred_at: Timestamp,
    /// How much was used, at most what was held.
    pub quantity: i64,
    /// Whose.
    pub trainer: TrainerId,
}

/// A hold ended unused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReservationReleased {
    /// Of what.
    pub feature: FeatureSlug,
    /// The hold's id.
    pub hold: Uuid,
    /// Whose.
    pub trainer: TrainerId,
}

/// A standing count went down: what was counted is no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UsageReleased {
    /// Of what.
    pub feature: FeatureSlug,
    /// When.
    pub occurred_at: Timestamp,
    /// By how much.
    pub quantity: i64,
    /// Whose.
    pub trainer: TrainerId,
}
