//! What administrators did to single features: the acts that count now, and what they change.

use super::Anomaly;
use super::clock::Clock;
use super::held::in_force;
use crate::account::{Grant, GrantView};
use crate::catalog::{Allowance, Catalog, FeatureKind};
use crate::event::OverrideEffect;
use crate::id::FeatureSlug;

/// An override that counts now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Override<'a> {
    pub(super) view: &'a GrantView,
    pub(super) feature: &'a FeatureSlug,
    effect: OverrideEffect,
}

/// The overrides that count now, the earliest first.
pub(super) fn overrides<'a>(grants: &'a [GrantView], clock: &Clock) -> Vec<Override<'a>> {
    let counting = grants.iter().filter(|view| in_force(view, clock));
    let mut found: Vec<_> = counting.filter_map(Override::of).collect();
    found.sort_by_key(|x| (x.view.granted_at, &x.view.event));
    found
}

impl<'a> Override<'a> {
    const fn of(view: &'a GrantView) -> Option<Self> {
        match &view.grant {
            Grant::Override { feature, effect } => Some(Self { view, feature, effect: *effect }),
            Grant::Assigned { .. } | Grant::Grandfathered { .. } => None,
        }
    }

    /// What it allows at least; none for a cap.
    pub(super) const fn floor(self, kind: FeatureKind) -> Option<Allowance> {
        match (kind, self.effect) {
            (_, OverrideEffect::Cap(_)) => None,
            (FeatureKind::Flag, OverrideEffect::Grant | OverrideEffect::Unlimited) => {
                Some(Allowance::Flag(true))
            }
            (FeatureKind::Flag, OverrideEffect::Lift(count)) => Some(Allowance::Flag(count > 0)),
            // How many, it doesn't say.
            (FeatureKind::Limit | FeatureKind::Quota { .. }, OverrideEffect::Grant) => None,
            (_, OverrideEffect::Unlimited) => Some(Allowance::Unlimited),
            (_, OverrideEffect::Lift(count)) => Some(Allowance::Capped(count)),
        }
    }

    /// What it allows at most; none unless it is a cap.
    pub(super) const fn cap(self) -> Option<u64> {
        match self.effect {
            OverrideEffect::Cap(cap) => Some(cap),
            OverrideEffect::Grant | OverrideEffect::Lift(_) | OverrideEffect::Unlimited => None,
        }
    }

    /// Why it can't do anything, if so.
    pub(super) fn anomaly(self, catalog: &Catalog) -> Option<Anomaly> {
        let does = |kind| self.cap().is_some() || self.floor(kind).is_some();
        if catalog.feature(self.feature).is_some_and(|feature| does(feature.kind())) {
            return None;
        }
        let (event, feature) = (self.view.event.clone(), self.feature.clone());
        Some(Anomaly::UselessOverride { event, feature })
    }
}
