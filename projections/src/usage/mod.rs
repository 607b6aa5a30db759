//! Usage by day, and of all time.
//!
//! A window of a quota follows what the trainer holds at the instant somebody asks, so a row for
//! each window would depend on the clock. A row for each UTC day doesn't, needs no look at
//! subscriptions or catalogues, and any window is a sum of days. Where a window begins or ends
//! within a day, the row tells by its first and last instant whether all of it lies on one side.
//! If not, the log's own table of usage is summed from that instant on: whoever reads a trainer's
//! days reads these sums along with them, for every instant at which a window may begin or end by
//! what the trainer's subscriptions say (`edges.sql`).

pub(crate) mod store;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use ledger_domain::event::{Entry, Event};
use ledger_domain::id::{FeatureSlug, TrainerId};
use ledger_domain::time::{DAY, Interval, Timestamp};

use crate::rows::{gathered_rows, table_rows};

/// Makes the table.
pub(crate) const SCHEMA: &str = include_str!("schema.sql");

table_rows! {
    /// What was used within a period.
    UsageRow, UsageColumns {
        trainer_id: String,
        feature: String,
        period_start: DateTime<Utc>,
        period_end: DateTime<Utc>,
        used: i64,
        first_used_at: DateTime<Utc>,
        last_used_at: DateTime<Utc>,
        position: i64,
    }
}

gathered_rows! {
    /// What was used from an instant on, up to the end of its day.
    RestRow {
        feature: String,
        at: DateTime<Utc>,
        used: i64,
    }
}

/// All time: the period of a standing count. Nothing is used at its last instant: it is the end
/// of what can be written down.
pub(crate) const ALL_TIME: Interval = Interval { from: Timestamp::MIN, until: Timestamp::MAX };

/// What an event adds to usage; none if it only holds or frees.
pub(crate) fn counted(event: &Event) -> Option<(&TrainerId, &FeatureSlug, Timestamp, i64)> {
    match event {
        Event::UsageRecorded(e) => Some((&e.trainer, &e.feature, e.occurred_at, e.quantity)),
        Event::UsageConsumed(e) => Some((&e.trainer, &e.feature, e.occurred_at, e.quantity)),
        Event::ReservationCommitted(e) => Some((&e.trainer, &e.feature, e.occurred_at, e.quantity)),
        Event::UsageReleased(e) => {
            Some((&e.trainer, &e.feature, e.occurred_at, e.quantity.saturating_neg()))
        }
        _ => None,
    }
}

/// The UTC day that contains an instant.
fn day_of(at: Timestamp) -> Interval {
    let from = Timestamp::from_micros(at.micros().div_euclid(DAY) * DAY);
    Interval { from, until: from.plus(DAY) }
}

/// What the facts of a page add, one row for each period.
pub(crate) fn rows(facts: &[Entry]) -> UsageColumns {
    let mut periods = HashMap::new();
    for entry in facts {
        let Some((trainer, feature, at, quantity)) = counted(&entry.event) else { continue };
        if !ALL_TIME.contains(at) {
            continue;
        }
        for period in [day_of(at), ALL_TIME] {
            let row = periods.entry((trainer, feature, period)).or_insert_with(|| UsageRow {
                trainer_id: trainer.as_str().to_owned(),
                feature: feature.as_str().to_owned(),
                period_start: period.from.to_datetime(),
                period_end: period.until.to_datetime(),
                used: 0,
                first_used_at: at.to_datetime(),
                last_used_at: at.to_datetime(),
                position: 0,
            });
            row.used = row.used.saturating_add(quantity);
            row.first_used_at = row.first_used_at.min(at.to_datetime());
            row.last_used_at = row.last_used_at.max(at.to_datetime());
            row.position = row.position.max(entry.position);
        }
    }
    periods.into_values().collect()
}

/// A trainer's usage by day, from some day on, and of all time.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageDays {
    pub(crate) rows: Vec<UsageRow>,
    /// The sums of parts of days.
    pub(crate) rests: Vec<RestRow>,
    /// The first day that is there.
    pub(crate) since: Timestamp,
}

impl UsageDays {
    /// What was used of a feature within a window, without a window the standing count; none if
    /// the window begins before the first day that is there.
    #[must_use]
    pub fn sum(&self, feature: &FeatureSlug, window: Option<Interval>) -> Option<UsageSum> {
        if window.is_some_and(|window| day_of(window.from).from < self.since) {
            return None;
        }
        let rows = self.rows.iter().filter(|row| row.feature == feature.as_str());
        Some(UsageSum::of(rows, window, |at| self.rest(feature, at)))
    }

    fn rest(&self, feature: &FeatureSlug, at: Timestamp) -> Option<i64> {
        let is_it = |row: &&RestRow| row.feature == feature.as_str() && row.at == at.to_datetime();
        self.rests.iter().find(is_it).map(|row| row.used)
    }
}

