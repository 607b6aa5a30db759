//! While the database is away nothing is acknowledged, and nothing is lost.

use futures::future::join_all;
use serde_json::Value;

use super::{count, some_webhook};
use crate::check::verify_log;
use crate::harness::{Database, Settings, TestApp, WAIT_MAX, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn without_its_log_the_service_asks_to_come_again() {
    let settings = Settings::of_service().with("RUST_LOG", "info,ledger_projections=debug");
    let app = TestApp::start_on(Database::on_own_cluster().await, settings).await;
    app.stripe().deliver(&some_webhook("evt_before")).await;
    app.database.cluster().stop().expect("the server can be stopped");

    let webhooks: Vec<Value> = (0..8).map(|n| some_webhook(&format!("evt_away_{n}"))).collect();
    let stripe = app.stripe();
    for answer in join_all(webhooks.iter().map(|webhook| stripe.post(webhook))).await {
        assert_eq!(answer.status, 503, "{answer:?}");
        let seconds = answer.header("retry-after").and_then(|value| value.parse::<u32>().ok());
        assert!(seconds.is_some(), "Retry-After of {answer:?}");
    }
    // From now on nobody waits, and the log doesn't tell it of each.
    let again = join_all((0..200).map(|_| stripe.post(&webhooks[0]))).await;
    assert!(again.iter().all(|answer| answer.status == 503), "{again:?}");
    let told = app.output().text().matches("can't be written at the moment").count();
    assert!((1..10).contains(&told), "told {told} times");
    assert_eq!(app.anyone().get("/healthz").await.status, 200, "alive");
    assert_ne!(app.anyone().get("/readyz").await.status, 200, "and not ready");

    // Also where nobody appends or asks.
    eventually("the cause is told", || async {
        let told = app.output().text();
        let line = told.lines().find(|line| line.contains("the database can't be used at"))?;
        assert!(line.contains("nothing listens there"), "{line}");
        Some(())
    })
    .await;
    // From now on no question waits for a connection either: each would for seconds.
    let asked = async {
        for _ in 0..200 {
            let answer = app.trainer("t1").get("/api/v1/tiers/current").await;
            answer.expect_problem(503, "unavailable");
        }
    };
    tokio::time::timeout(WAIT_MAX, asked).await.expect("200 answers at once");
    app.anyone().get("/api/v1/tiers/current").await.expect_problem(401, "unauthenticated");
    // What is counted is asked for now above all.
    for caller in [app.anyone(), app.operator()] {
        let answer = caller.get("/metrics").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let appending = answer.body.lines().find(|line| line.starts_with("ledger_log_appending "));
        assert_eq!(appending, Some("ledger_log_appending 0"));
    }
    let told = app.output().text();
    assert!(!told.contains("pool timed out"), "the driver's words: {told}");

    // What goes on in vain is told once for each cause.
    let told_of = |line: &str| app.output().text().matches(line).count();
    eventually("the read models are tried again", || async {
        (told_of("the read models still don't advance") > 2).then_some(())
    })
    .await;
    let told = told_of("the read models don't advance");
    assert!((1..=3).contains(&told), "told {told} times: {}", app.output().text());
    assert!(told_of("the tenants can't be listed") <= 1);

    app.database.cluster().start().expect("the server can be started");
    for webhook in &webhooks {
        // Stripe's own retries are minutes apart.
        eventually("the retry is accepted", || async {
            let answer = app.stripe().post(webhook).await;
            assert!([200, 503].contains(&answer.status), "{answer:?}");
            (answer.status == 200).then_some(())
        })
        .await;
    }
    app.wait_until_ready().await;
    let answer = app.service().get("/api/v1/tiers/current?trainer=t1").await;
    assert!([200, 404].contains(&answer.status), "{answer:?}");
    eventually("the end is told, too", || async {
        app.output().text().contains("the database can be used again").then_some(())
    })
    .await;
    for id in webhooks.iter().filter_map(|webhook| webhook["id"].as_str()).chain(["evt_before"]) {
        assert_eq!(count(&app, id).await, 1, "{id}");
    }
    verify_log(app.owner(), "default").await;
}
