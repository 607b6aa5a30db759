//! AI generations: a quota that an add-on gives by the month, whatever the tier.

use chrono::{DateTime, Datelike, Months, Utc};
use serde_json::{Value, json};

use super::settled;
use crate::bodies::{
    AI_ENTERPRISE, AI_PROFESSIONAL, AI_STARTER, AI_STARTER_YEAR, DAY, STARTER, Story, Version,
};
use crate::harness::{Answer, Settings, TestApp, now};

const HOUR: i64 = 3_600;
const PATH: &str = "/api/v1/entitlements/ai_generations";

/// With all prices that these trainers pay.
async fn ledger() -> TestApp {
    let settings = Settings::of_service()
        .with("STRIPE_PRICE_ADDON_AI_STARTER_YEAR", AI_STARTER_YEAR.id)
        .with("STRIPE_PRICE_ADDON_AI_ENTERPRISE", AI_ENTERPRISE.id);
    TestApp::start_with(settings).await
}

async fn act(app: &TestApp, act: &str, body: &Value) -> Answer {
    settled(&app.service(), &format!("/api/v1/usage/ai_generations/{act}"), body, None).await
}

async fn consume(app: &TestApp, trainer: &str, quantity: u64) -> Answer {
    act(app, "consume", &json!({ "trainer": trainer, "quantity": quantity })).await
}

/// Waits until questions are answered with what an act did.
async fn known(app: &TestApp, trainer: &str, acted: &Value) {
    let position = acted["position"].as_i64().expect("a position");
    app.service().read_at(&format!("/api/v1/entitlements?trainer={trainer}"), position).await;
}

/// The last instant at which windows turned: an hour ago.
fn turned_at() -> DateTime<Utc> {
    DateTime::from_timestamp(now() - HOUR, 0).expect("a time of our age")
}

/// An anchor at least so many months earlier, whose day the months between have.
fn anchor_of(turned: DateTime<Utc>, months: u32) -> DateTime<Utc> {
    let mut earlier = (months..).map(|months| turned - Months::new(months));
    earlier.find(|anchor| anchor.day() == turned.day()).expect("such a month")
}

