//! The walk through a body: every key is looked up in the allow-list of the place it stands in,
//! and what isn't listed is skipped without being built.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use super::fields;
use super::format;
use super::node::{Fields, Key, Node};
use super::shape::{Field, Kind, Shape};
use super::{DEPTH_MAX, MetadataKeys};

/// What holds for one walk.
pub(crate) struct Walk<'k> {
    pub(crate) metadata: &'k MetadataKeys,
}

impl<'k> Walk<'k> {
    pub(crate) const fn new(metadata: &'k MetadataKeys) -> Self {
        Self { metadata }
    }
}

/// Reads one value of a kept field: `None` when it doesn't have the field's form, [`Node::Unfit`]
/// when that form is a whole number's.
#[derive(Clone, Copy)]
pub(crate) struct Keep<'w> {
    pub(crate) kind: Kind,
    pub(crate) walk: &'w Walk<'w>,
    pub(crate) depth: u8,
}

impl<'de> DeserializeSeed<'de> for Keep<'_> {
    type Value = Option<Node>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keep<'_> {
    type Value = Option<Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Some(Node::Null))
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        let node = if flag { Node::True } else { Node::False };
        Ok(if matches!(self.kind, Kind::Flag) { Some(node) } else { self.unfit() })
    }

    fn visit_i64<E: Error>(self, int: i64) -> Result<Self::Value, E> {
        Ok(match self.kind {
            Kind::Int | Kind::Number => Some(Node::Int(int)),
            Kind::Decimal => Some(Node::Text(int.to_string().into())),
            _ => self.unfit(),
        })
    }

    fn visit_u64<E: Error>(self, int: u64) -> Result<Self::Value, E> {
        i64::try_from(int).map_or_else(|_| Ok(self.unfit()), |int| self.visit_i64(int))
    }

    fn visit_f64<E: Error>(self, float: f64) -> Result<Self::Value, E> {
        Ok(match self.kind {
            Kind::Number | Kind::Decimal => {
                format::decimal_of(float).map(|text| Node::Text(text.into()))
            }
            _ => self.unfit(),
        })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let fits = match self.kind {
            Kind::Id | Kind::Link(_) => format::is_id(text),
            Kind::Code => format::is_code(text),
            Kind::Number | Kind::Decimal => format::is_decimal(text),
            Kind::Text => format::is_text(text),
            Kind::Country => format::is_country(text),
            Kind::Brand => format::is_brand(text),
            Kind::Trainer => format::is_trainer_id(text),
            Kind::Int
            | Kind::Flag
            | Kind::Metadata
            | Kind::Object(_)
            | Kind::Typed
            | Kind::List(_)
            | Kind::Page(_) => false,
        };
        Ok(if fits { Some(Node::Text(text.into())) } else { self.unfit() })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let (Kind::List(kind), Some(depth)) = (self.kind, self.deeper()) else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(self.unfit());
        };
        let element = Self { kind: *kind, depth, ..self };
        let mut list = Vec::new();
        while let Some(kept) = seq.next_element_seed(element)? {
            list.extend(kept);
        }
        Ok(Some(Node::List(list.into())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        match (self.kind, self.deeper()) {
            (Kind::Object(shape) | Kind::Link(shape), Some(depth)) => {
                self.keep_rest(Kept::new(shape), None, depth, map).map(Some)
            }
            (Kind::Page(data), Some(depth)) => {
                self.keep_rest(Kept::new(&fields::PAGE), Some(data), depth, map).map(Some)
            }
            (Kind::Typed, Some(depth)) => self.keep_typed(depth, map).map(Some),
            (Kind::Metadata, _) => self.keep_metadata(map).map(Some),
            _ => {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(self.unfit())
            }
        }
    }
}

