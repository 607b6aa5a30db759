//! From what a trainer holds to an answer.

use std::collections::BTreeMap;

use super::add_ons::add_ons;
use super::clock::Clock;
use super::features::Givers;
use super::held::{Everything, Held, everything};
use super::overrides::{Override, overrides};
use super::standing::Rules;
use super::tier::{Choice, choose};
use super::{Access, Anomaly, Denial, Effective, Entitlement, Holdings, Setting};
use crate::account::SubscriptionView;
use crate::catalog::Catalog;
use crate::event::Code;
use crate::id::{FeatureSlug, PlanSlug, StripeId};

/// What a trainer may do at `setting.now`, and why.
#[must_use]
pub fn effective(holdings: &Holdings, setting: &Setting<'_>) -> Effective {
    World::new(holdings, setting).answer()
}

/// Everything that parts of an answer are made from.
pub(super) struct World<'a> {
    holdings: &'a Holdings,
    catalog: &'a Catalog,
    clock: Clock,
    all: Everything<'a>,
    choice: Choice<'a>,
    overrides: Vec<Override<'a>>,
    suspended: bool,
}

impl<'a> World<'a> {
    pub(super) fn new(holdings: &'a Holdings, setting: &Setting<'a>) -> Self {
        let (catalog, clock) = (setting.catalog, Clock::new(setting.now));
        if let Some(until) = setting.catalog_until {
            clock.reached(until);
        }
        let rules = Rules {
            policies: catalog.policies(),
            billing: setting.billing,
            lost_disputes: &holdings.disputes.lost,
            clock: &clock,
        };
        let all = everything(holdings, catalog, rules);
        let choice = choose(&all, catalog);
        let overrides = overrides(&holdings.grants, &clock);
        let suspended_at = holdings.trainer.as_ref().and_then(|trainer| trainer.suspended_at);
        let suspended = suspended_at.is_some_and(|at| clock.reached(at));
        Self { holdings, catalog, clock, all, choice, overrides, suspended }
    }

    pub(super) fn givers(&self) -> Givers<'_> {
        Givers::new(&self.all.held, &self.choice, &self.overrides, self.suspended)
    }

    /// The overrides that count now.
    pub(super) fn overrides(&self) -> &[Override<'a>] {
        &self.overrides
    }

    /// The subscriptions of which no plan is known, the best first.
    pub(super) fn of_no_plan(&self) -> impl Iterator<Item = &'a SubscriptionView> {
        self.all.unknown.iter().map(|(view, _)| *view)
    }

    /// The tier that counts, else the one that ended last.
    pub(super) fn tier_that_counts(&self) -> Option<&Held<'a>> {
        self.choice.held.as_ref().or(self.choice.ended.as_ref())
    }

    fn answer(&self) -> Effective {
        let tier = self.choice.held.as_ref();
        let (access, locked_by) = self.access();
        let view = tier.and_then(Held::subscription);
        let trial_end = tier.and_then(Held::trial_end);
        let upgrades = self.upgrades();
        let mut answer = Effective {
            tier: tier.map(Held::shown),
            status: Code::new(self.choice.status),
            access,
            locked_by,
            current_period: view.and_then(|view| view.current_period),
            trial_end,
            trial_days_left: trial_end.map(|end| self.clock.days_until(end)),
            cancel_at: view.and_then(|view| view.cancel_at),
            ended_at: self.choice.ended_at,
            scheduled_change: tier.and_then(|tier| tier.scheduled(self.catalog, &self.clock)),
            add_ons: add_ons(&self.all, self.catalog, self.suspended),
            features: self.features(),
            can_upgrade: !upgrades.is_empty() && !self.suspended,
            available_upgrades: upgrades,
            requests_per_minute: tier.and_then(|tier| tier.plan.requests_per_minute()),
            open_disputes: self.holdings.disputes.open,
            anomalies: self.anomalies(),
            valid_until: None,
        };
        // Last, when every rule has asked the clock what it wanted to know.
        answer.valid_until = self.clock.next();
        answer
    }

    fn access(&self) -> (Access, Option<Denial>) {
        match &self.choice.held {
            Some(held) => held.access(self.suspended),
            None if self.suspended => (Access::Locked, Some(Denial::AccountSuspended)),
            None => (Access::None, None),
        }
    }

    fn features(&self) -> BTreeMap<FeatureSlug, Entitlement> {
        let givers = self.givers();
        let features = self.catalog.features().iter();
        features
            .map(|feature| {
                let entitlement = givers.entitlement(feature, self.catalog, &self.clock);
                (feature.slug().clone(), entitlement)
            })
            .collect()
    }

    /// The default tier is nobody's upgrade: it is what remains without one.
    fn upgrades(&self) -> Vec<PlanSlug> {
        let level = self.choice.held.as_ref().and_then(|held| held.plan.level());
        let slugs = self.catalog.upgrades_from(level).map(|tier| tier.slug());
        let default = self.catalog.policies().default_tier.as_ref();
        slugs.filter(|slug| Some(*slug) != default).cloned().collect()
    }

    fn anomalies(&self) -> Vec<Anomaly> {
        let mut found = self.all.anomalies.clone();
        let open: Vec<_> = self.all.tiers().filter(|tier| tier.is_open()).collect();
        if open.len() > 1 {
            found.push(Anomaly::SeveralTiers(open.into_iter().map(Held::source).collect()));
        }
        for plan in self.catalog.add_ons() {
            let open = self
                .all
                .held
                .iter()
                .filter(|held| held.is_open() && held.plan.slug() == plan.slug());
            let sources: Vec<_> = open.map(Held::source).collect();
            if sources.len() > 1 {
                found.push(Anomaly::AddOnTwice { add_on: plan.slug().clone(), sources });
            }
        }
        found.extend(self.second_trials());
        found.extend(self.overrides.iter().filter_map(|x| x.anomaly(self.catalog)));
        found.sort();
        found.dedup();
        found
    }

    /// Trials of tiers after the first one, whether the subscriptions still run or not.
    fn second_trials(&self) -> Vec<Anomaly> {
        let views = self.all.tiers().filter_map(Held::subscription);
        let mut tried: Vec<_> = views.filter_map(|v| Some((v.trial?.from, &v.id))).collect();
        tried.sort_unstable();
        let Some(&(_, earlier)) = tried.first() else { return Vec::new() };
        // One subscription may be to two tiers.
        let later = tried.into_iter().map(|(_, id)| id).filter(|id| *id != earlier);
        let second = |subscription: &StripeId| Anomaly::SecondTrial {
            subscription: subscription.clone(),
            earlier: earlier.clone(),
        };
        later.map(second).collect()
    }
}
