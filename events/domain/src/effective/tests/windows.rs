//! In which window usage counts.

use crate::effective::testing::{
    Subscribed, answer, assigned, at, feature, overridden, setting, span, studio, subscribed,
    with_free_tier,
};
use crate::effective::{Holdings, window_at};
use crate::event::OverrideEffect;
use crate::time::Interval;

fn ai(anchor: &str) -> Subscribed {
    subscribed("sub_ai", "price_ai_starter_month").started(anchor).anchored(anchor)
}

/// The window of a quota at `now`, asked for in both ways.
#[track_caller]
fn window(holdings: impl Into<Holdings>, quota: &str, now: &str) -> Interval {
    let (catalog, holdings) = (studio(), holdings.into());
    let by_time = window_at(&holdings, &setting(&catalog, at(now)), &feature(quota), at(now));
    let window = answer(&catalog, holdings, now).features[quota].window.expect("a quota");
    assert_eq!(by_time, Some(window));
    window
}

#[test]
fn a_monthly_quota_follows_the_anchor_of_its_own_subscription() {
    let holdings = || {
        let tier = subscribed("sub_tier", "price_starter_month").anchored("2026-11-03");
        Holdings::from(tier).and(ai("2026-10-15T08:00:00Z"))
    };
    for (now, from, until) in [
        ("2026-11-15T07:59:59Z", "2026-10-15T08:00:00Z", "2026-11-15T08:00:00Z"),
        ("2026-11-15T08:00:00Z", "2026-11-15T08:00:00Z", "2026-12-15T08:00:00Z"),
    ] {
        assert_eq!(window(holdings(), "ai_generations", now), span(from, until), "at {now}");
    }
}

#[test]
fn a_monthly_quota_under_annual_billing_starts_afresh_each_month() {
    let yearly = subscribed("sub_ai", "price_ai_starter_year")
        .anchored("2026-01-31")
        .period("2026-01-31", "2027-01-31");
    for (now, from, until) in [
        ("2026-02-27", "2026-01-31", "2026-02-28"),
        ("2026-02-28", "2026-02-28", "2026-03-31"),
        ("2026-04-30", "2026-04-30", "2026-05-31"),
        ("2028-02-29", "2028-02-29", "2028-03-31"),
    ] {
        assert_eq!(window(yearly.clone(), "ai_generations", now), span(from, until), "at {now}");
    }
}

#[test]
fn a_quota_of_the_billing_period_follows_the_periods() {
    let yearly = subscribed("sub_1", "price_professional_year")
        .anchored("2026-03-15")
        .period("2026-03-15", "2027-03-15");
    for (now, from, until) in [
        ("2026-03-14T23:59:59Z", "2025-03-15", "2026-03-15"),
        ("2026-03-15", "2026-03-15", "2027-03-15"),
        // The renewal's fact hasn't come yet.
        ("2027-03-15", "2027-03-15", "2028-03-15"),
    ] {
        assert_eq!(window(yearly.clone(), "reports", now), span(from, until), "at {now}");
    }
}

#[test]
fn periods_are_extrapolated_by_interval_and_count() {
    let price = |count, word: &str| {
        let word = crate::event::Code::new(word);
        subscribed("sub_1", "price_professional_month").change(|view| {
            view.items[0].price.interval = Some(word);
            view.items[0].price.interval_count = Some(count);
        })
    };
    let quarterly = price(3, "month").anchored("2026-08-31").period("2026-08-31", "2026-11-30");
    assert_eq!(
        window(quarterly.clone(), "reports", "2026-12-01"),
        span("2026-11-30", "2027-02-28")
    );
    assert_eq!(window(quarterly, "reports", "2027-05-30"), span("2027-02-28", "2027-05-31"));
    let weekly = price(1, "week").anchored("2026-11-02").period("2026-11-16", "2026-11-23");
    assert_eq!(window(weekly, "reports", "2026-12-01"), span("2026-11-30", "2026-12-07"));
    // Without an interval of its own, the price is what the catalogue says it is.
    let untold = subscribed("sub_1", "price_professional_year")
        .change(|view| view.items[0].price.interval = None)
        .anchored("2026-11-01")
        .period("2026-11-01", "2027-11-01");
    assert_eq!(window(untold, "reports", "2027-11-02"), span("2027-11-01", "2028-11-01"));
}

