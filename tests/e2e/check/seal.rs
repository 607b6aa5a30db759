//! The seals, recomputed from the raw rows by code of the tests' own. The bytes are described in
//! docs/log-format.md, the tree in RFC 9162.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Row, query, query_scalar};
use uuid::Uuid;

use crate::schemas::wrong;

type Hash = [u8; 32];

/// Checks a tenant's log: positions from 1 without a hole, each key once and as the index of keys
/// has it, streams without a hole, time that doesn't run backwards, bodies that fit their hashes,
/// every seal, and events as their schemas say.
pub(crate) async fn verify_log(owner: &PgPool, tenant: &str) {
    let sql = "SELECT log_id, position, namespace, event_id, stream, revision, type,
            schema_version, metadata, data, body_hash, text_hash,
            (extract(epoch FROM occurred_at) * 1000000)::bigint AS occurred_us,
            (extract(epoch FROM recorded_at) * 1000000)::bigint AS recorded_us
        FROM event WHERE tenant = $1 ORDER BY position";
    let rows = query(sql).bind(tenant).fetch_all(owner).await.unwrap();
    let mut tree = Tree::default();
    let mut revisions: HashMap<String, i64> = HashMap::new();
    let mut recorded = i64::MIN;
    for (row, position) in rows.iter().zip(1_i64..) {
        assert_eq!(row.get::<i64, _>("position"), position, "positions have no hole");
        let stream: String = row.get("stream");
        let expected = revisions.entry(stream.clone()).and_modify(|last| *last += 1).or_insert(0);
        assert_eq!(row.get::<i64, _>("revision"), *expected, "{stream} has no hole");
        let at: i64 = row.get("recorded_us");
        assert!(at >= recorded, "time runs backwards at {position}");
        recorded = at;
        tree.push(leaf(row, tenant));
    }
    let events = i64::try_from(rows.len()).unwrap();
    verify_keys(owner, tenant, events).await;
    verify_bodies(owner, tenant).await;
    verify_seals(owner, tenant, &tree).await;
    rows.iter().zip(1..).for_each(|(row, position)| verify_shape(row, position));
}

fn verify_shape(row: &PgRow, position: i64) {
    let (event_type, version): (String, i32) = (row.get("type"), row.get("schema_version"));
    let of_data = wrong(&format!("{event_type}.v{version}"), row.get("data"));
    let of_metadata = wrong("Metadata", row.get("metadata"));
    assert_eq!((of_data, of_metadata), (vec![], vec![]), "{event_type} at {position}");
}

async fn verify_keys(owner: &PgPool, tenant: &str, events: i64) {
    let sql = "SELECT count(*) FROM event e JOIN event_dedup d
            USING (tenant, namespace, event_id, position, revision, content_hash)
        WHERE tenant = $1";
    let joined: i64 = query_scalar(sql).bind(tenant).fetch_one(owner).await.unwrap();
    assert_eq!(joined, events, "every event has its key in the index");
    let sql = "SELECT count(*) FROM event_dedup WHERE tenant = $1";
    let keys: i64 = query_scalar(sql).bind(tenant).fetch_one(owner).await.unwrap();
    assert_eq!(keys, events, "every key has its event");
}

/// Bodies are bound to their event by a salted hash.
async fn verify_bodies(owner: &PgPool, tenant: &str) {
    let sql = "SELECT e.position, e.body_hash, b.salt, b.body
        FROM event e LEFT JOIN webhook_events b USING (tenant, position)
        WHERE tenant = $1 AND (e.body_hash IS NOT NULL OR b.body IS NOT NULL)";
    for row in query(sql).bind(tenant).fetch_all(owner).await.unwrap() {
        let position: i64 = row.get("position");
        let (salt, packed): (Vec<u8>, Vec<u8>) = (row.get("salt"), row.get("body"));
        let body = lz4_flex::block::decompress_size_prepended(&packed).unwrap();
        let hash = salted(b"ledger-body-v1", &salt, &body);
        assert_eq!(row.get::<Vec<u8>, _>("body_hash"), hash, "the body at {position}");
    }
}

