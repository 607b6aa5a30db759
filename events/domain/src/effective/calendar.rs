//! Calendars: time cut into windows that touch and never overlap, without beginning or end.

use chrono::{Datelike, NaiveDate};

use crate::time::{DAY, Interval, Timestamp};

/// How far one boundary lies from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// As many calendar months. On a day that a month doesn't have, its last one stands in.
    Months(u16),
    /// As many days.
    Days(u16),
}

impl Step {
    pub(super) const MONTH: Self = Self::Months(1);

    /// The step of a billing interval in Stripe's words.
    pub(super) fn of(interval: &str, count: i64) -> Option<Self> {
        // Stripe bills at least every three years; the bounds keep arithmetic in range.
        let count = u16::try_from(count.clamp(1, 1_200)).unwrap_or(1);
        match interval {
            "day" => Some(Self::Days(count)),
            "week" => Some(Self::Days(count * 7)),
            "month" => Some(Self::Months(count)),
            "year" => Some(Self::Months(count * 12)),
            _ => None,
        }
    }
}

/// Boundaries at equal steps from a base, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    base: Timestamp,
    step: Step,
}

impl Grid {
    pub(super) const fn new(base: Timestamp, step: Step) -> Self {
        Self { base, step }
    }

    /// Calendar months, UTC.
    pub(super) fn calendar_months() -> Self {
        Self::new(Timestamp::from_unix(0), Step::MONTH)
    }

    /// The window that contains an instant.
    fn window(self, at: Timestamp) -> Interval {
        let number = match self.step {
            Step::Days(days) => {
                let length = i64::from(days) * DAY;
                (at.micros() - self.base.micros()).div_euclid(length)
            }
            Step::Months(months) => {
                let apart = month_number(at) - month_number(self.base);
                let number = apart.div_euclid(i64::from(months));
                // The boundary may lie later within the same month.
                if self.boundary(number) > at { number - 1 } else { number }
            }
        };
        Interval { from: self.boundary(number), until: self.boundary(number + 1) }
    }

    /// Every boundary is counted from the base, not from its neighbour: after the 28th of
    /// February, a grid from the 31st of January goes on with the 31st of March.
    fn boundary(self, number: i64) -> Timestamp {
        match self.step {
            Step::Days(days) => self.base.plus(number.saturating_mul(i64::from(days) * DAY)),
            Step::Months(months) => {
                let month = month_number(self.base) + number * i64::from(months);
                let date = date_in(month, self.base.to_datetime().day());
                let midnight = date.and_time(chrono::NaiveTime::MIN).and_utc();
                let time_of_day = self.base.micros().rem_euclid(DAY);
                Timestamp::from_micros(midnight.timestamp_micros() + time_of_day)
            }
        }
    }

    fn has_boundary_at(self, at: Timestamp) -> bool {
        self.window(at).from == at
    }
}

/// Months since the year 0.
fn month_number(at: Timestamp) -> i64 {
    let date = at.to_datetime();
    i64::from(date.year()) * 12 + i64::from(date.month0())
}

/// A day of a month, or the month's last day if it has no such day.
fn date_in(month: i64, day: u32) -> NaiveDate {
    let year = i32::try_from(month.div_euclid(12)).unwrap_or(i32::MAX);
    let month = u32::try_from(month.rem_euclid(12)).unwrap_or(0) + 1;
    (1..=day)
        .rev()
        .find_map(|day| NaiveDate::from_ymd_opt(year, month, day))
        .unwrap_or(if year < 0 { NaiveDate::MIN } else { NaiveDate::MAX })
}

/// A way of cutting time into windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calendar {
    /// Equal steps.
    Even(Grid),
    /// One period that is known, and steps on either side of it.
    Around {
        /// What ends where the period begins.
        before: Grid,
        /// The period.
        period: Interval,
        /// What begins where the period ends.
        after: Grid,
    },
}

impl Calendar {
    /// A known period, continued by steps in both directions. Where a side of the period lies on
    /// the anchor's own grid, the days are counted from the anchor: a period that ends on the
    /// 28th of February may be one of the 31st.
    pub(super) fn around(period: Interval, anchor: Option<Timestamp>, step: Step) -> Self {
        let side = |edge: Timestamp| {
            let anchored = anchor.map(|anchor| Grid::new(anchor, step));
            anchored
                .filter(|grid| grid.has_boundary_at(edge))
                .unwrap_or_else(|| Grid::new(edge, step))
        };
        Self::Around { before: side(period.from), period, after: side(period.until) }
    }

