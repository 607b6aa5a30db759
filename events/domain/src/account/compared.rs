//! What two snapshots of an object are compared by.
//!
//! Each kind of object lists its fields once ([`Snapshot::compared`]). The fingerprint by which the
//! order of facts is found and the difference that a person is shown are both made from that list,
//! so that there is no gap without a difference, nor a difference without a gap.

use std::fmt;
use std::hash::Hasher;

use serde::Serialize;
use serde_json::Value;
use siphasher::sip::SipHasher13;

use super::facts::Snapshot;
use crate::event::stripe::{Before, Reported};
use crate::time::Timestamp;

/// Takes in the compared fields of a snapshot, one after the other.
pub(super) trait Fields {
    /// A field and its value, which has text keys and no floats.
    fn field(&mut self, name: impl Into<Name>, value: &impl Serialize);

    /// A field that is an instant, in Stripe's seconds.
    fn instant(&mut self, name: impl Into<Name>, at: Option<i64>);

    /// How many entries a list has whose fields follow: without it, the fields of two lists could
    /// be taken for each other's.
    fn entries(&mut self, count: usize);
}

/// The name of a compared field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// Of the object itself.
    Own(&'static str),
    /// Of an entry of one of its lists.
    Of(&'static str, usize, &'static str),
}

impl From<&'static str> for Name {
    fn from(name: &'static str) -> Self {
        Self::Own(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(name) => f.write_str(name),
            Self::Of(list, index, name) => write!(f, "{list}[{index}].{name}"),
        }
    }
}

/// One field in which an object is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its name, as `status` or `items[0].price`.
    pub field: Box<str>,
    /// What it should be by what was known; null = it should not be there.
    pub expected: Value,
    /// What it is; null = it is not there.
    pub seen: Value,
}

impl Difference {
    /// A difference in one field.
    #[must_use]
    pub fn new(field: &str, expected: impl Into<Value>, seen: impl Into<Value>) -> Self {
        Self { field: field.into(), expected: expected.into(), seen: seen.into() }
    }
}

/// A fingerprint of the compared fields that doesn't depend on the compiler: it is stored.
pub(super) fn fingerprint(snapshot: &impl Snapshot) -> u64 {
    let mut sink = Sink(SipHasher13::new());
    snapshot.compared(&mut sink);
    sink.0.finish()
}

struct Sink(SipHasher13);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Fields for Sink {
    /// Names aren't needed: of one kind of object, the same fields follow in the same order.
    fn field(&mut self, _: impl Into<Name>, value: &impl Serialize) {
        serde_json::to_writer(&mut *self, value)
            .expect("compared fields have text keys, no floats");
        self.0.write(b",");
    }

    fn instant(&mut self, name: impl Into<Name>, at: Option<i64>) {
        self.field(name, &at);
    }

    fn entries(&mut self, count: usize) {
        self.field("", &count);
    }
}

/// The compared fields as people read them.
#[derive(Default)]
struct Readable(Vec<(Name, Value)>);

impl Fields for Readable {
    fn field(&mut self, name: impl Into<Name>, value: &impl Serialize) {
        let value = serde_json::to_value(value).expect("compared fields have text keys, no floats");
        self.0.push((name.into(), value));
    }

    fn instant(&mut self, name: impl Into<Name>, at: Option<i64>) {
        let readable = at.map(|seconds| {
            let at = Timestamp::from_unix(seconds);
            // What lies beyond the calendar stays a number, else two of them would look alike.
            if at.unix() == seconds { at.to_string().into() } else { Value::from(seconds) }
        });
        self.0.push((name.into(), readable.unwrap_or_default()));
    }

    /// An entry that isn't there shows by its fields.
    fn entries(&mut self, _: usize) {}
}

impl Readable {
    fn of(snapshot: Option<&impl Snapshot>) -> Self {
        let mut fields = Self::default();
        if let Some(snapshot) = snapshot {
            snapshot.compared(&mut fields);
        }
        fields
    }

    fn get(&self, name: Name) -> Value {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

/// The fields in which two snapshots differ, in the order of their list; none = no such object.
pub(super) fn differences<S: Snapshot>(expected: Option<&S>, seen: Option<&S>) -> Vec<Difference> {
    let (expected, seen) = (Readable::of(expected), Readable::of(seen));
    let mut names: Vec<Name> = expected.0.iter().map(|(name, _)| *name).collect();
    let further = seen.0.iter().map(|(name, _)| *name).filter(|name| !names.contains(name));
    let further: Vec<Name> = further.collect();
    names.extend(further);
    let pairs = names.into_iter().map(|name| (name, expected.get(name), seen.get(name)));
    let differing = pairs.filter(|(_, expected, seen)| expected != seen);
    differing
        .map(|(name, expected, seen)| Difference::new(&name.to_string(), expected, seen))
        .collect()
}

/// What an object was before a fact.
pub(super) enum Earlier<S> {
    /// The fact doesn't say.
    Unknown,
    /// There was one; the fact doesn't say what it looked like.
    Something,
    /// There was no such object.
    Nothing,
    /// It looked like this.
    Object(Box<S>),
}

/// What an object was before a fact, as far as the fact tells.
pub(super) fn earlier<S: Snapshot>(reported: &Reported<S>) -> Earlier<S> {
    match &reported.before {
        Before::Absent => match reported.snapshot.before_by(&reported.cause) {
            Some(before) => Earlier::Object(Box::new(before)),
            None if S::IS_CREATION_TOLD && reported.cause != "created" => Earlier::Something,
            None => Earlier::Unknown,
        },
        Before::NoObject => Earlier::Nothing,
        Before::Fields(fields) => {
            let Ok(Value::Object(mut object)) = serde_json::to_value(&reported.snapshot) else {
                return Earlier::Unknown;
            };
            for (key, value) in fields {
                match value {
                    Value::Null => object.remove(key),
                    value => object.insert(key.clone(), value.clone()),
                };
            }
            let before = serde_json::from_value::<S>(Value::Object(object));
            before.map_or(Earlier::Unknown, |before| Earlier::Object(Box::new(before)))
        }
    }
}
