//! What is decided about a world before it begins.

/// The dates of the first versions with these names.
const BASIL: &str = "2025-03-31";
const CLOVER: &str = "2025-09-30";
const ENDIVE: &str = "2026-09-30";

/// The settings of a world.
#[derive(Debug, Clone)]
pub struct Config {
    /// Decides the ids.
    pub seed: u64,
    /// The real time at which it begins, in seconds since 1970.
    pub now: i64,
    /// What objects and events say of themselves.
    pub livemode: bool,
    /// When a failed payment is tried again, and what follows in the end.
    pub retries: RetryPolicy,
    /// How long a renewal's invoice stays a draft.
    pub invoice_grace_seconds: i64,
    /// Whether a subscription made without a billing mode is a flexible one, as in accounts whose
    /// API version is clover or newer.
    pub flexible_by_default: bool,
    /// Whether a subscription that is paid at once is told of as `incomplete` first, and then as
    /// active by an update, as in accounts whose API version is older than basil.
    pub starts_incomplete: bool,
}

/// What happens to an invoice whose payment failed.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// The days after the first failure on which payment is tried again, ascending.
    pub days: Vec<u32>,
    /// What becomes of the subscription when the last of them failed.
    pub exhausted: Exhausted,
}

/// What becomes of a subscription that could not be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// It is canceled, because of `payment_failed`.
    Cancel,
    /// It goes on without collecting.
    Unpaid,
    /// It stays as it is.
    PastDue,
    /// It is paused, which accounts may choose since endive.
    Pause,
}

impl Exhausted {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cancel, Self::Unpaid, Self::PastDue, Self::Pause];
}

impl Config {
    /// The same account with the ways that an account of this API version has. Where it is too old
    /// to pause what can't be paid, that becomes unpaid.
    #[must_use]
    pub fn of_version(self, api_version: &str) -> Self {
        // Names of versions begin with their dates.
        let exhausted = match self.retries.exhausted {
            Exhausted::Pause if api_version < ENDIVE => Exhausted::Unpaid,
            chosen => chosen,
        };
        Self {
            retries: RetryPolicy { exhausted, ..self.retries },
            flexible_by_default: api_version >= CLOVER,
            starts_incomplete: api_version < BASIL,
            ..self
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 1,
            now: 1_790_000_000,
            livemode: false,
            retries: RetryPolicy { days: vec![3, 8, 15], exhausted: Exhausted::Cancel },
            invoice_grace_seconds: 3_600,
            flexible_by_default: true,
            starts_incomplete: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_as_old_as_its_version() {
        let chosen = RetryPolicy { exhausted: Exhausted::Pause, ..Config::default().retries };
        for (version, is_flexible, is_incomplete, exhausted) in [
            ("2017-08-15", false, true, Exhausted::Unpaid),
            ("2024-10-28.acacia", false, true, Exhausted::Unpaid),
            ("2025-03-31.basil", false, false, Exhausted::Unpaid),
            ("2025-09-30.clover", true, false, Exhausted::Unpaid),
            ("2026-05-27.dahlia", true, false, Exhausted::Unpaid),
            ("2026-09-30.endive", true, false, Exhausted::Pause),
        ] {
            let config = Config { retries: chosen.clone(), ..Config::default() };
            let config = config.of_version(version);
            assert_eq!(config.flexible_by_default, is_flexible, "{version}");
            assert_eq!(config.starts_incomplete, is_incomplete, "{version}");
            assert_eq!(config.retries.exhausted, exhausted, "{version}");
        }
    }
}
