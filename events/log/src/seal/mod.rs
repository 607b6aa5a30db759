//! The seal over the log: what each event hashes to, and the Merkle tree over those hashes.
//!
//! The bytes are described in `docs/log-format.md`, so that another program can verify them.
//! Everything in here is pure.

mod proof;
pub mod verify;

pub use proof::{ClosedOutline, Outline, Tree, verify_consistency, verify_inclusion};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::port::{Hash, Recorded};

const LEAF_PREFIX: u8 = 0x00;
const NODE_PREFIX: u8 = 0x01;
const LEAF_TAG: &[u8] = b"ledger-leaf-v1";
const BODY_TAG: &[u8] = b"ledger-body-v1";
const TEXT_TAG: &[u8] = b"ledger-text-v1";
/// The length that stands for "no value".
const NULL: [u8; 4] = 0xFFFF_FFFF_u32.to_be_bytes();

/// The random bytes that go before a body or a text under its hash, so that a short text can't be
/// guessed from the hash once the text is gone.
pub type Salt = [u8; 16];

/// Everything of an event that its leaf covers, in the order in which it is hashed.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a> {
    /// The log's id.
    pub log_id: Uuid,
    /// The tenant whose log it is.
    pub tenant: &'a str,
    /// The place in the log.
    pub position: i64,
    /// The namespace of the event's key.
    pub namespace: &'a str,
    /// The event's id within the namespace.
    pub event_id: &'a str,
    /// The stream.
    pub stream: &'a str,
    /// The place in the stream.
    pub revision: i64,
    /// The type.
    pub event_type: &'a str,
    /// The version of the type's shape.
    pub schema_version: i32,
    /// When it happened, in microseconds since 1970.
    pub occurred_at: i64,
    /// When the log accepted it, in microseconds since 1970.
    pub recorded_at: i64,
    /// Who, why and from where, as stored.
    pub metadata: &'a [u8],
    /// What it states, as stored.
    pub data: &'a [u8],
    /// The salted hash of its body.
    pub body_hash: Option<&'a [u8]>,
    /// The salted hash of its text.
    pub text_hash: Option<&'a [u8]>,
}

impl Leaf<'_> {
    /// The leaf's hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let mut hasher = Sha256::new();
        hasher.update([LEAF_PREFIX]);
        field(&mut hasher, LEAF_TAG);
        field(&mut hasher, self.log_id.as_bytes());
        field(&mut hasher, self.tenant.as_bytes());
        integer(&mut hasher, self.position);
        field(&mut hasher, self.namespace.as_bytes());
        field(&mut hasher, self.event_id.as_bytes());
        field(&mut hasher, self.stream.as_bytes());
        integer(&mut hasher, self.revision);
        field(&mut hasher, self.event_type.as_bytes());
        integer(&mut hasher, self.schema_version.into());
        integer(&mut hasher, self.occurred_at);
        integer(&mut hasher, self.recorded_at);
        field(&mut hasher, self.metadata);
        field(&mut hasher, self.data);
        nullable(&mut hasher, self.body_hash);
        nullable(&mut hasher, self.text_hash);
        hasher.finalize().into()
    }
}

impl Recorded {
    /// The hash of this event's leaf, from what was read and from nothing else.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        Leaf {
            log_id: self.log_id,
            tenant: self.tenant.as_str(),
            position: self.position,
            namespace: self.key.namespace.as_str(),
            event_id: self.key.id.as_str(),
            stream: self.stream.as_str(),
            revision: self.revision,
            event_type: &self.event_type,
            schema_version: self.schema_version,
            occurred_at: self.occurred_at.micros(),
            recorded_at: self.recorded_at.micros(),
            metadata: &self.metadata,
            data: &self.data,
            body_hash: self.body_hash.as_ref().map(|hash| &hash[..]),
            text_hash: self.text_hash.as_ref().map(|hash| &hash[..]),
        }
        .hash()
    }
}

fn field(hasher: &mut Sha256, bytes: &[u8]) {
    // A field longer than a u32 can say would be read as another; the log's limits lie far below.
    let length = u32::try_from(bytes.len()).expect("the log's limits keep fields below 4 GiB");
    hasher.update(length.to_be_bytes());
    hasher.update(bytes);
}

fn integer(hasher: &mut Sha256, value: i64) {
    field(hasher, &value.to_be_bytes());
}

fn nullable(hasher: &mut Sha256, value: Option<&[u8]>) {
    match value {
        Some(hash) => field(hasher, hash),
        None => hasher.update(NULL),
    }
}

/// The hash that binds a redacted webhook body to its event.
#[must_use]
pub fn body_hash(salt: &Salt, body: &[u8]) -> Hash {
    salted(BODY_TAG, salt, body)
}

/// The hash that binds a free text to its event.
#[must_use]
pub fn text_hash(salt: &Salt, text: &str) -> Hash {
    salted(TEXT_TAG, salt, text.as_bytes())
}

fn salted(tag: &[u8], salt: &[u8], bytes: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(tag);
    hasher.update(salt);
    hasher.update(bytes);
    hasher.finalize().into()
}

/// The hash of an inner node.
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([NODE_PREFIX]);
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}

