//! Facts about a whole tenant, in stream `tenant`.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::catalog::ResolvedPrices;
use crate::id::{EventKey, StripeId, Tenant, TrainerId};
use crate::time::Timestamp;

/// A tenant's log begins: always position 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogOpened {
    /// The Stripe account whose events belong here; none = events carry no account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<StripeId>,
    /// Whether this log is about real money; events of the other mode grant nothing here.
    pub livemode: bool,
    /// The id that every event of this log carries.
    pub log_id: Uuid,
    /// Whose log it is.
    pub tenant: Tenant,
}

/// A catalogue was published, whole: a replay elsewhere needs no file and no environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CatalogPublished {
    /// From when on it is in force. The first ever published is in force since always.
    pub effective_at: Timestamp,
    /// The Stripe price ids of each plan by interval, as resolved from the publisher's environment.
    #[cfg_attr(feature = "schema", schemars(schema_with = "crate::schema::of_prices"))]
    pub prices: ResolvedPrices,
    /// The catalogue's file.
    pub toml: Box<str>,
}

/// How far denials are enforced was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EnforcementChanged {
    /// How far, from now on.
    pub mode: Enforcement,
}

/// How far denials are enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// Nobody is denied: the emergency switch.
    Off,
    /// Everybody's limits hold.
    #[default]
    On,
    /// Nobody is denied, and answers tell who would be.
    Shadow,
    /// The limits hold for the trainers on this list alone.
    Internal(Vec<TrainerId>),
    /// The limits hold for the trainers whose stable hash modulo 100 lies below this.
    Percent(u8),
}

/// Another content arrived under an event id that is taken: the first one stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IdReuseSeen {
    /// SHA-256 of what arrived, as the log compares it, in hexadecimal.
    pub content_hash: Box<str>,
    /// The key that is taken.
    pub key: EventKey,
    /// Where the first content stands.
    pub position: i64,
}
