//! Each feature follows the subscription that gives it.

use crate::effective::testing::{
    Subscribed, answer, gist, gist_of, studio, subscribed, with_free_tier,
};
use crate::effective::{Access, Holdings};

const NOW: &str = "2026-11-21";

fn starter() -> Subscribed {
    subscribed("sub_starter", "price_starter_month")
}

fn ai() -> Subscribed {
    subscribed("sub_ai", "price_ai_starter_month")
}

#[track_caller]
fn check(holdings: impl Into<Holdings>, expected: &[(&str, &str)]) {
    let answer = answer(&studio(), holdings, NOW);
    for (feature, gist) in expected {
        assert_eq!(gist_of(&answer, feature), *gist, "{feature}");
    }
}

#[test]
fn every_feature_is_listed_granted_or_not() {
    let answer = answer(&studio(), starter(), NOW);
    assert_eq!(answer.features.len(), 5);
    for (feature, gist) in [
        ("customers", "9 by tier"),
        ("analytics", "feature_not_available"),
        ("api_keys", "feature_not_available"),
        ("ai_generations", "feature_not_available"),
        ("reports", "10 by tier"),
    ] {
        assert_eq!(gist_of(&answer, feature), gist, "{feature}");
    }
}

#[test]
fn a_locked_tier_says_why_and_for_what() {
    let unpaid = subscribed("sub_1", "price_professional_month").status("unpaid");
    check(
        unpaid.clone(),
        &[
            ("analytics", "subscription_inactive"),
            ("customers", "subscription_inactive"),
            ("api_keys", "feature_not_available"),
        ],
    );
    let trial = subscribed("sub_1", "price_professional_month").on_trial_until("2026-11-15");
    check(trial, &[("analytics", "trial_expired"), ("api_keys", "feature_not_available")]);
    // What it would be is told, so that the way out can be explained.
    let customers = &answer(&studio(), unpaid, NOW).features["customers"];
    assert_eq!((customers.granted(), customers.limit()), (false, Some(20)));
}

#[test]
fn grace_grants_everything() {
    let late = subscribed("sub_1", "price_professional_month").past_due_since("2026-11-20");
    check(late, &[("analytics", "on by tier"), ("customers", "20 by tier")]);
}

#[test]
fn after_a_cancellation_what_the_tier_gave_is_inactive() {
    let ended = subscribed("sub_1", "price_professional_month").ended("2026-11-20");
    check(
        ended.clone(),
        &[("analytics", "subscription_inactive"), ("api_keys", "feature_not_available")],
    );
    let with_free = answer(&with_free_tier(), ended, NOW);
    assert_eq!(gist_of(&with_free, "analytics"), "feature_not_available");
    assert_eq!(gist_of(&with_free, "customers"), "3 by tier");
}

#[test]
fn an_add_on_lives_and_dies_by_itself() {
    let unpaid = || starter().status("unpaid");
    let cases = [
        (starter(), ai(), "9 by tier", "100 by ai_starter"),
        (unpaid(), ai(), "subscription_inactive", "100 by ai_starter"),
        (starter().ended("2026-11-20"), ai(), "subscription_inactive", "100 by ai_starter"),
        (starter(), ai().status("unpaid"), "9 by tier", "subscription_inactive"),
        (starter(), ai().past_due_since("2026-11-20"), "9 by tier", "100 by ai_starter"),
        (starter(), ai().on_trial_until("2026-11-15"), "9 by tier", "trial_expired"),
        (starter(), ai().ended("2026-11-20"), "9 by tier", "feature_not_available"),
        (starter(), ai().status("incomplete_expired"), "9 by tier", "feature_not_available"),
    ];
    for (tier, add_on, customers, generations) in cases {
        let holdings = Holdings::from(tier).and(add_on);
        check(holdings, &[("customers", customers), ("ai_generations", generations)]);
    }
    // A trainer may hold an add-on and no tier.
    let alone = answer(&studio(), ai(), NOW);
    assert_eq!(gist(&alone), "- none none");
    assert_eq!(gist_of(&alone, "ai_generations"), "100 by ai_starter");
}

#[test]
fn an_add_on_in_the_tiers_own_subscription_shares_its_fate() {
    let both = starter().also("price_ai_starter_month");
    check(both.clone(), &[("customers", "9 by tier"), ("ai_generations", "100 by ai_starter")]);
    let unpaid = both.status("unpaid");
    check(unpaid, &[("ai_generations", "subscription_inactive")]);
}

#[test]
fn the_most_generous_of_several_plans_wins() {
    let more_ai = subscribed("sub_more", "price_ai_professional_month");
    check(
        Holdings::from(starter())
            .and(subscribed("sub_pro", "price_professional_month"))
            .and(ai())
            .and(more_ai),
        &[
            ("customers", "20 by tier"),
            ("analytics", "on by tier"),
            ("ai_generations", "500 by ai_professional"),
        ],
    );
    // A tier in grace beside one that is granted gives what it gives.
    let grace = subscribed("sub_pro", "price_professional_month").past_due_since("2026-11-20");
    check(Holdings::from(starter()).and(grace), &[("customers", "20 by tier")]);
}

#[test]
fn add_ons_are_listed_in_the_catalogues_order_with_their_own_access() {
    let more = subscribed("sub_b", "price_ai_professional_month").status("incomplete");
    let abandoned = subscribed("sub_a", "price_ai_starter_month").status("incomplete");
    let gone = subscribed("sub_0", "price_ai_starter_year").ended("2026-11-01");
    let holdings = Holdings::from(more).and(abandoned).and(ai()).and(gone);
    let answer = answer(&studio(), holdings, NOW);
    let listed: Vec<_> = answer
        .add_ons
        .iter()
        .map(|x| (x.slug.as_str(), x.status.as_str(), x.access, x.locked_by.map(|d| d.code())))
        .collect();
    let inactive = Some("subscription_inactive");
    let expected = [
        ("ai_starter", "active", Access::Granted, None),
        ("ai_professional", "incomplete", Access::Locked, inactive),
    ];
    assert_eq!(listed, expected);
    assert_eq!(answer.anomalies, []);
}

#[test]
fn the_same_add_on_bought_twice_is_listed() {
    let holdings = Holdings::from(ai()).and(subscribed("sub_ai_2", "price_ai_starter_year"));
    let answer = answer(&studio(), holdings, NOW);
    assert_eq!(answer.add_ons.len(), 1);
    assert_eq!(answer.anomalies.iter().map(|x| x.code()).collect::<Vec<_>>(), ["add_on_twice"]);
}
