//! Whether anything can be appended at present: what callers are sent away with, what `/readyz`
//! asks, and what the service's log says of it.

use std::time::Duration;

use metrics::{counter, gauge};
use tokio::sync::watch;
use tokio::time::Instant;

use super::explain::plain;

/// How long an outage lasts until it is told of again, at first and at most.
const TELL: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

/// Why callers are sent away at once.
pub(super) const UNREACHABLE: &str = "the database can't be reached";
/// See [`UNREACHABLE`].
pub(super) const BROKEN_OFF: &str = "the appending task broke off and begins anew; try again";
/// See [`UNREACHABLE`].
pub(super) const ENDED: &str = "the log is shutting down";

/// The word that the appending task gives to everybody else.
pub(super) struct Gate(watch::Sender<Option<&'static str>>);

impl Gate {
    pub(super) fn open() -> Self {
        gauge!("ledger_log_appending").set(1.0);
        Self(watch::Sender::new(None))
    }

    /// Why nothing can be appended; nothing if it can.
    pub(super) fn closed(&self) -> Option<&'static str> {
        *self.0.borrow()
    }

    /// Sends callers away from now on, or takes them in again.
    pub(super) fn set(&self, closed: Option<&'static str>) {
        if self.0.send_replace(closed) != closed {
            gauge!("ledger_log_appending").set(if closed.is_some() { 0.0 } else { 1.0 });
        }
    }
}

/// The time in which the database can't be reached, from the first loss to the next batch that is
/// written.
#[derive(Debug, Default)]
pub(super) struct Outage {
    began: Option<Instant>,
    tell: Option<(Instant, Duration)>,
}

impl Outage {
    /// An exchange was lost: that is told once, and then at growing intervals.
    pub(super) fn lost(&mut self, error: &sqlx::Error, now: Instant) {
        if self.began.is_none() {
            counter!("ledger_log_outages_total").increment(1);
        }
        if self.is_due(now) {
            let seconds = self.lasts(now).as_secs();
            let error = plain(error);
            tracing::warn!(error, seconds, "the event log can't be written at the moment");
        }
    }

    /// Whether a loss is worth a line.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        self.began.get_or_insert(now);
        let interval = match self.tell {
            None => TELL.0,
            Some((due, interval)) if now >= due => (interval * 2).min(TELL.1),
            Some(_) => return false,
        };
        self.tell = Some((now + interval, interval));
        true
    }

    /// How long it lasts by now.
    pub(super) fn lasts(&self, now: Instant) -> Duration {
        self.began.map_or(Duration::ZERO, |began| now.saturating_duration_since(began))
    }

    /// A batch was written.
    pub(super) fn is_over(&mut self, now: Instant) {
        if let Some(ms) = self.end(now) {
            tracing::info!(ms, "the event log can be written again");
        }
    }

    /// Ends it, and tells how many milliseconds it lasted if there was one.
    pub(super) fn end(&mut self, now: Instant) -> Option<u128> {
        let lasted = self.began.map(|_| self.lasts(now).as_millis());
        *self = Self::default();
        lasted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_at_growing_intervals() {
        let (mut outage, began) = (Outage::default(), Instant::now());
        let mut told = Vec::new();
        for second in 0..4_000 {
            if outage.is_due(began + Duration::from_secs(second)) {
                told.push(second);
            }
        }
        assert_eq!(told, [0, 10, 30, 70, 150, 310, 630, 1_230, 1_830, 2_430, 3_030, 3_630]);
        outage.is_over(began);
        assert!(outage.is_due(began) && !outage.is_due(began), "another one is told of at once");
    }
}
