//! What acts on usage are asked with and answered by.

use std::collections::BTreeMap;

use ledger_domain::effective::{Entitlement, Meter, Warning};
use ledger_domain::id::{FeatureSlug, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use ledger_log::QUANTITY_MAX;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::super::openapi::schema;
use super::super::params::Position;
use super::super::shapes::Window;

/// How long a hold lasts unless told, and at most; in seconds.
const TTL_DEFAULT: i64 = 5 * 60;
const TTL_MAX: i64 = 60 * 60;

/// A quantity; 1 unless told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Quantity(pub(super) i64);

impl Default for Quantity {
    fn default() -> Self {
        Self(1)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        within(deserializer, 1, QUANTITY_MAX, "a quantity").map(Self)
    }
}

/// The part of a hold that was used, which may be nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Part(pub(super) i64);

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        within(deserializer, 0, QUANTITY_MAX, "the quantity used of a hold").map(Self)
    }
}

/// For how many seconds something is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Ttl(pub(super) i64);

impl Default for Ttl {
    fn default() -> Self {
        Self(TTL_DEFAULT)
    }
}

impl<'de> Deserialize<'de> for Ttl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        within(deserializer, 1, TTL_MAX, "`ttl`, in seconds,").map(Self)
    }
}

fn within<'de, D: Deserializer<'de>>(
    deserializer: D,
    min: i64,
    max: i64,
    what: &str,
) -> Result<i64, D::Error> {
    // serde's own words would repeat what came.
    match i64::deserialize(deserializer) {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(D::Error::custom(format!("{what} is a whole number from {min} to {max}"))),
    }
}

// What came under a key is known again by a hash of these shapes, as serde writes them. So the
// order of their fields stays, and what is optional is left out where it is absent: a field that is
// added later must not change the hash of a request without it.

/// How much of a feature is asked for.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToConsume {
    /// 1 unless said.
    #[serde(default)]
    #[schema(value_type = i64, minimum = 1, maximum = 1_000_000_000_000_i64, default = 1)]
    pub(super) quantity: Quantity,
    #[schema(value_type = schema::TrainerId)]
    pub(super) trainer: TrainerId,
}

/// What happened.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToRecord {
    /// Now, unless said; from 35 days ago to 5 minutes ahead.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Timestamp>)]
    pub(super) occurred_at: Option<Timestamp>,
    /// 1 unless said.
    #[serde(default)]
    #[schema(value_type = i64, minimum = 1, maximum = 1_000_000_000_000_i64, default = 1)]
    pub(super) quantity: Quantity,
    #[schema(value_type = schema::TrainerId)]
    pub(super) trainer: TrainerId,
}

/// What is to be held.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToReserve {
    /// 1 unless said.
    #[serde(default)]
    #[schema(value_type = i64, minimum = 1, maximum = 1_000_000_000_000_i64, default = 1)]
    pub(super) quantity: Quantity,
    #[schema(value_type = schema::TrainerId)]
    pub(super) trainer: TrainerId,
    /// Seconds after which the hold frees itself, 300 unless said.
    #[serde(default)]
    #[schema(value_type = i64, minimum = 1, maximum = 3600, default = 300)]
    pub(super) ttl: Ttl,
}

/// What was used of a hold.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToCommit {
    #[schema(value_type = schema::Uuid)]
    pub(super) hold: Uuid,
    /// All that is held, unless said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub(super) quantity: Option<Part>,
    #[schema(value_type = schema::TrainerId)]
    pub(super) trainer: TrainerId,
}

/// A hold, or a quantity of a standing count.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToRelease {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Uuid>)]
    pub(super) hold: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000_000_i64)]
    pub(super) quantity: Option<Quantity>,
    #[schema(value_type = schema::TrainerId)]
    pub(super) trainer: TrainerId,
}

/// The query of `GET .../check/{feature}`
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToCheck {
    /// How much would be asked for, 1 unless said.
    #[serde(default)]
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1_000_000_000_000_i64)]
    pub(super) quantity: Quantity,
    /// The position that the answer must not be older than.
    #[param(value_type = Option<i64>, minimum = 0)]
    pub(super) min_position: Option<Position>,
}

