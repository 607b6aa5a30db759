//! What administrators give: tiers, soft limits, overrides.

use crate::catalog::Catalog;
use crate::effective::testing::{
    Given, answer, assigned, gist, gist_of, grandfathered, nothing, overridden, studio, subscribed,
    with_free_tier,
};
use crate::effective::{Anomaly, Holdings};
use crate::event::OverrideEffect::{Cap, Grant, Lift, Unlimited};

const NOW: &str = "2026-11-21";

#[test]
fn an_assigned_tier_lasts_from_its_grant_to_its_expiry() {
    let given = assigned("act", "professional").on("2026-11-10").expires("2026-11-20");
    for (now, expected) in [
        ("2026-11-09T23:59:59Z", "- none none"),
        ("2026-11-10", "professional assigned granted"),
        ("2026-11-19T23:59:59Z", "professional assigned granted"),
        ("2026-11-20", "- none none"),
    ] {
        assert_eq!(gist(&answer(&studio(), given.clone(), now)), expected, "at {now}");
    }
}

#[test]
fn a_revoked_grant_is_gone_from_the_revocation_on() {
    let given = assigned("act", "professional").expires("2026-12-01").revoked("2026-11-20");
    let before = answer(&with_free_tier(), given.clone(), "2026-11-19T23:59:59Z");
    assert_eq!(gist(&before), "professional assigned granted");
    let after = answer(&with_free_tier(), given, "2026-11-20");
    assert_eq!(gist(&after), "free free granted");
}

#[test]
fn of_several_assigned_tiers_the_ones_still_in_force_count() {
    let holdings = Holdings::from(assigned("act_1", "enterprise").revoked("2026-11-10"))
        .and(assigned("act_2", "starter").on("2026-11-10"))
        .and(assigned("act_3", "professional").expires("2026-11-15"));
    for (now, expected) in [
        ("2026-11-09", "enterprise assigned granted"),
        ("2026-11-12", "professional assigned granted"),
        ("2026-11-15", "starter assigned granted"),
    ] {
        assert_eq!(gist(&answer(&studio(), holdings.clone(), now)), expected, "at {now}");
    }
}

#[test]
fn an_assigned_tier_says_what_it_stands_for() {
    let tier = answer(&studio(), assigned("act", "professional"), NOW).tier.expect("a tier");
    assert_eq!(tier.interval.map(|interval| interval.as_str()), Some("year"));
    assert_eq!(tier.event, Some(crate::effective::testing::key("act")));
}

#[test]
fn an_assigned_tier_helps_where_the_subscription_is_locked() {
    let unpaid = subscribed("sub_1", "price_enterprise_month").status("unpaid");
    let holdings = Holdings::from(unpaid).and(assigned("act", "starter"));
    let answer = answer(&studio(), holdings, NOW);
    assert_eq!(gist(&answer), "starter assigned granted");
    assert_eq!(gist_of(&answer, "analytics"), "feature_not_available");
}

#[test]
fn an_add_on_can_be_assigned_too() {
    let answer = answer(&studio(), assigned("act", "ai_starter"), NOW);
    assert_eq!(gist(&answer), "- none none");
    assert_eq!(gist_of(&answer, "ai_generations"), "100 by ai_starter");
    assert_eq!(answer.add_ons[0].status.as_str(), "assigned");
}

#[test]
fn a_plan_that_the_catalogue_doesnt_have_gives_nothing_and_is_listed() {
    let answer = answer(&studio(), assigned("act", "platinum"), NOW);
    assert_eq!(gist(&answer), "- none none");
    assert!(matches!(answer.anomalies[..], [Anomaly::UnknownPlan { .. }]));
}

#[test]
fn a_grandfathered_tier_has_soft_limits_until_it_expires() {
    let given = grandfathered("act", "professional").expires("2027-01-30");
    let during = answer(&studio(), given.clone(), "2027-01-29T23:59:59Z");
    assert_eq!(gist(&during), "professional grandfathered granted");
    assert_eq!(gist_of(&during, "customers"), "20 soft by tier");
    assert_eq!(gist_of(&during, "api_keys"), "feature_not_available");
    assert_eq!(gist(&answer(&studio(), given, "2027-01-30")), "- none none");
}

#[test]
fn a_soft_limit_stays_soft_beside_a_larger_one() {
    let holdings = Holdings::from(subscribed("sub_1", "price_professional_month"))
        .and(grandfathered("act", "starter"));
    let answer = answer(&studio(), holdings, NOW);
    assert_eq!(gist(&answer), "professional active granted");
    assert_eq!(gist_of(&answer, "customers"), "20 soft by tier");
}

/// What overrides make of a feature that the Starter tier has or hasn't.
#[track_caller]
fn check(catalog: &Catalog, overrides: &[Given], feature: &str, expected: &str) {
    let starter = Holdings::from(subscribed("sub_1", "price_starter_month"));
    let holdings = overrides.iter().cloned().fold(starter, Holdings::and);
    assert_eq!(gist_of(&answer(catalog, holdings, NOW), feature), expected);
}

