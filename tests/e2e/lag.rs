//! The metrics tell of read models that stand still.

use crate::bodies::{DAY, STARTER, Story, Version};
use crate::harness::{TestApp, eventually, now};

/// A gauge of the only tenant, if it was set yet.
async fn gauge(app: &TestApp, name: &str) -> Option<f64> {
    let metrics = app.anyone().get("/metrics").await.body;
    let name = format!("ledger_projection_{name}{{tenant=\"default\"}} ");
    let value = metrics.lines().find_map(|line| line.strip_prefix(&name))?;
    Some(value.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lag_grows_while_the_runner_is_held_up() {
    let app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let webhooks = story.take();
    let first = app.stripe().deliver(&webhooks[0]).await;
    app.trainer("t1").read_at("/api/v1/tiers/current", first).await;

    app.database.hold_up_runner();
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
