//! What Stripe said, normalised: one shape whatever the API version it was rendered in.
//!
//! A snapshot is the object as it was when Stripe made the event. Instants are Stripe's own whole
//! seconds since 1970; amounts are minor units; statuses and reasons are open words.

mod billing;
mod payment;
mod subscription;

pub use billing::*;
pub use payment::*;
pub use subscription::*;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Code;

/// One webhook about one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reported<S> {
    /// What the object was before, as far as the webhook tells.
    pub before: Before,
    /// What the event's type says happened: the part after the object's name (`created`,
    /// `updated`, `funds_withdrawn`, ...).
    pub cause: Code,
    /// The object afterwards.
    pub snapshot: S,
}

/// What an object was before an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Before {
    /// The webhook doesn't say.
    Absent,
    /// There was no such object: this event tells of its creation.
    NoObject,
    /// It was like the snapshot, but for these keys of the snapshot's JSON; null = was not there.
    Fields(Map<String, Value>),
}

/// The metadata keys that the ledger keeps (`trainer_id`, `tenant`, `command_id`).
pub type KeptMetadata = BTreeMap<Box<str>, Box<str>>;

/// A webhook that the ledger has no use for, or could not read. Its redacted body is kept, so that
/// a later translator can make more of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StripeEventRecorded {
    /// Why it is nothing more.
    pub reason: Unread,
}

/// Why a webhook is only recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Unread {
    /// The ledger has no use for its type.
    Unused,
    /// It is a thin event, which names its object without telling of it.
    Thin,
    /// Its type is known and its object lacks what the ledger needs: the path of what is missing.
    Unusable(Box<str>),
}
