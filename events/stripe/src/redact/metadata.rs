//! Which keys of `metadata` are kept. Anything may stand in metadata, names and addresses too, so
//! that only keys which somebody chose are kept, and only values that look like ids.

use std::sync::Arc;

use super::format::is_id;
use super::personal::is_personal;

/// The most keys an object's metadata can have, by `/api/metadata`.
const KEYS_MAX: usize = 50;
/// The longest key of metadata, by `/api/metadata`.
const KEY_BYTES_MAX: usize = 40;

/// The keys that the ledger itself reads. Only these become part of an event: what it says must not
/// depend on which others somebody chose, or chose once.
pub(crate) const OWN: [&str; 3] = ["trainer_id", "tenant", "command_id"];

/// The keys of `metadata` that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataKeys(Option<Arc<[Box<str>]>>);

/// Why a list of metadata keys is no such list. No key is in here: somebody may have put something
/// else into the setting by mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataKeyError {
    /// Stripe allows no object so many.
    #[error("there are more than {} keys", KEYS_MAX - OWN.len())]
    TooMany,
    /// A key that isn't shaped like an id.
    #[error("its key {nth} doesn't have 1 to {KEY_BYTES_MAX} characters of A-Z a-z 0-9 _ . : -")]
    Malformed {
        /// Its place in the list, from 1 on.
        nth: usize,
    },
    /// A key that promises what is never kept, though its value would look like an id.
    #[error("its key {nth} is the name of something about a person, which is never kept")]
    Personal {
        /// Its place in the list, from 1 on.
        nth: usize,
    },
}

impl MetadataKeys {
    /// Keys of the operator's choice, beside the ledger's own.
    ///
    /// # Errors
    /// When there are more, or longer ones, than Stripe allows, or one is not the name of an id.
    pub fn try_new<'k>(more: impl IntoIterator<Item = &'k str>) -> Result<Self, MetadataKeyError> {
        let mut keys = OWN.map(Box::<str>::from).to_vec();
        for (key, nth) in more.into_iter().zip(1..) {
            if key.len() > KEY_BYTES_MAX || !is_id(key) {
                return Err(MetadataKeyError::Malformed { nth });
            }
            let lower = key.to_ascii_lowercase();
            if is_personal(&lower) || lower == "name" {
                return Err(MetadataKeyError::Personal { nth });
            }
            if keys.len() == KEYS_MAX {
                return Err(MetadataKeyError::TooMany);
            }
            keys.push(key.into());
        }
        Ok(Self(Some(keys.into())))
    }

    /// Every key: for what went through a choice of keys before.
    pub(crate) const fn all() -> Self {
        Self(None)
    }

    pub(crate) fn holds(&self, key: &str) -> bool {
        self.0.as_ref().is_none_or(|keys| keys.iter().any(|kept| kept.as_ref() == key))
    }
}

impl Default for MetadataKeys {
    fn default() -> Self {
        Self(Some(OWN.map(Box::<str>::from).into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledgers_own_keys_are_always_kept() {
        let keys = MetadataKeys::try_new(["plan_hint"]).unwrap();
        assert!(keys.holds("trainer_id") && keys.holds("plan_hint") && !keys.holds("email"));
        assert!(!MetadataKeys::default().holds("plan_hint"));
        assert_eq!(MetadataKeys::try_new([]), Ok(MetadataKeys::default()));
    }

    #[test]
    fn keys_are_limited_as_stripe_limits_them() {
        let malformed = |nth| Err(MetadataKeyError::Malformed { nth });
        assert_eq!(MetadataKeys::try_new([""]), malformed(1));
        assert_eq!(MetadataKeys::try_new(["a", "k".repeat(41).as_str()]), malformed(2));
        let many: Vec<String> = (0..48).map(|n| format!("k{n}")).collect();
        let many = |count| MetadataKeys::try_new(many[..count].iter().map(String::as_str));
        assert!(many(47).is_ok());
        assert_eq!(many(48), Err(MetadataKeyError::TooMany));
    }

    #[test]
    fn a_key_is_the_name_of_an_id() {
        for key in ["two words", "what?", "[a]", "größe"] {
            let malformed = Err(MetadataKeyError::Malformed { nth: 1 });
            assert_eq!(MetadataKeys::try_new([key]), malformed, "{key}");
        }
        for key in ["email", "Phone", "name", "receipt_url"] {
            let personal = Err(MetadataKeyError::Personal { nth: 1 });
            assert_eq!(MetadataKeys::try_new([key]), personal, "{key}");
        }
    }
}
