//! The answer itself, and what holds for the feature whatever gives it.

use super::{Case, Step};
use crate::account::{Change, Grant};
use crate::catalog::{Allowance, FeatureKind};
use crate::effective::{Giver, World, because};
use crate::event::{Enforcement, OverrideEffect};

impl Case<'_> {
    pub(super) fn name(&self) -> &str {
        self.feature.name()
    }

    /// The answer in a sentence.
    pub(super) fn says(&self) -> String {
        let (name, check) = (self.name(), &self.check);
        let used = check.meter.used;
        let counted = match (self.entitlement.kind, check.meter.limit) {
            (FeatureKind::Flag, _) => String::new(),
            (_, Some(limit)) => format!(" {used} of {limit} are in use."),
            (_, None) => format!(" {used} are in use, and there is no limit."),
        };
        let Some(denial) = check.denial else {
            let soft = if check.over_soft_limit { " The limit may be exceeded." } else { "" };
            return format!("{name} is granted.{counted}{soft}");
        };
        let because = because(self.answer, self.entitlement, denial, used);
        if check.allowed {
            return format!("{name} would be denied, since {because}; but it is let pass.");
        }
        format!("{name} is denied: {because}.")
    }

    /// How far denials are enforced, unless that is as it always was.
    pub(super) fn enforcement(&self) -> Option<Step> {
        let (mode, said) = self.grounds.enforced?;
        let is_meant = if self.grounds.outcome.enforced { "is" } else { "is not" };
        let says = match mode {
            Enforcement::On => "Denials are carried out for everybody.".to_owned(),
            Enforcement::Off => "Nobody is denied anything: enforcement is off.".to_owned(),
            Enforcement::Shadow => {
                "Nobody is denied anything: answers only tell who would be.".to_owned()
            }
            Enforcement::Internal(_) => format!(
                "Denials are carried out for the trainers on a list, and this one {is_meant} on it."
            ),
            Enforcement::Percent(percent) => format!(
                "Denials are carried out for {percent} percent of the trainers, and this one \
                 {is_meant} among them."
            ),
        };
        Some(Step::new("enforcement", says).at(said.at).by([&said.event]))
    }

    pub(super) fn suspension(&self) -> Option<Step> {
        let since = self.grounds.holdings.trainer.as_ref()?.suspended_at?;
        if since > self.grounds.setting.now {
            return None;
        }
        let mut acts = self.grounds.acts.iter().rev();
        let act = acts.find(|act| act.change == Change::Suspended && act.at == since);
        let by = act.map(|act| format!(" by {}", act.actor)).unwrap_or_default();
        let says = format!("The trainer was locked out{by} on {since}.");
        Some(Step::new("suspension", says).at(since).by(act.map(|act| &act.event)))
    }

    /// What administrators did to the feature, as far as that counts now.
    pub(super) fn overrides(&self, world: &World<'_>) -> Vec<Step> {
        let overrides = world.overrides().iter().filter(|x| x.feature == self.feature.slug());
        let step = |view: &crate::account::GrantView| {
            let Grant::Override { effect, .. } = &view.grant else { return None };
            let name = self.name();
            let does = match effect {
                OverrideEffect::Grant => format!("grants {name}"),
                OverrideEffect::Lift(count) => format!("lifts {name} to {count}"),
                OverrideEffect::Unlimited => format!("lifts the limit of {name}"),
                OverrideEffect::Cap(count) => format!("caps {name} at {count}"),
            };
            let until = view.expires_at.map(|until| format!(" until {until}")).unwrap_or_default();
            let decides = self.entitlement.giver.as_ref().is_some_and(
                |giver| matches!(giver, Giver::Override { event } if *event == view.event),
            );
            let decides = if decides { "" } else { ", which changes nothing here" };
            let says = format!("An override by {} {does}{until}{decides}.", view.actor);
            Some(Step::new("override", says).at(view.granted_at).by([&view.event]))
        };
        overrides.filter_map(|x| step(x.view)).collect()
    }

    /// Which catalogue is in force, and what it says of the feature.
    pub(super) fn catalog(&self, world: &World<'_>) -> Step {
        let (name, said) = (self.name(), self.grounds.published);
        let says = match self.plan(world) {
            Some(plan) => {
                let allowance = plan.allowance(self.feature.slug());
                let grants = match allowance.unwrap_or(self.feature.kind().nothing()) {
                    Allowance::Flag(true) => format!("grants {name}"),
                    Allowance::Capped(0) | Allowance::Flag(false) => format!("grants no {name}"),
                    Allowance::Capped(count) => format!("grants {count} of {name}"),
                    Allowance::Unlimited => format!("grants {name} without a limit"),
                };
                format!("By the catalogue published on {}, {} {grants}.", said.at, plan.name())
            }
            None => format!("The catalogue published on {} is in force.", said.at),
        };
        Step::new("catalog", says).at(said.at).by([&said.event])
    }

    /// When what is used counts, by the subscription that says so, else by the catalogue.
    pub(super) fn window(&self, world: &World<'_>) -> Option<Step> {
        let window = self.entitlement.window?;
        let (whose, event) = match world.givers().calendar_by(self.feature) {
            Some(view) => (format!("by the dates of subscription {}", view.id), &view.last_event),
            None => ("by calendar months".to_owned(), &self.grounds.published.event),
        };
        let (from, until) = (window.from, window.until);
        let says = format!("What is used counts from {from} until {until}, {whose}.");
        Some(Step::new("window", says).at(from).by([event]))
    }

    /// What was used, by the last events.
    pub(super) fn usage(&self) -> Option<Step> {
        if self.entitlement.kind == FeatureKind::Flag {
            return None;
        }
        let (used, uses) = (self.check.meter.used, self.grounds.uses);
        let Some(last) = uses.first() else {
            return Some(Step::new("usage", "Nothing was used.".to_owned()));
        };
        let sum = uses.iter().fold(0_i64, |sum, each| sum.saturating_add(each.quantity));
        let last_ones = match uses.len() {
            1 => "the last event".to_owned(),
            count => format!("the last {count} events"),
        };
        let says = format!(
            "Of {}, {used} are in use, {sum} of them by {last_ones}, the latest on {}.",
            self.name(),
            last.at
        );
        Some(Step::new("usage", says).at(last.at).by(uses.iter().map(|each| &each.event)))
    }
}