    /// The window that contains an instant.
    pub(super) fn window(&self, at: Timestamp) -> Interval {
        match self {
            Self::Even(grid) => grid.window(at),
            Self::Around { before, period, .. } if at < period.from => before.window(at),
            Self::Around { period, .. } if at < period.until => *period,
            Self::Around { after, .. } => after.window(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("an instant")
    }

    fn day(text: &str) -> Timestamp {
        at(&format!("{text}T00:00:00Z"))
    }

    /// The first days of consecutive windows.
    fn firsts(calendar: &Calendar, from: &str, count: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut here = day(from);
        for _ in 0..count {
            let window = calendar.window(here);
            found.push(window.from.to_string()[..10].to_owned());
            here = window.until;
        }
        found
    }

    #[test]
    fn the_31st_is_clamped_and_never_drifts() {
        let monthly = Calendar::Even(Grid::new(day("2027-01-31"), Step::MONTH));
        let expected = ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"];
        assert_eq!(firsts(&monthly, "2027-02-01", 5), expected);
        let expected = ["2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31"];
        assert_eq!(firsts(&monthly, "2024-01-15", 4), expected);
    }

    #[test]
    fn a_leap_day_comes_back_every_fourth_year() {
        let yearly = Calendar::Even(Grid::new(day("2024-02-29"), Step::Months(12)));
        let expected = ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"];
        assert_eq!(firsts(&yearly, "2024-03-01", 5), expected);
    }

    #[test]
    fn the_second_of_the_anniversary_begins_the_window() {
        let monthly = Calendar::Even(Grid::new(at("2026-01-15T10:30:00Z"), Step::MONTH));
        for (asked, from, until) in [
            ("2026-11-15T10:29:59Z", "2026-10-15T10:30:00Z", "2026-11-15T10:30:00Z"),
            ("2026-11-15T10:30:00Z", "2026-11-15T10:30:00Z", "2026-12-15T10:30:00Z"),
            ("2025-12-31T23:59:59Z", "2025-12-15T10:30:00Z", "2026-01-15T10:30:00Z"),
        ] {
            let expected = Interval { from: at(from), until: at(until) };
            assert_eq!(monthly.window(at(asked)), expected, "{asked}");
        }
    }

    #[test]
    fn a_trial_is_continued_by_whole_months() {
        let trial = Interval { from: day("2026-11-01"), until: day("2026-11-15") };
        let calendar = Calendar::around(trial, Some(day("2026-11-15")), Step::MONTH);
        let expected = ["2026-10-01", "2026-11-01", "2026-11-15", "2026-12-15"];
        assert_eq!(firsts(&calendar, "2026-10-20", 4), expected);
    }

    #[test]
    fn a_clamped_period_is_continued_from_its_anchor() {
        let period = Interval { from: day("2027-01-31"), until: day("2027-02-28") };
        let calendar = Calendar::around(period, Some(day("2026-10-31")), Step::MONTH);
        let expected = ["2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31"];
        assert_eq!(firsts(&calendar, "2027-01-01", 4), expected);
    }

    #[test]
    fn billing_intervals_have_a_count() {
        assert_eq!(Step::of("month", 3), Some(Step::Months(3)));
        assert_eq!(Step::of("year", 1), Some(Step::Months(12)));
        assert_eq!(Step::of("week", 2), Some(Step::Days(14)));
        assert_eq!(Step::of("day", 0), Some(Step::Days(1)));
        assert_eq!(Step::of("fortnight", 1), None);
    }

    #[test]
    fn the_ends_of_time_have_windows_too() {
        for step in [Step::MONTH, Step::Months(14_400), Step::Days(8_400)] {
            for base in [Timestamp::MIN, Timestamp::from_unix(0), Timestamp::MAX] {
                let calendar = Calendar::Even(Grid::new(base, step));
                assert!(calendar.window(Timestamp::MIN).contains(Timestamp::MIN));
                assert!(calendar.window(Timestamp::MAX).from <= Timestamp::MAX);
            }
        }
    }
}
