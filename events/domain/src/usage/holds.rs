//! What becomes of a hold. Its terms were judged when it was placed, so that nothing which came
//! since can take it away.

use super::{Refusal, Tally};
use crate::event::{Event, ReservationCommitted, ReservationReleased, UsageReserved};

/// Ends a hold in use: a part of it, or (none) all.
///
/// # Errors
/// When the hold has ended, or held less.
pub fn decide_commit(
    hold: &UsageReserved,
    tally: &Tally,
    quantity: Option<i64>,
) -> Result<Event, Refusal> {
    let held = tally.hold.ok_or(Refusal::HoldEnded)?;
    let quantity = quantity.unwrap_or(held);
    if quantity > held {
        return Err(Refusal::MoreThanHeld { held });
    }
    Ok(Event::ReservationCommitted(ReservationCommitted {
        feature: hold.feature.clone(),
        hold: hold.hold,
        occurred_at: hold.occurred_at,
        quantity,
        trainer: hold.trainer.clone(),
    }))
}

/// Ends a hold unused.
///
/// # Errors
/// When the hold has ended.
pub fn decide_give_up(hold: &UsageReserved, tally: &Tally) -> Result<Event, Refusal> {
    tally.hold.ok_or(Refusal::HoldEnded)?;
    Ok(Event::ReservationReleased(ReservationReleased {
        feature: hold.feature.clone(),
        hold: hold.hold,
        trainer: hold.trainer.clone(),
    }))
}
