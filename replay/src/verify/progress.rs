//! How far work over a log is.

use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// What is being done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// It waits for the place where read models are built.
    #[default]
    Waiting,
    /// It takes in the log.
    Building,
    /// It reads the log.
    Reading,
    /// It compares a table.
    Comparing {
        /// The live table, with its schema.
        table: String,
    },
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Progress {
    /// What is being done.
    #[serde(flatten)]
    pub phase: Phase,
    /// The position that is reached; of several logs, how many events were read.
    pub position: i64,
    /// The position to reach; it rises while the live read models move on.
    pub target: i64,
    /// How many events are taken in per second, on average so far.
    pub events_per_second: f64,
}

impl Progress {
    /// How long it takes until the target is reached, if all goes on as so far.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.target.saturating_sub(self.position).max(0);
        Duration::try_from_secs_f64(left as f64 / self.events_per_second).ok()
    }
}

/// Measures a rate.
pub(crate) struct Meter {
    begun: Instant,
    from: i64,
}

impl Meter {
    /// Begins at a position.
    pub(crate) fn start(from: i64) -> Self {
        Self { begun: Instant::now(), from }
    }

    /// How far it is by now.
    pub(crate) fn at(&self, phase: Phase, position: i64, target: i64) -> Progress {
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        let events_per_second = position.saturating_sub(self.from) as f64 / seconds;
        Progress { phase, position, target, events_per_second }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_the_rate() {
        let half = Progress { position: 50, target: 100, events_per_second: 10.0, ..idle() };
        assert_eq!(half.time_left(), Some(Duration::from_secs(5)));
        assert_eq!(idle().time_left(), None, "nothing is known before the first page");
        let there = Progress { position: 9, target: 9, events_per_second: 1.0, ..idle() };
        assert_eq!(there.time_left(), Some(Duration::ZERO));
    }

    fn idle() -> Progress {
        Progress { target: 1, ..Progress::default() }
    }
}