/// What a change left.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Changed {
    /// That it was asked for and allowed, for acts that ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) granted: Option<bool>,
    pub(super) quantity: i64,
    /// The hold that a reservation made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Uuid>)]
    pub(super) hold: Option<Uuid>,
    /// When the hold frees itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Timestamp>)]
    pub(super) expires_at: Option<Timestamp>,
    #[serde(flatten)]
    pub(super) meter: Metered,
    /// Whether it would have been denied, were denials carried out for everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) would_deny: Option<bool>,
    pub(super) position: i64,
}

/// What would be answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Checked {
    pub(super) allowed: bool,
    /// Why full enforcement denies it, also where it is allowed all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::DenialCode>)]
    pub(super) code: Option<&'static str>,
    #[serde(flatten)]
    pub(super) meter: Metered,
    pub(super) would_deny: bool,
    pub(super) position: i64,
}

/// Every limit and quota of a trainer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Meters {
    #[schema(value_type = schema::TrainerId)]
    pub(super) trainer_id: TrainerId,
    #[schema(value_type = schema::Timestamp)]
    pub(super) evaluated_at: Timestamp,
    pub(super) position: i64,
    #[schema(value_type = BTreeMap<String, FeatureMeter>)]
    pub(super) usage: BTreeMap<FeatureSlug, FeatureMeter>,
}

/// What was used of one feature.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FeatureMeter {
    pub(super) kind: &'static str,
    pub(super) granted: bool,
    #[serde(flatten)]
    pub(super) meter: Metered,
}

/// What was used, compared with what is allowed.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Metered {
    used: u64,
    /// What reservations hold besides, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    held: Option<u64>,
    limit: Option<u64>,
    remaining: Option<u64>,
    percent: Option<u64>,
    /// `near` or `reached`.
    warning: Option<&'static str>,
    over_limit: bool,
    #[serde(flatten)]
    window: Window,
}

impl Metered {
    /// What is held isn't there for others, so it counts for what remains.
    pub(super) fn new(
        has: Option<&Entitlement>,
        used: u64,
        held: Option<u64>,
        window: Option<Interval>,
    ) -> Self {
        let meter = has.map(|has| has.meter(used.saturating_add(held.unwrap_or(0))));
        // Of a feature that the catalogue no longer has, nothing is left.
        let (limit, percent, warning) = (None, None, None);
        let nothing = Meter { used, limit, remaining: Some(0), percent, warning, over: false };
        let Meter { limit, remaining, percent, warning, over, .. } = meter.unwrap_or(nothing);
        let warning = warning.map(|warning| match warning {
            Warning::Near => "near",
            Warning::Reached => "reached",
        });
        let window = Window::from(window);
        Self { used, held, limit, remaining, percent, warning, over_limit: over, window }
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::commands::usage::content_hash;

    fn hash<T: DeserializeOwned + Serialize>(body: Value) -> String {
        hex::encode(content_hash(&serde_json::from_value::<T>(body).unwrap()))
    }

    #[test]
    fn what_is_no_quantity_is_answered_with_what_one_is() {
        for wrong in [json!("1"), json!(0), json!(1.5), json!(null), json!(["x"])] {
            let body = json!({"trainer": "t1", "quantity": wrong});
            let told = serde_json::from_value::<ToConsume>(body).unwrap_err().to_string();
            assert_eq!(told, "a quantity is a whole number from 1 to 1000000000000");
        }
    }

    /// Requests that came under a key are in logs with these hashes.
    #[test]
    fn the_hash_of_a_request_never_changes() {
        let of_hold = "baf3765130f9488683788500c82bcc6bce65205e1eb8b304bf74ccbddfde8443";
        let hold = "00000000-0000-0000-0000-000000000007";
        assert_eq!(hash::<ToCommit>(json!({ "hold": hold, "trainer": "t1" })), of_hold);
        assert_eq!(hash::<ToRelease>(json!({ "hold": hold, "trainer": "t1" })), of_hold);
        let of_quantity = "c11ff3ca9f4f691539c5b53cac8f9a3e11692eacd366904af0e407c77e0ae067";
        assert_eq!(hash::<ToConsume>(json!({ "trainer": "t1" })), of_quantity);
        assert_eq!(hash::<ToRecord>(json!({ "trainer": "t1", "quantity": 1 })), of_quantity);
        let of_reserve = "5454daad9bdb9330a519a1dae01369da4e0967e2231d4beae0cc9a9dddd212a5";
        assert_eq!(hash::<ToReserve>(json!({ "trainer": "t1" })), of_reserve);
    }
}
