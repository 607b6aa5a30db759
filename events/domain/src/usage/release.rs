//! A standing count that goes down.

use super::{Refusal, Tally, Terms};
use crate::catalog::FeatureKind;
use crate::event::{Event, UsageReleased};

/// Counts down: what was counted is no more. No limit is asked, and a trainer who is locked out
/// may still make room.
///
/// # Errors
/// When less is counted, which would make room that the plan doesn't give; when the feature has
/// no standing count.
pub fn decide_release(terms: &Terms, tally: &Tally, quantity: i64) -> Result<Event, Refusal> {
    let has = terms.countable(tally)?;
    if has.kind != FeatureKind::Limit {
        return Err(terms.stand(tally).err().unwrap_or(Refusal::NotStanding));
    }
    if quantity > tally.used {
        return Err(Refusal::MoreThanUsed { used: tally.used });
    }
    Ok(Event::UsageReleased(UsageReleased {
        feature: terms.feature.clone(),
        occurred_at: tally.now,
        quantity,
        trainer: terms.trainer.clone(),
    }))
}