impl Keep<'_> {
    /// What is kept of a value that doesn't have the field's form.
    const fn unfit(&self) -> Option<Node> {
        match self.kind {
            Kind::Int => Some(Node::Unfit),
            _ => None,
        }
    }

    /// How deep what is in here stands; none where no more is kept.
    const fn deeper(&self) -> Option<u8> {
        if self.depth < DEPTH_MAX { Some(self.depth + 1) } else { None }
    }

    /// `data` is what a page's elements are; the rest of a page is the same for all pages.
    fn keep_rest<'de, A: MapAccess<'de>>(
        self,
        mut kept: Kept,
        data: Option<&'static Kind>,
        depth: u8,
        mut map: A,
    ) -> Result<Node, A::Error> {
        let shape = kept.shape;
        while let Some(place) = map.next_key_seed(Place(shape))? {
            let Some(place) = place else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let Field { name, kind } = &shape.fields()[place];
            let kind = *data.filter(|_| *name == "data").unwrap_or(kind);
            kept.add(place, map.next_value_seed(Self { kind, depth, ..self })?);
        }
        if fields::is_not_for_sale(shape, kept.object()) {
            kept.drop_texts();
        }
        Ok(kept.into())
    }

    /// Holds back the fields that stand before `object`. Stripe sends `id` and `object` first, so
    /// that normally one short text is read twice.
    fn keep_typed<'de, A: MapAccess<'de>>(self, depth: u8, mut map: A) -> Result<Node, A::Error> {
        let mut held: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(1);
        let mut object = None;
        while let Some(Text(key)) = map.next_key()? {
            if key == "object" {
                object = map.next_value_seed(Self { kind: Kind::Code, ..self })?;
                break;
            }
            held.push((key, map.next_value()?));
        }
        let shape = fields::shape_of(object.as_ref().and_then(Node::as_str));
        let mut kept = Kept::new(shape);
        if let Some(place) = shape.place("object") {
            kept.add(place, object);
        }
        for (key, raw) in held {
            let Some(place) = shape.place(&key) else {
                continue;
            };
            let value = Self { kind: shape.fields()[place].kind, depth, ..self };
            let mut json = serde_json::Deserializer::from_str(raw.get());
            kept.add(place, value.deserialize(&mut json).map_err(A::Error::custom)?);
        }
        self.keep_rest(kept, None, depth, map)
    }

    fn keep_metadata<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut kept = Vec::new();
        while let Some(Text(key)) = map.next_key()? {
            if !self.walk.metadata.holds(&key) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let kind = if key == "trainer_id" { Kind::Trainer } else { Kind::Id };
            if let Some(node) = map.next_value_seed(Self { kind, ..self })? {
                kept.push((Key::Owned(key.into_owned()), node));
            }
        }
        Ok(Node::Object(Fields::from_any(kept)))
    }
}

/// The kept fields of one object, each at its place in the allow-list, so that they come out
/// sorted in whatever order they came in.
struct Kept {
    shape: &'static Shape,
    nodes: Vec<Option<Node>>,
    count: usize,
}

impl Kept {
    fn new(shape: &'static Shape) -> Self {
        let mut nodes = Vec::new();
        nodes.resize_with(shape.fields().len(), || None);
        Self { shape, nodes, count: 0 }
    }

    /// Of a field given twice the first counts: `object` decides what else is kept, so that it
    /// must not change afterwards.
    fn add(&mut self, place: usize, node: Option<Node>) {
        if node.is_some() && self.nodes[place].is_none() {
            self.nodes[place] = node;
            self.count += 1;
        }
    }

    /// What the object calls itself.
    fn object(&self) -> Option<&str> {
        self.shape.place("object").and_then(|place| self.nodes[place].as_ref()?.as_str())
    }

    fn drop_texts(&mut self) {
        for (field, node) in self.shape.fields().iter().zip(&mut self.nodes) {
            if matches!(field.kind, Kind::Text) && node.take().is_some() {
                self.count -= 1;
            }
        }
    }
}

impl From<Kept> for Node {
    fn from(kept: Kept) -> Self {
        let mut fields = Vec::with_capacity(kept.count);
        for (field, node) in kept.shape.fields().iter().zip(kept.nodes) {
            fields.extend(node.map(|node| (Key::Borrowed(field.name), node)));
        }
        Self::Object(Fields::from_sorted(fields))
    }
}

/// Looks a key up in an allow-list without making a text of it.
struct Place(&'static Shape);

impl<'de> DeserializeSeed<'de> for Place {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Place {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.place(key))
    }
}

/// A text, borrowed from the body unless it is written with escapes.
pub(crate) struct Text<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}
