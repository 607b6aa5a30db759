//! `ledger migrate`.

use ledger_cluster::Cluster;

use crate::bodies::{DAY, STARTER, Story, Version};
use crate::harness::{
    Caller, Claims, Database, Service, Settings, Stripe, TestApp, WEBHOOK_SECRET, eventually, http,
    now, run, token,
};

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

/// Nothing is there but what the README asks for: a server that never saw a ledger, an owner that
/// is no superuser, and an ordinary login.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_is_no_superuser_is_enough() {
    let cluster = Cluster::builder().start().expect("a cluster can be started");
    let roles = "CREATE ROLE owner LOGIN CREATEROLE; CREATE ROLE svc LOGIN NOINHERIT";
    cluster.execute("postgres", roles).unwrap();
    cluster.execute("postgres", "CREATE DATABASE ledger OWNER owner").unwrap();
    let settings = Settings::of_service()
        .with("DATABASE_URL", cluster.url("ledger", "svc"))
        .with("LEDGER_OWNER_DATABASE_URL", cluster.url("ledger", "owner"));
    for time in ["first", "second"] {
        let migrated = run(&settings, &["migrate"]).await;
        assert_eq!(migrated.code, Some(0), "the {time} time: {}", migrated.stderr);
    }

    let settings = settings.without("LEDGER_OWNER_DATABASE_URL");
    let service = Service::start(&settings, &["serve"]).await;
    let service = service.unwrap_or_else(|error| panic!("ledger serve ended: {error}"));
    let anyone = Caller::new(http(), service.url(), None);
    eventually("/readyz answers 200", || async {
        anyone.try_get("/readyz").await.ok().filter(|answer| answer.status == 200)
    })
    .await;
    let stripe = Stripe {
        http: http(),
        url: format!("{}/api/v1/webhooks/stripe", service.url()),
        secret: WEBHOOK_SECRET.to_owned(),
    };
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let position = stripe.deliver_all(&story.take()).await;
    let trainer = anyone.with_token(&token(&Claims::of("trainer", "t1")));
    let current = trainer.read_at("/api/v1/tiers/current", position).await;
    assert_eq!(current["tier"]["slug"], "starter", "{current}");
    let verified = run(&settings, &["replay", "verify"]).await;
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    assert!(service.stop().await.success());
}

/// What docs/development.md says of read models that another version made.
#[tokio::test(flavor = "multi_thread")]
async fn read_models_of_another_version_are_made_anew_from_the_log() {
    let mut app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let position = app.stripe().deliver_all(&story.take()).await;
    let before = app.trainer("t1").read_at("/api/v1/tiers/current", position).await;

    app.stop().await;
    app.database.execute("COMMENT ON SCHEMA projection IS 'form of another version'");
    let migrated = run(&settings(&app.database), &["migrate"]).await;
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    assert!(migrated.stdout.contains("made anew from the log"), "{}", migrated.stdout);
    app.start_service().await;
    let after = app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
    assert_eq!(after["tier"], before["tier"]);
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