#[test]
fn a_trial_is_a_period_of_its_own() {
    let trial = subscribed("sub_1", "price_professional_month").on_trial_until("2026-11-15");
    assert_eq!(window(trial.clone(), "reports", "2026-11-14"), span("2026-11-01", "2026-11-15"));
    assert_eq!(window(trial, "reports", "2026-11-15"), span("2026-11-15", "2026-12-15"));
}

#[test]
fn without_a_subscription_windows_are_calendar_months() {
    let november = span("2026-11-01", "2026-12-01");
    let now = "2026-11-30T23:59:59.999999Z";
    assert_eq!(window(Holdings::default(), "ai_generations", now), november);
    assert_eq!(window(assigned("act", "professional"), "reports", now), november);
    let given = overridden("act", "ai_generations", OverrideEffect::Lift(50));
    assert_eq!(window(given, "ai_generations", now), november);
    let tier_alone = subscribed("sub_1", "price_starter_month").anchored("2026-11-15");
    assert_eq!(window(tier_alone, "ai_generations", now), november);
    let free = answer(&with_free_tier(), Holdings::default(), now);
    assert_eq!(free.features["ai_generations"].window, Some(november));
    let ended = ai("2026-10-15").ended("2026-11-20");
    assert_eq!(window(ended, "ai_generations", now), november);
}

#[test]
fn acts_of_administrators_dont_move_the_windows_of_a_subscription() {
    let plain = Holdings::from(ai("2026-10-15"));
    let expected = span("2026-11-15", "2026-12-15");
    let lifted = plain.and(overridden("act", "ai_generations", OverrideEffect::Lift(900)));
    assert_eq!(window(lifted, "ai_generations", "2026-11-20"), expected);
    let tier = subscribed("sub_1", "price_starter_month").anchored("2026-11-15");
    let tier = tier.period("2026-11-15", "2026-12-15");
    let raised = Holdings::from(tier).and(assigned("act", "enterprise"));
    assert_eq!(window(raised, "reports", "2026-11-20"), expected);
}

#[test]
fn a_locked_subscription_keeps_its_windows_unless_another_serves() {
    let locked = || ai("2026-10-15").status("unpaid");
    let expected = span("2026-11-15", "2026-12-15");
    assert_eq!(window(locked(), "ai_generations", "2026-11-20"), expected);
    let other = subscribed("sub_other", "price_ai_starter_month").anchored("2026-11-18");
    let both = Holdings::from(locked()).and(other);
    let expected = span("2026-11-18", "2026-12-18");
    assert_eq!(window(both, "ai_generations", "2026-11-20"), expected);
    let lifted = overridden("act", "ai_generations", OverrideEffect::Lift(9));
    let lifted = Holdings::from(locked()).and(lifted);
    assert_eq!(window(lifted, "ai_generations", "2026-11-20"), span("2026-11-01", "2026-12-01"));
}

#[test]
fn the_more_generous_subscription_keeps_the_time() {
    let more = subscribed("sub_more", "price_ai_professional_month").anchored("2026-11-10");
    let both = Holdings::from(ai("2026-10-15")).and(more);
    assert_eq!(window(both, "ai_generations", "2026-11-20"), span("2026-11-10", "2026-12-10"));
}

#[test]
fn usage_told_late_counts_where_it_happened() {
    let (catalog, holdings) = (studio(), Holdings::from(ai("2026-10-15")));
    let setting = setting(&catalog, at("2026-11-21"));
    let asked = |quota: &str, when: &str| window_at(&holdings, &setting, &feature(quota), at(when));
    let earlier = span("2026-09-15", "2026-10-15");
    assert_eq!(asked("ai_generations", "2026-10-14T23:59:59Z"), Some(earlier));
    assert_eq!(asked("ai_generations", "2027-01-01"), Some(span("2026-12-15", "2027-01-15")));
    assert_eq!(asked("customers", "2026-11-21"), None);
    assert_eq!(asked("teleportation", "2026-11-21"), None);
}

#[test]
fn without_an_anchor_the_periods_end_is_one() {
    let trial = ai("2026-11-01").on_trial_until("2026-11-15").change(|view| view.anchor = None);
    assert_eq!(
        window(trial.clone(), "ai_generations", "2026-11-20"),
        span("2026-11-15", "2026-12-15")
    );
    let bare = trial.status("active").change(|view| view.current_period = None);
    let expected = span("2026-11-01", "2026-12-01");
    assert_eq!(window(bare, "ai_generations", "2026-11-20"), expected);
}
