//! The shapes of answers about what a trainer holds, made from `effective`.

use std::collections::BTreeMap;

use ledger_domain::catalog::FeatureKind;
use ledger_domain::effective::{Effective, Entitlement, Meter};
use ledger_domain::id::{FeatureSlug, PlanSlug, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::schema;

/// What a trainer has used: in the current window of a quota, or the standing count of a limit.
pub(crate) type Used = BTreeMap<FeatureSlug, u64>;

/// Every feature of the catalogue, as a trainer has it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Entitlements {
    #[schema(value_type = schema::TrainerId)]
    trainer_id: TrainerId,
    #[schema(value_type = Option<schema::PlanSlug>)]
    tier: Option<PlanSlug>,
    tier_level: Option<u32>,
    subscription_status: String,
    #[schema(pattern = "^(granted|grace|locked|none)$")]
    access: &'static str,
    #[schema(value_type = schema::Timestamp)]
    evaluated_at: Timestamp,
    position: i64,
    #[schema(value_type = BTreeMap<String, Feature>)]
    features: BTreeMap<FeatureSlug, Feature>,
}

/// What a trainer has of one feature.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Feature {
    /// A flag.
    Flag {
        #[schema(pattern = "^flag$")]
        kind: &'static str,
        granted: bool,
        /// What grants it: `tier`, an add-on, `override`.
        source: Option<String>,
    },
    /// A limit or a quota.
    Counted {
        #[schema(pattern = "^(limit|quota)$")]
        kind: &'static str,
        granted: bool,
        /// Null = unlimited.
        limit: Option<u64>,
        used: u64,
        remaining: Option<u64>,
        percent: Option<u64>,
        #[serde(flatten)]
        window: Window,
    },
}

/// The window of a quota; of what has none, nothing.
#[derive(Debug, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct Window {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Timestamp>, nullable = false)]
    period_start: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Timestamp>, nullable = false)]
    period_end: Option<Timestamp>,
}

/// What a trainer has now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Standing)]
pub(crate) struct Current {
    #[schema(value_type = schema::TrainerId)]
    trainer_id: TrainerId,
    tier: Option<Tier>,
    /// One of Stripe's eight, or `none`, `free`, `assigned`, `grandfathered`.
    status: String,
    #[schema(pattern = "^(granted|grace|locked|none)$")]
    access: &'static str,
    /// `month` or `year`.
    interval: Option<&'static str>,
    #[schema(value_type = Option<schema::Timestamp>)]
    current_period_start: Option<Timestamp>,
    #[schema(value_type = Option<schema::Timestamp>)]
    current_period_end: Option<Timestamp>,
    #[schema(value_type = Option<schema::Timestamp>)]
    trial_end: Option<Timestamp>,
    /// The day that has begun included; 0 once the trial has ended.
    trial_days_left: Option<u32>,
    #[schema(value_type = Option<schema::Timestamp>)]
    cancel_at: Option<Timestamp>,
    scheduled_change: Option<ScheduledChange>,
    add_ons: Vec<AddOn>,
    #[schema(value_type = BTreeMap<String, Limit>)]
    limits: BTreeMap<FeatureSlug, Limit>,
    flags: Vec<&'static str>,
    #[schema(value_type = Vec<schema::PlanSlug>)]
    available_upgrades: Vec<PlanSlug>,
    can_upgrade: bool,
    position: i64,
}

/// A tier that a trainer has.
#[derive(Debug, Serialize, ToSchema)]
struct Tier {
    #[schema(value_type = schema::PlanSlug)]
    slug: PlanSlug,
    name: Box<str>,
    level: u32,
}

/// What is to change, and when.
#[derive(Debug, Serialize, ToSchema)]
struct ScheduledChange {
    #[schema(value_type = schema::PlanSlug)]
    tier: PlanSlug,
    #[schema(value_type = schema::Timestamp)]
    effective_at: Timestamp,
}

/// An add-on that a trainer has.
#[derive(Debug, Serialize, ToSchema)]
struct AddOn {
    #[schema(value_type = schema::PlanSlug)]
    slug: PlanSlug,
    status: String,
    #[schema(value_type = Option<schema::Timestamp>)]
    current_period_end: Option<Timestamp>,
}

/// A standing count.
#[derive(Debug, Serialize, ToSchema)]
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
        let window = Window::from(has.window);
        Self::Counted { kind, granted, limit, used, remaining, percent, window }
    }
}

impl From<Option<Interval>> for Window {
    fn from(window: Option<Interval>) -> Self {
        let (period_start, period_end) = window.map(|it| (it.from, it.until)).unzip();
        Self { period_start, period_end }
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
            trial_days_left: answer.trial_days_left,
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
