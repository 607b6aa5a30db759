//! How often somebody may call: so many times at once, and then as the calls before are forgotten,
//! evenly over a minute (the generic cell rate algorithm).

use std::num::NonZeroU32;

/// A minute in microseconds.
const MINUTE: i64 = 60_000_000;

/// So many calls a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota(NonZeroU32);

/// What somebody has called lately: one number, however many the calls.
#[derive(Debug)]
pub(super) struct Meter {
    quota: Quota,
    /// When the last call will be forgotten.
    settled_at: i64,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) is_allowed: bool,
    /// How many more are allowed at once.
    pub(super) remaining: u32,
    /// Microseconds until there is one more.
    pub(super) next_in: i64,
}

impl Quota {
    pub(crate) const fn per_minute(calls: NonZeroU32) -> Self {
        Self(calls)
    }

    pub(crate) const fn calls(self) -> u32 {
        self.0.get()
    }

    /// How long it takes to forget one call.
    fn interval(self) -> i64 {
        let calls = i64::from(self.calls());
        (MINUTE + calls - 1) / calls
    }

    /// How long it takes to forget as many calls as are allowed at once.
    fn window(self) -> i64 {
        self.interval() * i64::from(self.calls())
    }
}

impl Meter {
    /// Nothing was called yet.
    pub(super) const fn new(quota: Quota) -> Self {
        Self { quota, settled_at: i64::MIN }
    }

    /// Counts a call at an instant, if it is allowed.
    pub(super) fn take(&mut self, quota: Quota, now: i64) -> Taken {
        let (interval, window) = (quota.interval(), quota.window());
        let mut owed = self.owed(quota, now);
        let is_allowed = owed + interval <= window;
        if is_allowed {
            owed += interval;
        }
        (self.quota, self.settled_at) = (quota, now.saturating_add(owed));
        let left = (window - owed) / interval;
        let next_in = if owed == 0 { 0 } else { owed - (window - (left + 1) * interval) };
        Taken { is_allowed, remaining: u32::try_from(left).unwrap_or(0), next_in }
    }

    /// How long it takes until all calls so far are forgotten. With another quota, as many calls
    /// count as before, and none weighs more than what can be forgotten in a minute.
    fn owed(&self, quota: Quota, now: i64) -> i64 {
        // A clock that was set back would else keep somebody out for as long.
        let owed = self.settled_at.saturating_sub(now).clamp(0, self.quota.window());
        if quota == self.quota {
            return owed;
        }
        let scaled = i128::from(owed) * i128::from(quota.interval());
        let scaled = scaled / i128::from(self.quota.interval());
        i64::try_from(scaled).unwrap_or(i64::MAX).min(quota.window())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: i64 = 1_000_000;
    const NOW: i64 = 1_780_000_000 * SECOND;

    fn quota(calls: u32) -> Quota {
        Quota::per_minute(NonZeroU32::new(calls).unwrap())
    }

    /// How many calls go through at an instant, one after the other.
    fn all_at(meter: &mut Meter, quota: Quota, now: i64) -> u32 {
        let mut allowed = 0;
        while meter.take(quota, now).is_allowed {
            allowed += 1;
        }
        allowed
    }

    #[test]
    fn as_many_at_once_as_the_quota_says_and_then_one_by_one() {
        let (hundred, mut meter) = (quota(100), Meter::new(quota(100)));
        let first = meter.take(hundred, NOW);
        assert_eq!((first.is_allowed, first.remaining, first.next_in), (true, 99, 600_000));
        assert_eq!(all_at(&mut meter, hundred, NOW), 99);
        let refused = meter.take(hundred, NOW + 100_000);
        assert_eq!((refused.is_allowed, refused.remaining, refused.next_in), (false, 0, 500_000));
        assert!(!meter.take(hundred, NOW + 599_999).is_allowed);
        assert!(meter.take(hundred, NOW + 600_000).is_allowed, "a refusal costs nothing");
        assert!(!meter.take(hundred, NOW + 600_000).is_allowed);
        assert_eq!(all_at(&mut meter, hundred, NOW + 60 * SECOND), 99);
        assert_eq!(all_at(&mut meter, hundred, NOW + 600 * SECOND), 100, "and never more");
    }

    #[test]
    fn calls_count_on_when_the_quota_changes() {
        let mut meter = Meter::new(quota(100));
        assert_eq!(all_at(&mut meter, quota(100), NOW), 100);
        assert_eq!(all_at(&mut meter, quota(250), NOW), 150, "after an upgrade");
        assert_eq!(all_at(&mut meter, quota(100), NOW), 0, "and back");
        let last = meter.take(quota(100), NOW);
        assert_eq!((last.is_allowed, last.next_in), (false, 600_000));
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_nobody_out_for_long() {
        let mut meter = Meter::new(quota(100));
        assert_eq!(all_at(&mut meter, quota(100), NOW), 100);
        let back = NOW - 86_400 * SECOND;
        let refused = meter.take(quota(100), back);
        assert_eq!((refused.is_allowed, refused.next_in), (false, 600_000));
        assert!(meter.take(quota(100), back + 600_000).is_allowed);
    }

    #[test]
    fn the_smallest_and_the_largest_quota_work() {
        for calls in [1, 7, 1_000_000] {
            let mut meter = Meter::new(quota(calls));
            assert_eq!(all_at(&mut meter, quota(calls), NOW), calls);
            let wait = meter.take(quota(calls), NOW).next_in;
            assert!(meter.take(quota(calls), NOW + wait).is_allowed, "{calls}");
        }
    }

    proptest! {
        /// Within any stretch of time no more go through than at once and while it lasts; and a
        /// call at the time that was told goes through.
        #[test]
        fn no_more_than_promised(
            calls in 1_u32..2_000,
            steps in prop::collection::vec(0_i64..3 * SECOND, 1..200),
        ) {
            let (quota, mut meter, mut now) = (quota(calls), Meter::new(quota(calls)), NOW);
            let mut allowed = 0_i64;
            for step in steps {
                now += step;
                let taken = meter.take(quota, now);
                allowed += i64::from(taken.is_allowed);
                prop_assert!(allowed <= i64::from(calls) + (now - NOW) / quota.interval());
                if !taken.is_allowed {
                    prop_assert_eq!(taken.remaining, 0);
                    prop_assert!((1..=quota.interval()).contains(&taken.next_in));
                    now += taken.next_in;
                    prop_assert!(meter.take(quota, now).is_allowed);
                    allowed += 1;
                }
            }
        }
    }
}
