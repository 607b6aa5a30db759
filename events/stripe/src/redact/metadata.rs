//! Which keys of `metadata` are kept. Anything may stand in metadata, names and addresses too, so
//! that only keys which somebody chose are kept, and only values that look like ids.

/// The most keys an object's metadata can have, by `/api/metadata`.
const KEYS_MAX: usize = 50;
/// The longest key of metadata, by `/api/metadata`.
const KEY_BYTES_MAX: usize = 40;

/// The keys of `metadata` that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataKeys(Option<Vec<Box<str>>>);

/// Why a list of metadata keys is no such list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("metadata keys: at most {KEYS_MAX}, each of 1 to {KEY_BYTES_MAX} characters")]
pub struct MetadataKeyError;

impl MetadataKeys {
    /// Keys of the operator's choice, beside the default ones, which the ledger needs.
    ///
    /// # Errors
    /// When there are more, or longer ones, than Stripe allows.
    pub fn try_new<'k>(more: impl IntoIterator<Item = &'k str>) -> Result<Self, MetadataKeyError> {
        let mut keys: Vec<Box<str>> = DEFAULT.map(Into::into).to_vec();
        for key in more {
            if !(1..=KEY_BYTES_MAX).contains(&key.len()) || keys.len() == KEYS_MAX {
                return Err(MetadataKeyError);
            }
            keys.push(key.into());
        }
        Ok(Self(Some(keys)))
    }

    /// Every key: for what went through a choice of keys before.
    pub(crate) const fn all() -> Self {
        Self(None)
    }

    pub(crate) fn holds(&self, key: &str) -> bool {
        self.0.as_ref().is_none_or(|keys| keys.iter().any(|kept| kept.as_ref() == key))
    }
}

const DEFAULT: [&str; 3] = ["trainer_id", "tenant", "command_id"];

impl Default for MetadataKeys {
    fn default() -> Self {
        Self(Some(DEFAULT.map(Into::into).to_vec()))
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
    }

    #[test]
    fn keys_are_limited_as_stripe_limits_them() {
        assert_eq!(MetadataKeys::try_new([""]), Err(MetadataKeyError));
        assert_eq!(MetadataKeys::try_new(["k".repeat(41).as_str()]), Err(MetadataKeyError));
        let many: Vec<String> = (0..48).map(|n| format!("k{n}")).collect();
        assert_eq!(MetadataKeys::try_new(many.iter().map(String::as_str)), Err(MetadataKeyError));
    }
}
