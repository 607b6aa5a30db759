//! Finding things in a catalogue.

use super::{feature, plan, price, small};
use crate::catalog::{
    Allowance, Approval, FeatureKind, Interval, Plan, PlanKind, Reset, WhenInactive,
};

fn slug(plan: Option<&Plan>) -> Option<&str> {
    plan.map(|plan| plan.slug().as_str())
}

fn slugs<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Vec<&'a str> {
    plans.into_iter().map(|plan| plan.slug().as_str()).collect()
}

#[test]
fn tiers_are_in_the_order_of_levels_and_add_ons_of_ranks() {
    let catalog = small();
    assert_eq!(slugs(catalog.tiers()), ["free", "small", "middle", "big"]);
    assert_eq!(slugs(catalog.add_ons()), ["few_jobs", "jobs"]);
    let features: Vec<_> = catalog.features().iter().map(|x| x.slug().as_str()).collect();
    assert_eq!(features, ["seats", "reports", "runs"]);
}

#[test]
fn a_tier_is_found_by_name_and_level() {
    let catalog = small();
    assert_eq!(slug(catalog.tier_by_level(20)), Some("middle"));
    assert_eq!(slug(catalog.tier_by_level(21)), None);
    assert_eq!(slug(catalog.tier(&plan("big"))), Some("big"));
    assert_eq!(slug(catalog.tier(&plan("jobs"))), None);
    assert_eq!(slug(catalog.plan(&plan("jobs"))), Some("jobs"));
    assert_eq!(slug(catalog.plan(&plan("huge"))), None);
    assert_eq!(slug(catalog.default_tier()), Some("free"));
}

#[test]
fn old_prices_are_honoured_and_the_first_is_sold() {
    let catalog = small();
    for (id, expected) in [
        ("price_big", Some(("big", Interval::Month))),
        ("price_big_old", Some(("big", Interval::Month))),
        ("price_small_year", Some(("small", Interval::Year))),
        ("price_jobs", Some(("jobs", Interval::Month))),
        ("price_unheard_of", None),
    ] {
        let found = catalog.plan_by_price(&price(id));
        assert_eq!(found.map(|(plan, interval)| (plan.slug().as_str(), interval)), expected);
    }
    let big = catalog.plan(&plan("big")).expect("the big tier");
    assert_eq!(big.sold_price(Interval::Month), Some(&price("price_big")));
    assert_eq!(big.sold_price(Interval::Year), None);
    assert_eq!(big.prices(Interval::Month).len(), 2);
}

#[test]
fn what_is_not_listed_is_not_granted() {
    let catalog = small();
    let allowance = |p, f| catalog.allowance(&plan(p), &feature(f));
    assert_eq!(allowance("small", "seats"), Some(Allowance::Capped(3)));
    assert_eq!(allowance("big", "seats"), Some(Allowance::Unlimited));
    assert_eq!(allowance("free", "reports"), Some(Allowance::Flag(false)));
    assert_eq!(allowance("small", "reports"), None);
    assert_eq!(allowance("huge", "seats"), None);
}

#[test]
fn the_way_out_of_a_refusal_is_the_lowest_plan_on_sale() {
    let catalog = small();
    let tier = |f, n| slug(catalog.lowest_tier_allowing_more_than(&feature(f), n));
    assert_eq!(tier("seats", 0), Some("free"));
    assert_eq!(tier("seats", 1), Some("small"));
    assert_eq!(tier("seats", 3), Some("big"), "the middle tier is retired");
    assert_eq!(tier("runs", 0), None);
    assert_eq!(slug(catalog.lowest_tier_granting(&feature("reports"))), Some("big"));
    let add_on = |f, n| slug(catalog.lowest_add_on_allowing_more_than(&feature(f), n));
    assert_eq!(add_on("runs", 9), Some("few_jobs"));
    assert_eq!(add_on("runs", 10), Some("jobs"));
    assert_eq!(add_on("seats", 0), None);
}

#[test]
fn upgrades_are_the_higher_tiers_on_sale() {
    let catalog = small();
    assert_eq!(slugs(catalog.upgrades_from(Some(0))), ["small", "big"]);
    assert_eq!(slugs(catalog.upgrades_from(Some(15))), ["big"]);
    assert_eq!(slugs(catalog.upgrades_from(Some(30))), [""; 0]);
    assert_eq!(slugs(catalog.upgrades_from(None)), ["free", "small", "big"]);
}

#[test]
fn details_are_as_written() {
    let catalog = small();
    assert_eq!(catalog.name(), "Small");
    assert_eq!(catalog.audience().one, "member");
    assert_eq!(catalog.audience().many, "members");
    assert_eq!(catalog.policies().trial_days, 10);
    assert_eq!(catalog.policies().trial_settle_hours, 24);
    assert_eq!(catalog.policies().approval, Approval::Manual);
    assert_eq!(catalog.policies().when_inactive, WhenInactive::DefaultTier);
    let runs = catalog.feature(&feature("runs")).expect("a feature");
    assert_eq!(runs.kind(), FeatureKind::Quota { reset: Reset::BillingPeriod });
    assert_eq!((runs.name(), runs.description(), runs.unit()), ("Runs", "Jobs.", None));
    let middle = catalog.plan(&plan("middle")).expect("a plan");
    assert!(!middle.is_active() && middle.is_tier());
    assert_eq!(middle.kind(), PlanKind::Tier { level: 20, requests_per_minute: 100 });
    assert_eq!((middle.level(), middle.requests_per_minute()), (Some(20), Some(100)));
    let jobs = catalog.plan(&plan("few_jobs")).expect("a plan");
    assert_eq!((jobs.level(), jobs.requests_per_minute()), (None, None));
    assert_eq!(jobs.kind(), PlanKind::AddOn { rank: Some(7) });
}
