//! In which window usage counts, when renewals are told late.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::settled;
use crate::bodies::{DAY, ENTERPRISE, Story, Version};
use crate::harness::{Caller, Settings, TestApp, now};

const HOUR: i64 = 3600;

/// The product with a quota of the billing period, `mentoring`, and one of the month, `downloads`.
pub(super) fn membership() -> Settings {
    let catalog = concat!(env!("CARGO_MANIFEST_DIR"), "/catalogs/membership.toml");
    let settings = Settings::of_service().with("LEDGER_CATALOG", catalog);
    settings.with("STRIPE_PRICE_TIER_ELITE", ENTERPRISE.id)
}

pub(super) async fn meter(service: &Caller, feature: &str, position: i64) -> Value {
    service.read_at("/api/v1/usage/t1/limits", position).await["usage"][feature].clone()
}

pub(super) async fn record(service: &Caller, feature: &str, at: DateTime<Utc>) -> Value {
    let body = json!({ "trainer": "t1", "occurred_at": at.to_rfc3339() });
    settled(service, &format!("/api/v1/usage/{feature}/record"), &body, None).await.expect(200)
}

pub(super) fn instant(text: &Value) -> DateTime<Utc> {
    text.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_counts_in_its_window_although_the_renewal_is_told_late() {
    let app = TestApp::start_with(membership()).await;
    let service = app.service();
    // The period ended two hours ago, and nobody has told of the next one.
    let ended = now() - 2 * HOUR;
    let mut story = Story::new("t1", Version::Clover, ended - 30 * DAY);
    story.purchase(ENTERPRISE);
    let mut position = app.stripe().deliver_all(&story.take()).await;

    let second = TimeDelta::seconds(1);
    let mut boundaries = Vec::new();
    for feature in ["mentoring", "downloads"] {
        let boundary = instant(&meter(&service, feature, position).await["period_start"]);
        let before = record(&service, feature, boundary - second).await;
        assert_eq!((&before["used"], instant(&before["period_end"])), (&json!(1), boundary));
        for (at, used) in [(boundary, 1), (boundary + second, 2)] {
            let recorded = record(&service, feature, at).await;
            let place = (&recorded["used"], instant(&recorded["period_start"]));
            assert_eq!(place, (&json!(used), boundary), "{feature} at {at}: {recorded}");
            position = recorded["position"].as_i64().expect("a position");
        }
        boundaries.push((feature, boundary));
    }
    assert_eq!(boundaries[0].1.timestamp(), ended, "the billing period turned on time");

    story.renew();
    let position = app.stripe().deliver_all(&story.take()).await.max(position);
    for (feature, boundary) in boundaries {
        let meter = meter(&service, feature, position).await;
        let place = (&meter["used"], instant(&meter["period_start"]));
        assert_eq!(place, (&json!(2), boundary), "{feature}: {meter}");
        let late = record(&service, feature, boundary - second).await;
        assert_eq!((&late["used"], instant(&late["period_end"])), (&json!(2), boundary), "{late}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_denied_when_it_is_used_up_and_others_are_not() {
    let app = TestApp::start_with(membership()).await;
    let service = app.service();
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(ENTERPRISE);
    app.stripe().deliver_all(&story.take()).await;
    let consume = async |feature: &str, quantity: i64| {
        let body = json!({ "trainer": "t1", "quantity": quantity });
        settled(&service, &format!("/api/v1/usage/{feature}/consume"), &body, None).await
    };
    consume("mentoring", 3).await.expect(200);
    let problem = consume("mentoring", 2).await.expect_problem(403, "quota_exhausted");
    assert_eq!((&problem["limit"], &problem["used"]), (&json!(4), &json!(3)), "{problem}");
    let last = consume("mentoring", 1).await.expect(200);
    assert_eq!((&last["remaining"], &last["warning"]), (&json!(0), &json!("reached")), "{last}");
    let unlimited = consume("downloads", 1_000_000).await.expect(200);
    assert_eq!((&unlimited["limit"], &unlimited["remaining"]), (&Value::Null, &Value::Null));
    let flag = consume("library", 1).await;
    flag.expect_problem(422, "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_too_long_ago_or_not_yet_is_refused() {
    let app = TestApp::start_with(membership()).await;
    let service = app.service();
    for (from_now, status) in [(-36 * DAY, 422), (10 * 60, 422), (-34 * DAY, 200), (60, 200)] {
        let at = DateTime::from_timestamp(now() + from_now, 0).expect("an instant").to_rfc3339();
        let body = json!({ "trainer": "t1", "occurred_at": at });
        let answer = settled(&service, "/api/v1/usage/downloads/record", &body, None).await;
        assert_eq!(answer.status, status, "{from_now}: {answer:?}");
        if status == 422 {
            answer.expect_problem(422, "invalid_request");
        }
    }
}
