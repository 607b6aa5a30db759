//! Reading events back. Every type and version that was ever written can be read for ever: an
//! older version is lifted step by step to the current one before it becomes a struct.
//!
//! To change a shape: raise its version in `event::events!`, add an [`Upcaster`] from the version
//! before, and add golden files and a schema for the new version. Those of the old one stay as they
//! are.

use serde_json::Value;

use crate::event::{Event, TYPES};

/// Lifts one type's data from a version to the next. It must be pure and total: data that doesn't
/// have the expected shape is passed on and refused by the reader.
pub struct Upcaster {
    /// The type's name.
    pub event_type: &'static str,
    /// The version that it reads; it gives the next one.
    pub from: i32,
    /// The step.
    pub lift: fn(Value) -> Value,
}

/// Every step from an older version to the next.
pub const UPCASTERS: &[Upcaster] = &[];

/// Why an event can't be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The type is unknown to this program: the log was written by a newer one.
    #[error("event type {0} is unknown to this version of the program")]
    UnknownType(String),
    /// The version is unknown to this program.
    #[error("version {version} of event type {event_type} is unknown to this program")]
    UnknownVersion {
        /// The type.
        event_type: String,
        /// The version.
        version: i32,
    },
    /// The data doesn't have the shape of its type and version.
    #[error("data of {event_type} version {version} can't be read")]
    Malformed {
        /// The type.
        event_type: String,
        /// The version.
        version: i32,
        /// What the reader stumbled over.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads an event of any version.
///
/// # Errors
/// If this program doesn't know the type or version, or the data has another shape.
pub fn decode(event_type: &str, version: i32, data: &[u8]) -> Result<Event, DecodeError> {
    decode_with(UPCASTERS, event_type, version, data)
}

fn decode_with(
    upcasters: &[Upcaster],
    event_type: &str,
    version: i32,
    data: &[u8],
) -> Result<Event, DecodeError> {
    let malformed =
        |source| DecodeError::Malformed { event_type: event_type.into(), version, source };
    let current = TYPES
        .iter()
        .find_map(|&(name, current)| (name == event_type).then_some(current))
        .ok_or_else(|| DecodeError::UnknownType(event_type.into()))?;
    let unknown = || DecodeError::UnknownVersion { event_type: event_type.into(), version };
    let decoded = if version == current {
        Event::from_current(event_type, data)
    } else {
        let mut value: Value = serde_json::from_slice(data).map_err(malformed)?;
        for from in version..current {
            let step = upcasters
                .iter()
                .find(|step| step.event_type == event_type && step.from == from)
                .ok_or_else(unknown)?;
            value = (step.lift)(value);
        }
        if version > current {
            return Err(unknown());
        }
        Event::from_current(event_type, &crate::event::canonical(&value))
    };
    decoded.ok_or_else(|| DecodeError::UnknownType(event_type.into()))?.map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_program_cannot_know_is_said_and_not_guessed() {
        let error = |name, version, data: &str| {
            decode(name, version, data.as_bytes()).expect_err("unreadable").to_string()
        };
        assert_eq!(
            error("Nonsense", 1, "{}"),
            "event type Nonsense is unknown to this version of the program"
        );
        assert_eq!(
            error("TrainerRegistered", 2, "{}"),
            "version 2 of event type TrainerRegistered is unknown to this program"
        );
        assert_eq!(
            error("TrainerRegistered", 0, "{}"),
            "version 0 of event type TrainerRegistered is unknown to this program"
        );
        assert_eq!(
            error("TrainerRegistered", 1, "{}"),
            "data of TrainerRegistered version 1 can't be read"
        );
    }

    #[test]
    fn an_older_version_is_lifted_to_the_current_one() {
        let upcasters = [Upcaster {
            event_type: "TrainerRegistered",
            from: 0,
            lift: |mut value| {
                let id = value["id"].take();
                serde_json::json!({ "trainer": id })
            },
        }];
        let old = decode_with(&upcasters, "TrainerRegistered", 0, br#"{"id":"t1"}"#);
        let new = decode("TrainerRegistered", 1, br#"{"trainer":"t1"}"#);
        assert_eq!(old.expect("lifted"), new.expect("current"));
    }
}
