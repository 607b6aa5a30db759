//! What time does to subscriptions, by test clocks: after each step the ledger answers the truth.

use ledger_simulator::world::{Config, Exhausted, RetryPolicy};
use serde_json::{Value, json};

use super::oracle::DAY;
use super::stage::{Stage, id_of};
use crate::harness::{TestApp, now};

const HOUR: i64 = 3_600;

const VISA: Option<&str> = Some("pm_card_visa");

/// An instant from its date.
fn at(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(text).expect("a time").timestamp()
}

fn date(seconds: i64) -> String {
    chrono::DateTime::from_timestamp(seconds, 0).expect("a time").format("%Y-%m-%d").to_string()
}

/// A world that began at an instant.
fn stage(seed: u64, begin: i64) -> Stage {
    Stage::new(&format!("t{seed}"), Config { seed, now: begin, ..Config::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_becomes_a_paid_subscription() {
    let app = TestApp::start().await;
    // The trial's end lies ahead of the real time, so that the ledger shows a trial that runs.
    let begin = now();
    let mut stage = stage(1, begin);
    let (clock, customer) = stage.clocked(begin, VISA);
    let trial = json!({ "trial_period_days": 14 });
    let subscription = stage.subscribe(&customer, "price_professional_month", &trial);
    stage.expect_access(&app, "granted").await;
    for (after, status) in
        [(11 * DAY, "trialing"), (14 * DAY, "active"), (14 * DAY + 2 * HOUR, "active")]
    {
        stage.advance(&clock, begin + after);
        assert_eq!(stage.status(&subscription), status, "after {after} s");
        stage.expect_access(&app, "granted").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_whose_end_is_told_late_gives_nothing_meanwhile() {
    let app = TestApp::start().await;
    let begin = now() - 15 * DAY;
    let mut stage = stage(1, begin);
    let (clock, customer) = stage.clocked(begin, VISA);
    let trial = json!({ "trial_period_days": 14 });
    let subscription = stage.subscribe(&customer, "price_professional_month", &trial);
    assert_eq!(stage.status(&subscription), "trialing");
    stage.expect_access(&app, "locked").await;
    stage.advance(&clock, begin + 14 * DAY + 2 * HOUR);
    assert_eq!(stage.status(&subscription), "active");
    stage.expect_access(&app, "granted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_without_a_payment_method_ends_as_was_chosen() {
    let app = TestApp::start().await;
    let begin = now();
    let ends = [
        ("cancel", "canceled", "none"),
        ("pause", "paused", "locked"),
        ("create_invoice", "past_due", "grace"),
    ];
    for (seed, (behavior, status, access)) in (1..).zip(ends) {
        let mut stage = stage(seed, begin);
        let (clock, customer) = stage.clocked(begin, None);
        let trial = json!({
            "trial_period_days": 14,
            "trial_settings": { "end_behavior": { "missing_payment_method": behavior } },
        });
        let subscription = stage.subscribe(&customer, "price_professional_month", &trial);
        stage.expect_access(&app, "granted").await;
        stage.advance(&clock, begin + 14 * DAY);
        stage.expect_truth(&app).await;
        stage.advance(&clock, begin + 14 * DAY + 2 * HOUR);
        assert_eq!(stage.status(&subscription), status, "{behavior}");
        stage.expect_access(&app, access).await;
    }
}

/// Renews so many times, and tells the dates.
async fn renewals(app: &TestApp, stage: &mut Stage, price: &str, begin: i64, n: u32) -> String {
    let (clock, customer) = stage.clocked(begin, VISA);
    let subscription = stage.subscribe(&customer, price, &json!({}));
    let mut ends = Vec::new();
    for _ in 0..n {
        let end = stage.period_end(&subscription);
        ends.push(date(end));
        stage.advance(&clock, end);
        stage.expect_truth(app).await;
        stage.advance(&clock, end + 2 * HOUR);
        stage.expect_truth(app).await;
    }
    ends.join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn renewals_over_month_ends_and_leap_days() {
    let app = TestApp::start().await;
    let begin = at("2024-01-31T10:00:00Z");
    let months = renewals(&app, &mut stage(1, begin), "price_starter_month", begin, 5).await;
    assert_eq!(months, "2024-02-29 2024-03-31 2024-04-30 2024-05-31 2024-06-30");

    let begin = at("2025-01-30T10:00:00Z");
    let months = renewals(&app, &mut stage(2, begin), "price_starter_month", begin, 3).await;
    assert_eq!(months, "2025-02-28 2025-03-30 2025-04-30");

    let begin = at("2020-02-29T10:00:00Z");
    let years = renewals(&app, &mut stage(3, begin), "price_professional_year", begin, 5).await;
    assert_eq!(years, "2021-02-28 2022-02-28 2023-02-28 2024-02-29 2025-02-28");
}

#[tokio::test(flavor = "multi_thread")]
async fn dunning_ends_unpaid_and_a_payment_recovers() {
    let app = TestApp::start().await;
    // The first failure lies ahead of the real time, or so far back that the grace is over.
    for (seed, begin, past_due) in [(1, now(), "grace"), (2, now() - 48 * DAY, "locked")] {
        let retries = RetryPolicy { days: vec![3, 8, 15], exhausted: Exhausted::Unpaid };
        let config = Config { seed, now: begin, retries, ..Config::default() };
        let mut stage = Stage::new(&format!("t{seed}"), config);
        let (clock, customer) = stage.clocked(begin, VISA);
        let subscription = stage.subscribe(&customer, "price_professional_month", &json!({}));
        stage.expect_access(&app, "granted").await;
        let failing = json!({
            "invoice_settings": { "default_payment_method": "pm_card_chargeCustomerFail" }
        });
        stage.post(&format!("customers/{customer}"), &failing);
        let due = stage.period_end(&subscription) + 2 * HOUR;
        for (after, status) in
            [(0, "past_due"), (3, "past_due"), (8, "past_due"), (15, "unpaid"), (16, "unpaid")]
        {
            stage.advance(&clock, due + after * DAY);
            assert_eq!(stage.status(&subscription), status, "after {after} days");
            let access = if status == "unpaid" { "locked" } else { past_due };
            stage.expect_access(&app, access).await;
        }
        let invoice = stage.world.find(&subscription).unwrap()["latest_invoice"].clone();
        let pay = json!({ "payment_method": "pm_card_visa" });
        stage.post(&format!("invoices/{}/pay", invoice.as_str().unwrap()), &pay);
        assert_eq!(stage.status(&subscription), "active");
        stage.expect_access(&app, "granted").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_downgrade_comes_at_the_boundary() {
    let app = TestApp::start().await;
    // The boundary lies ahead of the real time, so that the ledger shows what is to come.
    let begin = now() - 10 * DAY;
    let mut stage = stage(1, begin);
    let (clock, customer) = stage.clocked(begin, VISA);
    let subscription = stage.subscribe(&customer, "price_enterprise_month", &json!({}));
    stage.expect_truth(&app).await;
    schedule(&mut stage, &subscription, "price_starter_month");
    let scheduled = &stage.world.truth()[0].scheduled;
    assert_eq!(scheduled.as_ref().unwrap().1, ["price_starter_month"]);
    stage.expect_truth(&app).await;
    let boundary = stage.period_end(&subscription);
    for to in [boundary - 1, boundary, boundary + 2 * HOUR] {
        stage.advance(&clock, to);
        stage.expect_truth(&app).await;
    }
    assert_eq!(stage.world.truth()[0].prices, ["price_starter_month"]);
}

/// Another price from the period's end on.
fn schedule(stage: &mut Stage, subscription: &str, price: &str) {
    let made = stage.post("subscription_schedules", &json!({ "from_subscription": subscription }));
    let phase = &made["phases"][0];
    let kept = json!([{ "price": phase["items"][0]["price"], "quantity": 1 }]);
    let phases = json!([
        { "items": kept, "start_date": phase["start_date"], "end_date": phase["end_date"] },
        { "items": [{ "price": price }], "proration_behavior": "none" },
    ]);
    let path = format!("subscription_schedules/{}", id_of(&made));
    stage.post(&path, &json!({ "phases": phases }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_at_the_periods_end_under_classic_and_flexible_billing() {
    let app = TestApp::start().await;
    let begin = now() - 10 * DAY;
    for (seed, mode) in [(1, "classic"), (2, "flexible")] {
        let mut stage = stage(seed, begin);
        let (clock, customer) = stage.clocked(begin, VISA);
        let billing = json!({ "billing_mode": { "type": mode } });
        let subscription = stage.subscribe(&customer, "price_professional_month", &billing);
        stage.expect_truth(&app).await;
        let path = format!("subscriptions/{subscription}");
        for on in [true, false, true] {
            let object = stage.post(&path, &json!({ "cancel_at_period_end": on }));
            assert_eq!(object["cancel_at_period_end"], Value::Bool(on && mode == "classic"));
            stage.expect_truth(&app).await;
        }
        let end = stage.period_end(&subscription);
        stage.advance(&clock, end - 1);
        assert_eq!(stage.status(&subscription), "active");
        stage.expect_truth(&app).await;
        stage.advance(&clock, end);
        assert_eq!(stage.status(&subscription), "canceled");
        stage.expect_truth(&app).await;
    }
}
