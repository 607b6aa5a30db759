//! What lies in Redis, and by what it is known to be a follower's.
//!
//! A value is one byte, the version of this form; the MAC; and the entry as JSON, compressed (LZ4,
//! behind its length). The MAC is HMAC-SHA256 under the feed's key, over a label, the version, the
//! value's name behind its length, and the rest of the value. Nothing is read before it was
//! checked.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use ledger_domain::catalog::Catalogs;
use ledger_domain::effective::Holdings;
use ledger_domain::event::Enforcement;
use ledger_domain::id::{Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_projections::{Cursor, FeedKey, Mark};
use lz4_flex::block::{compress_prepend_size, decompress_size_prepended};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use super::{LIFE, Refusal};
use crate::reads::cache::{Entry, Sum};

/// The version of the form. It is raised with every change of what is stored or of what that
/// means; a test notices other fields.
const FORM: u8 = 1;

/// What the MAC is for.
const LABEL: &[u8] = b"billing-ledger: what a trainer holds";

const MAC_BYTES: usize = 32;

/// What was read of a trainer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::reads) struct Stored {
    tenant: Tenant,
    trainer: TrainerId,
    /// The last change that it contains, of the feed whose key it bears the MAC by.
    change: i64,
    position: i64,
    read_at: Timestamp,
    /// The first instant at which it isn't believed any more.
    valid_until: Timestamp,
    /// By what catalogues and enforcement are known, which are too large to lie there, too.
    pub(in crate::reads) mark: Mark,
    parked: Option<i64>,
    used: Vec<Sum>,
    holdings: Holdings,
}

impl Stored {
    /// An entry as it is stored; none if nobody could know it again.
    pub(super) fn new(tenant: &Tenant, trainer: &TrainerId, entry: &Entry) -> Option<Self> {
        Some(Self {
            tenant: tenant.clone(),
            trainer: trainer.clone(),
            change: entry.heard?.number,
            position: entry.position,
            read_at: entry.read_at,
            valid_until: Timestamp::from_micros(entry.read_at.micros() + micros(LIFE)),
            mark: entry.mark,
            parked: entry.parked,
            used: entry.used.clone(),
            holdings: entry.holdings.clone(),
        })
    }

    /// The entry that was stored, of no era yet. Catalogues and enforcement are those of the mark.
    pub(in crate::reads) fn into_entry(
        self,
        feed: Uuid,
        (catalogs, mode): (Arc<Catalogs>, Arc<Enforcement>),
    ) -> Entry {
        Entry {
            holdings: self.holdings,
            used: self.used,
            catalogs,
            mode,
            mark: self.mark,
            parked: self.parked,
            position: self.position,
            heard: Some(Cursor { id: feed, number: self.change }),
            read_at: self.read_at,
            era: 0,
            usage_change: AtomicI64::new(i64::MIN),
        }
    }

    pub(super) fn is_for(&self, tenant: &Tenant, trainer: &TrainerId) -> bool {
        (&self.tenant, &self.trainer) == (tenant, trainer)
    }

    /// How much longer it may be believed; none if its time is over, or longer than is ever given.
    pub(super) fn time_left(&self, now: Timestamp) -> Option<Duration> {
        let left = self.valid_until.micros().checked_sub(now.micros())?;
        let left = Duration::from_micros(u64::try_from(left).ok()?);
        (!left.is_zero() && left <= LIFE).then_some(left)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).expect("some minutes")
}

/// Under what an entry lies. Another feed's is another one, so that ledgers may share a Redis.
pub(super) fn name(feed: Uuid, tenant: &Tenant, trainer: &TrainerId) -> String {
    format!("ledger:held:{feed}:{tenant}:{trainer}")
}

/// What is written under a name.
pub(super) fn seal(stored: &Stored, name: &str, key: &FeedKey) -> Vec<u8> {
    let json = serde_json::to_vec(stored).expect("its keys are texts");
    let packed = compress_prepend_size(&json);
    let mac = mac(name, &packed, key).finalize().into_bytes();
    [&[FORM][..], &mac, &packed].concat()
}

/// What was written under a name by somebody who has the key.
pub(super) fn open(value: &[u8], name: &str, key: &FeedKey) -> Result<Stored, Refusal> {
    let (form, rest) = value.split_first().ok_or(Refusal::Malformed)?;
    if *form != FORM {
        return Err(Refusal::Malformed);
    }
    let (tag, packed) = rest.split_at_checked(MAC_BYTES).ok_or(Refusal::Malformed)?;
    mac(name, packed, key).verify_slice(tag).map_err(|_| Refusal::Forged)?;
    let json = decompress_size_prepended(packed).map_err(|_| Refusal::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| Refusal::Malformed)
}

fn mac(name: &str, packed: &[u8], key: &FeedKey) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(key.reveal()).expect("a key of any length will do");
    let length = u32::try_from(name.len()).expect("names have limits");
    let parts = [LABEL, &[FORM], &length.to_be_bytes(), name.as_bytes(), packed];
    parts.into_iter().fold(mac, Mac::chain_update)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: FeedKey = FeedKey::new([7; 32]);

    /// An entry in the form of today, with all that can be in one.
    fn stored() -> Stored {
        serde_json::from_str(include_str!("stored.json")).unwrap()
    }

    fn named(feed: u128, tenant: &str, trainer: &str) -> String {
        let (tenant, trainer) = (Tenant::try_new(tenant), TrainerId::try_new(trainer));
        name(Uuid::from_u128(feed), &tenant.unwrap(), &trainer.unwrap())
    }

    #[test]
    fn what_was_written_is_read_where_it_belongs_and_by_who_has_the_key() {
        let own = named(1, "acme", "t1");
        let value = seal(&stored(), &own, &KEY);
        assert_eq!(open(&value, &own, &KEY), Ok(stored()));
        for other in [named(2, "acme", "t1"), named(1, "other", "t1"), named(1, "acme", "t2")] {
            assert_eq!(open(&value, &other, &KEY), Err(Refusal::Forged), "{other}");
        }
        assert_eq!(open(&value, &own, &FeedKey::new([8; 32])), Err(Refusal::Forged));
    }

    #[test]
    fn each_bit_and_each_byte_counts() {
        let own = named(1, "acme", "t1");
        let value = seal(&stored(), &own, &KEY);
        for at in 0..value.len() * 8 {
            let mut spoilt = value.clone();
            spoilt[at / 8] ^= 1 << (at % 8);
            let refusal = if at < 8 { Refusal::Malformed } else { Refusal::Forged };
            assert_eq!(open(&spoilt, &own, &KEY), Err(refusal), "bit {at}");
        }
        for length in 0..value.len() {
            assert!(open(&value[..length], &own, &KEY).is_err(), "{length} bytes");
        }
        assert!(open(&[&value[..], b"x"].concat(), &own, &KEY).is_err());
    }

    #[test]
    fn its_time_is_short_and_ends() {
        let at = |seconds| stored().time_left(Timestamp::from_unix(seconds));
        assert_eq!(at(10), Some(LIFE));
        assert_eq!(at(309), Some(Duration::from_secs(1)));
        for wrong in [9, 310, 311] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }

    /// Whoever has to change the file raises [`FORM`]: nodes of two versions may meet.
    #[test]
    fn its_form_is_known() {
        let json: serde_json::Value = serde_json::from_str(include_str!("stored.json")).unwrap();
        assert_eq!(serde_json::to_value(stored()).unwrap(), json);
        assert_eq!(stored().holdings.grants.len(), 3, "each kind");
    }
}
