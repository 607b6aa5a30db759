//! How an object's facts are stored: in chunks of whole seconds, so that one more fact rewrites
//! what lies around it and not the object's whole life.
//!
//! The last chunk is stored with the object's current snapshots, in the part that has the object's
//! name. An earlier one is a part of its own: the name, `@`, and the second that it begins with.
//! Where chunks begin depends on the seconds alone, so that the same facts are stored alike in
//! whatever order they arrived.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::{DeserializeOwned, Error, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::fact::{Fact, Named, Prior};
use super::facts::{Facts, Snapshot};
use super::ties::Tie;
use crate::id::{EventId, EventKey, Namespace};

/// Up to so many facts are one chunk.
const FACTS_MIN: usize = 64;
/// One second in so many begins a chunk.
const SECONDS: u64 = 32;

/// The second that the first chunk begins with.
const BEGINNING: i64 = i64::MIN;

/// The chunks that changed, by the second that each begins with.
#[derive(Debug, Clone, Default)]
pub(super) struct Chunks(BTreeSet<i64>);

impl Chunks {
    /// Takes note that facts of a second changed.
    pub(super) fn touch<B>(&mut self, facts: &[Fact<B>], at: i64) {
        let until = facts.partition_point(|fact| fact.at <= at);
        self.0.insert(start(facts, until));
    }

    /// Takes note that a fact came at a place.
    pub(super) fn added<B>(&mut self, facts: &[Fact<B>], place: usize) {
        if facts.len() == FACTS_MIN + 1 {
            // From now on there is more than one chunk.
            self.0.extend(starts(facts));
        }
        // A second that begins a chunk takes what follows it away from the chunk before.
        self.0.insert(start(facts, place));
        self.0.insert(start(facts, place + 1));
    }
}

/// Whether a second begins a chunk: evenly spread, whatever regularity the seconds have.
const fn is_start(at: i64) -> bool {
    at.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32 & (SECONDS - 1) == 0
}

/// The seconds that chunks begin with.
fn starts<B>(facts: &[Fact<B>]) -> Vec<i64> {
    let mut starts = vec![BEGINNING];
    if facts.len() > FACTS_MIN {
        starts.extend(facts.iter().map(|fact| fact.at).filter(|at| is_start(*at)));
        starts.dedup();
    }
    starts
}

/// The second that the chunk of the last of the first `until` facts begins with.
fn start<B>(facts: &[Fact<B>], until: usize) -> i64 {
    let mut earlier = facts[..until].iter().rev().map(|fact| fact.at);
    let start = if facts.len() > FACTS_MIN { earlier.find(|at| is_start(*at)) } else { None };
    start.unwrap_or(BEGINNING)
}

/// The facts of the chunk that begins with a second.
fn chunk<B>(facts: &[Fact<B>], start: i64) -> &[Fact<B>] {
    let from = facts.partition_point(|fact| fact.at < start);
    let facts = &facts[from..];
    let is_cut = facts.len() + from > FACTS_MIN;
    let next = facts.iter().position(|fact| is_cut && fact.at > start && is_start(fact.at));
    &facts[..next.unwrap_or(facts.len())]
}

/// What is stored under the object's own name.
#[derive(Serialize)]
struct Head<'a, S: Snapshot> {
    facts: &'a [Fact<S::Brief>],
    snapshots: &'a [(EventKey, S)],
    #[serde(skip_serializing_if = "<[Tie]>::is_empty")]
    told: &'a [Tie],
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "S: Snapshot"))]
struct StoredHead<S: Snapshot> {
    facts: Vec<Fact<S::Brief>>,
    snapshots: Vec<(EventKey, S)>,
    #[serde(default)]
    told: Vec<Tie>,
}

impl<S: Snapshot> Facts<S> {
    /// The parts to be stored since the last call, under the object's name or its chunks'.
    pub(super) fn take_parts(&mut self, name: &str) -> Vec<(String, Vec<u8>)> {
        let last = start(&self.facts, self.facts.len());
        let head = Head::<S> {
            facts: chunk(&self.facts, last),
            snapshots: &self.snapshots,
            told: &self.told,
        };
        let mut parts = vec![(name.to_owned(), to_bytes(&head))];
        for start in std::mem::take(&mut self.chunks.0) {
            if start != last {
                let facts = chunk(&self.facts, start);
                parts.push((format!("{name}@{start}"), to_bytes(&facts)));
            }
        }
        parts
    }

    /// The facts from what was stored: the part under the object's name, and the earlier chunks by
    /// the second that each begins with.
    pub(super) fn from_parts(head: &[u8], earlier: &[(i64, Vec<u8>)]) -> serde_json::Result<Self> {
        let head: StoredHead<S> = serde_json::from_slice(head)?;
        let mut facts = Vec::new();
        for (_, chunk) in earlier {
            facts.extend(serde_json::from_slice::<Vec<Fact<S::Brief>>>(chunk)?);
        }
        facts.extend(head.facts);
        if !facts.is_sorted_by_key(|fact| fact.at) {
            return Err(Error::custom("its facts aren't in order"));
        }
        Ok(Self::restored(facts, head.snapshots, head.told))
    }
}

