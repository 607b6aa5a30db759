//! Values as the ledger leaves them in Redis, made by somebody who may or may not have the key.

use hmac::{Hmac, KeyInit, Mac};
use lz4_flex::block::{compress_prepend_size, decompress_size_prepended};
use serde_json::Value;
use sha2::Sha256;

use crate::harness::Database;

const FORM: u8 = 1;
const LABEL: &[u8] = b"billing-ledger: what a trainer holds";
const HEAD_BYTES: usize = 1 + 32;

/// The key of the feed of the tenant `default`.
pub(super) async fn key_of(database: &Database) -> Vec<u8> {
    let sql = "SELECT key FROM projection.answer_feed WHERE tenant = 'default'";
    sqlx::query_scalar(sql).fetch_one(database.owner()).await.unwrap()
}

/// What a value says.
pub(super) fn unpacked(value: &[u8]) -> Value {
    assert_eq!(value[0], FORM);
    serde_json::from_slice(&decompress_size_prepended(&value[HEAD_BYTES..]).unwrap()).unwrap()
}

/// A value that says this, under a name.
pub(super) fn packed(said: &Value, name: &str, key: &[u8]) -> Vec<u8> {
    let packed = compress_prepend_size(said.to_string().as_bytes());
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    let length = u32::try_from(name.len()).unwrap().to_be_bytes();
    for part in [LABEL, &[FORM], &length, name.as_bytes(), &packed] {
        mac.update(part);
    }
    [&[FORM][..], &mac.finalize().into_bytes(), &packed].concat()
}
