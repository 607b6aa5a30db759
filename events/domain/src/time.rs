//! Instants and intervals. Nothing here asks what time it is.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds of one second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds of one day.
pub const DAY: i64 = 86_400 * SECOND;

/// An instant in whole microseconds since 1970, UTC. In JSON it is an RFC 3339 text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant that RFC 3339 can spell: `0000-01-01T00:00:00Z`.
    pub const MIN: Self = Self(-62_167_219_200 * SECOND);
    /// The latest instant that RFC 3339 can spell: `9999-12-31T23:59:59.999999Z`.
    pub const MAX: Self = Self(253_402_300_800 * SECOND - 1);

    /// An instant from microseconds since 1970, kept within what RFC 3339 can spell.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// An instant from Stripe's whole seconds since 1970, kept within what RFC 3339 can spell.
    #[must_use]
    pub fn from_unix(seconds: i64) -> Self {
        Self::from_micros(seconds.saturating_mul(SECOND))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn unix(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// The instant that many microseconds later.
    #[must_use]
    pub fn plus(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// The same instant for calendar arithmetic.
    ///
    /// # Panics
    /// Never: every value lies within chrono's range.
    #[must_use]
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).expect("within chrono's range")
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self::from_micros(at.timestamp_micros())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_datetime().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no instant. It says what one looks like, for whoever typed the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {FORM}")]
pub struct InvalidTimestamp;

const FORM: &str = "an instant like 2026-11-20T09:00:00Z (in a query, a `+` is written %2B)";

impl std::str::FromStr for Timestamp {
    type Err = InvalidTimestamp;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let at = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTimestamp)?;
        Ok(at.with_timezone(&Utc).into())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(InText)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Timestamp {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

struct InText;

impl Visitor<'_> for InText {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORM)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
        text.parse().map_err(E::custom)
    }
}

/// A stretch of time from an instant up to, but without, another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Interval {
    /// The first instant inside.
    pub from: Timestamp,
    /// The first instant after it.
    pub until: Timestamp,
}

impl Interval {
    /// Whether the instant lies inside.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_holds_its_start_and_not_its_end() {
        let at = Timestamp::from_unix;
        let minute = Interval { from: at(0), until: at(60) };
        assert!(minute.contains(at(0)) && minute.contains(at(59)));
        assert!(!minute.contains(at(60)) && !minute.contains(at(-1)));
    }

    #[test]
    fn what_is_no_instant_is_answered_with_the_form_of_one_and_not_repeated() {
        let read = |json: &str| serde_json::from_str::<Timestamp>(json);
        for wrong in ["yesterday", "2026-11-22", "2026-11-22T09:00:00", "2026-11-22T09:00:00 05:00"]
        {
            let told = read(&format!("{wrong:?}")).unwrap_err().to_string();
            assert!(told.contains("2026-11-20T09:00:00Z") && !told.contains(wrong), "{told}");
        }
        assert!(read("7").unwrap_err().to_string().contains("2026-11-20T09:00:00Z"));
        let east = read(r#""2026-11-20T14:00:00+05:00""#).unwrap();
        assert_eq!(east.to_string(), "2026-11-20T09:00:00Z");
    }

    #[test]
    fn any_number_from_outside_gives_an_instant_that_can_be_written() {
        for seconds in [i64::MIN, -1, 0, 1_780_000_000, i64::MAX] {
            let at = Timestamp::from_unix(seconds);
            let text = serde_json::to_string(&at).expect("json");
            assert_eq!(serde_json::from_str::<Timestamp>(&text).expect("an instant"), at, "{text}");
        }
        assert_eq!(Timestamp::from_micros(1).to_string(), "1970-01-01T00:00:00.000001Z");
    }
}
