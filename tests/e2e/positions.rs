//! Reading one's own writes: `min_position`, and the position of each answer.

use std::time::Duration;

use tokio::time::Instant;

use crate::bodies::{DAY, STARTER, Story, Version};
use crate::harness::{TestApp, eventually, now};

/// The service waits for at most two seconds; on a busy machine the answer takes a little longer.
const BOUND: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn every_read_tells_its_position() {
    let app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let webhooks = story.take();
    let paths = [
        "/api/v1/tiers/current",
        "/api/v1/tiers/history",
        "/api/v1/tiers/usage",
        "/api/v1/entitlements",
    ];
    let mut last = 0;
    for webhook in &webhooks {
        let position = app.stripe().deliver(webhook).await;
        assert!(position > last, "positions rise");
        last = position;
        for path in paths {
            // `read_at` checks that the answer is from that position or a later one.
            app.trainer("t1").read_at(path, position).await;
        }
    }
    let service = app.service();
    service.read_at("/api/v1/entitlements?trainer=t1", last).await;
    let head = "SELECT position FROM log_head WHERE tenant = 'default'";
    let current = app.trainer("t1").get("/api/v1/tiers/current").await.expect(200);
    assert_eq!(current["position"], app.database.number(head).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_doesnt_come_is_not_waited_for_long() {
    let app = TestApp::start().await;
    for path in ["/api/v1/tiers/current", "/api/v1/tiers/history", "/api/v1/entitlements"] {
        let begin = Instant::now();
        let answer = app.trainer("t1").get(&format!("{path}?min_position=1000000000")).await;
        answer.expect_problem(503, "unavailable");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        assert!(begin.elapsed() < BOUND, "{path}: {:?}", begin.elapsed());
    }
    // Without a token nothing is waited for: some answer takes less than waiting would.
    eventually("a question of nobody's is answered at once", || async {
        let begin = Instant::now();
        let answer = app.anyone().get("/api/v1/tiers?min_position=1000000000").await;
        answer.expect_problem(503, "unavailable");
        (begin.elapsed() < Duration::from_secs(1)).then_some(())
    })
    .await;
    // Meanwhile, and afterwards, others are served.
    app.trainer("t1").get("/api/v1/tiers/current").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_is_on_its_way_is_waited_for() {
    let app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let webhooks = story.take();
    let first = app.stripe().deliver(&webhooks[0]).await;
    let last = first + i64::try_from(webhooks.len()).unwrap() - 1;
    let caller = app.trainer("t1");
    let reader = caller.read_at("/api/v1/tiers/current", last);
    let stripe = app.stripe();
    let (current, position) = tokio::join!(reader, stripe.deliver_all(&webhooks[1..]));
    assert_eq!(position, last);
    assert_eq!(current["tier"]["slug"], "starter", "{current}");
}
