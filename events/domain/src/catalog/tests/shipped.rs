//! The catalogues that come with the ledger.

use super::{feature, parse, plan, price};
use crate::catalog::{
    Allowance, Approval, Catalog, FeatureKind, Interval, OnDisputeLost, Plan, Reset, WhenInactive,
};
use Allowance::{Capped, Flag, Unlimited};

const SHIPPED: [(&str, &str); 4] = [
    ("trainers", include_str!("../../../../../catalogs/trainers.toml")),
    ("membership", include_str!("../../../../../catalogs/membership.toml")),
    ("workspace", include_str!("../../../../../catalogs/workspace.toml")),
    ("organisation", include_str!("../../../../../catalogs/organisation.toml")),
];

fn shipped(name: &str) -> Catalog {
    let (_, text) = SHIPPED.iter().find(|(n, _)| *n == name).expect("a shipped catalogue");
    let parsed = parse(text).unwrap_or_else(|mistakes| panic!("{name}: {mistakes:#?}"));
    assert_eq!(parsed.warnings, [], "{name}");
    assert_eq!(parsed.unset_variables, [], "{name}");
    parsed.catalog
}

fn tiers(catalog: &Catalog) -> Vec<&str> {
    catalog.tiers().iter().map(|tier| tier.slug().as_str()).collect()
}

#[test]
fn all_are_without_mistakes_or_warnings() {
    for (name, _) in SHIPPED {
        assert!(!shipped(name).tiers().is_empty());
    }
}

#[test]
fn all_can_be_read_without_any_variable_set() {
    for (name, text) in SHIPPED {
        let parsed = Catalog::parse(text, &|_| None).expect(name);
        assert!(!parsed.unset_variables.is_empty(), "{name}");
        assert!(parsed.catalog.resolved_prices().is_empty(), "{name}");
    }
}

#[test]
fn variables_are_named_after_plan_and_interval() {
    for (name, text) in SHIPPED {
        let parsed = Catalog::parse(text, &|_| None).expect(name);
        for unset in &parsed.unset_variables {
            let found = parsed.catalog.plan(&unset.plan).expect("the plan of a variable");
            let sort = if found.is_tier() { "TIER" } else { "ADDON" };
            let slug = unset.plan.as_str().to_ascii_uppercase();
            let end = if unset.interval == Interval::Year { "_YEAR" } else { "" };
            assert_eq!(unset.variable, format!("STRIPE_PRICE_{sort}_{slug}{end}"));
        }
    }
}

/// An upgrade that takes something away would be a surprise.
#[test]
fn a_higher_tier_never_grants_less() {
    for (name, _) in SHIPPED {
        let catalog = shipped(name);
        for pair in catalog.tiers().windows(2) {
            for declared in catalog.features() {
                let allowance = |tier: &Plan| {
                    tier.allowance(declared.slug()).unwrap_or_else(|| declared.kind().nothing())
                };
                let (lower, higher) = (allowance(&pair[0]), allowance(&pair[1]));
                assert!(lower <= higher, "{name}: {} from {}", declared.slug(), pair[1].slug());
            }
            assert!(pair[0].requests_per_minute() <= pair[1].requests_per_minute());
        }
    }
}

#[test]
fn trainers_has_its_matrix() {
    let catalog = shipped("trainers");
    let matrix = [
        ("customers", [Capped(9), Capped(20), Unlimited]),
        ("analytics", [Flag(false), Flag(true), Flag(true)]),
        ("api_keys", [Flag(false), Flag(false), Flag(true)]),
        ("export_csv", [Flag(false), Flag(true), Flag(true)]),
        ("export_excel", [Flag(false), Flag(false), Flag(true)]),
        ("export_pdf", [Flag(false), Flag(false), Flag(true)]),
        ("bulk_operations", [Flag(false), Flag(true), Flag(true)]),
    ];
    let names = ["starter", "professional", "enterprise"];
    assert_eq!(tiers(&catalog), names);
    for (slug, allowances) in matrix {
        for (tier, expected) in names.iter().zip(allowances) {
            assert_eq!(catalog.allowance(&plan(tier), &feature(slug)), Some(expected));
        }
    }
    assert_eq!(catalog.features().len(), matrix.len() + 1);
    let rates: Vec<_> =
        catalog.tiers().iter().map(|x| (x.level(), x.requests_per_minute())).collect();
    assert_eq!(rates, [(Some(1), Some(100)), (Some(2), Some(250)), (Some(3), Some(1000))]);
}

#[test]
fn trainers_has_three_ai_add_ons_and_no_free_tier() {
    let catalog = shipped("trainers");
    let generations = feature("ai_generations");
    let add_ons: Vec<_> =
        catalog.add_ons().iter().map(|x| (x.slug().as_str(), x.allowance(&generations))).collect();
    let expected = [
        ("ai_starter", Some(Capped(100))),
        ("ai_professional", Some(Capped(500))),
        ("ai_enterprise", Some(Unlimited)),
    ];
    assert_eq!(add_ons, expected);
    let kind = catalog.feature(&generations).expect("a feature").kind();
    assert_eq!(kind, FeatureKind::Quota { reset: Reset::Month });
    assert_eq!(catalog.policies().trial_days, 14);
    assert_eq!(catalog.policies().default_tier, None);
    assert!(catalog.tiers().iter().all(|tier| tier.sold_price(Interval::Month).is_some()));
    let starter = catalog.plan_by_price(&price("price_tier_starter")).expect("the starter tier");
    assert_eq!((starter.0.slug(), starter.1), (&plan("starter"), Interval::Month));
}

#[test]
fn membership_has_a_free_tier_to_fall_back_on() {
    let catalog = shipped("membership");
    assert_eq!(tiers(&catalog), ["member", "pro", "business", "elite", "family"]);
    assert_eq!(catalog.default_tier().map(|x| x.slug().as_str()), Some("member"));
    assert_eq!(catalog.policies().when_inactive, WhenInactive::DefaultTier);
    for tier in &catalog.tiers()[1..] {
        assert!(Interval::ALL.iter().all(|interval| tier.sold_price(*interval).is_some()));
    }
}

#[test]
fn workspace_locks_whoever_stops_paying() {
    let catalog = shipped("workspace");
    assert_eq!(tiers(&catalog), ["starter", "professional", "enterprise"]);
    assert_eq!(catalog.policies().trial_days, 14);
    assert_eq!(catalog.policies().when_inactive, WhenInactive::Lock);
    assert_eq!(catalog.policies().on_dispute_lost, OnDisputeLost::Lock);
    assert_eq!(catalog.default_tier(), None);
    for slug in ["ai_forecasting", "what_if", "api_integrations"] {
        assert_eq!(catalog.feature(&feature(slug)).expect(slug).kind(), FeatureKind::Flag);
    }
    let entities = catalog.feature(&feature("entities")).expect("a feature");
    assert_eq!(entities.kind(), FeatureKind::Limit);
}

#[test]
fn organisation_meters_by_the_month() {
    let catalog = shipped("organisation");
    assert_eq!(tiers(&catalog), ["free", "starter", "pro", "business"]);
    assert_eq!(catalog.default_tier().map(|x| x.slug().as_str()), Some("free"));
    assert_eq!(catalog.policies().approval, Approval::Auto);
    let messages = catalog.feature(&feature("AI_MESSAGES")).expect("a feature");
    assert_eq!(messages.kind(), FeatureKind::Quota { reset: Reset::Month });
    assert!(catalog.tiers().iter().all(|tier| tier.allows_more_than(messages.slug(), 0)));
}