/// The root of a tree without leaves: the hash of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The right edge of the tree: all that is needed to append a leaf and to tell the root.
///
/// Invariant: one peak for each one-bit of `size`, the largest subtree first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf at the end.
    pub fn append(&mut self, leaf: Hash) {
        let mut subtree = leaf;
        // Each trailing one-bit of the size is a subtree as large as the one that grows: they join.
        for _ in 0..self.size.trailing_ones() {
            let left = self.peaks.pop().expect("one peak for each one-bit of the size");
            subtree = node(&left, &subtree);
        }
        self.peaks.push(subtree);
        self.size += 1;
    }

    /// The root over all leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(&last) = peaks.next() else { return empty_root() };
        peaks.fold(last, |right, left| node(left, &right))
    }

    /// The peaks one after another, the largest subtree's first.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    /// The frontier of a tree of this size from its peaks; none if they don't fit the size.
    #[must_use]
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let (peaks, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && peaks.len() == size.count_ones() as usize;
        fits.then(|| Self { size, peaks: peaks.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use ledger_domain::id::{EventKey, StreamName, Tenant};
    use ledger_domain::time::Timestamp;
    use proptest::prelude::{any, proptest};

    use super::*;

    fn example() -> Recorded {
        let hash = |byte| [byte; 32];
        Recorded {
            log_id: Uuid::from_u128(1),
            format: 1,
            tenant: Tenant::try_new("default").expect("a tenant"),
            position: 17,
            key: EventKey::new(
                ledger_domain::id::Namespace::stripe(),
                ledger_domain::id::EventId::try_new("evt_1").expect("an id"),
            ),
            stream: StreamName::try_new("stripe-evt_1").expect("a stream"),
            revision: 0,
            event_type: "InvoiceReported".into(),
            schema_version: 1,
            occurred_at: Timestamp::from_unix(1_780_000_000),
            recorded_at: Timestamp::from_micros(1_780_000_001_000_002),
            data: b"{\"a\":1}".to_vec(),
            metadata: b"{}".to_vec(),
            content_hash: hash(9),
            body_hash: None,
            text_hash: Some(hash(3)),
        }
    }

    #[test]
    fn a_leaf_is_the_documented_bytes() {
        // Spelt out once more, from the description and not from the code above.
        let mut bytes = vec![0u8];
        let mut put = |value: &[u8]| {
            bytes.extend(u32::try_from(value.len()).expect("short").to_be_bytes());
            bytes.extend(value);
        };
        put(b"ledger-leaf-v1");
        put(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        put(b"default");
        put(&17i64.to_be_bytes());
        put(b"stripe");
        put(b"evt_1");
        put(b"stripe-evt_1");
        put(&0i64.to_be_bytes());
        put(b"InvoiceReported");
        put(&1i64.to_be_bytes());
        put(&1_780_000_000_000_000i64.to_be_bytes());
        put(&1_780_000_001_000_002i64.to_be_bytes());
        put(b"{}");
        put(b"{\"a\":1}");
        bytes.extend([0xFF; 4]);
        bytes.extend(32u32.to_be_bytes());
        bytes.extend([3; 32]);
        let expected: Hash = Sha256::digest(&bytes).into();
        assert_eq!(example().leaf(), expected);
        assert_eq!(
            hex::encode(expected),
            "47350580f80f2e4fd6b31f57381a4117ad0ede4a2ae8e5915c15f7e7c838b170",
            "the encoding of leaves is frozen: signed checkpoints depend on it"
        );
    }

    #[test]
    fn every_field_lies_under_the_leaf() {
        let base = example();
        let changes: [fn(&mut Recorded); 13] = [
            |e| e.log_id = Uuid::from_u128(2),
            |e| e.tenant = Tenant::try_new("other").expect("a tenant"),
            |e| e.position += 1,
            |e| e.key.id = ledger_domain::id::EventId::try_new("evt_2").expect("an id"),
            |e| e.stream = StreamName::try_new("stripe-evt_2").expect("a stream"),
            |e| e.revision += 1,
            |e| e.event_type = "InvoiceReportee".into(),
            |e| e.schema_version += 1,
            |e| e.occurred_at = e.occurred_at.plus(1),
            |e| e.recorded_at = e.recorded_at.plus(1),
            |e| e.data.push(b' '),
            |e| e.body_hash = Some([0; 32]),
            |e| e.text_hash = None,
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut other = base.clone();
            change(&mut other);
            assert_ne!(other.leaf(), base.leaf(), "change {index} goes unseen");
        }
    }

    #[test]
    fn a_byte_cannot_move_from_one_field_to_the_next() {
        let mut one = example();
        let mut two = example();
        (one.metadata, one.data) = (b"{}{".to_vec(), b"}".to_vec());
        (two.metadata, two.data) = (b"{}".to_vec(), b"{}".to_vec());
        assert_ne!(one.leaf(), two.leaf());
    }

    #[test]
    fn body_and_text_of_the_same_bytes_hash_differently() {
        assert_ne!(body_hash(&[0; 16], b"x"), text_hash(&[0; 16], "x"));
        assert_ne!(body_hash(&[0; 16], b"x"), body_hash(&[1; 16], b"x"));
    }

    proptest! {
        #[test]
        fn a_frontier_survives_its_bytes(size in 0u64..600, seed in any::<u8>()) {
            let mut frontier = Frontier::default();
            for index in 0..size {
                let byte = u8::try_from(index % 251).expect("small");
                frontier.append(Sha256::digest([seed, byte]).into());
            }
            let bytes = frontier.to_bytes();
            assert_eq!(Frontier::from_bytes(size, &bytes).as_ref(), Some(&frontier));
            let as_long = (size + 1).count_ones() == size.count_ones();
            assert_eq!(Frontier::from_bytes(size + 1, &bytes).is_some(), as_long);
        }
    }
}
