//! The metrics and `/readyz` tell of read models that stand still.

use serde_json::Value;

use crate::bodies::{DAY, STARTER, Story, Version};
use crate::harness::{TestApp, eventually, now};

/// A gauge of the only tenant, if it was set yet.
async fn gauge(app: &TestApp, name: &str) -> Option<f64> {
    let metrics = app.anyone().get("/metrics").await.body;
    let name = format!("ledger_projection_{name}{{tenant=\"default\"}} ");
    let value = metrics.lines().find_map(|line| line.strip_prefix(&name))?;
    Some(value.parse().expect("a number"))
}

/// A service whose read models stand still, with the first of a purchase's webhooks in them: all of
/// these, and that one's position.
async fn held_up() -> (TestApp, Vec<Value>, i64) {
    let app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let webhooks = story.take();
    let first = app.stripe().deliver(&webhooks[0]).await;
    app.trainer("t1").read_at("/api/v1/tiers/current", first).await;
    app.database.hold_up_runner();
    (app, webhooks, first)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lag_grows_while_the_runner_is_held_up() {
    let (app, webhooks, first) = held_up().await;
    let last = app.stripe().deliver_all(&webhooks[1..]).await;
    let lag = (last - first) as f64;
    eventually("the lag is told", || async {
        (gauge(&app, "lag_events").await == Some(lag)).then_some(())
    })
    .await;
    assert_eq!(gauge(&app, "position").await, Some(first as f64));
    let told = gauge(&app, "lag_seconds").await.expect("a number");
    eventually("the lag grows", || async {
        gauge(&app, "lag_seconds").await.filter(|seconds| *seconds > told)
    })
    .await;
    assert_eq!(gauge(&app, "lag_events").await, Some(lag), "nothing was taken in meanwhile");

    app.database.release_runner();
    eventually("the lag is gone", || async {
        let lag = (gauge(&app, "lag_events").await, gauge(&app, "lag_seconds").await);
        (lag == (Some(0.0), Some(0.0))).then_some(())
    })
    .await;
    assert_eq!(gauge(&app, "position").await, Some(last as f64));
}

/// However few the events are that wait.
#[tokio::test(flavor = "multi_thread")]
async fn read_models_that_stand_still_are_not_ready() {
    let (app, webhooks, first) = held_up().await;
    app.stripe().deliver(&webhooks[1]).await;
    assert_eq!(app.anyone().get("/readyz").await.status, 200, "it has just come");
    // In the place of a minute's wait.
    let ago = |sign: char| {
        app.database.execute(&format!(
            "SET session_replication_role = replica;
             UPDATE event SET recorded_at = recorded_at {sign} interval '2 minutes'
                 WHERE position > {first}"
        ))
    };
    ago('-');
    let answer = app.anyone().get("/readyz").await;
    let problem = answer.expect_problem(503, "unavailable");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.contains("stand still") && detail.contains("ledger replay status"), "{detail}");
    // What was written last may still be in the pipe.
    eventually("the log names the tenant", || async {
        let output = app.output().text();
        let told = |line: &&str| line.contains("not ready") && line.contains(detail);
        let line = output.lines().find(told)?;
        assert!(line.contains("\"tenant\":\"default\""), "{line}");
        Some(())
    })
    .await;

    ago('+');
    app.database.release_runner();
    app.wait_until_ready().await;
}
