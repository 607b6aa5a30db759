//! The cancellation that a form asks for, by date or at the end of the period.

use super::super::params::{self, Form};
use super::super::request::ApiError;
use super::Subscription;

/// When a subscription is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Ending {
    Never,
    PeriodEnd,
    At(i64),
}

/// What a form says of it, if it says anything.
pub(super) fn asked(form: &Form, now: i64) -> Result<Option<Ending>, ApiError> {
    let at_end = params::flag(form, "cancel_at_period_end")?;
    let at = match params::field(form, "cancel_at")? {
        Some(Some(_)) => params::time(form, "cancel_at")?,
        None if at_end.is_none() => return Ok(None),
        _ => None,
    };
    match (at_end, at) {
        (Some(true), Some(_)) => {
            let message = "You may only specify one of these parameters: cancel_at, \
                           cancel_at_period_end.";
            Err(ApiError::invalid("cancel_at", message))
        }
        (Some(true), None) => Ok(Some(Ending::PeriodEnd)),
        (_, Some(at)) if at <= now => Err(past()),
        (_, Some(at)) => Ok(Some(Ending::At(at))),
        (_, None) => Ok(Some(Ending::Never)),
    }
}

/// What it's refused with that would have ended before it was asked for.
pub(super) fn past() -> ApiError {
    ApiError::invalid("cancel_at", "The cancel_at timestamp must be in the future.")
}

impl Subscription {
    /// Sets when it ends. Since when that is wanted stays as it is where another end was wanted
    /// before.
    pub(super) fn set_ending(&mut self, ending: Ending, now: i64) {
        let until = match ending {
            Ending::Never => None,
            Ending::PeriodEnd => Some(self.period.1),
            Ending::At(at) => Some(at),
        };
        self.at_period_end = ending == Ending::PeriodEnd;
        if until.is_none() {
            self.canceled_at = None;
            self.reason = None;
        } else if self.cancel_at.is_none() {
            self.canceled_at = Some(now);
            self.reason = Some("cancellation_requested");
        }
        self.cancel_at = until;
    }
}
