//! What a type can hold and no golden file shows. serde tells it while a file is read: a derived
//! reader names all fields of its struct, and all variants of its enum, whichever are there.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::{Serialize, forward_to_deserialize_any};
use serde_json::{Error, Map, Value};

/// Reads a file's JSON as some type, and writes it again.
pub(crate) type Rewrite = fn(&Value, &Watch) -> Result<Value, Error>;

/// One of the ways in which a type's values differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Is { of: &'static str, variant: &'static str },
    Has { of: &'static str, field: &'static str },
    Lacks { of: &'static str, field: &'static str },
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is { of, variant } => write!(f, "{of} `{variant}`"),
            Self::Has { of, field } => write!(f, "{of} with `{field}`"),
            Self::Lacks { of, field } => write!(f, "{of} without `{field}`"),
        }
    }
}

/// What is noted while values are read.
#[derive(Default)]
pub(crate) struct Watch {
    /// Every way that the types know, and whether a value was like that.
    ways: RefCell<BTreeMap<Way, bool>>,
    /// A field that is read as if it weren't there.
    hidden: Option<(&'static str, &'static str)>,
}

impl Watch {
    fn note(&self, way: Way, is_so: bool) {
        *self.ways.borrow_mut().entry(way).or_default() |= is_so;
    }

    fn was(&self, way: Way) -> bool {
        self.ways.borrow().get(&way) == Some(&true)
    }
}

/// Reads as `T` and writes again.
pub(crate) fn rewritten<T: DeserializeOwned + Serialize>(
    value: &Value,
    watch: &Watch,
) -> Result<Value, Error> {
    serde_json::to_value(T::deserialize(At { value, watch })?)
}

/// What a type can hold and none of these files does.
pub(crate) fn missing(files: &[Value], rewrite: Rewrite) -> Vec<String> {
    let watch = Watch::default();
    for file in files {
        rewrite(file, &watch).expect("a known shape");
    }
    let unseen = watch.ways.into_inner().into_iter().filter(|(_, is_seen)| !is_seen);
    let may_be = |way: &Way| match *way {
        Way::Lacks { of, field } => files.iter().any(|file| may_lack(file, rewrite, of, field)),
        _ => true,
    };
    unseen.map(|(way, _)| way).filter(may_be).map(|way| way.to_string()).collect()
}

/// Whether a file can do without a field, and would be written without it. A field that is always
/// written has no other form to be frozen.
fn may_lack(file: &Value, rewrite: Rewrite, of: &'static str, field: &'static str) -> bool {
    let hiding = Watch { hidden: Some((of, field)), ..Watch::default() };
    let Ok(without) = rewrite(file, &hiding) else { return false };
    let watch = Watch::default();
    rewrite(&without, &watch).is_ok() && watch.was(Way::Lacks { of, field })
}

/// A value, read under a watch.
#[derive(Clone, Copy)]
struct At<'v> {
    value: &'v Value,
    watch: &'v Watch,
}

impl<'v> At<'v> {
    /// The entries of an object, but for one of this name.
    fn entries(
        self,
        object: &'v Map<String, Value>,
        but: Option<&'static str>,
    ) -> MapDeserializer<'v, impl Iterator<Item = (Key<'v>, At<'v>)>, Error> {
        let watch = self.watch;
        let entries = object.iter().filter(move |(key, _)| but != Some(key.as_str()));
        MapDeserializer::new(
            entries.map(move |(text, value)| (Key { text, watch }, At { value, watch })),
        )
    }
}

impl<'de> IntoDeserializer<'de, Error> for At<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for At<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Object(object) => visitor.visit_map(self.entries(object, None)),
            Value::Array(values) => {
                let values = values.iter().map(|value| At { value, ..self });
                visitor.visit_seq(SeqDeserializer::new(values))
            }
            plain => plain.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        of: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Value::Object(object) = self.value else { return self.deserialize_any(visitor) };
        let hidden = self.watch.hidden.and_then(|(hides, field)| (hides == of).then_some(field));
        for &field in fields {
            let is_there = object.contains_key(field) && hidden != Some(field);
            self.watch.note(Way::Has { of, field }, is_there);
            self.watch.note(Way::Lacks { of, field }, !is_there);
        }
        visitor.visit_map(self.entries(object, hidden))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        of: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::String(text) => {
                Key { text, watch: self.watch }.deserialize_enum(of, variants, visitor)
            }
            Value::Object(object) => {
                for &variant in variants {
                    self.watch.note(Way::Is { of, variant }, object.contains_key(variant));
                }
                visitor.visit_enum(MapAccessDeserializer::new(self.entries(object, None)))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// A key of an object, or a variant that holds nothing, read under a watch.
#[derive(Clone, Copy)]
struct Key<'v> {
    text: &'v str,
    watch: &'v Watch,
}

impl<'de> IntoDeserializer<'de, Error> for Key<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.text)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        of: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        for &variant in variants {
            self.watch.note(Way::Is { of, variant }, variant == self.text);
        }
        let text: StrDeserializer<'de, Error> = self.text.into_deserializer();
        visitor.visit_enum(text)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct option newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Parcel {
        lid: Lid,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        #[serde(default)]
        weight: i64,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Lid {
        Open,
        Shut(u8),
    }

    fn missing_in(files: &[Value]) -> Vec<String> {
        missing(files, rewritten::<Parcel>)
    }

    #[test]
    fn every_variant_and_every_field_is_wanted() {
        let files = [
            json!({ "lid": "open", "weight": 1 }),
            json!({ "lid": { "shut": 2 }, "label": "x", "weight": 0 }),
        ];
        assert_eq!(missing_in(&files[..1]), ["Lid `shut`", "Parcel with `label`"]);
        assert_eq!(missing_in(&files[1..]), ["Lid `open`", "Parcel without `label`"]);
        assert!(missing_in(&files).is_empty(), "a weight is written always");
    }
}
