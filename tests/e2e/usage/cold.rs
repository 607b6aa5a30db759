//! What it costs to sum windows that begin in the middle of a day of use.

use chrono::{DateTime, Datelike, Months, TimeDelta, Utc};
use serde_json::{Value, json};

use super::settled;
use super::windows::{instant, membership};
use crate::bodies::{DAY, ENTERPRISE, Price, Story, Version};
use crate::entitlement_cache::{STATEMENTS, metric};
use crate::harness::{Caller, Database, TestApp, now};

const HOUR: i64 = 3_600;

const YEARLY: Price = Price { id: "price_elite_year", amount: 199_000 };

/// Two quotas of the month, and one of the billing period.
const QUOTAS: [&str; 3] = ["downloads", "live_events", "mentoring"];

/// Purchases, by when they were made: with renewals up to now, but for `late`, whose last one
/// nobody has told of.
fn purchases() -> Vec<(&'static str, Price, i64)> {
    vec![
        ("month", ENTERPRISE, now() - 60 * DAY - 2 * HOUR),
        ("clamped", ENTERPRISE, on_the_31st().timestamp()),
        ("year", YEARLY, now() - 368 * DAY - 5 * HOUR),
        ("late", ENTERPRISE, now() - 30 * DAY - 3 * HOUR),
        // Stripe's clock is ahead.
        ("early", YEARLY, now() + HOUR),
    ]
}

fn today() -> DateTime<Utc> {
    DateTime::from_timestamp(now(), 0).expect("an instant")
}

/// The last 31st on which a purchase is followed by a month without one.
fn on_the_31st() -> DateTime<Utc> {
    let months = (0..14).map(|months| today().date_naive() - Months::new(months));
    let ends = months.filter_map(|day| day.with_day(31));
    let mut before = ends.filter(|day| (*day + Months::new(1)).day() < 31);
    let day = before.find(|day| today().date_naive() - *day > TimeDelta::days(35));
    let noon = day.expect("there is one each quarter").and_hms_opt(12, 30, 17);
    noon.expect("a time of day").and_utc()
}

async fn record(service: &Caller, (trainer, feature): (&str, &str), at: DateTime<Utc>) -> Value {
    let body = json!({ "trainer": trainer, "occurred_at": at.to_rfc3339() });
    settled(service, &format!("/api/v1/usage/{feature}/record"), &body, None).await.expect(200)
}

async fn act(service: &Caller, path: &str, body: &Value) -> Value {
    settled(service, &format!("/api/v1/usage/{path}"), body, None).await.expect(200)
}

/// Uses each quota just before its window begins, as it begins, and after; and what is counted at
/// any time. Tells what is to be seen of it, and the last position.
async fn make_use(service: &Caller, trainer: &str, position: i64) -> (Vec<(String, u64)>, i64) {
    let meters = service.read_at(&format!("/api/v1/usage/{trainer}/limits"), position).await;
    let mut expected = Vec::new();
    for feature in QUOTAS {
        let begins = instant(&meters["usage"][feature]["period_start"]);
        let recordable = today() - begins < TimeDelta::days(34);
        for micros in [-3, -1, 0, 1, 700].iter().filter(|_| recordable) {
            record(service, (trainer, feature), begins + TimeDelta::microseconds(*micros)).await;
        }
        expected.push((feature.to_owned(), if recordable { 3 } else { 0 }));
    }
    // Holds count nothing, before they are settled and where they aren't.
    let body = |quantity: u32| json!({ "trainer": trainer, "quantity": quantity });
    act(service, "downloads/reserve", &body(5)).await;
    let reserved = act(service, "downloads/reserve", &body(9)).await;
    let hold = &reserved["hold"];
    let settles = json!({ "trainer": trainer, "hold": hold, "quantity": 4 });
    act(service, "downloads/commit", &settles).await;
    expected[0].1 += 4;
    act(service, "saved_items/consume", &body(8)).await;
    let released = act(service, "saved_items/release", &body(6)).await;
    expected.push(("saved_items".to_owned(), 2));
    (expected, released["position"].as_i64().expect("a position"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_begins_in_the_middle_of_a_day_costs_no_further_statement() {
    let settings = membership().with("STRIPE_PRICE_TIER_ELITE_YEAR", YEARLY.id);
    let mut app = TestApp::start_on(Database::counting_statements().await, settings).await;
    let mut lives = Vec::new();
    for (trainer, price, bought) in purchases() {
        let mut story = Story::new(trainer, Version::Clover, bought);
        story.purchase(price);
        while trainer != "late" && story.tier().period.1 <= now() {
            story.renew();
        }
        let position = app.stripe().deliver_all(&story.take()).await;
        lives.push((trainer, make_use(&app.service(), trainer, position).await));
    }
    let last = lives.iter().map(|(_, (_, position))| *position).max().expect("some");
    app.service().read_at("/api/v1/entitlements?trainer=nobody", last).await;

    app.stop().await;
    app.start_service().await;
    // The catalogue is read once, for all of them.
    app.service().get("/api/v1/entitlements?trainer=nobody").await.expect(200);
    for (trainer, (expected, _)) in lives {
        let before = app.database.number(STATEMENTS).await;
        let answer = app.service().get(&format!("/api/v1/usage/{trainer}/limits")).await;
        let statements = app.database.number(STATEMENTS).await - before;
        let answer = answer.expect(200);
        assert_eq!(statements, 1, "{trainer}: {answer}");
        for (feature, used) in expected {
            assert_eq!(answer["usage"][&feature]["used"], used, "{trainer}, {feature}: {answer}");
        }
    }
    assert_eq!(metric(&app, "ledger_entitlement_usage_queries_total").await, 0.0);
}
