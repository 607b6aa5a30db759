//! Using something, now or for sure in a moment.

use uuid::Uuid;

use super::{Refusal, Tally, Terms};
use crate::event::{Event, UsageConsumed, UsageReserved};

/// Counts a quantity if there is room for it: all of it or nothing.
///
/// # Errors
/// When there isn't, when the feature can't be used at all, or when the terms are too old to say.
pub fn decide_consume(terms: &Terms, tally: &Tally, quantity: i64) -> Result<Event, Refusal> {
    let (judgement, has) = terms.judge(tally, quantity)?;
    Ok(Event::UsageConsumed(UsageConsumed {
        feature: terms.feature.clone(),
        judgement,
        occurred_at: tally.now,
        quantity,
        trainer: terms.trainer.clone(),
        window: has.window,
    }))
}

/// Holds a quantity for so many microseconds, if there is room for it.
///
/// # Errors
/// As [`decide_consume`].
pub fn decide_reserve(
    terms: &Terms,
    tally: &Tally,
    quantity: i64,
    (hold, lasts): (Uuid, i64),
) -> Result<Event, Refusal> {
    let (judgement, has) = terms.judge(tally, quantity)?;
    Ok(Event::UsageReserved(UsageReserved {
        expires_at: tally.now.plus(lasts),
        feature: terms.feature.clone(),
        hold,
        judgement,
        occurred_at: tally.now,
        quantity,
        trainer: terms.trainer.clone(),
        window: has.window,
    }))
}
