//! A limit is the one known from every fact that was acknowledged before the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::task::JoinSet;

use super::{act, app_with, purchase, starter};
use crate::bodies::{DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::harness::{TestApp, now};

/// Nothing can be written to the read model of subscriptions until the transaction ends.
const HOLD_UP: &str = "LOCK TABLE rm_subscriptions.trainer_subscriptions IN SHARE MODE";

#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_that_was_acknowledged_binds_at_once() {
    let (app, mut story) = app_with("t1", PROFESSIONAL).await;
    let other = app.another().await;
    act(&app.service(), "consume", &json!({ "quantity": 15 })).await.expect(200);

    let mut held_up = app.owner().begin().await.unwrap();
    sqlx::query(HOLD_UP).execute(&mut *held_up).await.unwrap();
    story.change_to(STARTER);
    app.stripe().deliver_all(&story.take()).await;
    // The read models still say 20, and can't know better. So nobody is told anything.
    let mut counted = 0;
    for process in [&app, &other] {
        let service = process.service();
        let body = json!({ "trainer": "t1" });
        let answer = service.post("/api/v1/usage/customers/consume", &body).await;
        answer.expect_problem(503, "unavailable");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        let check = service.get("/api/v1/usage/t1/check/customers").await;
        check.expect_problem(503, "unavailable");
        // What has happened is counted all the same.
        let recorded = act(&service, "record", &json!({})).await.expect(200);
        counted = recorded["position"].as_i64().expect("a position");
    }
    held_up.rollback().await.unwrap();
    for process in [&app, &other] {
        let problem = act(&process.service(), "consume", &json!({})).await;
        let problem = problem.expect_problem(403, "limit_reached");
        assert_eq!((&problem["limit"], &problem["used"]), (&json!(9), &json!(17)), "{problem}");
        assert_eq!(problem["required_tier"], "professional", "{problem}");
    }
    // What is over the limit isn't undone, and is told.
    let limits = app.service().read_at("/api/v1/usage/t1/limits", counted).await;
    let customers = &limits["usage"]["customers"];
    assert_eq!((&customers["over_limit"], &customers["percent"]), (&json!(true), &json!(188)));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_facts_about_a_trainer_are_parked_nothing_is_decided_for_it() {
    let (app, mut story) = app_with("t1", PROFESSIONAL).await;
    let service = app.service();
    let held = act(&service, "reserve", &json!({ "quantity": 15 })).await.expect(200);
    let subscription = story.tier().id.clone();
    app.database.execute(&format!(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'poison' USING ERRCODE = 'check_violation'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON rm_subscriptions.trainer_subscriptions
         FOR EACH ROW WHEN (NEW.subscription_id = '{subscription}')
         EXECUTE FUNCTION public.refuse()"
    ));
    story.change_to(STARTER);
    let position = app.stripe().deliver_all(&story.take()).await;
    // Others can read at that position; of this trainer, an event before it waits.
    app.trainer("t2").read_at("/api/v1/tiers/current", position).await;
    assert_eq!(app.database.number("SELECT count(*) FROM projection.parked_unit").await, 1);

    let (path, body) = ("/api/v1/usage/customers/consume", json!({ "trainer": "t1" }));
    service.post(path, &body).await.expect_problem(503, "parked");
    service.get("/api/v1/usage/t1/check/customers").await.expect_problem(503, "parked");
    // What was promised and what has happened don't wait; neither do others.
    act(&service, "commit", &json!({ "hold": held["hold"] })).await.expect(200);
    act(&service, "record", &json!({})).await.expect(200);
    purchase(&app, "t2", STARTER).await;
    super::settled(&service, path, &json!({ "trainer": "t2" }), None).await.expect(200);

    app.database.execute("DROP TRIGGER refuse ON rm_subscriptions.trainer_subscriptions");
    let problem = act(&service, "consume", &json!({})).await.expect_problem(403, "limit_reached");
    assert_eq!((&problem["limit"], &problem["used"]), (&json!(9), &json!(16)), "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_told_of_a_change_is_judged_by_it() {
    let app = TestApp::start().await;
    let other = app.another().await;
    let (here, there) = (app.service(), other.service());
    for n in 0..5 {
        let trainer = format!("t{n}");
        let mut story = Story::new(&trainer, Version::Clover, now() - DAY);
        let consume = async |quantity: i64| {
            let body = json!({ "trainer": trainer, "quantity": quantity });
            super::settled(&there, "/api/v1/usage/customers/consume", &body, None).await
        };
        consume(1).await.expect_problem(403, "feature_not_available");
        story.purchase(STARTER);
        app.stripe().deliver_all(&story.take()).await;
        consume(9).await.expect(200);
        consume(1).await.expect_problem(403, "limit_reached");
        story.change_to(PROFESSIONAL);
        app.stripe().deliver_all(&story.take()).await;
        consume(1).await.expect(200);
        story.change_to(STARTER);
        app.stripe().deliver_all(&story.take()).await;
        consume(1).await.expect_problem(403, "limit_reached");
        story.cancel_now();
        app.stripe().deliver_all(&story.take()).await;
        let locked = consume(1).await.expect_problem(403, "subscription_inactive");
        assert_eq!(locked["subscription_status"], "canceled", "{locked}");
        let used = here.get(&format!("/api/v1/usage/{trainer}/check/customers")).await;
        assert_eq!(used.expect(200)["used"], 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_webhooks_starves_nobody() {
    let app = starter().await;
    let done = Arc::new(AtomicBool::new(false));
    let mut storm = JoinSet::new();
    for lane in 0..4 {
        let (stripe, done) = (app.stripe(), Arc::clone(&done));
        storm.spawn(async move {
            let mut told = 0;
            while !done.load(Ordering::SeqCst) {
                let trainer = format!("storm-{lane}-{told}");
                let mut story = Story::new(&trainer, Version::Clover, now() - DAY);
                story.purchase(STARTER);
                told += stripe.deliver_all(&story.take()).await.min(1);
            }
            told
        });
    }
    let service = app.service();
    for n in 1..=9 {
        let granted = act(&service, "consume", &json!({})).await.expect(200);
        assert_eq!(granted["used"], n, "{granted}");
    }
    act(&service, "consume", &json!({})).await.expect_problem(403, "limit_reached");
    done.store(true, Ordering::SeqCst);
    let told: i64 = storm.join_all().await.into_iter().sum();
    assert!(told >= 4, "{told} lives were told meanwhile");
    purchase(&app, "t2", STARTER).await;
}
