//! Why a feature is answered as it is: the chain from the answer back to events, told in sentences
//! that a person at support can read to a customer, and what would change the answer.
//!
//! [`explain`] judges by [`check()`] and [`effective`](super::effective()), as every answer does,
//! and then tells what they looked at: `steps` what holds for the feature, `origin` what gives it
//! and the facts that made that, `remedies` what would change it, `ahead` what time alone will.
//!
//! To add a step: give it a place in the order of [`explain`], a word in [`Step::what`], and a line
//! in a table of `tests/explain`.

mod ahead;
mod origin;
mod remedies;
mod steps;

use super::world::World;
use super::{Check, Effective, Entitlement, Holdings, Outcome, Setting, check, effective};
use crate::account::{ChangeView, LinkView, PaymentView};
use crate::catalog::{Catalogs, Feature};
use crate::event::Enforcement;
use crate::id::{EventKey, FeatureSlug, PlanSlug};
use crate::money::Money;
use crate::time::Timestamp;

pub use ahead::Ahead;

/// What an explanation is made from.
#[derive(Debug, Clone, Copy)]
pub struct Grounds<'a> {
    /// What the trainer holds.
    pub holdings: &'a Holdings,
    /// What else the answer depends on.
    pub setting: Setting<'a>,
    /// Every catalogue that is known, to look ahead.
    pub catalogs: &'a Catalogs,
    /// Who published the one in force, and when.
    pub published: &'a Said,
    /// How far denials are enforced, and who said so; none = nobody ever said anything.
    pub enforced: Option<(&'a Enforcement, &'a Said)>,
    /// What that means for the trainer.
    pub outcome: Outcome,
    /// The lives of subscriptions, in any order; the steps of each in theirs.
    pub lives: &'a [ChangeView],
    /// What administrators did to the trainer, in order.
    pub acts: &'a [ChangeView],
    /// Which customers are the trainer.
    pub links: &'a [LinkView],
    /// The trainer's payments.
    pub payments: &'a [PaymentView],
    /// How much of the feature was used.
    pub used: u64,
    /// The last events that counted, the latest first.
    pub uses: &'a [Use],
}

/// Something that was said once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: Box<str>,
    /// By which event.
    pub event: EventKey,
}

/// Something that was used, or given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// When.
    pub at: Timestamp,
    /// How much; less than 0 = given back.
    pub quantity: i64,
    /// By which event.
    pub event: EventKey,
}

/// Why a feature is answered as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What the trainer has of the feature.
    pub entitlement: Entitlement,
    /// Whether one more may be used.
    pub check: Check,
    /// The answer in a sentence.
    pub says: String,
    /// From the answer back to events.
    pub steps: Vec<Step>,
    /// What would change the answer.
    pub remedies: Vec<Remedy>,
    /// When time alone changes it, and to what.
    pub ahead: Vec<Ahead>,
}

/// One step of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is about: `enforcement`, `suspension`, `override`, `subscription`, ...
    pub what: &'static str,
    /// It in a sentence.
    pub says: String,
    /// When it happened or began, if it did.
    pub at: Option<Timestamp>,
    /// The events that say so; none only where nothing was used.
    pub events: Vec<EventKey>,
}

/// One thing that would change the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// What it is: `tier`, `add_on`, `release`, `pay`, `reinstate`, `override`, `resume` or `buy`.
    pub what: &'static str,
    /// It in a sentence.
    pub says: String,
    /// The plan to hold.
    pub plan: Option<PlanSlug>,
    /// How much to release.
    pub quantity: Option<u64>,
    /// How much to pay.
    pub amount: Option<Money>,
    /// The events that it rests on.
    pub events: Vec<EventKey>,
}

impl Step {
    fn new(what: &'static str, says: String) -> Self {
        Self { what, says, at: None, events: Vec::new() }
    }

    fn at(self, at: impl Into<Option<Timestamp>>) -> Self {
        Self { at: at.into(), ..self }
    }

    fn by<'e>(mut self, events: impl IntoIterator<Item = &'e EventKey>) -> Self {
        for event in events {
            if !self.events.contains(event) {
                self.events.push(event.clone());
            }
        }
        self
    }
}

/// Explains one feature; none if the catalogue has no such feature.
#[must_use]
pub fn explain(grounds: &Grounds<'_>, feature: &FeatureSlug) -> Option<Explanation> {
    let feature = grounds.setting.catalog.feature(feature)?;
    let answer = effective(grounds.holdings, &grounds.setting);
    let entitlement = answer.features.get(feature.slug())?.clone();
    let check = check(&entitlement, grounds.used, 1, grounds.outcome);
    let world = World::new(grounds.holdings, &grounds.setting);
    let case = Case { grounds, feature, answer: &answer, entitlement: &entitlement, check };
    let mut steps = Vec::from_iter(case.enforcement());
    steps.extend(case.suspension());
    steps.extend(case.overrides(&world));
    steps.extend(case.origin(&world));
    steps.push(case.catalog(&world));
    steps.extend(case.window(&world));
    steps.extend(case.usage());
    let (says, remedies, ahead) = (case.says(), case.remedies(&world), case.ahead());
    Some(Explanation { entitlement, check, says, steps, remedies, ahead })
}

/// One feature of one trainer, judged.
struct Case<'a> {
    grounds: &'a Grounds<'a>,
    feature: &'a Feature,
    answer: &'a Effective,
    entitlement: &'a Entitlement,
    check: Check,
}
