//! An independent look at a log: raw rows, the sealing spelt out once more, and the list of what
//! callers were told. It trusts nothing that the program under test computes. The tests of replays
//! look at their logs with it, too.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};

/// What a caller was told, between two readings of a counter that all callers share.
#[derive(Debug, Clone)]
pub(crate) struct Ack {
    pub(crate) id: String,
    pub(crate) position: i64,
    pub(crate) began: u64,
    pub(crate) ended: u64,
}

/// An event as the table has it.
#[derive(Debug, Clone)]
pub(crate) struct RawEvent {
    pub(crate) position: i64,
    pub(crate) revision: i64,
    pub(crate) id: String,
    pub(crate) stream: String,
    pub(crate) recorded_at: i64,
    pub(crate) leaf: [u8; 32],
}

/// A log as the tables have it.
#[derive(Debug, Clone, Default)]
pub(crate) struct RawLog {
    pub(crate) events: Vec<RawEvent>,
    /// Size, root and leaves of the batch.
    pub(crate) seals: Vec<(i64, Vec<u8>, Vec<u8>)>,
    /// Position and root.
    pub(crate) head: (i64, Vec<u8>),
    /// Id, position and revision.
    pub(crate) keys: Vec<(String, i64, i64)>,
}

impl RawLog {
    /// Reads a tenant's log as the owner.
    pub(crate) async fn read(owner: &PgPool, tenant: &str) -> Self {
        let events = "SELECT *, (extract(epoch FROM occurred_at) * 1000000)::bigint AS occurred,
            (extract(epoch FROM recorded_at) * 1000000)::bigint AS recorded
            FROM event WHERE tenant = $1 ORDER BY position";
        let events = sqlx::query(events).bind(tenant).fetch_all(owner).await.unwrap();
        let seals = "SELECT size, root, leaves FROM log_seal WHERE tenant = $1 ORDER BY size";
        let head = "SELECT position, root FROM log_head WHERE tenant = $1";
        let keys = "SELECT namespace || '/' || event_id, position, revision FROM event_dedup
            WHERE tenant = $1";
        Self {
            events: events.iter().map(raw).collect(),
            seals: sqlx::query_as(seals).bind(tenant).fetch_all(owner).await.unwrap(),
            head: sqlx::query_as(head).bind(tenant).fetch_one(owner).await.unwrap(),
            keys: sqlx::query_as(keys).bind(tenant).fetch_all(owner).await.unwrap(),
        }
    }
}

fn raw(row: &PgRow) -> RawEvent {
    let mut leaf = vec![0u8];
    let mut field = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => {
            leaf.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
            leaf.extend(bytes);
        }
        None => leaf.extend([0xFF; 4]),
    };
    let text = |name| row.get::<String, _>(name).into_bytes();
    let number = |name| row.get::<i64, _>(name).to_be_bytes();
    field(Some(b"ledger-leaf-v1"));
    field(Some(row.get::<uuid::Uuid, _>("log_id").as_bytes()));
    field(Some(&text("tenant")));
    field(Some(&number("position")));
    field(Some(&text("namespace")));
    field(Some(&text("event_id")));
    field(Some(&text("stream")));
    field(Some(&number("revision")));
    field(Some(&text("type")));
    field(Some(&i64::from(row.get::<i32, _>("schema_version")).to_be_bytes()));
    field(Some(&number("occurred")));
    field(Some(&number("recorded")));
    field(Some(row.get::<&[u8], _>("metadata")));
    field(Some(row.get::<&[u8], _>("data")));
    field(row.get::<Option<&[u8]>, _>("body_hash"));
    field(row.get::<Option<&[u8]>, _>("text_hash"));
    RawEvent {
        position: row.get("position"),
        revision: row.get("revision"),
        id: format!("{}/{}", row.get::<String, _>("namespace"), row.get::<String, _>("event_id")),
        stream: row.get("stream"),
        recorded_at: row.get("recorded"),
        leaf: Sha256::digest(&leaf).into(),
    }
}

