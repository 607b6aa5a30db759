//! What is decided about a world before it begins.

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
    /// Whether a subscription made without a billing mode is a flexible one.
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
    /// The same account with the ways that an account of this API version has.
    #[must_use]
    pub fn of_version(self, api_version: &str) -> Self {
        // Names of versions begin with their dates.
        Self { starts_incomplete: api_version < "2025-03-31", ..self }
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
