//! Doing something at intervals.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Ticks until it is told to stop.
pub(crate) struct Ticks {
    interval: Interval,
    stop: CancellationToken,
    is_first: bool,
    /// Asks for a tick between the others.
    now: Arc<Notify>,
}

impl Ticks {
    /// One tick after each interval; one that is missed is not made up for.
    pub(crate) fn new(every: Duration, stop: CancellationToken) -> Self {
        Self::or_at(Arc::default(), every, stop)
    }

    /// The same, and a tick whenever it is asked for.
    pub(crate) fn or_at(now: Arc<Notify>, every: Duration, stop: CancellationToken) -> Self {
        let mut interval = interval(every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval, stop, is_first: true, now }
    }

    /// Waits for the next tick; false once it is time to stop.
    pub(crate) async fn next(&mut self) -> bool {
        if std::mem::take(&mut self.is_first) {
            // The first one comes at once.
            self.interval.tick().await;
        }
        tokio::select! {
            () = self.stop.cancelled() => false,
            _ = self.interval.tick() => true,
            () = self.now.notified() => true,
        }
    }
}
