//! The one thing of the outside that appending needs to ask: what time it is.

use std::sync::Arc;
use std::time::SystemTime;

use ledger_domain::time::Timestamp;

/// Tells the time. A log is given one when it is made, so that tests can give it theirs.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The machine's clock, in whole microseconds.
#[must_use]
pub fn system_clock() -> Clock {
    Arc::new(|| {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that others are given")]
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    })
}
