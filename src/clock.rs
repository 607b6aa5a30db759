//! The one clock, injected: everything that asks what time it is asks this.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ledger_domain::time::Timestamp;

/// Tells the time. Clones tell the same time.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until [`Clock::set`] moves it, for tests.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self(Source::Set(Arc::new(AtomicI64::new(start.micros()))))
    }

    /// What time it is.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock that others are handed")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => chrono::Utc::now().into(),
            Source::Set(micros) => Timestamp::from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    /// Moves a clock made by [`Clock::at`]; the machine's clock stays what it is.
    pub fn set(&self, now: Timestamp) {
        if let Source::Set(micros) = &self.0 {
            micros.store(now.micros(), Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.0 {
            Source::System => "system",
            Source::Set(_) => "set",
        };
        write!(f, "Clock({kind}, {})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_set_clock_move_together() {
        let clock = Clock::at(Timestamp::from_unix(10));
        let other = clock.clone();
        other.set(Timestamp::from_unix(20));
        assert_eq!(clock.now(), Timestamp::from_unix(20));
    }

    #[test]
    fn the_machines_clock_cannot_be_moved() {
        let clock = Clock::system();
        clock.set(Timestamp::MIN);
        assert!(clock.now() > Timestamp::from_unix(1_700_000_000));
    }
}
