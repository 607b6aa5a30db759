//! Waiting for a condition, and the clock.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::settings::is_soak;

/// How long anything may take that should happen. Far more than it needs on an idle machine, since
/// the machine may be busy.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(60);

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks again and again until there is something to see; fails with `what` after [`WAIT_MAX`].
pub(crate) async fn eventually<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let mut turns = turns(what);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        turns.next().await;
    }
}

/// The turns of a loop that waits for `what`, with a pause between them and a limit.
pub(crate) fn turns(what: &str) -> Turns {
    let mut pauses = interval(PAUSE);
    pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // A long test has more to catch up with.
    let limit = WAIT_MAX * if is_soak() { 10 } else { 1 };
    Turns { what: what.to_owned(), pauses, limit, deadline: Instant::now() + limit }
}

/// See [`turns`].
pub(crate) struct Turns {
    what: String,
    pauses: Interval,
    limit: Duration,
    deadline: Instant,
}

impl Turns {
    /// Waits until the next turn is due.
    pub(crate) async fn next(&mut self) {
        let Self { what, limit, .. } = self;
        assert!(Instant::now() < self.deadline, "waited {limit:?} in vain: {what}");
        self.pauses.tick().await;
    }
}

/// Seconds since 1970. What tests tell happened some days before this, since access depends on how
/// long ago something was.
pub(crate) fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the test is the outside world")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_secs()).expect("seconds fit")
}
