//! `ledger replay`, beside a service that runs.

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::bodies::{DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::harness::{Database, Finished, Settings, TestApp, eventually, now, run};

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
    // A misspelt name doesn't look as if all were well.
    let told = replay(&app.database, &["status", "--tenant", "nobody"]).await;
    assert_eq!(told.code, Some(1), "{}", told.stdout);
    assert!(told.stderr.contains("no log of this tenant"), "{}", told.stderr);
}

/// Somebody restores a log and says so, as docs/log-format.md tells; then everything is made anew,
/// as docs/metrics.md tells.
#[tokio::test(flavor = "multi_thread")]
async fn read_models_that_cant_go_on_are_told_and_can_be_made_anew() {
    let mut app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let position = app.stripe().deliver_all(&story.take()).await;
    app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
    app.stop().await;
    as_role(&app.database, "ledger_writer", "UPDATE log_head SET epoch = epoch + 1").await;
    app.spawn_service().await;
    let halted = || async {
        let answer = app.anyone().get("/readyz").await;
        (answer.status == 503 && answer.body.contains("halted")).then_some(())
    };
    eventually("the read models are halted", halted).await;
    let told = || async { app.output().text().contains("Halted read models").then_some(()) };
    eventually("the log says what to do", told).await;
    expect_found(&app.database, "rm_usage was made from another log").await;
    // The log itself goes on.
    story.pass(DAY / 2).change_to(PROFESSIONAL);
    let position = app.stripe().deliver_all(&story.take()).await;

    app.stop().await;
    make_anew(&app.database).await;
    app.start_service().await;
    let current = app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
    assert_eq!(current["tier"]["slug"], "professional", "{current}");
    let told = replay(&app.database, &["status"]).await;
    assert_eq!(told.code, Some(0), "{}", told.stderr);

    app.stop().await;
    let change = "UPDATE projection.checkpoint SET position = position - 1
        WHERE read_model = 'rm_usage'";
    app.database.execute(change);
    expect_found(&app.database, &format!("rm_usage at {}", position - 1)).await;
    app.database.execute("UPDATE projection.checkpoint SET position = position + 1000");
    expect_found(&app.database, "rm_grants holds events that the log has lost").await;
    make_anew(&app.database).await;
    app.start_service().await;
    app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
}

async fn as_role(database: &Database, role: &str, sql: &str) {
    let mut login = PgConnection::connect(&database.url()).await.unwrap();
    let sql = AssertSqlSafe(format!("SET ROLE {role}; {sql}"));
    sqlx::raw_sql(sql).execute(&mut login).await.unwrap();
    login.close().await.unwrap();
}

async fn make_anew(database: &Database) {
    let drop = "DROP SCHEMA rm_subscriptions, rm_grants, rm_catalog, rm_usage, projection CASCADE";
    as_role(database, "ledger_projector", drop).await;
    let settings = Settings::none().with("DATABASE_URL", database.url());
    let owner = settings.with("LEDGER_OWNER_DATABASE_URL", database.owner_url());
    let migrated = run(&owner, &["migrate"]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
}

async fn expect_found(database: &Database, part: &str) {
    for args in [&["status"][..], &["status", "--json"]] {
        let told = replay(database, args).await;
        assert_eq!(told.code, Some(1), "{}{}", told.stdout, told.stderr);
        for part in [part, "docs/metrics.md"] {
            assert!(told.stderr.contains(part), "{part} in {}", told.stderr);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_past_instant_is_told_as_over_http() {
    let app = TestApp::start().await;
    let begin = now() - 3 * DAY;
    let mut story = Story::new("t1", Version::Clover, begin);
    story.purchase(STARTER).pass(DAY).change_to(PROFESSIONAL);
    let position = app.stripe().deliver_all(&story.take()).await;
    let caller = app.trainer("t1");
    let live = caller.read_at("/api/v1/entitlements", position).await;
    let now = live["evaluated_at"].as_str().expect("an instant");
    let early = chrono::DateTime::from_timestamp(begin + 3_600, 0).expect("a time");
    let early = early.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    for (at, tier) in [(early.as_str(), "starter"), (now, "professional")] {
        let args = ["as-of", "--trainer", "t1", "--at", at, "--known-at", now];
        let told = json(&replay(&app.database, &[&args[..], &["--json"]].concat()).await);
        let path = format!("/api/v1/entitlements?as_of={at}&known_at={now}");
        assert_eq!(told, caller.get(&path).await.expect(200));
        assert_eq!(told["tier"], tier);
        let told = replay(&app.database, &args).await;
        assert_eq!(told.code, Some(0), "{}", told.stderr);
        assert!(told.stdout.contains(&format!("{tier}, status active")), "{}", told.stdout);
        assert!(told.stdout.contains("0 of"), "{}", told.stdout);
    }
    for (args, code) in [
        (["--trainer", "t1", "--at", "9999-01-01T00:00:00Z"], 2),
        (["--trainer", "t1", "--at", "yesterday"], 2),
        (["--trainer", "t1", "--at", "2026-11-22"], 2),
        (["--trainer", "an address", "--at", now], 2),
        (["--trainer", "stranger", "--at", now], 0),
    ] {
        let ended = replay(&app.database, &[&["as-of"], &args[..]].concat()).await;
        assert_eq!(ended.code, Some(code), "{args:?}: {}", ended.stderr);
        let is_told = ended.stderr.contains("an instant like 2026-11-20T09:00:00Z");
        assert_eq!(is_told, args[3] == "yesterday" || args[3] == "2026-11-22", "{}", ended.stderr);
    }
    let long_ago = "2001-01-01T00:00:00Z";
    let args = ["as-of", "--trainer", "t1", "--at", now, "--known-at", long_ago];
    let ended = replay(&app.database, &args).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
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
