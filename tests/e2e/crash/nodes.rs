//! Two service processes on one database.

use super::expect_all;
use super::load::Load;
use crate::check::expect_equal_to_a_fold;
use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn two_services_share_one_log() {
    let mut app = TestApp::start().await;
    let mut other = app.another().await;
    let load = Load::start(vec![app.stripe(), other.stripe()]);
    load.wait_for_more(150).await;

    // One goes away without a word, and comes again.
    other.kill();
    load.wait_for_more(50).await;
    other.spawn_service().await;
    load.aim_at(vec![app.stripe(), other.stripe()]);
    load.wait_for_more(100).await;

    let seen = load.finish().await;
    let last = *seen.acknowledged.values().max().expect("acknowledged events");
    expect_all(&app, &seen.acknowledged).await;

    // What one has acknowledged, the other one knows.
    for service in [&app, &other] {
        let current = service.trainer("c0-0").read_at("/api/v1/tiers/current", last).await;
        assert!(current["status"].is_string(), "{current}");
    }
    other.stop().await;
    expect_equal_to_a_fold(&mut app).await;
}