/// The parts of one object: what lies under its own name, and the earlier chunks by the second that
/// each begins with, in order.
pub(super) type ObjectParts = (Vec<u8>, Vec<(i64, Vec<u8>)>);

/// Stored parts by the object that they are of.
pub(super) fn group(
    parts: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> BTreeMap<String, ObjectParts> {
    let mut objects: BTreeMap<String, ObjectParts> = BTreeMap::new();
    for (name, bytes) in parts {
        let earlier = name.split_once('@');
        let chunk = earlier.and_then(|(name, start)| Some((name, start.parse().ok()?)));
        match chunk {
            Some((object, start)) => {
                objects.entry(object.to_owned()).or_default().1.push((start, bytes));
            }
            None => objects.entry(name).or_default().0 = bytes,
        }
    }
    for (_, earlier) in objects.values_mut() {
        earlier.sort_unstable_by_key(|(start, _)| *start);
    }
    objects
}

fn to_bytes(stored: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(stored).expect("what is stored has text keys, no floats")
}

const TIED: u8 = 1;
const GAP: u8 = 2;
const FINAL: u8 = 4;
const NOTHING: u8 = 8;
const KNOWN: u8 = 16;
const UNEXPECTED: u8 = 32;
const OF_ANOTHER: u8 = 64;
const OF_NOBODY: u8 = 128;

/// A fact is stored as a list without names: there are very many. Second, event, position, brief,
/// rank, flags, fingerprint after, fingerprint before.
impl<B: Serialize> Serialize for Fact<B> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let (prior, before) = match self.before {
            Prior::Unknown => (0, 0),
            Prior::Nothing => (NOTHING, 0),
            Prior::Something => (KNOWN | NOTHING, 0),
            Prior::Known(before) => (KNOWN, before),
        };
        let odd = flag(self.is_tied, TIED) | flag(self.is_gap, GAP);
        let odd = odd | flag(self.is_unexpected, UNEXPECTED);
        let named = match self.named {
            Named::Owner => 0,
            Named::Other => OF_ANOTHER,
            Named::Nobody => OF_NOBODY,
        };
        let flags = prior | named | odd | flag(self.is_final, FINAL);
        let mut fields = serializer.serialize_tuple(9)?;
        fields.serialize_element(&self.at)?;
        fields.serialize_element(&self.key.id)?;
        fields.serialize_element(&self.key.namespace)?;
        fields.serialize_element(&self.position)?;
        fields.serialize_element(&self.brief)?;
        fields.serialize_element(&self.rank)?;
        fields.serialize_element(&flags)?;
        fields.serialize_element(&self.after)?;
        fields.serialize_element(&before)?;
        fields.end()
    }
}

impl<'de, B: DeserializeOwned> Deserialize<'de> for Fact<B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<B>(std::marker::PhantomData<B>);
        impl<'de, B: DeserializeOwned> Visitor<'de> for Fields<B> {
            type Value = Fact<B>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the nine fields of a fact")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<Fact<B>, A::Error> {
                let at = next(&mut fields)?;
                let id: EventId = next(&mut fields)?;
                let namespace: Namespace = next(&mut fields)?;
                let position = next(&mut fields)?;
                let brief = next(&mut fields)?;
                let rank = next(&mut fields)?;
                let flags: u8 = next(&mut fields)?;
                let after = next(&mut fields)?;
                let before = next(&mut fields)?;
                let is = |flag: u8| flags & flag == flag;
                Ok(Fact {
                    at,
                    key: EventKey::new(namespace, id),
                    position,
                    brief,
                    before: match () {
                        () if is(KNOWN | NOTHING) => Prior::Something,
                        () if is(KNOWN) => Prior::Known(before),
                        () if is(NOTHING) => Prior::Nothing,
                        () => Prior::Unknown,
                    },
                    after,
                    rank,
                    named: match () {
                        () if is(OF_ANOTHER) => Named::Other,
                        () if is(OF_NOBODY) => Named::Nobody,
                        () => Named::Owner,
                    },
                    is_final: is(FINAL),
                    is_tied: is(TIED),
                    is_gap: is(GAP),
                    is_unexpected: is(UNEXPECTED),
                })
            }
        }
        deserializer.deserialize_tuple(9, Fields(std::marker::PhantomData))
    }
}

fn next<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(fields: &mut A) -> Result<T, A::Error> {
    fields.next_element()?.ok_or_else(|| A::Error::custom("a fact lacks fields"))
}
