//! Read models are a fold of the log: made anew from the whole log they are the same, row by row.

use super::Dump;
use crate::harness::{Database, Settings, TestApp, eventually};

/// The schemas of read models.
const READ_MODELS: &str = "rm\\_%";

/// Stops the service, lets another one make all read models anew on a copy of the database, and
/// compares. Positions are compared, too: the log is the same.
pub(crate) async fn expect_equal_to_a_fold(app: &mut TestApp) {
    wait_until_folded(app).await;
    app.stop().await;
    let copy = app.database.copy().await;
    make_anew(&copy).await;
    let fresh = app.restart_on(copy).await;
    wait_until_folded(&fresh).await;
    let (live, anew) =
        (Dump::of(app.owner(), READ_MODELS).await, Dump::of(fresh.owner(), READ_MODELS).await);
    assert!(live.rows() > 0, "the read models hold something");
    let differences = live.differences(&anew);
    assert!(differences.is_empty(), "- live, + anew:\n{}", differences.join("\n"));
}

/// Takes all read models away, and makes empty ones.
pub(crate) async fn make_anew(database: &Database) {
    let schemas = "SELECT coalesce(string_agg(format('DROP SCHEMA %I CASCADE', nspname), ';'), '')
        FROM pg_namespace WHERE nspname LIKE 'rm\\_%' OR nspname = 'projection'";
    let drop_them = database.execute(schemas);
    assert!(drop_them.contains("rm_subscriptions"), "there are read models: {drop_them}");
    database.execute(&drop_them);
    let (owner_url, url) = (database.owner_url(), database.url());
    let settings =
        Settings::none().with("LEDGER_OWNER_DATABASE_URL", owner_url).with("DATABASE_URL", url);
    let migrated = crate::harness::run(&settings, &["migrate"]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
}

/// Waits until every read model has taken in the whole log, and nothing is parked.
pub(crate) async fn wait_until_folded(app: &TestApp) {
    let behind = "SELECT count(*) FROM log_head h
        LEFT JOIN projection.checkpoint c ON c.tenant = h.tenant
        WHERE c.position IS NULL OR c.position < h.position";
    eventually("the read models have caught up", || async {
        (app.database.number(behind).await == 0).then_some(())
    })
    .await;
    let parked = "SELECT count(*) FROM projection.parked_unit";
    assert_eq!(app.database.number(parked).await, 0, "nothing is parked");
}
