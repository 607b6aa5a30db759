//! Waiting for a condition, and the clock.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

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
    Turns { what: what.to_owned(), pauses, deadline: Instant::now() + WAIT_MAX }
}

/// See [`turns`].
pub(crate) struct Turns {
    what: String,
    pauses: Interval,
    deadline: Instant,
}

impl Turns {
    /// Waits until the next turn is due.
    pub(crate) async fn next(&mut self) {
        let what = &self.what;
        assert!(Instant::now() < self.deadline, "waited {WAIT_MAX:?} in vain: {what}");
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
