//! The calendar of billing periods, all in UTC. A period ends on the anchor's day of the month, or
//! on the month's last day where that is earlier, and comes back to the anchor's day afterwards.

const DAY: i64 = 86_400;

/// How often something recurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) unit: Unit,
    /// From 1 to 36 of the unit.
    pub(super) count: i64,
}

/// What an interval counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Day,
    Week,
    Month,
    Year,
}

impl Interval {
    pub(super) fn new(unit: &str, count: i64) -> Self {
        let unit = match unit {
            "day" => Unit::Day,
            "week" => Unit::Week,
            "year" => Unit::Year,
            _ => Unit::Month,
        };
        Self { unit, count: count.clamp(1, 36) }
    }

    /// The `n`th return of an anchor.
    pub(super) fn after(self, anchor: i64, n: i64) -> i64 {
        match self.unit {
            Unit::Day => anchor + n * self.count * DAY,
            Unit::Week => anchor + n * self.count * 7 * DAY,
            Unit::Month => add_months(anchor, n * self.count),
            Unit::Year => add_months(anchor, n * self.count * 12),
        }
    }

    /// The first return of an anchor that is later than a time.
    pub(super) fn next(self, anchor: i64, time: i64) -> i64 {
        let about = match self.unit {
            Unit::Day => DAY,
            Unit::Week => 7 * DAY,
            Unit::Month => 31 * DAY,
            Unit::Year => 366 * DAY,
        } * self.count;
        // Never too far: the divisor is the longest that an interval can be.
        let mut n = ((time - anchor) / about).max(0);
        while self.after(anchor, n) <= time {
            n += 1;
        }
        self.after(anchor, n)
    }
}

/// The same time of day some months later, on the last day of the month where there is no such day.
fn add_months(time: i64, months: i64) -> i64 {
    let (year, month, day) = civil(time.div_euclid(DAY));
    let total = year * 12 + (month - 1) + months;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    let day = day.min(days_in(year, month));
    days(year, month, day) * DAY + time.rem_euclid(DAY)
}

fn days_in(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days(next_year, next_month, 1) - days(year, month, 1)
}

/// Days since 1970 of a date. The year is taken to begin in March, so that a leap day is its last.
pub(super) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of a number of days since 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i64, month: i64, day: i64) -> i64 {
        days(year, month, day) * DAY + 36_000
    }

    #[test]
    fn days_and_dates_are_inverse() {
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2026, 11, 21), 20_778);
        for day in -1_000..60_000 {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn the_last_of_january_returns_to_the_31st() {
        let monthly = Interval::new("month", 1);
        let anchor = at(2027, 1, 31);
        let mut time = anchor;
        for expected in [at(2027, 2, 28), at(2027, 3, 31), at(2027, 4, 30), at(2027, 5, 31)] {
            time = monthly.next(anchor, time);
            assert_eq!(time, expected);
        }
        assert_eq!(monthly.next(anchor, at(2028, 1, 31)), at(2028, 2, 29));
    }

    #[test]
    fn a_leap_day_returns_every_fourth_year() {
        let yearly = Interval::new("year", 1);
        let anchor = at(2028, 2, 29);
        assert_eq!(yearly.next(anchor, anchor), at(2029, 2, 28));
        assert_eq!(yearly.next(anchor, at(2031, 6, 1)), at(2032, 2, 29));
    }

    #[test]
    fn weeks_and_quarters() {
        let start = at(2026, 12, 30);
        assert_eq!(Interval::new("week", 2).next(start, start), start + 14 * DAY);
        assert_eq!(Interval::new("month", 3).next(start, start), at(2027, 3, 30));
    }
}
