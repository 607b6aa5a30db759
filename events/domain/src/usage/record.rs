//! Counting what has happened.

use super::{Refusal, Tally, Terms};
use crate::event::{Event, UsageRecorded};
use crate::time::{DAY, SECOND, Timestamp};

/// How long ago usage may have happened that is told now.
pub const REACH_BACK: i64 = 35 * DAY;
/// How far the teller's clock may be ahead.
pub const REACH_AHEAD: i64 = 5 * 60 * SECOND;

/// Counts what happened at an instant, or (none) now. No limit refuses it.
///
/// # Errors
/// When that is too long ago or yet to come, or the feature is none that is counted.
pub fn decide_record(
    terms: &Terms,
    tally: &Tally,
    quantity: i64,
    occurred_at: Option<Timestamp>,
) -> Result<Event, Refusal> {
    terms.countable(tally)?;
    let occurred_at = occurred_at.unwrap_or(tally.now);
    let within = tally.now.plus(-REACH_BACK)..=tally.now.plus(REACH_AHEAD);
    if !within.contains(&occurred_at) {
        return Err(Refusal::OutOfReach);
    }
    Ok(Event::UsageRecorded(UsageRecorded {
        feature: terms.feature.clone(),
        occurred_at,
        quantity,
        trainer: terms.trainer.clone(),
    }))
}
