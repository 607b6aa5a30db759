//! Where a list goes on. Opaque, so that what it is made of can change.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Longest cursor that is looked at.
const BYTES_MAX: usize = 2_048;

/// A cursor for a place.
pub(crate) fn encode<T: Serialize>(place: &T) -> String {
    let json = serde_json::to_vec(place).expect("places have text keys and no floats");
    URL_SAFE_NO_PAD.encode(json)
}

/// The place that a cursor stands for.
pub(crate) fn decode<T: DeserializeOwned>(cursor: &str) -> Result<T, Problem> {
    let place = (cursor.len() <= BYTES_MAX)
        .then(|| URL_SAFE_NO_PAD.decode(cursor).ok())
        .flatten()
        .and_then(|json| serde_json::from_slice(&json).ok());
    place.ok_or_else(unknown)
}

/// The position that a cursor stands for: all before it, and itself, were shown.
pub(crate) fn decode_position(cursor: &str) -> Result<i64, Problem> {
    let position: i64 = decode(cursor)?;
    if position < 0 { Err(unknown()) } else { Ok(position) }
}

/// What to say of a cursor that leads nowhere.
pub(crate) fn unknown() -> Problem {
    Problem::InvalidRequest(
        "`cursor` is not one that this list gave. Leave it out to begin anew.".into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_and_nothing_else_does() {
        let cursor = encode(&(17_i64, "evt_1"));
        assert_eq!(decode::<(i64, String)>(&cursor).unwrap(), (17, "evt_1".to_owned()));
        for wrong in ["", "???", &cursor[1..], &"x".repeat(3_000)] {
            assert!(decode::<(i64, String)>(wrong).is_err(), "{wrong}");
        }
        assert_eq!(decode_position(&encode(&0)).unwrap(), 0);
        assert!(decode_position(&encode(&-1)).is_err());
    }
}