/// From which day on usage is wanted for questions at an instant: a window of the month begins
/// within 31 days before it.
pub(crate) fn month_before(now: Timestamp) -> Timestamp {
    day_of(now.plus(-32 * DAY).max(Timestamp::MIN)).from
}

/// What was used of a feature within a window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageSum {
    /// As far as whole rows tell.
    pub used: i64,
    /// Pieces of the window that no row tells of alone: what [`ledger_log::EventLog::usage`]
    /// gives for them is to be added. At most two, each less than a day.
    pub unsettled: Vec<Interval>,
}

impl UsageSum {
    /// Sums rows of one feature. `rest` tells what was used from an instant on, up to the end of
    /// its day, where that is known.
    fn of<'a>(
        rows: impl IntoIterator<Item = &'a UsageRow>,
        window: Option<Interval>,
        rest: impl Fn(Timestamp) -> Option<i64>,
    ) -> Self {
        let mut sum = Self::default();
        for row in rows {
            let period = Interval { from: row.period_start.into(), until: row.period_end.into() };
            match window {
                None if period == ALL_TIME => sum.used = row.used,
                Some(window) if period != ALL_TIME => {
                    let within = row.since(window.from, &rest).zip(row.since(window.until, &rest));
                    match within {
                        Some((all, after)) => {
                            sum.used = sum.used.saturating_add(all.saturating_sub(after));
                        }
                        None => sum.unsettled.push(Interval {
                            from: window.from.max(period.from),
                            until: window.until.min(period.until),
                        }),
                    }
                }
                None | Some(_) => {}
            }
        }
        sum
    }
}

impl UsageRow {
    /// What of it was used at an instant or later.
    fn since(&self, at: Timestamp, rest: impl Fn(Timestamp) -> Option<i64>) -> Option<i64> {
        if at <= self.first_used_at.into() {
            Some(self.used)
        } else if at > self.last_used_at.into() {
            Some(0)
        } else {
            rest(at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(day: i64, used: i64, first: i64, last: i64) -> UsageRow {
        let period = day_of(Timestamp::from_unix(day * 86_400));
        let at = |second: i64| period.from.plus(second * 1_000_000).to_datetime();
        UsageRow {
            trainer_id: "t1".into(),
            feature: "f".into(),
            period_start: period.from.to_datetime(),
            period_end: period.until.to_datetime(),
            used,
            first_used_at: at(first),
            last_used_at: at(last),
            position: 1,
        }
    }

    fn check(from: i64, until: i64, used: i64, unsettled: &[(i64, i64)]) {
        let at = Timestamp::from_unix;
        let rows = [row(0, 1, 10, 20), row(1, 2, 10, 20), row(2, 4, 10, 20)];
        let window = Interval { from: at(from), until: at(until) };
        let sum = UsageSum::of(&rows, Some(window), |_| None);
        let unsettled: Vec<_> = unsettled
            .iter()
            .map(|&(from, until)| Interval { from: at(from), until: at(until) })
            .collect();
        assert_eq!(sum, UsageSum { used, unsettled }, "{from}..{until}");
    }

    #[test]
    fn a_window_is_a_sum_of_days_and_says_what_it_cannot_tell() {
        const D: i64 = 86_400;
        check(0, 3 * D, 7, &[]);
        check(5, D + 21, 3, &[]);
        check(21, D + 10, 0, &[]);
        check(15, 2 * D + 21, 6, &[(15, D)]);
        check(0, D + 20, 1, &[(D, D + 20)]);
        check(12, 18, 0, &[(12, 18)]);
    }

    #[test]
    fn parts_of_days_are_told_by_what_was_used_from_an_instant_on() {
        const D: i64 = 86_400;
        let at = Timestamp::from_unix;
        let rows = [row(0, 9, 10, 20), row(1, 5, 10, 20)];
        let rests = [(12, 6), (20, -2), (D + 15, 4)];
        let rest = |asked: Timestamp| {
            rests.iter().find(|(second, _)| at(*second) == asked).map(|(_, used)| *used)
        };
        for (from, until, used) in [
            (12, D, 6),
            (12, 20, 8),
            (0, 20, 11),
            (20, D + 15, -1),
            (20, D + 10, -2),
            (10, D + 21, 14),
        ] {
            let window = Interval { from: at(from), until: at(until) };
            let sum = UsageSum::of(&rows, Some(window), rest);
            assert_eq!(sum, UsageSum { used, unsettled: Vec::new() }, "{from}..{until}");
        }
        let unknown = Interval { from: at(12), until: at(13) };
        let sum = UsageSum::of(&rows, Some(unknown), rest);
        assert_eq!(sum, UsageSum { used: 0, unsettled: vec![unknown] });
    }
}
