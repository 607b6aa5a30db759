//! What `/metrics` says beside its figures.

use std::collections::BTreeSet;

use crate::bodies::{DAY, STARTER, Story, Version};
use crate::harness::{TestApp, eventually, now};

/// The names in the lines that begin so.
fn named(metrics: &str, begin: &str) -> BTreeSet<String> {
    let names = metrics.lines().filter_map(|line| line.strip_prefix(begin)?.split(' ').next());
    names.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_tells_what_it_means() {
    let app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let position = app.stripe().deliver_all(&story.take()).await;
    app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
    let body = serde_json::json!({ "trainer": "t1" });
    app.service().post("/api/v1/usage/customers/consume", &body).await.expect(200);
    // Counters, gauges and histograms of the service, the log and the read models.
    let metrics = eventually("all parts have been counted", || async {
        let metrics = app.anyone().get("/metrics").await.body;
        let kinds = named(&metrics, "# TYPE ");
        let parts = ["ledger_webhook_seconds", "ledger_log_append_seconds"];
        let parts = parts.into_iter().chain(["ledger_projection_lag_events"]);
        parts.into_iter().all(|name| kinds.contains(name)).then_some(metrics)
    })
    .await;
    let (kinds, meanings) = (named(&metrics, "# TYPE "), named(&metrics, "# HELP "));
    assert!(kinds.len() > 25, "{kinds:?}");
    assert_eq!(kinds, meanings, "a type and a meaning of each");
    for line in metrics.lines().filter(|line| line.starts_with("# HELP ")) {
        assert!(line.split(' ').count() > 4, "{line}");
    }
}
