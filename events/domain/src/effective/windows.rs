//! Windows: in which stretch of time the usage of a quota counts.
//!
//! A quota of the month starts afresh on the monthly anniversaries of the anchor of the
//! subscription that gives it, also under annual billing; one of the billing period, with that
//! subscription's periods. Without a subscription, windows are calendar months. All UTC.

use super::calendar::{Calendar, Grid, Step};
use super::held::{Held, Origin};
use super::{Holdings, Setting, World};
use crate::account::SubscriptionView;
use crate::catalog::{FeatureKind, Reset};
use crate::event::stripe::Item;
use crate::id::FeatureSlug;
use crate::time::{Interval, Timestamp};

/// The window of a quota that contains an instant, past or to come; none for a feature that is no
/// quota.
///
/// The calendar is the one that the quota follows at `setting.now`. So every instant lies in
/// exactly one window, windows touch, and the one of `now` is that of the
/// [entitlement](super::Entitlement::window): usage that is told late finds its place, and what
/// was counted under an earlier subscription is seen in the windows of today's. Periods to come
/// are extrapolated until Stripe tells of them.
#[must_use]
pub fn window_at(
    holdings: &Holdings,
    setting: &Setting<'_>,
    feature: &FeatureSlug,
    at: Timestamp,
) -> Option<Interval> {
    let feature = setting.catalog.feature(feature)?;
    let FeatureKind::Quota { reset } = feature.kind() else {
        return None;
    };
    let world = World::new(holdings, setting);
    Some(world.givers().window_at(feature, reset, at))
}

/// The calendar of a quota that a plan gives; calendar months where no subscription does.
pub(super) fn calendar_of(held: Option<&Held<'_>>, reset: Reset) -> Calendar {
    let by_subscription = held.and_then(|held| match held.origin {
        Origin::Subscription(view, item) => match reset {
            Reset::Month => months_of(view),
            Reset::BillingPeriod => periods_of(view, step_of(held, item)),
        },
        Origin::Grant(_) | Origin::Default => None,
    });
    by_subscription.unwrap_or_else(|| Calendar::Even(Grid::calendar_months()))
}

fn months_of(view: &SubscriptionView) -> Option<Calendar> {
    anchor_of(view).map(|anchor| Calendar::Even(Grid::new(anchor, Step::MONTH)))
}

fn periods_of(view: &SubscriptionView, step: Step) -> Option<Calendar> {
    match view.current_period.filter(|period| period.from < period.until) {
        Some(period) => Some(Calendar::around(period, view.anchor, step)),
        None => anchor_of(view).map(|anchor| Calendar::Even(Grid::new(anchor, step))),
    }
}

/// Stripe always tells the anchor; for facts that don't, the end of a period lies on its grid,
/// which the start of a trial doesn't.
fn anchor_of(view: &SubscriptionView) -> Option<Timestamp> {
    view.anchor.or(view.current_period.map(|period| period.until)).or(view.started_at)
}

/// How long a period is: as the item says, else as the catalogue knows the price.
fn step_of(held: &Held<'_>, item: &Item) -> Step {
    let count = item.price.interval_count.unwrap_or(1);
    let told = item.price.interval.as_ref().and_then(|word| Step::of(word.as_str(), count));
    let known = || held.interval.and_then(|interval| Step::of(interval.as_str(), count));
    told.or_else(known).unwrap_or(Step::MONTH)
}
