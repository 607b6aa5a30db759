//! Which tier counts, and what remains when none does.

use crate::catalog::Catalog;
use crate::effective::testing::{
    Subscribed, answer, assigned, gist, gist_of, nothing, studio, subscribed, with_free_tier,
    with_free_tier_until_paid,
};
use crate::effective::{Anomaly, Holdings, Source};

const NOW: &str = "2026-11-21";

fn starter() -> Subscribed {
    subscribed("sub_starter", "price_starter_month")
}

fn professional() -> Subscribed {
    subscribed("sub_pro", "price_professional_month")
}

fn source(holdings: &Holdings) -> String {
    match answer(&studio(), holdings.clone(), NOW).tier.expect("a tier").source {
        Source::Subscription(id) => id.to_string(),
        Source::Grant(event) => event.id.to_string(),
        Source::Default => "default".to_owned(),
    }
}

#[test]
fn a_trainer_nobody_has_heard_of() {
    assert_eq!(gist(&answer(&studio(), nothing(), NOW)), "- none none");
    assert_eq!(gist(&answer(&with_free_tier(), nothing(), NOW)), "free free granted");
    assert_eq!(gist(&answer(&with_free_tier_until_paid(), nothing(), NOW)), "free free granted");
}

#[test]
fn what_remains_after_a_subscription_depends_on_the_catalogue() {
    let unpaid = professional().status("unpaid");
    let never_paid = professional().status("incomplete").never_paid();
    let canceled = professional().ended("2026-11-20");
    let abandoned = professional().status("incomplete_expired").never_paid();
    let trial = professional().started("2026-10-01").on_trial_until("2026-10-15");
    let none = studio();
    let free = with_free_tier();
    let until_paid = with_free_tier_until_paid();
    for (holdings, catalog, expected) in [
        (&unpaid, &none, "professional unpaid locked subscription_inactive"),
        (&unpaid, &free, "free free granted"),
        (&unpaid, &until_paid, "professional unpaid locked subscription_inactive"),
        (&never_paid, &none, "professional incomplete locked subscription_inactive"),
        (&never_paid, &free, "free free granted"),
        (&never_paid, &until_paid, "free free granted"),
        (&canceled, &none, "- canceled none"),
        (&canceled, &free, "free free granted"),
        (&canceled, &until_paid, "- canceled none"),
        (&abandoned, &none, "- incomplete_expired none"),
        (&abandoned, &free, "free free granted"),
        (&abandoned, &until_paid, "free free granted"),
        (&trial, &none, "professional trialing locked trial_expired"),
        (&trial, &free, "free free granted"),
        (&trial, &until_paid, "free free granted"),
    ] {
        assert_eq!(gist(&answer(catalog, holdings.clone(), NOW)), expected);
    }
}

#[test]
fn an_add_on_once_paid_for_doesnt_cost_the_free_tier() {
    let add_on = subscribed("sub_ai", "price_ai_starter_month").ended("2026-11-20");
    let answer = answer(&with_free_tier_until_paid(), add_on, NOW);
    assert_eq!(gist(&answer), "free free granted");
}

#[test]
fn suspension_locks_everything_and_keeps_the_status() {
    let suspended = |holdings: Holdings| holdings.suspended("2026-11-21");
    let trial = professional().on_trial_until("2026-11-15");
    let ended = professional().ended("2026-11-20");
    let free = with_free_tier();
    let none = studio();
    for (holdings, catalog, expected) in [
        (professional().into(), &none, "professional active locked account_suspended"),
        (professional().into(), &free, "professional active locked account_suspended"),
        (trial.into(), &none, "professional trialing locked account_suspended"),
        (ended.into(), &none, "- canceled locked account_suspended"),
        (nothing(), &none, "- none locked account_suspended"),
        (nothing(), &free, "free free locked account_suspended"),
    ] {
        let answer = answer(catalog, suspended(holdings), NOW);
        assert_eq!(gist(&answer), expected);
        assert!(!answer.can_upgrade);
        for slug in answer.features.keys() {
            assert_eq!(gist_of(&answer, slug.as_str()), "account_suspended");
        }
    }
    let before = answer(&none, suspended(professional().into()), "2026-11-20T23:59:59Z");
    assert_eq!(gist(&before), "professional active granted");
}

#[test]
fn an_abandoned_checkout_never_locks_a_paying_trainer() {
    let checkout = subscribed("sub_new", "price_enterprise_month").status("incomplete");
    let answer = answer(&studio(), Holdings::from(starter()).and(checkout), NOW);
    assert_eq!(gist(&answer), "starter active granted");
    assert_eq!(gist_of(&answer, "analytics"), "feature_not_available");
    assert_eq!(answer.anomalies, []);
}

#[test]
fn access_goes_before_level_and_level_before_start_and_start_before_id() {
    let grace = || professional().past_due_since("2026-11-20");
    let unpaid = || professional().status("unpaid");
    let later = || subscribed("sub_later", "price_starter_year").started("2026-11-10");
    let twin = || subscribed("sub_another", "price_starter_month");
    for (first, second, expected) in [
        (starter(), professional(), "sub_pro"),
        (starter(), grace(), "sub_starter"),
        (grace(), unpaid().change(|view| view.id = later().0.id), "sub_pro"),
        (starter().status("unpaid"), unpaid(), "sub_pro"),
        (starter(), later(), "sub_later"),
        (starter(), twin(), "sub_another"),
    ] {
        let holdings = Holdings::from(first.clone()).and(second.clone());
        assert_eq!(source(&holdings), expected);
        assert_eq!(source(&Holdings::from(second).and(first)), expected);
    }
}

