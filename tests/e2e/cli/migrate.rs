//! `ledger migrate`.

use crate::harness::{Database, Settings, run};

fn settings(database: &Database) -> Settings {
    Settings::none()
        .with("DATABASE_URL", database.url())
        .with("LEDGER_OWNER_DATABASE_URL", database.owner_url())
}

#[tokio::test(flavor = "multi_thread")]
async fn migrating_again_changes_nothing() {
    // Another database was migrated before, so that the login and the roles are there.
    Database::fresh().await;
    let database = Database::empty();
    let tables = "SELECT string_agg(c.relname || ' ' || c.relacl::text, ',' ORDER BY c.oid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'";
    let first = run(&settings(&database), &["migrate"]).await;
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let after_first = database.execute(tables);
    assert!(after_first.contains("event"), "{after_first}");
    let second = run(&settings(&database), &["migrate"]).await;
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert_eq!(database.execute(tables), after_first);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_do_no_harm() {
    Database::fresh().await;
    let database = Database::empty();
    let settings = settings(&database);
    let (one, two) = tokio::join!(run(&settings, &["migrate"]), run(&settings, &["migrate"]));
    for migrated in [one, two] {
        assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().display().to_string().replace('/', "%2F");
    let url = format!("postgres:///ledger?host={nowhere}&port=5432&user=owner&sslmode=disable");
    let settings =
        Settings::none().with("DATABASE_URL", &url).with("LEDGER_OWNER_DATABASE_URL", &url);
    let refused = run(&settings, &["migrate"]).await;
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);

    let unset = run(&Settings::none(), &["migrate"]).await;
    assert_eq!(unset.code, Some(2), "{}", unset.stderr);
    assert!(unset.stderr.contains("LEDGER_OWNER_DATABASE_URL"), "{}", unset.stderr);
}
