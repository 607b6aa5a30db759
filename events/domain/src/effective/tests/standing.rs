//! How a subscription stands by itself.

use crate::catalog::Catalog;
use crate::effective::testing::{
    Subscribed, answer, at, gist, setting, studio, studio_with, subscribed,
};
use crate::effective::{Anomaly, Billing, Holdings, effective};

fn professional() -> Subscribed {
    subscribed("sub_1", "price_professional_month")
}

fn check(catalog: &Catalog, subscription: &Subscribed, table: &[(&str, &str)]) {
    for (now, expected) in table {
        let answer = answer(catalog, subscription.clone(), now);
        assert_eq!(gist(&answer), *expected, "at {now}");
    }
}

#[test]
fn each_status_has_its_access() {
    for (status, expected) in [
        ("active", "professional active granted"),
        ("unpaid", "professional unpaid locked subscription_inactive"),
        ("paused", "professional paused locked subscription_inactive"),
        ("incomplete", "professional incomplete locked subscription_inactive"),
        ("incomplete_expired", "- incomplete_expired none"),
        ("canceled", "- canceled none"),
        ("hibernating", "professional hibernating locked subscription_inactive"),
    ] {
        let answer = answer(&studio(), professional().status(status), "2026-11-10");
        assert_eq!(gist(&answer), expected);
        let unknown = matches!(answer.anomalies[..], [Anomaly::UnknownStatus { .. }]);
        assert_eq!(unknown, status == "hibernating");
    }
}

#[test]
fn a_trial_is_granted_until_a_day_after_its_end_and_then_locked() {
    check(
        &studio(),
        &professional().on_trial_until("2026-11-15"),
        &[
            ("2026-11-01", "professional trialing granted"),
            ("2026-11-14T23:59:59Z", "professional trialing granted"),
            ("2026-11-15", "professional trialing granted"),
            ("2026-11-15T23:59:59.999999Z", "professional trialing granted"),
            ("2026-11-16", "professional trialing locked trial_expired"),
            ("2027-11-16", "professional trialing locked trial_expired"),
        ],
    );
}

#[test]
fn how_long_a_trial_settles_is_for_the_catalogue_to_say() {
    let trial = professional().on_trial_until("2026-11-15");
    let at_once = studio_with("trial_settle_hours = 0");
    check(
        &at_once,
        &trial,
        &[
            ("2026-11-14T23:59:59Z", "professional trialing granted"),
            ("2026-11-15", "professional trialing locked trial_expired"),
        ],
    );
    let two_hours = studio_with("trial_settle_hours = 2");
    check(
        &two_hours,
        &trial,
        &[
            ("2026-11-15T01:59:59Z", "professional trialing granted"),
            ("2026-11-15T02:00:00Z", "professional trialing locked trial_expired"),
        ],
    );
}

#[test]
fn a_trial_billed_by_hand_ends_when_it_ends() {
    let trial = Holdings::from(professional().on_trial_until("2026-11-15"));
    let catalog = studio();
    for (now, expected) in [
        ("2026-11-14T23:59:59Z", "professional trialing granted"),
        ("2026-11-15", "professional trialing locked trial_expired"),
    ] {
        let mut by_hand = setting(&catalog, at(now));
        by_hand.billing = Billing::Manual;
        assert_eq!(gist(&effective(&trial, &by_hand)), expected, "at {now}");
    }
}

#[test]
fn a_trial_that_was_cancelled_has_nothing_to_settle() {
    check(
        &studio(),
        &professional().on_trial_until("2026-11-15").cancel_at("2026-11-15"),
        &[
            ("2026-11-14T23:59:59Z", "professional trialing granted"),
            ("2026-11-15", "- canceled none"),
        ],
    );
}

#[test]
fn a_trial_without_dates_of_its_own_is_the_period() {
    let trial = professional().on_trial_until("2026-11-15").change(|view| view.trial = None);
    check(&studio(), &trial, &[("2026-11-16", "professional trialing locked trial_expired")]);
    let boundless = trial.change(|view| view.current_period = None);
    check(&studio(), &boundless, &[("2026-11-16", "professional trialing granted")]);
}

#[test]
fn a_failed_payment_has_seven_days_of_grace_from_the_failure() {
    check(
        &studio(),
        &professional().past_due_since("2026-12-01T09:00:00Z"),
        &[
            ("2026-12-01T09:00:00Z", "professional past_due grace"),
            ("2026-12-08T08:59:59Z", "professional past_due grace"),
            ("2026-12-08T09:00:00Z", "professional past_due locked subscription_inactive"),
        ],
    );
}

#[test]
fn the_catalogue_may_give_no_grace() {
    check(
        &studio_with("past_due_grace_days = 0"),
        &professional().past_due_since("2026-12-01"),
        &[("2026-12-01", "professional past_due locked subscription_inactive")],
    );
}

#[test]
fn without_a_known_failure_the_grace_is_counted_from_the_period_it_was_due_in() {
    let since_unknown = professional().status("past_due").period("2026-12-01", "2027-01-01");
    check(
        &studio(),
        &since_unknown,
        &[
            ("2026-12-07T23:59:59Z", "professional past_due grace"),
            ("2026-12-08", "professional past_due locked subscription_inactive"),
        ],
    );
}

#[test]
fn a_scheduled_cancellation_is_one_when_its_date_comes_whatever_stripe_says() {
    for status in ["active", "trialing", "past_due", "unpaid", "paused"] {
        let ending = professional().status(status).cancel_at("2026-12-01");
        check(&studio(), &ending, &[("2026-12-01", "- canceled none")]);
    }
    check(
        &studio(),
        &professional().cancel_at("2026-12-01"),
        &[("2026-11-30T23:59:59Z", "professional active granted")],
    );
}

#[test]
fn a_cancellation_by_stripe_ends_access_when_it_says() {
    let catalog = studio();
    let over = answer(&catalog, professional().ended("2026-11-20"), "2026-11-20");
    assert_eq!(gist(&over), "- canceled none");
    assert_eq!(over.ended_at, Some(at("2026-11-20")));
    // An end that Stripe tells of before it says canceled counts from its instant on.
    let told = professional().change(|view| view.ended_at = Some(at("2026-11-20")));
    check(
        &catalog,
        &told,
        &[
            ("2026-11-19T23:59:59Z", "professional active granted"),
            ("2026-11-20", "- canceled none"),
        ],
    );
}

#[test]
fn a_pause_of_collection_changes_nothing() {
    let paused = professional().change(|view| view.collection_paused = true);
    check(&studio(), &paused, &[("2026-11-10", "professional active granted")]);
}

#[test]
fn a_lost_dispute_locks_the_disputed_subscription_where_the_catalogue_says_so() {
    let disputed =
        |subscription| Holdings::from(professional()).lost_dispute(subscription, "2026-11-20");
    let lock = studio_with("on_dispute_lost = \"lock\"");
    let now = "2026-11-21";
    for (catalog, holdings, expected) in [
        (&studio(), disputed(Some("sub_1")), "professional active granted"),
        (&lock, disputed(Some("sub_1")), "professional active locked subscription_inactive"),
        (&lock, disputed(None), "professional active locked subscription_inactive"),
        (&lock, disputed(Some("sub_0")), "professional active granted"),
    ] {
        assert_eq!(gist(&answer(catalog, holdings, now)), expected);
    }
    let bought_since = Holdings::from(professional().started("2026-11-20T00:00:01Z"));
    let bought_since = bought_since.lost_dispute(None, "2026-11-20");
    assert_eq!(gist(&answer(&lock, bought_since, now)), "professional active granted");
}