#[test]
fn overrides_grant_lift_and_cap() {
    let on = |feature, effect| overridden("act", feature, effect);
    for (feature, effect, expected) in [
        ("analytics", Grant, "on by override"),
        ("analytics", Unlimited, "on by override"),
        ("analytics", Lift(1), "on by override"),
        ("analytics", Lift(0), "feature_not_available"),
        ("analytics", Cap(1), "feature_not_available"),
        ("customers", Lift(50), "50 by override"),
        ("customers", Lift(9), "9 by tier"),
        ("customers", Lift(5), "9 by tier"),
        ("customers", Unlimited, "unlimited by override"),
        ("customers", Cap(5), "5 by override"),
        ("customers", Cap(9), "9 by tier"),
        ("customers", Cap(50), "9 by tier"),
        ("customers", Cap(0), "feature_not_available"),
        ("customers", Grant, "9 by tier"),
        ("ai_generations", Lift(30), "30 by override"),
        ("ai_generations", Cap(30), "feature_not_available"),
    ] {
        check(&studio(), &[on(feature, effect)], feature, expected);
    }
}

#[test]
fn the_most_generous_lift_wins_and_a_cap_wins_over_all() {
    let on = |event, effect| overridden(event, "customers", effect);
    let lifts = [on("a", Lift(30)), on("b", Lift(50)), on("c", Lift(40))];
    check(&studio(), &lifts, "customers", "50 by override");
    let all = [on("a", Unlimited), on("b", Cap(40)), on("c", Cap(25)), on("d", Lift(99))];
    check(&studio(), &all, "customers", "25 by override");
}

#[test]
fn of_overrides_that_come_to_the_same_the_first_explains_it() {
    use crate::effective::testing::key;
    for effect in [Lift(50), Cap(5), Unlimited] {
        let later = overridden("act_1", "customers", effect).on("2026-11-11");
        let first = overridden("act_2", "customers", effect).on("2026-11-10");
        let starter = Holdings::from(subscribed("sub_1", "price_starter_month"));
        let answer = answer(&studio(), starter.and(later).and(first), NOW);
        let giver = answer.features["customers"].giver.as_ref().expect("a giver");
        assert_eq!(giver.event(), Some(&key("act_2")));
    }
}

#[test]
fn a_cap_switches_a_flag_off() {
    let holdings = Holdings::from(subscribed("sub_1", "price_enterprise_month"));
    let capped = |cap| holdings.clone().and(overridden("act", "analytics", Cap(cap)));
    assert_eq!(gist_of(&answer(&studio(), capped(0), NOW), "analytics"), "feature_not_available");
    assert_eq!(gist_of(&answer(&studio(), capped(1), NOW), "analytics"), "on by tier");
}

#[test]
fn a_cap_holds_against_a_soft_limit() {
    let soft = Holdings::from(grandfathered("act", "professional"));
    for (cap, expected) in [(5, "5 by override"), (20, "20 by tier"), (30, "30 by override")] {
        let holdings = soft.clone().and(overridden("cap", "customers", Cap(cap)));
        assert_eq!(gist_of(&answer(&studio(), holdings, NOW), "customers"), expected);
    }
}

#[test]
fn an_override_lasts_from_its_grant_to_its_expiry_or_revocation() {
    let lift = || overridden("act", "customers", Lift(50)).on("2026-11-10");
    for (given, now, expected) in [
        (lift(), "2026-11-09T23:59:59Z", "9 by tier"),
        (lift(), "2026-11-10", "50 by override"),
        (lift().expires("2026-11-21"), "2026-11-20T23:59:59Z", "50 by override"),
        (lift().expires("2026-11-21"), "2026-11-21", "9 by tier"),
        (lift().revoked("2026-11-21"), "2026-11-21", "9 by tier"),
    ] {
        let starter = Holdings::from(subscribed("sub_1", "price_starter_month"));
        let answer = answer(&studio(), starter.and(given), now);
        assert_eq!(gist_of(&answer, "customers"), expected, "at {now}");
    }
}

#[test]
fn an_override_is_a_reason_of_its_own() {
    let unpaid = subscribed("sub_1", "price_professional_month").status("unpaid");
    let lifted = Holdings::from(unpaid).and(overridden("act", "customers", Lift(5)));
    let answer = answer(&studio(), lifted, NOW);
    assert_eq!(gist_of(&answer, "customers"), "5 by override");
    assert_eq!(gist_of(&answer, "analytics"), "subscription_inactive");
}

#[test]
fn overrides_that_can_do_nothing_are_listed() {
    for given in
        [overridden("act", "teleportation", Lift(5)), overridden("act", "customers", Grant)]
    {
        let answer = answer(&studio(), nothing().and(given), NOW);
        assert!(matches!(answer.anomalies[..], [Anomaly::UselessOverride { .. }]));
    }
}