#[test]
fn an_assigned_tier_competes_with_subscriptions() {
    let holdings = |tier| Holdings::from(professional()).and(assigned("act", tier));
    assert_eq!(source(&holdings("starter")), "sub_pro");
    assert_eq!(source(&holdings("enterprise")), "act");
    let answer = answer(&studio(), holdings("enterprise"), NOW);
    assert_eq!(gist(&answer), "enterprise assigned granted");
}

fn anomalies(catalog: &Catalog, holdings: impl Into<Holdings>) -> Vec<&'static str> {
    answer(catalog, holdings, NOW).anomalies.iter().map(Anomaly::code).collect()
}

#[test]
fn two_tiers_with_access_are_listed() {
    let none = studio();
    let grace = professional().past_due_since("2026-11-20");
    let locked = professional().status("unpaid");
    let both = Holdings::from(starter()).and(grace);
    assert_eq!(anomalies(&none, both.clone()), ["several_tiers"]);
    assert_eq!(anomalies(&none, Holdings::from(starter()).and(locked)), [""; 0]);
    assert_eq!(anomalies(&none, starter()), [""; 0]);
    assert_eq!(anomalies(&with_free_tier(), starter()), [""; 0]);
    let listed = answer(&none, both, NOW).anomalies;
    let Some(Anomaly::SeveralTiers(sources)) = listed.first() else {
        panic!("several tiers, not {listed:?}");
    };
    assert_eq!(sources.len(), 2);
}

#[test]
fn a_price_that_the_catalogue_doesnt_know_gives_nothing_and_is_listed() {
    let foreign = || subscribed("sub_x", "price_of_something_else");
    let alone = answer(&studio(), foreign(), NOW);
    assert_eq!(gist(&alone), "- active none");
    assert_eq!(anomalies(&studio(), foreign()), ["unknown_price"]);
    assert_eq!(gist(&answer(&with_free_tier(), foreign(), NOW)), "free free granted");
    let beside = answer(&studio(), Holdings::from(foreign()).and(starter()), NOW);
    assert_eq!(gist(&beside), "starter active granted");
    let ended = answer(&studio(), foreign().ended("2026-11-20"), NOW);
    assert_eq!(gist(&ended), "- canceled none");
    assert_eq!(ended.anomalies, []);
}

#[test]
fn of_several_that_ended_the_cancelled_one_is_remembered_and_of_those_the_last() {
    let abandoned = || {
        let checkout = subscribed("sub_new", "price_enterprise_month").never_paid();
        let ended = crate::effective::testing::at("2026-11-20");
        checkout.status("incomplete_expired").change(|view| view.ended_at = Some(ended))
    };
    let first = starter().ended("2026-10-01");
    let second = professional().ended("2026-11-01");
    let holdings = Holdings::from(abandoned()).and(second).and(first);
    let answer = answer(&studio(), holdings, NOW);
    assert_eq!(gist(&answer), "- canceled none");
    assert_eq!(gist_of(&answer, "analytics"), "subscription_inactive");
    assert_eq!(gist_of(&answer, "api_keys"), "feature_not_available");
}

#[test]
fn a_retired_tier_is_honoured() {
    let founder = answer(&studio(), subscribed("sub_1", "price_founder_month"), NOW);
    assert_eq!(gist(&founder), "founder active granted");
    assert_eq!(gist_of(&founder, "customers"), "30 by tier");
    assert_eq!(founder.requests_per_minute, Some(400));
    assert!(founder.available_upgrades.is_empty() && !founder.can_upgrade);
}

#[test]
fn an_incomplete_list_of_items_is_listed() {
    let partial = starter().change(|view| view.items_complete = false);
    assert_eq!(anomalies(&studio(), partial), ["items_incomplete"]);
}

#[test]
fn a_second_trial_of_a_tier_is_listed() {
    let none = studio();
    let first = starter().started("2026-01-01").on_trial_until("2026-01-15").ended("2026-01-15");
    let second = professional().started("2026-11-10").on_trial_until("2026-11-24");
    let add_on = subscribed("sub_ai", "price_ai_starter_month").started("2026-11-10");
    let add_on = add_on.on_trial_until("2026-11-24");
    assert_eq!(anomalies(&none, second.clone()), [""; 0]);
    assert_eq!(anomalies(&none, Holdings::from(first.clone()).and(add_on)), [""; 0]);
    assert_eq!(anomalies(&none, Holdings::from(first.clone()).and(professional())), [""; 0]);
    let listed = answer(&none, Holdings::from(second).and(first), NOW).anomalies;
    let [Anomaly::SecondTrial { subscription, earlier }] = &listed[..] else {
        panic!("{listed:?}");
    };
    assert_eq!((subscription.as_str(), earlier.as_str()), ("sub_pro", "sub_starter"));
}
