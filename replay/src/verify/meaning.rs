//! What the bytes of the fold's state say, however they are spelled.
//!
//! State is JSON, so the order of an object's members says nothing. One thing more says nothing:
//! beside the facts of an object lie whole snapshots, kept so that the current one can be looked
//! at. Which others are still there, and in which order, depends on where pages were cut: a fact
//! that waited for its customer is folded with the page in which it stopped waiting. So only the
//! snapshot of the current fact is compared. Everything else is: the facts with their places in
//! the log are the same whichever page they came with, since the log is.

use serde_json::{Value, json};

/// Longer states are shown by their beginning.
const SHOWN_CHARS_MAX: usize = 4_096;

/// What a column of bytes holds.
pub(super) enum Bytes {
    /// JSON.
    Json(Value),
    /// Anything else.
    Other,
}

impl Bytes {
    /// Reads bytes as the database spells them in JSON: `\x` and hexadecimal digits.
    pub(super) fn of(value: &Value) -> Self {
        let json = value.as_str().and_then(decode).and_then(|it| serde_json::from_slice(&it).ok());
        json.map_or(Self::Other, Self::Json)
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let byte = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|pair| byte(pair)).collect())?
}

/// Whether two columns of bytes say the same.
pub(super) fn in_bytes(a: &Value, b: &Value) -> bool {
    match (Bytes::of(a), Bytes::of(b)) {
        (Bytes::Json(a), Bytes::Json(b)) => meaning(a) == meaning(b),
        _ => a == b,
    }
}

/// A column of bytes for a person to read.
pub(super) fn shown(bytes: Bytes, raw: &Value) -> Value {
    let value = match bytes {
        Bytes::Json(value) => value,
        Bytes::Other => raw.clone(),
    };
    let text = value.to_string();
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return value;
    }
    let begins: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    json!({ "bytes": text.len(), "begins": begins })
}

/// State without what says nothing.
fn meaning(value: Value) -> Value {
    match value {
        Value::Object(mut members) => {
            if let Some(current) = current_snapshot(&Value::Object(members.clone())) {
                members.insert("snapshots".into(), current);
            }
            Value::Object(members.into_iter().map(|(key, it)| (key, meaning(it))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(meaning).collect()),
        other => other,
    }
}

/// The snapshot of the current fact: the last that says the object is over, else the last. None if
/// this isn't the state of an object's facts.
fn current_snapshot(state: &Value) -> Option<Value> {
    let (facts, snapshots) = (state["facts"].as_array()?, state["snapshots"].as_array()?);
    let over = facts.iter().rev().find(|fact| fact["is_final"] == true);
    let key = over.or(facts.last()).map(|fact| &fact["key"])?;
    snapshots.iter().find(|snapshot| snapshot[0] == *key).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Value {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        Value::String(format!("\\x{hex}"))
    }

    fn facts(facts: &str, snapshots: &str) -> Value {
        bytes(&format!(r#"{{"invoice":{{"facts":[{facts}],"snapshots":[{snapshots}]}}}}"#))
    }

    const A: &str = r#"{"key":"a","is_final":false}"#;
    const B: &str = r#"{"key":"b","is_final":true}"#;
    const C: &str = r#"{"key":"c","is_final":false}"#;

    #[test]
    fn the_order_of_members_says_nothing_and_the_order_of_items_does() {
        assert!(in_bytes(&bytes(r#"{"a":1,"b":2}"#), &bytes(r#"{"b":2, "a":1}"#)));
        assert!(!in_bytes(&bytes(r#"{"a":[1,2]}"#), &bytes(r#"{"a":[2,1]}"#)));
        assert!(!in_bytes(&bytes(r#"{"a":1}"#), &bytes(r#"{"a":1,"b":null}"#)));
    }

    #[test]
    fn only_the_current_snapshot_counts() {
        let state = facts(&[A, B, C].join(","), r#"["a",1],["b",2]"#);
        let other = facts(&[A, B, C].join(","), r#"["b",2],["c",9]"#);
        assert!(in_bytes(&state, &other));
        let changed = facts(&[A, B, C].join(","), r#"["a",1],["b",3]"#);
        assert!(!in_bytes(&state, &changed));
        assert!(!in_bytes(&facts(A, r#"["a",1]"#), &facts(A, r#"["a",2]"#)));
        assert!(!in_bytes(&facts(A, r#"["a",1]"#), &facts(C, r#"["a",1]"#)));
    }

    #[test]
    fn what_is_no_json_is_compared_as_it_is() {
        let (a, b) = (Value::from("\\x00ff"), Value::from("\\x00fe"));
        assert!(in_bytes(&a, &a) && !in_bytes(&a, &b) && !in_bytes(&a, &Value::Null));
        assert_eq!(shown(Bytes::of(&a), &a), a);
        assert_eq!(decode("\\x0fa0"), Some(vec![15, 160]));
        assert_eq!(decode("\\x0"), None);
    }

    #[test]
    fn a_long_state_is_shown_by_its_beginning() {
        let long = bytes(&format!("\"{}\"", "x".repeat(SHOWN_CHARS_MAX)));
        assert_eq!(shown(Bytes::of(&long), &long)["bytes"], SHOWN_CHARS_MAX + 2);
    }
}
