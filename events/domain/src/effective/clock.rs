//! The instant asked about, and how long an answer about it holds.

use std::cell::Cell;

use crate::time::Timestamp;

/// The only way in which the rest of this module compares an instant with now. Whatever lies
/// ahead is remembered, so that no rule can depend on time without `valid_until` knowing.
#[derive(Debug)]
pub(super) struct Clock {
    now: Timestamp,
    next: Cell<Option<Timestamp>>,
}

impl Clock {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { now, next: Cell::new(None) }
    }

    /// Whether an instant has come. The instant itself counts: whatever ends at it has ended.
    pub(super) fn reached(&self, at: Timestamp) -> bool {
        if at <= self.now {
            return true;
        }
        self.next.set(Some(self.next.get().map_or(at, |next| next.min(at))));
        false
    }

    /// How many days are left until an instant, the one that has begun included.
    pub(super) fn days_until(&self, at: Timestamp) -> u32 {
        if self.reached(at) {
            return 0;
        }
        let left = at.micros() - self.now.micros();
        let begun = (left - 1) / crate::time::DAY;
        self.reached(at.plus(-begun * crate::time::DAY));
        u32::try_from(begun + 1).unwrap_or(u32::MAX)
    }

    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    /// The first instant that an answer asked about and that lies ahead.
    pub(super) const fn next(&self) -> Option<Timestamp> {
        self.next.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{DAY, SECOND};

    #[test]
    fn an_instant_ahead_is_remembered_and_one_behind_is_not() {
        let at = Timestamp::from_unix;
        let clock = Clock::new(at(100));
        assert!(clock.reached(at(99)) && clock.reached(at(100)));
        assert_eq!(clock.next(), None);
        assert!(!clock.reached(at(300)) && !clock.reached(at(200)) && !clock.reached(at(400)));
        assert_eq!(clock.next(), Some(at(200)));
    }

    #[test]
    fn a_day_that_has_begun_is_a_day_left() {
        let end = Timestamp::from_unix(1_800_000_000);
        for (before_end, days, holds_until) in [
            (14 * DAY, 14, Some(13 * DAY)),
            (13 * DAY + 1, 14, Some(13 * DAY)),
            (13 * DAY, 13, Some(12 * DAY)),
            (DAY, 1, Some(0)),
            (SECOND, 1, Some(0)),
            (0, 0, None),
            (-SECOND, 0, None),
        ] {
            let clock = Clock::new(end.plus(-before_end));
            assert_eq!(clock.days_until(end), days, "{before_end} before the end");
            assert_eq!(clock.next(), holds_until.map(|left| end.plus(-left)));
        }
    }
}