/// The window of an answer, which is that of a month that turned at an instant.
fn expect_month(answer: &Value, turned: DateTime<Utc>) {
    let edge = |name: &str| {
        let text = answer[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer}"));
        text.parse::<DateTime<Utc>>().expect("a time")
    };
    assert_eq!(edge("period_start"), turned, "{answer}");
    let days = (edge("period_end") - turned).num_days();
    assert!((28..=31).contains(&days), "a month, whatever is paid for at once: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_up_is_there_again_when_the_month_turns() {
    let app = ledger().await;
    let turned = turned_at();
    let (service, at) =
        (app.service(), |time: DateTime<Utc>| time.to_rfc3339().replace('+', "%2B"));
    for (trainer, price, months) in [("t1", AI_STARTER, 1), ("t2", AI_STARTER_YEAR, 5)] {
        let anchor = anchor_of(turned, months).timestamp();
        let mut story = Story::new(trainer, Version::Clover, anchor);
        story.purchase(STARTER).add(price);
        app.stripe().deliver_all(&story.take()).await;

        // Everything was used in the second before, and nothing was left.
        let last = turned - chrono::TimeDelta::seconds(1);
        let all = json!({ "trainer": trainer, "quantity": 100, "occurred_at": last });
        let recorded = act(&app, "record", &all).await.expect(200);
        known(&app, trainer, &recorded).await;
        assert_eq!((&recorded["used"], &recorded["remaining"]), (&json!(100), &json!(0)));
        let path = format!("{PATH}?trainer={trainer}&as_of=");
        let full = service.get(&format!("{path}{}", at(last))).await;
        assert_eq!(full.expect_problem(403, "quota_exhausted")["used"], 100);
        let fresh = service.get(&format!("{path}{}", at(turned))).await.expect(200);
        assert_eq!((&fresh["used"], &fresh["remaining"]), (&json!(0), &json!(100)), "{fresh}");
        expect_month(&fresh, turned);

        // Since then there is as much again, and no more.
        let granted = consume(&app, trainer, 100).await.expect(200);
        assert_eq!((&granted["used"], &granted["remaining"]), (&json!(100), &json!(0)));
        expect_month(&granted, turned);
        let denied = consume(&app, trainer, 1).await.expect_problem(403, "quota_exhausted");
        assert_eq!((&denied["limit"], &denied["used"]), (&json!(100), &json!(100)), "{denied}");
        known(&app, trainer, &granted).await;
        let one_more = service.get(&format!("{PATH}?trainer={trainer}")).await;
        one_more.expect_problem(403, "quota_exhausted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_add_on_counts_at_once() {
    let app = ledger().await;
    let mut story = Story::new("t1", Version::Clover, now() - 2 * DAY);
    story.purchase(STARTER).add(AI_STARTER);
    app.stripe().deliver_all(&story.take()).await;
    consume(&app, "t1", 100).await.expect(200);
    let mut used = 100;
    for (next, price, quantity, limit) in [
        ("ai_professional", AI_PROFESSIONAL, 400, json!(500)),
        ("ai_enterprise", AI_ENTERPRISE, 100_000, Value::Null),
    ] {
        let denied = consume(&app, "t1", 1).await.expect_problem(403, "quota_exhausted");
        assert_eq!(
            (&denied["required_add_on"], &denied["required_tier"]),
            (&json!(next), &Value::Null)
        );
        story.pass(HOUR).change_add_on(price);
        app.stripe().deliver_all(&story.take()).await;
        // What was used stays used.
        used += quantity;
        let granted = consume(&app, "t1", quantity).await.expect(200);
        assert_eq!((&granted["used"], &granted["limit"]), (&json!(used), &limit), "{granted}");
    }
    story.pass(HOUR).change_add_on(AI_STARTER);
    app.stripe().deliver_all(&story.take()).await;
    let denied = consume(&app, "t1", 1).await.expect_problem(403, "quota_exhausted");
    assert_eq!((&denied["limit"], &denied["used"]), (&json!(100), &json!(used)), "{denied}");
}

/// Who it is, what happens, and what one more of each of them is denied with: a customer, which
/// the tier gives, and a generation, which the add-on gives; each with the status that is told.
type Case = (&'static str, fn(&mut Story), [Option<Told>; 2]);
type Told = (&'static str, &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn tier_and_add_on_live_and_die_apart() {
    let app = ledger().await;
    let inactive = |status| Some(("subscription_inactive", status));
    let lacks = Some(("feature_not_available", "active"));
    let cases: [Case; 6] = [
        ("both", |_| (), [None, None]),
        ("tier-ends", |story| _ = story.cancel_now(), [inactive("canceled"), None]),
        ("tier-unpaid", |story| _ = story.becomes("unpaid"), [inactive("unpaid"), None]),
        ("add-on-ends", |story| _ = story.drop_add_on(), [None, lacks]),
        ("add-on-unpaid", |story| _ = story.add_on_becomes("unpaid"), [None, inactive("unpaid")]),
        ("add-on-owes", |story| _ = story.add_on_becomes("past_due"), [None, None]),
    ];
    for (trainer, tell, [of_tier, of_add_on]) in cases {
        let mut story = Story::new(trainer, Version::Clover, now() - 2 * DAY);
        story.purchase(STARTER).add(AI_STARTER).pass(DAY);
        tell(&mut story);
        app.stripe().deliver_all(&story.take()).await;
        for (feature, denial) in [("customers", of_tier), ("ai_generations", of_add_on)] {
            let path = format!("/api/v1/usage/{feature}/consume");
            let answer = settled(&app.service(), &path, &json!({ "trainer": trainer }), None).await;
            match denial {
                None => assert_eq!(answer.expect(200)["used"], 1, "{trainer}, {feature}"),
                Some((code, status)) => {
                    let denied = answer.expect_problem(403, code);
                    assert_eq!(denied["subscription_status"], status, "{trainer}: {denied}");
                    let detail = denied["detail"].as_str().expect("a sentence");
                    let is_told = detail.contains(&format!("(status {status})"));
                    assert_eq!(is_told, code == "subscription_inactive", "{denied}");
                }
            }
        }
    }
}
