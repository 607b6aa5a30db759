//! The shapes of answers about what a trainer holds, made from `effective`.

use std::collections::BTreeMap;

use ledger_domain::catalog::FeatureKind;
use ledger_domain::effective::{Effective, Entitlement, Meter};
use ledger_domain::id::{FeatureSlug, PlanSlug, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use serde::Serialize;

/// What a trainer has used: in the current window of a quota, or the standing count of a limit.
pub(crate) type Used = BTreeMap<FeatureSlug, u64>;

/// `GET /api/v1/entitlements`
#[derive(Debug, Serialize)]
pub(crate) struct Entitlements {
    trainer_id: TrainerId,
    tier: Option<PlanSlug>,
    tier_level: Option<u32>,
    subscription_status: String,
    access: &'static str,
    evaluated_at: Timestamp,
    position: i64,
    features: BTreeMap<FeatureSlug, Feature>,
}

/// What a trainer has of one feature.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Feature {
    Flag {
        kind: &'static str,
        granted: bool,
        source: Option<String>,
    },
    Counted {
        kind: &'static str,
        granted: bool,
        limit: Option<u64>,
        used: u64,
        remaining: Option<u64>,
        percent: Option<u64>,
        #[serde(flatten)]
        window: Option<Window>,
    },
}

/// The window of a quota.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Window {
    period_start: Timestamp,
    period_end: Timestamp,
}

/// `GET /api/v1/tiers/current`
#[derive(Debug, Serialize)]
pub(crate) struct Current {
    trainer_id: TrainerId,
    tier: Option<Tier>,
    status: String,
    access: &'static str,
    interval: Option<&'static str>,
    current_period_start: Option<Timestamp>,
    current_period_end: Option<Timestamp>,
    trial_end: Option<Timestamp>,
    cancel_at: Option<Timestamp>,
    scheduled_change: Option<ScheduledChange>,
    add_ons: Vec<AddOn>,
    limits: BTreeMap<FeatureSlug, Limit>,
    flags: Vec<&'static str>,
    available_upgrades: Vec<PlanSlug>,
    can_upgrade: bool,
    position: i64,
}

#[derive(Debug, Serialize)]
struct Tier {
    slug: PlanSlug,
    name: Box<str>,
    level: u32,
}

#[derive(Debug, Serialize)]
struct ScheduledChange {
    tier: PlanSlug,
    effective_at: Timestamp,
}

#[derive(Debug, Serialize)]
struct AddOn {
    slug: PlanSlug,
    status: String,
    current_period_end: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct Limit {
    limit: Option<u64>,
    used: u64,
}

impl Entitlements {
    pub(crate) fn new(
        trainer: TrainerId,
        answer: &Effective,
        used: &Used,
        at: Timestamp,
        position: i64,
    ) -> Self {
        let features = answer.features.iter();
        Self {
            trainer_id: trainer,
            tier: answer.tier.as_ref().map(|tier| tier.slug.clone()),
            tier_level: answer.tier.as_ref().map(|tier| tier.level),
            subscription_status: answer.status.as_str().to_owned(),
            access: answer.access.as_str(),
            evaluated_at: at,
            position,
            features: features
                .map(|(slug, has)| (slug.clone(), Feature::new(has, used_of(used, slug))))
                .collect(),
        }
    }
}

impl Feature {
    pub(crate) fn new(has: &Entitlement, used: u64) -> Self {
        let (kind, granted) = (has.kind.as_str(), has.granted());
        if has.kind == FeatureKind::Flag {
            let source = has.giver.as_ref().filter(|_| granted);
            return Self::Flag { kind, granted, source: source.map(|g| g.as_str().to_owned()) };
        }
        let Meter { used, limit, remaining, percent, .. } = has.meter(used);
        let window = has.window.map(Window::from);
        Self::Counted { kind, granted, limit, used, remaining, percent, window }
    }
}

impl From<Interval> for Window {
    fn from(window: Interval) -> Self {
        Self { period_start: window.from, period_end: window.until }
    }
}

impl Current {
    pub(crate) fn new(trainer: TrainerId, answer: &Effective, used: &Used, position: i64) -> Self {
        let tier = answer.tier.as_ref();
        Self {
            trainer_id: trainer,
            tier: tier.map(|tier| Tier {
                slug: tier.slug.clone(),
                name: tier.name.clone(),
                level: tier.level,
            }),
            status: answer.status.as_str().to_owned(),
            access: answer.access.as_str(),
            interval: tier.and_then(|tier| tier.interval).map(|interval| interval.as_str()),
            current_period_start: answer.current_period.map(|period| period.from),
            current_period_end: answer.current_period.map(|period| period.until),
            trial_end: answer.trial_end,
            cancel_at: answer.cancel_at,
            scheduled_change: answer.scheduled_change.as_ref().map(|change| ScheduledChange {
                tier: change.tier.clone(),
                effective_at: change.at,
            }),
            add_ons: add_ons(answer),
            limits: limits(answer, used),
            flags: flags(answer, used),
            available_upgrades: answer.available_upgrades.clone(),
            can_upgrade: answer.can_upgrade,
            position,
        }
    }
}

fn add_ons(answer: &Effective) -> Vec<AddOn> {
    let held = answer.add_ons.iter().map(|add_on| AddOn {
        slug: add_on.slug.clone(),
        status: add_on.status.as_str().to_owned(),
        current_period_end: add_on.current_period_end,
    });
    held.collect()
}

/// The standing counts.
fn limits(answer: &Effective, used: &Used) -> BTreeMap<FeatureSlug, Limit> {
    let limits = answer.features.iter().filter(|(_, has)| has.kind == FeatureKind::Limit);
    limits
        .map(|(slug, has)| (slug.clone(), Limit { limit: has.limit(), used: used_of(used, slug) }))
        .collect()
}

/// What somebody should know about the trainer.
fn flags(answer: &Effective, used: &Used) -> Vec<&'static str> {
    let is_over = answer
        .features
        .iter()
        .any(|(slug, has)| has.granted() && has.meter(used_of(used, slug)).over);
    let flags = [("dispute_open", answer.open_disputes > 0), ("over_limit", is_over)];
    flags.into_iter().filter_map(|(flag, is_set)| is_set.then_some(flag)).collect()
}

pub(crate) fn used_of(used: &Used, feature: &FeatureSlug) -> u64 {
    used.get(feature).copied().unwrap_or_default()
}
