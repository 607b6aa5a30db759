//! What stands beside every event's data, sealed with it: who, why and from where.

use serde::{Deserialize, Serialize};

use super::{Code, is_false};
use crate::id::{StripeId, TrainerId};

/// An event's metadata. Keys may be added, never renamed; readers ignore the ones they don't know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Metadata {
    /// Who caused it: `stripe`, the `sub` of a token, `scheduler`, ...
    pub actor: Box<str>,
    /// The roles in which the actor acted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actor_roles: Vec<Box<str>>,
    /// The event or command that led to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<Box<str>>,
    /// Common to everything that one request caused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<Box<str>>,
    /// The rules by which the webhook's body was redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redaction_version: Option<i32>,
    /// The way it came in.
    pub source: Source,
    /// What the webhook's envelope said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stripe: Option<StripeOrigin>,
    /// What the event itself names; never the result of a look-up.
    #[serde(default, skip_serializing_if = "Subject::is_empty")]
    pub subject: Subject,
    /// The rules by which the webhook was translated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub translator_version: Option<i32>,
}

impl Metadata {
    /// The metadata as canonical JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        super::canonical(self)
    }

    /// Reads metadata back.
    ///
    /// # Errors
    /// If the bytes are not metadata.
    pub fn from_bytes(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }
}

/// The ways in which events come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A webhook of Stripe's.
    #[default]
    Stripe,
    /// A call of the API.
    Api,
    /// An administrator.
    Admin,
    /// The ledger's own clock.
    Scheduler,
    /// A comparison with Stripe.
    Reconcile,
    /// An import.
    Import,
}

impl Source {
    /// The way's name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Api => "api",
            Self::Admin => "admin",
            Self::Scheduler => "scheduler",
            Self::Reconcile => "reconcile",
            Self::Import => "import",
        }
    }
}

/// Whom and what an event names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Subject {
    /// A Stripe customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<StripeId>,
    /// A Stripe subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<StripeId>,
    /// A trainer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trainer: Option<TrainerId>,
}

impl Subject {
    /// Whether the event names nobody.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.customer.is_none() && self.subscription.is_none() && self.trainer.is_none()
    }
}

/// The envelope of a webhook. See <https://docs.stripe.com/api/events/object>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StripeOrigin {
    /// The connected account it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<StripeId>,
    /// The API version its object was rendered in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<Code>,
    /// The organisation's context it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Code>,
    /// When Stripe made the event, in seconds since 1970.
    pub created: i64,
    /// Whether it is about real money.
    #[serde(default, skip_serializing_if = "is_false")]
    pub livemode: bool,
    /// The kind of its object: `subscription`, `invoice`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Code>,
    /// Its object's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_id: Option<StripeId>,
    /// The request at Stripe that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<StripeId>,
    /// The test clock whose time it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_clock: Option<StripeId>,
    /// The event's type as Stripe names it.
    #[serde(rename = "type")]
    pub event_type: Code,
}
