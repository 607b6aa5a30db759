//! What a trainer has of each feature: each follows whatever gives it.

use super::clock::Clock;
use super::held::Held;
use super::overrides::Override;
use super::tier::Choice;
use super::windows::calendar_of;
use super::{Denial, Entitlement, Giver};
use crate::account::{GrantView, SubscriptionView};
use crate::catalog::{Allowance, Catalog, Feature, FeatureKind, Reset};
use crate::id::FeatureSlug;
use crate::time::Interval;

/// What features are given by.
pub(super) struct Givers<'h> {
    /// Plans that can be used, the tier that counts first.
    open: Vec<&'h Held<'h>>,
    /// Plans that are locked. While a tier serves, a locked one isn't among them: an abandoned
    /// checkout of a higher tier is no reason for anything.
    locked: Vec<&'h Held<'h>>,
    /// The tier that ended, where nothing gives one since.
    ended: Option<&'h Held<'h>>,
    overrides: &'h [Override<'h>],
    suspended: bool,
}

/// Something of a feature, and what gives it.
#[derive(Clone, Copy)]
struct Given<'h> {
    allowance: Allowance,
    by: By<'h>,
}

#[derive(Clone, Copy)]
enum By<'h> {
    Plan(&'h Held<'h>),
    Override(&'h GrantView),
}

impl By<'_> {
    fn giver(self) -> Giver {
        match self {
            Self::Plan(held) => held.giver(),
            Self::Override(view) => Giver::Override { event: view.event.clone() },
        }
    }
}

