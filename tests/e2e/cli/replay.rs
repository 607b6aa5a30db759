//! `ledger replay`, beside a service that runs.

use serde_json::Value;

use crate::bodies::{DAY, STARTER, Story, Version};
use crate::harness::{Database, Finished, Settings, TestApp, now, run};

async fn replay(database: &Database, args: &[&str]) -> Finished {
    let settings = Settings::none().with("DATABASE_URL", database.url());
    run(&settings, &[&["replay"], args].concat()).await
}

fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|_| panic!("{}", finished.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_changed_by_hand_is_told_with_what_it_should_be() {
    let app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let position = app.stripe().deliver_all(&story.take()).await;
    app.trainer("t1").read_at("/api/v1/tiers/current", position).await;

    let verified = replay(&app.database, &["verify"]).await;
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    assert!(verified.stdout.contains("subscriptions.payment_logs"), "{}", verified.stdout);

    let change = "UPDATE rm_subscriptions.trainer_subscriptions SET status = 'comped'";
    app.database.execute(change);
    let verified = replay(&app.database, &["verify"]).await;
    assert_eq!(verified.code, Some(1), "{}{}", verified.stdout, verified.stderr);
    let told = "status is \"comped\" and should be \"active\"";
    assert!(verified.stdout.contains(told), "{}", verified.stdout);
    let verified = replay(&app.database, &["verify", "subscriptions", "--json"]).await;
    assert_eq!(verified.code, Some(1), "{}", verified.stderr);
    assert_eq!(json(&verified)["equal"], false);
    let verified = replay(&app.database, &["verify", "grants", "--json"]).await;
    assert_eq!((verified.code, &json(&verified)["equal"]), (Some(0), &Value::Bool(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_where_everything_is() {
    let app = TestApp::start().await;
    let told = replay(&app.database, &["status"]).await;
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.stdout.contains("rm_subscriptions"), "{}", told.stdout);
    let told = json(&replay(&app.database, &["status", "--json"]).await);
    let head = "SELECT position FROM log_head WHERE tenant = 'default'";
    assert_eq!(told["log"]["position"], app.database.number(head).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_it_is_unavailable() {
    let settings = Settings::none().with("DATABASE_URL", "postgres://x@localhost:1/x");
    for args in [["replay", "verify"], ["replay", "status"]] {
        let ended = run(&settings, &args).await;
        assert_eq!(ended.code, Some(3), "{}{}", ended.stdout, ended.stderr);
    }
    let ended = run(&settings, &["replay", "verify", "nonsense"]).await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}
