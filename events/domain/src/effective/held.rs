//! What a trainer holds: every plan that something gives, with how that stands.

use std::cmp::Reverse;

use super::clock::Clock;
use super::standing::{Rules, Standing, standing};
use super::{Access, Anomaly, Giver, Holdings, Source, status};
use crate::account::{Grant, GrantView, SubscriptionView};
use crate::catalog::{self, Catalog, Plan};
use crate::event::stripe::Item;
use crate::id::EventKey;
use crate::time::Timestamp;

/// A plan that something gives.
#[derive(Debug, Clone)]
pub(super) struct Held<'a> {
    pub(super) plan: &'a Plan,
    pub(super) origin: Origin<'a>,
    pub(super) interval: Option<catalog::Interval>,
    pub(super) since: Option<Timestamp>,
    pub(super) standing: Standing<'a>,
    /// Whether its limits may be exceeded.
    pub(super) soft: bool,
}

/// What gives a plan.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin<'a> {
    Subscription(&'a SubscriptionView, &'a Item),
    Grant(&'a GrantView),
    Default,
}

impl<'a> Held<'a> {
    pub(super) fn default_tier(plan: &'a Plan) -> Self {
        Self {
            plan,
            origin: Origin::Default,
            interval: None,
            since: None,
            standing: Standing::granted(status::FREE),
            soft: false,
        }
    }

    pub(super) const fn subscription(&self) -> Option<&'a SubscriptionView> {
        match self.origin {
            Origin::Subscription(view, _) => Some(view),
            Origin::Grant(_) | Origin::Default => None,
        }
    }

    pub(super) fn source(&self) -> Source {
        match self.origin {
            Origin::Subscription(view, _) => Source::Subscription(view.id.clone()),
            Origin::Grant(grant) => Source::Grant(grant.event.clone()),
            Origin::Default => Source::Default,
        }
    }

    pub(super) fn event(&self) -> Option<EventKey> {
        match self.origin {
            Origin::Subscription(view, _) => Some(view.last_event.clone()),
            Origin::Grant(grant) => Some(grant.event.clone()),
            Origin::Default => None,
        }
    }

    pub(super) fn giver(&self) -> Giver {
        let (plan, source, event) = (self.plan.slug().clone(), self.source(), self.event());
        if self.plan.is_tier() {
            Giver::Tier { plan, source, event }
        } else {
            Giver::AddOn { plan, source, event }
        }
    }

    pub(super) const fn is_default(&self) -> bool {
        matches!(self.origin, Origin::Default)
    }

    pub(super) const fn is_open(&self) -> bool {
        self.standing.access.is_open()
    }

    pub(super) fn is_locked(&self) -> bool {
        self.standing.access == Access::Locked
    }

    /// What serves the trainer best comes first: access, then level, then what began last, as the
    /// later purchase is the later will. Ids decide the rest, so that no order of arrival does.
    fn rank(&self) -> impl Ord + use<'a> {
        let id = match self.origin {
            Origin::Subscription(view, _) => view.id.as_str(),
            Origin::Grant(grant) => grant.event.id.as_str(),
            Origin::Default => "",
        };
        let plan = self.plan;
        let serves = (Reverse(self.standing.access), Reverse(plan.level()), Reverse(self.since));
        (serves, id, plan.slug().as_str())
    }
}

/// What stands behind the plans held.
pub(super) struct Everything<'a> {
    /// Every plan held or once held by subscriptions, and held by grants; the best first.
    pub(super) held: Vec<Held<'a>>,
    /// Subscriptions of which no plan is known: they may have given a tier.
    pub(super) unknown: Vec<(&'a SubscriptionView, Standing<'a>)>,
    pub(super) anomalies: Vec<Anomaly>,
}

/// Everything that gives or gave a plan.
pub(super) fn everything<'a>(
    holdings: &'a Holdings,
    catalog: &'a Catalog,
    rules: Rules<'_>,
) -> Everything<'a> {
    let mut all = Everything { held: Vec::new(), unknown: Vec::new(), anomalies: Vec::new() };
    for view in &holdings.subscriptions {
        all.add_subscription(view, catalog, standing(view, rules));
    }
    for grant in &holdings.grants {
        if in_force(grant, rules.clock) {
            all.add_grant(grant, catalog);
        }
    }
    all.held.sort_by(|a, b| a.rank().cmp(&b.rank()));
    all.unknown.sort_by_key(|(view, standing)| {
        (Reverse(standing.access), Reverse(standing.ended_at), Reverse(view.started_at), &view.id)
    });
    all
}

/// Whether a grant counts now.
pub(super) fn in_force(grant: &GrantView, clock: &Clock) -> bool {
    let over = [grant.expires_at, grant.revoked_at].into_iter().flatten().min();
    clock.reached(grant.granted_at) && !over.is_some_and(|over| clock.reached(over))
}

impl<'a> Everything<'a> {
    fn add_subscription(
        &mut self,
        view: &'a SubscriptionView,
        catalog: &'a Catalog,
        standing: Standing<'a>,
    ) {
        if standing.is_live() {
            self.anomalies.extend(anomalies_of(view, catalog, standing));
        }
        let first = self.held.len();
        for item in &view.items {
            let Some((plan, interval)) = catalog.plan_by_price(&item.price.id) else {
                continue;
            };
            // A plan may be sold as several prices at once, such as a base and a metered part.
            if self.held[first..].iter().any(|held| held.plan.slug() == plan.slug()) {
                continue;
            }
            self.held.push(Held {
                plan,
                origin: Origin::Subscription(view, item),
                interval: Some(interval),
                since: view.started_at,
                standing,
                soft: false,
            });
        }
        if self.held.len() == first {
            self.unknown.push((view, standing));
        }
    }

    fn add_grant(&mut self, grant: &'a GrantView, catalog: &'a Catalog) {
        let (slug, word, interval, soft) = match &grant.grant {
            Grant::Assigned { tier, interval } => {
                (tier, status::ASSIGNED, interval.as_ref(), false)
            }
            Grant::Grandfathered { tier } => (tier, status::GRANDFATHERED, None, true),
            Grant::Override { .. } => return,
        };
        let Some(plan) = catalog.plan(slug) else {
            let (event, plan) = (grant.event.clone(), slug.clone());
            self.anomalies.push(Anomaly::UnknownPlan { event, plan });
            return;
        };
        let mut intervals = catalog::Interval::ALL.into_iter();
        self.held.push(Held {
            plan,
            origin: Origin::Grant(grant),
            interval: interval.and_then(|word| intervals.find(|known| *word == known.as_str())),
            since: Some(grant.granted_at),
            standing: Standing::granted(word),
            soft,
        });
    }
}

fn anomalies_of(
    view: &SubscriptionView,
    catalog: &Catalog,
    standing: Standing<'_>,
) -> Vec<Anomaly> {
    let subscription = &view.id;
    let unknown = view.items.iter().map(|item| &item.price.id);
    let unknown = unknown.filter(|price| catalog.plan_by_price(price).is_none());
    let mut found: Vec<_> = unknown
        .map(|price| Anomaly::UnknownPrice {
            subscription: subscription.clone(),
            price: price.clone(),
        })
        .collect();
    if !view.items_complete {
        found.push(Anomaly::ItemsIncomplete(subscription.clone()));
    }
    if !standing.known {
        let (subscription, status) = (subscription.clone(), view.status.clone());
        found.push(Anomaly::UnknownStatus { subscription, status });
    }
    found
}