/// The roots over the first 1, 2, ... leaves. The largest complete subtrees are kept, as a binary
/// counter keeps its digits.
fn roots(events: &[RawEvent]) -> Vec<Vec<u8>> {
    let join = |left: &[u8; 32], right: &[u8; 32]| -> [u8; 32] {
        Sha256::digest([&[1u8][..], left, right].concat()).into()
    };
    let mut digits: Vec<(u32, [u8; 32])> = Vec::new();
    let mut roots = Vec::new();
    for event in events {
        let mut top = (0, event.leaf);
        while digits.last().is_some_and(|(height, _)| *height == top.0) {
            let (height, left) = digits.pop().unwrap();
            top = (height + 1, join(&left, &top.1));
        }
        digits.push(top);
        let all = digits.iter().rev().map(|(_, hash)| *hash);
        roots.push(all.reduce(|right, left| join(&left, &right)).unwrap().to_vec());
    }
    roots
}

/// How many violations a failed test shows: one mistake can break every event.
const SHOWN_MAX: usize = 5;

/// That nothing is wrong with a log, nor with what callers were told of it.
pub(crate) fn assert_no_violations(log: &RawLog, acks: &[Ack]) {
    let found = violations(log, acks);
    let first = found.iter().take(SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(found.is_empty(), "{} violations, the first of them:\n{first}", found.len());
}

/// All that is wrong with a log and with what callers were told of it.
fn violations(log: &RawLog, acks: &[Ack]) -> Vec<String> {
    let mut found = Vec::new();
    rows(log, &mut found);
    seals(log, &mut found);
    answers(log, acks, &mut found);
    found
}

fn rows(log: &RawLog, found: &mut Vec<String>) {
    let mut next_in: HashMap<&str, i64> = HashMap::new();
    let mut places: HashMap<&str, (i64, i64)> = HashMap::new();
    let mut last = (0, i64::MIN);
    for event in &log.events {
        if event.position != last.0 + 1 {
            found.push(format!("{} follows {}", event.position, last.0));
        }
        if event.recorded_at < last.1 {
            found.push(format!("time runs back at {}", event.position));
        }
        last = (event.position, event.recorded_at);
        let next = next_in.entry(&event.stream).or_insert(0);
        if event.revision != *next {
            found.push(format!("{} has {} where {next} is due", event.stream, event.revision));
        }
        *next += 1;
        if places.insert(&event.id, (event.position, event.revision)).is_some() {
            found.push(format!("{} is there twice", event.id));
        }
    }
    if log.keys.len() != log.events.len() {
        found.push(format!("{} keys for {} events", log.keys.len(), log.events.len()));
    }
    for (id, position, revision) in &log.keys {
        if places.get(id.as_str()) != Some(&(*position, *revision)) {
            found.push(format!("the key of {id} leads to {position}"));
        }
    }
}

fn seals(log: &RawLog, found: &mut Vec<String>) {
    let roots = roots(&log.events);
    let root_at = |size: i64| usize::try_from(size - 1).ok().and_then(|index| roots.get(index));
    let mut from = 0;
    for (size, root, leaves) in &log.seals {
        if root_at(*size) != Some(root) {
            found.push(format!("the seal over {size} leaves doesn't fit them"));
        }
        let until = usize::try_from(*size).unwrap();
        let batch = log.events.get(from..until).unwrap_or_default();
        if *leaves != batch.iter().flat_map(|event| event.leaf).collect::<Vec<_>>() {
            found.push(format!("the leaves of the batch up to {size} aren't its events'"));
        }
        from = until;
    }
    let size = i64::try_from(log.events.len()).unwrap();
    if log.head.0 != size || root_at(size) != Some(&log.head.1) {
        found.push(format!("the head stands at {} of {size}, or has another root", log.head.0));
    }
    if log.seals.last().is_none_or(|(last, ..)| *last != size) {
        found.push("the last batch has no seal".to_owned());
    }
}

fn answers(log: &RawLog, acks: &[Ack], found: &mut Vec<String>) {
    let places: HashMap<&str, i64> =
        log.events.iter().map(|event| (event.id.as_str(), event.position)).collect();
    for ack in acks {
        match places.get(ack.id.as_str()) {
            None => found.push(format!("{} was acknowledged and isn't there", ack.id)),
            Some(position) if *position != ack.position => {
                found.push(format!("{} stands at {position}, told {}", ack.id, ack.position));
            }
            Some(_) => {}
        }
    }
    // Each key counts once, when it was first acknowledged; a repetition is told the old place.
    let mut firsts: HashMap<&str, &Ack> = HashMap::new();
    for ack in acks {
        let first = firsts.entry(&ack.id).or_insert(ack);
        if ack.ended < first.ended {
            *first = ack;
        }
    }
    // An event that nobody tried to append before this instant stands after all that were
    // acknowledged by then.
    let mut began: HashMap<&str, u64> = HashMap::new();
    for ack in acks {
        let first = began.entry(&ack.id).or_insert(ack.began);
        *first = ack.began.min(*first);
    }
    let mut ended: Vec<&Ack> = firsts.into_values().collect();
    ended.sort_by_key(|ack| ack.ended);
    let mut starts: Vec<(&str, u64)> = began.into_iter().collect();
    starts.sort_by_key(|(_, began)| *began);
    let mut ended = ended.into_iter().peekable();
    let mut highest = 0;
    for (id, began) in starts {
        while let Some(ack) = ended.next_if(|ack| ack.ended < began) {
            highest = highest.max(ack.position);
        }
        let position = places.get(id).copied().unwrap_or(i64::MAX);
        if position <= highest {
            found.push(format!("{id} at {position} began after {highest} was acknowledged"));
        }
    }
}

mod tests {
    use super::*;

    type Damage = fn(&mut RawLog, &mut Vec<Ack>);

    fn sound() -> (RawLog, Vec<Ack>) {
        let event = |position: i64| RawEvent {
            position,
            revision: 0,
            id: format!("e{position}"),
            stream: format!("s{position}"),
            recorded_at: position,
            leaf: [u8::try_from(position).unwrap(); 32],
        };
        let events: Vec<_> = (1..=9).map(event).collect();
        let roots = roots(&events);
        let leaves = |batch: &[RawEvent]| batch.iter().flat_map(|event| event.leaf).collect();
        let (first, second) = (leaves(&events[..4]), leaves(&events[4..]));
        let seals = vec![(4, roots[3].clone(), first), (9, roots[8].clone(), second)];
        let keys = events.iter().map(|e| (e.id.clone(), e.position, 0)).collect();
        let ack = |e: &RawEvent| {
            let at = u64::try_from(e.position).unwrap() * 10;
            Ack { id: e.id.clone(), position: e.position, began: at, ended: at + 5 }
        };
        let acks = events.iter().map(ack).collect();
        (RawLog { head: (9, roots[8].clone()), events, seals, keys }, acks)
    }

    #[test]
    fn a_sound_log_passes() {
        let (log, acks) = sound();
        assert_no_violations(&log, &acks);
    }

    #[test]
    fn every_kind_of_damage_is_reported() {
        let damages: [(&str, Damage); 15] = [
            ("a lost event", |log, _| drop(log.events.remove(4))),
            ("a lost last event", |log, _| drop(log.events.pop())),
            ("a gap, as a sequence leaves it", |log, _| log.events[8].position = 11),
            ("two events swapped", |log, _| log.events.swap(2, 3)),
            ("an event twice", |log, _| log.events[5].id = "e3".to_owned()),
            ("a hole in a stream", |log, _| log.events[5].revision = 1),
            ("time running back", |log, _| log.events[5].recorded_at = 1),
            ("an altered event", |log, _| log.events[5].leaf[0] ^= 1),
            ("an altered seal", |log, _| log.seals[0].1[0] ^= 1),
            ("an altered leaf in a seal", |log, _| log.seals[1].2[40] ^= 1),
            ("a missing seal", |log, _| drop(log.seals.pop())),
            ("a head behind", |log, _| log.head.0 = 8),
            ("a key that leads elsewhere", |log, _| log.keys[3].1 = 9),
            ("an answer with another place", |_, acks| acks[3].position = 9),
            ("an order against the answers", |_, acks| {
                acks[1].began = 1_000;
                acks[1].ended = 1_001;
            }),
        ];
        for (what, damage) in damages {
            let (mut log, mut acks) = sound();
            damage(&mut log, &mut acks);
            assert!(!violations(&log, &acks).is_empty(), "{what} goes unseen");
        }
    }
}