impl<'h> Givers<'h> {
    pub(super) fn new(
        held: &'h [Held<'h>],
        choice: &'h Choice<'h>,
        overrides: &'h [Override<'h>],
        suspended: bool,
    ) -> Self {
        let tier_serves = choice.held.as_ref().is_some_and(Held::is_open);
        let by_default = choice.held.iter().filter(|held| held.is_default());
        let hindered = |held: &&Held<'_>| tier_serves && held.plan.is_tier();
        Self {
            open: by_default.chain(held.iter().filter(|held| held.is_open())).collect(),
            locked: held.iter().filter(|held| held.is_locked() && !hindered(held)).collect(),
            ended: choice.ended.as_ref(),
            overrides,
            suspended,
        }
    }

    /// What the trainer has of a feature.
    pub(super) fn entitlement(
        &self,
        feature: &Feature,
        catalog: &Catalog,
        clock: &Clock,
    ) -> Entitlement {
        let (slug, kind) = (feature.slug(), feature.kind());
        let usable = self.usable(feature);
        let locked = most_generous(&self.locked, slug).filter(|_| usable.is_none());
        let soft = usable.is_some() && self.open.iter().any(|held| held.soft && gives(held, slug));
        let given = usable.or(locked).map(|given| (given, soft));
        let given = given.map(|(given, soft)| self.capped(slug, given, soft));
        let denial = match given {
            _ if self.suspended => Some(Denial::AccountSuspended),
            None => Some(self.denial_of_nothing(slug)),
            // Capped away.
            Some((given, _)) if !given.allowance.grants_something() => {
                Some(Denial::FeatureNotAvailable)
            }
            Some(_) => locked.and_then(Given::locked_by),
        };
        Entitlement {
            kind,
            allowance: given.map_or(kind.nothing(), |(given, _)| given.allowance),
            soft: given.is_some_and(|(_, soft)| soft),
            giver: given.map(|(given, _)| given.by.giver()),
            cap: self.cap(slug).map(|(cap, _)| cap),
            denial,
            window: self.window(feature, clock),
            warn_percent: catalog.policies().usage_warning_percent,
        }
    }

    /// The most that anything usable gives. A plan goes before an override that gives no more.
    fn usable(&self, feature: &Feature) -> Option<Given<'h>> {
        let mut best = most_generous(&self.open, feature.slug());
        for lift in self.overrides.iter().filter(|x| x.feature == feature.slug()) {
            let Some(allowance) = lift.floor(feature.kind()) else { continue };
            let more = best.is_none_or(|best| best.allowance < allowance);
            if more && allowance.grants_something() {
                best = Some(Given { allowance, by: By::Override(lift.view) });
            }
        }
        best
    }

    /// An explicit cap wins over all. Under a soft limit it is the one that holds, although it may
    /// be the higher of the two.
    fn capped(&self, feature: &FeatureSlug, given: Given<'h>, soft: bool) -> (Given<'h>, bool) {
        let Some((cap, view)) = self.cap(feature) else { return (given, soft) };
        let allowance = match given.allowance {
            Allowance::Flag(on) => Allowance::Flag(on && cap > 0),
            _ if soft => Allowance::Capped(cap),
            other => other.min(Allowance::Capped(cap)),
        };
        if allowance == given.allowance {
            return (given, false);
        }
        (Given { allowance, by: By::Override(view) }, false)
    }

    /// The lowest cap of a feature, and what set it.
    fn cap(&self, feature: &FeatureSlug) -> Option<(u64, &'h GrantView)> {
        let caps = self.overrides.iter().filter(|x| x.feature == feature);
        caps.filter_map(|x| Some((x.cap()?, x.view))).min_by_key(|(cap, _)| *cap)
    }

    /// Nobody gives the feature. Where the tier that ended gave it, that is the reason.
    fn denial_of_nothing(&self, feature: &FeatureSlug) -> Denial {
        if self.ended.is_some_and(|held| gives(held, feature)) {
            Denial::SubscriptionInactive
        } else {
            Denial::FeatureNotAvailable
        }
    }

    fn window(&self, feature: &Feature, clock: &Clock) -> Option<Interval> {
        let FeatureKind::Quota { reset } = feature.kind() else {
            return None;
        };
        let window = calendar_of(self.timekeeper(feature), reset).window(clock.now());
        clock.reached(window.until);
        Some(window)
    }

    /// The window of a quota that contains an instant, by the calendar that it has now.
    pub(super) fn window_at(
        &self,
        feature: &Feature,
        reset: Reset,
        at: crate::time::Timestamp,
    ) -> Interval {
        calendar_of(self.timekeeper(feature), reset).window(at)
    }

    /// The subscription whose calendar a quota follows; none where it follows calendar months.
    pub(super) fn calendar_by(&self, feature: &Feature) -> Option<&'h SubscriptionView> {
        self.timekeeper(feature).and_then(Held::subscription)
    }

    /// Whose calendar a quota follows: that of the most generous subscription that gives it. What
    /// administrators add doesn't move its windows. Where nothing gives it any more, a locked
    /// subscription keeps its calendar for the day on which it is paid.
    fn timekeeper(&self, feature: &Feature) -> Option<&'h Held<'h>> {
        let paid = |held: &[&'h Held<'h>]| -> Vec<_> {
            held.iter().copied().filter(|held| held.subscription().is_some()).collect()
        };
        let mut given = most_generous(&paid(&self.open), feature.slug());
        if given.is_none() && self.usable(feature).is_none() {
            given = most_generous(&paid(&self.locked), feature.slug());
        }
        match given?.by {
            By::Plan(held) => Some(held),
            By::Override(_) => None,
        }
    }
}

impl Given<'_> {
    const fn locked_by(self) -> Option<Denial> {
        match self.by {
            By::Plan(held) => held.standing.locked_by,
            By::Override(_) => None,
        }
    }
}

/// The most that one of these plans gives of a feature; of equal ones, the first.
fn most_generous<'h>(held: &[&'h Held<'h>], feature: &FeatureSlug) -> Option<Given<'h>> {
    let mut best: Option<Given<'h>> = None;
    for held in held.iter().copied().filter(|held| gives(held, feature)) {
        let Some(allowance) = held.plan.allowance(feature) else { continue };
        if best.is_none_or(|best| best.allowance < allowance) {
            best = Some(Given { allowance, by: By::Plan(held) });
        }
    }
    best
}

fn gives(held: &Held<'_>, feature: &FeatureSlug) -> bool {
    held.plan.allowance(feature).is_some_and(Allowance::grants_something)
}
