use super::*;

use crate::reads::Reached;

use std::sync::Arc;

use ledger_domain::catalog::{Allowance, Catalog};
use ledger_domain::effective::{Billing, Holdings, Outcome, Setting, effective};
use ledger_domain::event::Enforcement;
use ledger_domain::id::TrainerId;
use ledger_domain::time::Timestamp;

use super::super::shapes::Used;

fn catalog() -> Catalog {
    let text = include_str!("../../catalogs/organisation.toml");
    Catalog::parse(text, &|_| None).expect("a catalogue without mistakes").catalog
}

/// Somebody of whom nothing is known, and who has used that much of everything.
fn standing(mode: &Enforcement, used: u64) -> Standing {
    let catalog = Arc::new(catalog());
    let now = Timestamp::from_unix(1_790_000_000);
    let setting = Setting { catalog: &catalog, catalog_until: None, billing: Billing::Stripe, now };
    let answer = effective(&Holdings::default(), &setting);
    let counts: Used = answer.features.keys().map(|feature| (feature.clone(), used)).collect();
    let outcome = Outcome::of(mode, &TrainerId::try_new("t1").unwrap());
    Standing { answer, used: counts, catalog, outcome, now, reached: Reached::new(7, None) }
}

fn quota(standing: &Standing) -> FeatureSlug {
    let mut counted = standing.answer.features.iter().filter(|(_, has)| has.limit() > Some(0));
    counted.next().expect("the default tier has a quota").0.clone()
}

#[test]
fn there_is_room_until_all_of_it_is_used() {
    let fresh = standing(&Enforcement::On, 0);
    let feature = quota(&fresh);
    assert!(decide(&fresh, &feature).unwrap().is_ok());
    let denial = decide(&standing(&Enforcement::On, 1_000_000), &feature).unwrap().unwrap_err();
    assert_eq!(denial.code, "quota_exhausted");
    assert_eq!(denial.used, Some(1_000_000));
    assert!(denial.limit.is_some() && denial.position == 7);
}

#[test]
fn no_plan_is_named_where_a_cap_leaves_no_room() {
    let mut full = standing(&Enforcement::On, 1_000_000);
    let feature = quota(&full);
    let need = |standing: &Standing| decide(standing, &feature).unwrap().unwrap_err();
    let named =
        |denial: &Denial| denial.required_tier.is_some() || denial.required_add_on.is_some();
    for (used, cap, is_named) in
        [(5, None, true), (5, Some(5), false), (5, Some(6), true), (5, Some(0), false)]
    {
        full.used.insert(feature.clone(), used);
        let has = full.answer.features.get_mut(&feature).unwrap();
        (has.allowance, has.cap) = (Allowance::Capped(used.min(cap.unwrap_or(used))), cap);
        assert_eq!(named(&need(&full)), is_named, "{cap:?}");
    }
}

#[test]
fn nobody_is_denied_while_denials_are_switched_off() {
    let off = standing(&Enforcement::Off, 1_000_000);
    assert!(decide(&off, &quota(&off)).unwrap().is_ok());
}

#[test]
fn who_is_not_denied_is_told_by_which_code_it_would_be() {
    let enforced = |percent| standing(&Enforcement::Percent(percent), 1_000_000);
    let feature = quota(&enforced(0));
    for mode in [Enforcement::Off, Enforcement::Shadow, Enforcement::Percent(0)] {
        let decided = decide(&standing(&mode, 1_000_000), &feature).unwrap();
        assert_eq!(denied_by(&decided), Some("quota_exhausted"), "{mode:?}");
        let told = serde_json::to_value(decided.unwrap()).unwrap();
        assert_eq!((&told["would_deny"], &told["code"]), (&true.into(), &"quota_exhausted".into()));
        let fine = decide(&standing(&mode, 0), &feature).unwrap();
        assert_eq!(denied_by(&fine), None, "{mode:?}");
    }
    let denied = decide(&enforced(100), &feature).unwrap();
    assert!(denied.is_err() && denied_by(&denied) == Some("quota_exhausted"));
}

#[test]
fn what_the_catalogue_does_not_have_is_not_there() {
    let nothing = FeatureSlug::try_new("teleportation").unwrap();
    assert!(decide(&standing(&Enforcement::On, 0), &nothing).is_none());
}

#[test]
fn a_decision_has_the_shape_of_the_feature() {
    let fresh = standing(&Enforcement::On, 0);
    let decided = decide(&fresh, &quota(&fresh)).unwrap().unwrap();
    let shape = serde_json::to_value(&decided).unwrap();
    let keys: Vec<_> = shape.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "granted",
        "kind",
        "limit",
        "percent",
        "period_end",
        "period_start",
        "position",
        "remaining",
        "used",
        "would_deny",
    ];
    assert_eq!(keys, expected);
}
