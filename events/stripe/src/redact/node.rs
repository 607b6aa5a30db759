//! What redaction keeps: a small JSON tree without floats, its objects sorted by key.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

/// A key of an object. Allow-listed keys are constants; only metadata brings its own.
pub type Key = Cow<'static, str>;

/// What is stored for [`Node::Unfit`]. It is itself no whole number, and so is read back as one
/// that is unfit.
const UNFIT: &str = "unfit";

/// A redacted JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// `null`: Stripe said that there is nothing, which is not the same as saying nothing.
    Null,
    /// `false`.
    False,
    /// `true`.
    True,
    /// A whole number: an amount in minor units, seconds since 1970, a count.
    Int(i64),
    /// Something that is no whole number of 64 bits stood where one is due. What it was is not
    /// kept, only that it was there: it must not pass for nothing said.
    Unfit,
    /// A text. Numbers with a fraction are kept as texts, too.
    Text(Box<str>),
    /// An array.
    List(Box<[Node]>),
    /// An object.
    Object(Fields),
}

impl Node {
    /// The value under `key`, when this is an object that has one other than `null`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.get(key).filter(|node| **node != Self::Null),
            _ => None,
        }
    }

    /// Whether something else stood where a whole number is due.
    #[must_use]
    pub const fn is_unfit(&self) -> bool {
        matches!(self, Self::Unfit)
    }

    /// The text, when this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, when this is a whole one.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            _ => None,
        }
    }

    /// The flag, when this is one.
    #[must_use]
    pub const fn as_flag(&self) -> Option<bool> {
        match self {
            Self::False => Some(false),
            Self::True => Some(true),
            _ => None,
        }
    }

    /// The elements, when this is an array.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list),
            _ => None,
        }
    }

    /// The fields, when this is an object.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Fields> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }
}

/// The fields of an object, sorted by key, each key once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Box<[(Key, Node)]>);

impl Fields {
    /// Fields in the order of their keys, each key once.
    pub(crate) fn from_sorted(fields: Vec<(Key, Node)>) -> Self {
        debug_assert!(fields.is_sorted_by(|(a, _), (b, _)| a < b), "keys are sorted");
        Self(fields.into())
    }

    /// Fields in any order; of a key given twice the last counts.
    pub(crate) fn from_any(fields: impl IntoIterator<Item = (Key, Node)>) -> Self {
        Self(fields.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect())
    }

    /// The value under `key`, `null` included. Most keys differ in length already, which makes
    /// looking at each faster than comparing the texts of a few.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.0.iter().find(|(other, _)| other.as_ref() == key).map(|(_, node)| node)
    }

    /// The fields in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Node)> {
        self.0.iter().map(|(key, node)| (key.as_ref(), node))
    }

    /// How many fields there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::False => serializer.serialize_bool(false),
            Self::True => serializer.serialize_bool(true),
            Self::Int(int) => serializer.serialize_i64(*int),
            Self::Unfit => serializer.serialize_str(UNFIT),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => {
                let mut seq = serializer.serialize_seq(Some(list.len()))?;
                for node in list {
                    seq.serialize_element(node)?;
                }
                seq.end()
            }
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, node) in fields.iter() {
                    map.serialize_entry(key, node)?;
                }
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted() {
        let fields = [("id", 1), ("object", 2), ("amount", 3), ("status", 4), ("id", 5)];
        let fields = fields.map(|(key, int)| (Key::Borrowed(key), Node::Int(int)));
        let fields = Fields::from_any(fields);
        let json = serde_json::to_string(&Node::Object(fields)).unwrap();
        assert_eq!(json, r#"{"amount":3,"id":5,"object":2,"status":4}"#);
    }

    #[test]
    fn null_is_kept_but_not_found() {
        let fields = Fields::from_any([(Key::Borrowed("trial_end"), Node::Null)]);
        assert_eq!(fields.get("trial_end"), Some(&Node::Null));
        assert_eq!(Node::Object(fields).get("trial_end"), None);
    }
}
