//! An event's envelope: what surrounds the object that the event is about.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use chrono::DateTime;
use ledger_domain::id::{EventId, StripeId};
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor,
};
use serde_json::value::RawValue;

use super::error::RedactError;
use super::fields;
use super::node::Node;
use super::shape::Kind;
use super::walk::{Keep, Text, Walk};
use super::{Envelope, EnvelopeKind, format};

/// The last second of the year 9999, later than which no time can be written.
const CREATED_MAX: i64 = 253_402_300_799;

/// What an event's body holds, as it was read.
#[derive(Default)]
pub(crate) struct Parts<'de> {
    id: Option<Cow<'de, str>>,
    object: Option<Cow<'de, str>>,
    type_: Option<Cow<'de, str>>,
    created: Option<Created<'de>>,
    livemode: Option<bool>,
    api_version: Option<Cow<'de, str>>,
    account: Option<Cow<'de, str>>,
    context: Option<Cow<'de, str>>,
    request: Request<'de>,
    data: Option<Data>,
    related: Option<Node>,
}

/// What the event is about.
#[derive(Default)]
pub(crate) struct Data {
    pub(crate) object: Option<Node>,
    pub(crate) previous: Option<Node>,
}

enum Created<'de> {
    Unix(i64),
    Iso(Cow<'de, str>),
}

#[derive(Default)]
struct Request<'de> {
    id: Option<Cow<'de, str>>,
    idempotency_key: Option<Cow<'de, str>>,
}

/// Reads a body; tells through `at` which field it is at, because serde's errors carry no type.
pub(crate) struct Body<'w> {
    pub(crate) walk: &'w Walk<'w>,
    pub(crate) at: &'w Cell<Option<Fault>>,
}

/// Where reading stopped.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// In this field's value.
    In(&'static str),
    /// At this field, which was there before.
    Twice(&'static str),
}

/// The fields of the envelope, to report them by a constant name.
const NAMES: [&str; 11] = [
    "account",
    "api_version",
    "context",
    "created",
    "data",
    "id",
    "livemode",
    "object",
    "related_object",
    "request",
    "type",
];

impl<'de> DeserializeSeed<'de> for Body<'_> {
    type Value = Parts<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_> {
    type Value = Parts<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut parts = Parts::default();
        let mut seen = [false; NAMES.len()];
        while let Some(Text(key)) = map.next_key()? {
            let Some(index) = NAMES.iter().position(|name| *name == key) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let name = NAMES[index];
            if std::mem::replace(&mut seen[index], true) {
                self.at.set(Some(Fault::Twice(name)));
                return Err(A::Error::custom("twice"));
            }
            self.at.set(Some(Fault::In(name)));
            match name {
                "id" => parts.id = text(&mut map)?,
                "object" => parts.object = text(&mut map)?,
                "type" => parts.type_ = text(&mut map)?,
                "created" => parts.created = map.next_value()?,
                "livemode" => parts.livemode = map.next_value()?,
                "api_version" => parts.api_version = text(&mut map)?,
                "account" => parts.account = text(&mut map)?,
                "context" => parts.context = text(&mut map)?,
                "request" => parts.request = map.next_value::<Option<_>>()?.unwrap_or_default(),
                "data" => parts.data = map.next_value_seed(DataSeed(self.walk))?,
                _ => {
                    let kind = Kind::Object(&fields::RELATED);
                    parts.related =
                        map.next_value_seed(Keep { kind, walk: self.walk, depth: 0 })?;
                }
            }
        }
        self.at.set(None);
        Ok(parts)
    }
}

fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(map.next_value::<Option<Text<'de>>>()?.map(|text| text.0))
}

/// Stands for a type that no event of Stripe's has.
const UNREADABLE_TYPE: &str = "unreadable";

