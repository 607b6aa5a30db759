//! From what came of an act to its answer.

use ledger_domain::effective::{Denial, check};
use ledger_domain::event::Event;
use ledger_domain::usage::Refusal;
use ledger_log::{AppendError, Counter, Outcome};

use super::super::entitlements::{Denied, denial};
use super::super::problem::Problem;
use super::shapes::{Changed, Metered};
use crate::commands::usage::{Request, Ruling, UsageError};
use crate::errors::chain;

/// The answer to an act that was carried out, or the problem with it. `quantity` is what was asked
/// for.
pub(super) fn answer(
    request: &Request,
    ruling: &Ruling,
    quantity: i64,
) -> Result<Changed, Problem> {
    match (&ruling.ruled, ruling.outcome) {
        (Ok(event), Some(outcome)) => Ok(changed(request, ruling, event, outcome)),
        (Err(refusal), _) => Err(problem(*refusal, request, ruling, quantity)),
        // Granted at a second look, although the log refused: it was never appended.
        (Ok(_), None) => Err(Problem::Unavailable),
    }
}

fn changed(request: &Request, ruling: &Ruling, event: &Event, outcome: Outcome) -> Changed {
    let mut changed = Changed {
        granted: None,
        quantity: 0,
        hold: None,
        expires_at: None,
        meter: metered(request, ruling),
        would_deny: would_deny(event),
        position: outcome.position(),
    };
    match event {
        Event::UsageConsumed(e) => {
            (changed.granted, changed.quantity) = (Some(true), e.quantity);
        }
        Event::UsageReserved(e) => {
            (changed.granted, changed.quantity) = (Some(true), e.quantity);
            (changed.hold, changed.expires_at) = (Some(e.hold), Some(e.expires_at));
        }
        Event::UsageRecorded(e) => changed.quantity = e.quantity,
        Event::UsageReleased(e) => changed.quantity = e.quantity,
        Event::ReservationCommitted(e) => {
            (changed.quantity, changed.hold) = (e.quantity, Some(e.hold));
        }
        Event::ReservationReleased(e) => changed.hold = Some(e.hold),
        _ => {}
    }
    changed
}

/// Whether full enforcement would have denied it; none for an act that doesn't ask.
pub(super) const fn would_deny(event: &Event) -> Option<bool> {
    match event {
        Event::UsageConsumed(e) => Some(e.judgement.would_deny),
        Event::UsageReserved(e) => Some(e.judgement.would_deny),
        _ => None,
    }
}

/// Why full enforcement would deny a quantity that may be used, by the counter that was looked at.
pub(super) fn would_be_denied_by(
    request: &Request,
    ruling: &Ruling,
    quantity: i64,
) -> Option<&'static str> {
    let (seen, Counter { used, held, .. }) = (&ruling.seen, ruling.counter);
    let has = seen.answer.features.get(&request.feature)?;
    let in_use = count(used).saturating_add(count(held));
    check(has, in_use, count(quantity), seen.outcome).denial.map(Denial::code)
}

/// The counter that the act looked at.
pub(super) fn metered(request: &Request, ruling: &Ruling) -> Metered {
    let (used, held) = (count(ruling.counter.used), count(ruling.counter.held));
    let has = ruling.seen.answer.features.get(&request.feature);
    Metered::new(has, used, Some(held), ruling.window)
}

const UNKNOWN_FEATURE: Problem = Problem::NotFound("The catalogue has no such feature.");

/// Why there is nothing to answer with.
pub(super) fn problem(
    refusal: Refusal,
    request: &Request,
    ruling: &Ruling,
    quantity: i64,
) -> Problem {
    match refusal {
        Refusal::Denied(why) => {
            let (seen, counter) = (&ruling.seen, ruling.counter);
            let Some(has) = seen.answer.features.get(&request.feature) else {
                return UNKNOWN_FEATURE;
            };
            let denied = Denied {
                answer: &seen.answer,
                has,
                catalog: &seen.catalog,
                position: seen.reached.position,
                feature: &request.feature,
                used: count(counter.used),
                held: count(counter.held),
                quantity: count(quantity),
            };
            Problem::Denied(Box::new(denial(&denied, why)))
        }
        Refusal::UnknownFeature => UNKNOWN_FEATURE,
        Refusal::NotCounted => {
            Problem::Unprocessable("The feature is a flag: nothing of it is counted.".into())
        }
        Refusal::OutOfReach => Problem::Unprocessable(
            "`occurred_at` is from 35 days ago to 5 minutes ahead; leave it out for now.".into(),
        ),
        Refusal::HoldEnded => Problem::Conflict(
            "The hold has ended: it has expired, or was committed or released before.".into(),
        ),
        Refusal::MoreThanHeld { held } => {
            Problem::Unprocessable(format!("`quantity` is at most what is held: {held}."))
        }
        Refusal::NotStanding => {
            let text = "The feature is a quota: what was used of it stays used.";
            Problem::Unprocessable(text.into())
        }
        Refusal::MoreThanUsed { used } => {
            Problem::Conflict(format!("Only {} are counted.", used.max(0)))
        }
        Refusal::Incomplete => Problem::Parked(
            "An event about the trainer could not be taken in and waits; until it is, nothing is \
             decided for the trainer. An operator finds the reason under `parked` at \
             /api/v1/admin/projections."
                .into(),
        ),
        Refusal::Outdated | Refusal::Outrun => Problem::Unavailable,
    }
}

pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

impl From<UsageError> for Problem {
    fn from(error: UsageError) -> Self {
        match error {
            UsageError::Reads(error) => error.into(),
            UsageError::Log(error) => crate::reads::ReadsError::from(error).into(),
            UsageError::Append(AppendError::IdReused { .. }) => Self::KeyReused,
            // The log tells of its outages itself, once and not for each request.
            UsageError::Append(AppendError::Unavailable(_)) => Self::Unavailable,
            UsageError::Append(
                AppendError::UnknownTenant(_) | AppendError::WrongExpectedRevision { .. },
            )
            | UsageError::Restless => {
                tracing::warn!(error = %chain(&error), "usage could not be decided");
                Self::Unavailable
            }
            UsageError::Append(AppendError::Refused(_)) | UsageError::Unreadable(_) => {
                tracing::error!(error = %chain(&error), "usage could not be decided");
                Self::Internal
            }
        }
    }
}
