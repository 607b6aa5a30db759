//! The period that a subscription begins with, which an anchor may end before its time.

use super::super::World;
use super::super::invoices::Line;
use super::super::params::{self, Form};
use super::super::request::ApiError;
use super::proration::{amount_of, share};
use super::{Billing, Item, Starting, Subscription, interval_of};

/// From when on a new subscription is billed as a whole.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Anchor {
    pub(super) at: i64,
    /// Whether the time until then is charged, in part.
    pub(super) charges: bool,
}

/// What a form says of the anchor of a subscription that begins now, with a trial or without.
pub(super) fn asked(
    form: &Form,
    items: &[Item],
    billing: Billing,
    now: i64,
    trial_end: Option<i64>,
) -> Result<Option<Anchor>, ApiError> {
    let Some(at) = params::time(form, "billing_cycle_anchor")? else { return Ok(None) };
    let refuse = |message: String| Err(ApiError::invalid("billing_cycle_anchor", message));
    if at <= now {
        return refuse("billing_cycle_anchor must be in the future".to_owned());
    }
    let natural = interval_of(items).next(now, now);
    if at > natural {
        return refuse(format!(
            "billing_cycle_anchor cannot be later than next natural billing date ({natural}) for \
             plan"
        ));
    }
    if trial_end.is_some_and(|end| end > at) {
        return refuse("billing_cycle_anchor cannot be earlier than trial_end".to_owned());
    }
    Ok(Some(Anchor { at, charges: billing != Billing::None }))
}

impl Starting {
    /// The first period, which is the trial where there is one.
    pub(super) fn period(&self, now: i64) -> (i64, i64) {
        let anchor = self.anchor.map(|anchor| anchor.at);
        let end = self.trial_end.or(anchor);
        (now, end.unwrap_or_else(|| interval_of(&self.items).next(now, now)))
    }

    /// Whether nothing is billed for the first period, not even a trial.
    pub(super) fn is_unbilled(&self) -> bool {
        self.trial_end.is_none() && self.anchor.is_some_and(|anchor| !anchor.charges)
    }

    /// What is to be paid to begin.
    pub(super) fn due(&self, now: i64) -> i64 {
        if self.trial_end.is_some() || self.is_unbilled() {
            return 0;
        }
        let (part, whole) = parts(&self.items, self.period(now), self.anchor.map(|one| one.at));
        self.items.iter().map(|item| share(amount_of(item), part, whole)).sum()
    }
}

impl Subscription {
    /// Whether the current period is one before the anchor that isn't charged.
    pub(super) fn is_unbilled(&self) -> bool {
        self.free_until_anchor && self.period.1 == self.anchor
    }

    /// How long the period would be that ends with the current one, had it begun as a whole.
    pub(super) fn whole_period(&self) -> i64 {
        parts(&self.items, self.period, Some(self.anchor)).1
    }
}

/// How long a period is, and how long one is as a whole that ends then.
fn parts(items: &[Item], period: (i64, i64), anchor: Option<i64>) -> (i64, i64) {
    let part = period.1 - period.0;
    match anchor {
        Some(anchor) if anchor == period.1 => (part, anchor - interval_of(items).after(anchor, -1)),
        _ => (part, part),
    }
}

impl World {
    /// Lines that charge items for a period that begins: in part, where the anchor ends it.
    pub(super) fn beginning_lines(
        &mut self,
        items: &[Item],
        period: (i64, i64),
        anchor: i64,
    ) -> Vec<Line> {
        let (part, whole) = parts(items, period, Some(anchor));
        let mut lines = self.period_lines(items, period, false);
        if part != whole {
            for line in &mut lines {
                line.amount = share(line.amount, part, whole);
                line.in_part = true;
            }
        }
        lines
    }
}