impl Parts<'_> {
    /// Checks the envelope, whatever is in it.
    pub(crate) fn check(self) -> Result<(Envelope, Data), RedactError> {
        let object = required(self.object, "object")?;
        let kind = match object.as_ref() {
            "event" => EnvelopeKind::Event,
            "v2.core.event" => EnvelopeKind::Thin,
            _ => return Err(RedactError::Invalid { field: "object" }),
        };
        let id = required(self.id, "id")?;
        let type_ = required(self.type_, "type")?;
        // An event is recorded whatever its type: refused, it would be lost.
        let type_ = Some(type_).filter(|text| format::is_event_type(text));
        let account = match self.account {
            // An account that can't be read must not pass for none: that would be the platform's.
            Some(text) => Some(
                StripeId::try_new(&text).map_err(|_| RedactError::Invalid { field: "account" })?,
            ),
            None => None,
        };
        let data = match (kind, self.data) {
            (EnvelopeKind::Event, data) => required(data, "data")?,
            (EnvelopeKind::Thin, _) => Data { object: self.related, previous: None },
        };
        let envelope = Envelope {
            id: EventId::try_new(&id).map_err(|_| RedactError::Invalid { field: "id" })?,
            kind,
            created: created(kind, required(self.created, "created")?)?,
            livemode: required(self.livemode, "livemode")?,
            api_version: self.api_version.filter(|v| format::is_code(v)).map(Into::into),
            account,
            context: self.context.filter(|c| format::is_context(c)).map(Into::into),
            request_id: self.request.id.and_then(|id| StripeId::try_new(&id).ok()),
            idempotency_key: self
                .request
                .idempotency_key
                .filter(|key| format::is_uuid(key))
                .map(Into::into),
            type_: type_.as_deref().unwrap_or(UNREADABLE_TYPE).into(),
        };
        Ok((envelope, data))
    }
}

fn required<T>(value: Option<T>, field: &'static str) -> Result<T, RedactError> {
    value.ok_or(RedactError::Missing { field })
}

/// Seconds in events, a text in thin events. What is stored of a thin event has seconds, too.
fn created(kind: EnvelopeKind, created: Created<'_>) -> Result<i64, RedactError> {
    let field = "created";
    let seconds = match (created, kind) {
        (Created::Unix(seconds), _) => seconds,
        (Created::Iso(_), EnvelopeKind::Event) => return Err(RedactError::WrongType { field }),
        (Created::Iso(text), EnvelopeKind::Thin) => DateTime::parse_from_rfc3339(&text)
            .map_err(|_| RedactError::Invalid { field })?
            .timestamp(),
    };
    if (0..=CREATED_MAX).contains(&seconds) {
        Ok(seconds)
    } else {
        Err(RedactError::Invalid { field })
    }
}

struct DataSeed<'w>(&'w Walk<'w>);

impl<'de> DeserializeSeed<'de> for DataSeed<'_> {
    type Value = Option<Data>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DataSeed<'_> {
    type Value = Option<Data>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    /// `previous_attributes` has no `object` field: its allow-list is that of `object`, which
    /// Stripe sends first.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let walk = self.0;
        let mut object = None;
        let mut held: Option<&'de RawValue> = None;
        let mut data = Data::default();
        while let Some(Text(key)) = map.next_key()? {
            match (key.as_ref(), object) {
                ("object", None) => {
                    let kind = Kind::Typed;
                    data.object = map.next_value_seed(Keep { kind, walk, depth: 0 })?;
                    object = Some(kind_of(data.object.as_ref()));
                }
                ("previous_attributes", Some(kind)) => {
                    data.previous = map.next_value_seed(Keep { kind, walk, depth: 0 })?;
                }
                ("previous_attributes", None) => held = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if let (Some(raw), Some(kind)) = (held, object) {
            let mut json = serde_json::Deserializer::from_str(raw.get());
            data.previous =
                Keep { kind, walk, depth: 0 }.deserialize(&mut json).map_err(A::Error::custom)?;
        }
        // Without an object there is nothing that could have had other values before.
        data.object.take_if(|node| node.as_object().is_none());
        data.previous.take_if(|node| data.object.is_none() || node.as_object().is_none());
        Ok(Some(data))
    }
}

fn kind_of(object: Option<&Node>) -> Kind {
    let object = object.and_then(|node| node.get("object")).and_then(Node::as_str);
    Kind::Object(fields::shape_of(object))
}

impl<'de> Deserialize<'de> for Created<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CreatedVisitor)
    }
}

struct CreatedVisitor;

impl<'de> Visitor<'de> for CreatedVisitor {
    type Value = Created<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds or an ISO 8601 time")
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Self::Value, E> {
        Ok(Created::Unix(seconds))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Self::Value, E> {
        i64::try_from(seconds).map(Created::Unix).map_err(E::custom)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Created::Iso(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Created::Iso(Cow::Owned(text.to_owned())))
    }
}

impl<'de> Deserialize<'de> for Request<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RequestVisitor)
    }
}

struct RequestVisitor;

impl<'de> Visitor<'de> for RequestVisitor {
    type Value = Request<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request or its id")
    }

    /// Until 2017-05-25 a request was its id alone (`/changelog/2017-05-25`).
    fn visit_str<E: Error>(self, id: &str) -> Result<Self::Value, E> {
        Ok(Request { id: Some(Cow::Owned(id.to_owned())), idempotency_key: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut request = Request::default();
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "id" => request.id = text(&mut map)?,
                "idempotency_key" => request.idempotency_key = text(&mut map)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(request)
    }
}
