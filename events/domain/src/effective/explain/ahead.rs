//! When time alone changes the answer, and to what, as far as the facts that are known tell.

use super::Case;
use crate::effective::{Check, Denial, Setting, check, effective};
use crate::time::{Interval, Timestamp};

/// How many instants are looked at: an answer may stay the same at many of them.
const HOPS_MAX: usize = 64;
/// How many changes are told.
const TOLD_MAX: usize = 5;

/// The answer from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// From when on.
    pub at: Timestamp,
    /// Whether one more may be used then.
    pub allowed: bool,
    /// Why not, under full enforcement.
    pub denial: Option<Denial>,
    /// The limit then.
    pub limit: Option<u64>,
    /// It in a sentence.
    pub says: String,
}

impl Case<'_> {
    pub(super) fn ahead(&self) -> Vec<Ahead> {
        let mut told = Vec::new();
        let (mut last, mut window) = (gist(&self.check), self.entitlement.window);
        let (mut next, mut used) = (self.answer.valid_until, self.grounds.used);
        for _ in 0..HOPS_MAX {
            let Some(at) = next.filter(|_| told.len() < TOLD_MAX) else { break };
            let Some(then) = self.then(at, &mut window, &mut used) else { break };
            next = then.1;
            if gist(&then.0) != last {
                last = gist(&then.0);
                told.push(self.told(at, &then.0));
            }
        }
        told
    }

    /// The decision at an instant, and until when it holds. In a new window nothing was used yet.
    fn then(
        &self,
        at: Timestamp,
        window: &mut Option<Interval>,
        used: &mut u64,
    ) -> Option<(Check, Option<Timestamp>)> {
        let catalogs = self.grounds.catalogs;
        let setting = Setting {
            catalog: catalogs.in_force(at.micros())?,
            catalog_until: catalogs.next_change_after(at.micros()).map(Timestamp::from_micros),
            now: at,
            ..self.grounds.setting
        };
        let answer = effective(self.grounds.holdings, &setting);
        let has = answer.features.get(self.feature.slug())?;
        let is_new = has.window.is_some_and(|new| new.from > self.grounds.setting.now);
        if is_new && has.window != *window {
            (*window, *used) = (has.window, 0);
        }
        Some((check(has, *used, 1, self.grounds.outcome), answer.valid_until))
    }

    fn told(&self, at: Timestamp, check: &Check) -> Ahead {
        let (name, limit) = (self.name(), check.meter.limit);
        let says = match (check.denial, limit) {
            (Some(denial), _) if check.allowed => {
                format!("From {at} on {name} would be denied ({}).", denial.code())
            }
            (Some(denial), _) => format!("From {at} on {name} is denied ({}).", denial.code()),
            (None, Some(limit)) => format!("From {at} on {name} is granted, {limit} of it."),
            (None, None) => format!("From {at} on {name} is granted."),
        };
        Ahead { at, allowed: check.allowed, denial: check.denial, limit, says }
    }
}

/// What makes two answers differ.
const fn gist(check: &Check) -> (Option<Denial>, Option<u64>) {
    (check.denial, check.meter.limit)
}