async fn verify_seals(owner: &PgPool, tenant: &str, tree: &Tree) {
    let sql = "SELECT size, root, leaves FROM log_seal WHERE tenant = $1 ORDER BY size";
    let seals = query(sql).bind(tenant).fetch_all(owner).await.unwrap();
    let mut from = 0;
    for seal in &seals {
        let size = usize::try_from(seal.get::<i64, _>("size")).unwrap();
        assert!(size <= tree.roots.len(), "a seal over {size} events, which are not there");
        let root: Vec<u8> = seal.get("root");
        assert_eq!(hex::encode(root), hex::encode(tree.roots[size - 1]), "the seal over {size}");
        let leaves: Vec<u8> = seal.get("leaves");
        assert_eq!(
            leaves,
            tree.leaves[from..size].concat(),
            "the leaves of the batch up to {size}"
        );
        from = size;
    }
    let sql = "SELECT position, root FROM log_head WHERE tenant = $1";
    let head = query(sql).bind(tenant).fetch_one(owner).await.unwrap();
    let position = usize::try_from(head.get::<i64, _>("position")).unwrap();
    assert_eq!(position, tree.leaves.len(), "the head is at the last event");
    let last = seals.last().map(|seal| seal.get::<i64, _>("size"));
    assert_eq!(last, Some(head.get("position")), "the last batch is sealed");
    let root = root_of(&tree.leaves);
    assert_eq!(root, *tree.roots.last().unwrap(), "both ways to compute a root agree");
    assert_eq!(head.get::<Vec<u8>, _>("root"), root, "the head has the root of all leaves");
}

fn leaf(row: &PgRow, tenant: &str) -> Hash {
    let mut fields: Vec<Option<Vec<u8>>> = Vec::new();
    let mut field = |bytes: Option<&[u8]>| fields.push(bytes.map(<[u8]>::to_vec));
    let text = |name: &str| row.get::<String, _>(name).into_bytes();
    let integer = |name: &str| row.get::<i64, _>(name).to_be_bytes();
    let bytes = |name: &str| row.get::<Option<Vec<u8>>, _>(name);
    field(Some(b"ledger-leaf-v1"));
    field(Some(row.get::<Uuid, _>("log_id").as_bytes()));
    field(Some(tenant.as_bytes()));
    field(Some(&integer("position")));
    field(Some(&text("namespace")));
    field(Some(&text("event_id")));
    field(Some(&text("stream")));
    field(Some(&integer("revision")));
    field(Some(&text("type")));
    field(Some(&i64::from(row.get::<i32, _>("schema_version")).to_be_bytes()));
    field(Some(&integer("occurred_us")));
    field(Some(&integer("recorded_us")));
    field(bytes("metadata").as_deref());
    field(bytes("data").as_deref());
    field(bytes("body_hash").as_deref());
    field(bytes("text_hash").as_deref());
    leaf_of(&fields)
}

/// A leaf of its fields, the first of which names the encoding.
pub(crate) fn leaf_of(fields: &[Option<Vec<u8>>]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    for field in fields {
        match field {
            Some(bytes) => {
                hasher.update(u32::try_from(bytes.len()).unwrap().to_be_bytes());
                hasher.update(bytes);
            }
            None => hasher.update([0xFF; 4]),
        }
    }
    hasher.finalize().into()
}

/// What binds something beside an event to it.
pub(crate) fn salted(tag: &[u8], salt: &[u8], body: &[u8]) -> Vec<u8> {
    let hasher = Sha256::new().chain_update(tag).chain_update(salt).chain_update(body);
    hasher.finalize().to_vec()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let hasher = Sha256::new().chain_update([0x01]).chain_update(left).chain_update(right);
    hasher.finalize().into()
}

/// The root as RFC 9162 defines it.
pub(crate) fn root_of(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let left = leaves.len().next_power_of_two() / 2;
            node(&root_of(&leaves[..left]), &root_of(&leaves[left..]))
        }
    }
}

/// The leaves, and the root after each.
#[derive(Default)]
struct Tree {
    leaves: Vec<Hash>,
    roots: Vec<Hash>,
    /// Complete subtrees, largest first, with the number of their leaves.
    complete: Vec<(u64, Hash)>,
}

impl Tree {
    fn push(&mut self, leaf: Hash) {
        self.leaves.push(leaf);
        self.complete.push((1, leaf));
        while let [.., (left_size, left), (right_size, right)] = self.complete[..]
            && left_size == right_size
        {
            self.complete.truncate(self.complete.len() - 2);
            self.complete.push((left_size + right_size, node(&left, &right)));
        }
        let mut parts = self.complete.iter().rev().map(|(_, hash)| *hash);
        let last = parts.next().expect("there is a leaf");
        self.roots.push(parts.fold(last, |right, left| node(&left, &right)));
    }
}

#[test]
fn a_tree_is_that_of_the_rfc() {
    let mut tree = Tree::default();
    for n in 0..40_u8 {
        tree.push(Sha256::digest([n]).into());
        assert_eq!(tree.roots.last(), Some(&root_of(&tree.leaves)), "over {} leaves", n + 1);
    }
}
