//! When `ledger serve` doesn't start, and what it says then.

use crate::harness::{Database, Finished, JWT_SECRET, Settings, TestApp, run};

async fn refused(settings: Settings, code: i32) -> Finished {
    let refused = run(&settings, &["serve"]).await;
    assert_eq!(refused.code, Some(code), "{}{}", refused.stdout, refused.stderr);
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_settings_are_named() {
    let told = refused(Settings::none(), 2).await.stderr;
    for name in ["DATABASE_URL", "LEDGER_JWT_SECRET"] {
        assert!(told.contains(name), "{name} in {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_of_every_kind_are_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.toml");
    std::fs::write(&file, "name = 7\n").unwrap();
    let settings = Settings::none()
        .with("RUST_LOG", "info,a=b=c")
        .with("STRIPE_LIVEMODE", "maybe")
        .with("LEDGER_CATALOG", file.to_str().unwrap());
    let told = refused(settings, 2).await.stderr;
    let names = ["DATABASE_URL", "LEDGER_JWT_SECRET", "RUST_LOG", "STRIPE_LIVEMODE"];
    for part in names.into_iter().chain(["LEDGER_CATALOG", "broken.toml", "line 1"]) {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_used_is_told_with_the_cause_and_a_way_out() {
    let database = Database::fresh().await;
    let url = |name: &str, login: &str| database.cluster().url(name, login);
    let (name, login) = database.name_and_login();
    let away = "postgres://ledger:hunter2@127.0.0.1:1/ledger".to_owned();
    for (url, parts) in [
        (away, ["127.0.0.1:1", "refused", "start the server"]),
        (url("no_such_database", login), [".s.PGSQL.", "no_such_database", "createdb"]),
        (url(name, "no_such_login"), [".s.PGSQL.", "no_such_login", "make the login"]),
    ] {
        let both = Settings::of_service()
            .with("DATABASE_URL", &url)
            .with("LEDGER_OWNER_DATABASE_URL", &url);
        for command in [&["serve"][..], &["migrate"], &["replay", "status"]] {
            let told = run(&both, command).await;
            assert_eq!(told.code, Some(3), "{command:?}: {}{}", told.stdout, told.stderr);
            let last: String =
                told.stderr.split_once("ledger: ").map(|(_, told)| told.into()).unwrap_or_default();
            for part in parts {
                assert!(last.contains(part), "{command:?}: {part} in {last}");
            }
            for unwanted in ["timed out", "at line", "hunter2"] {
                assert!(!last.contains(unwanted), "{command:?}: {unwanted} in {last}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_isnt_migrated_is_unavailable() {
    Database::fresh().await;
    let database = Database::empty();
    let settings = Settings::of_service().with("DATABASE_URL", database.url());
    let told = refused(settings, 3).await.stderr;
    assert!(told.contains("ledger migrate"), "it says what to do: {told}");
    assert!(!told.contains("at line"), "a line of the server's own sources: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn development_secrets_stay_on_loopback() {
    let database = Database::fresh().await;
    let open = Settings::of_service()
        .with("DATABASE_URL", database.url())
        .with("LEDGER_LISTEN", "0.0.0.0:0");
    let secrets = [
        ("LEDGER_JWT_SECRET", "dev_0123456789abcdef0123456789abcdef"),
        (
            "LEDGER_TOKEN_KEY",
            "dev_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ),
        ("STRIPE_WEBHOOK_SECRET", "whsec_dev_0123456789abcdef"),
    ];
    for (name, secret) in secrets {
        let told = refused(open.clone().with(name, secret), 2).await.stderr;
        assert!(told.contains(name), "{told}");
        assert!(!told.contains(secret) && !told.contains(JWT_SECRET), "{told}");
    }
}

/// A proxy stands in front of loopback, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_short_key_is_refused_on_loopback_with_all_that_is_wrong() {
    let settings = Settings::of_service()
        .with("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nowhere")
        .with("LEDGER_JWT_SECRET", "a-short-key")
        .with("STRIPE_LIVEMODE", "maybe");
    let told = refused(settings, 2).await.stderr;
    for part in ["LEDGER_JWT_SECRET", "32 bytes", "STRIPE_LIVEMODE"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(!told.contains("a-short-key"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_catalogue_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken.toml");
    std::fs::write(&file, "name = 7\n").unwrap();
    let database = Database::fresh().await;
    let settings = Settings::of_service()
        .with("DATABASE_URL", database.url())
        .with("LEDGER_CATALOG", file.to_str().unwrap());
    let told = refused(settings, 2).await.stderr;
    assert!(told.contains("line 1"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_mode_or_account_than_the_logs_is_refused() {
    let mut app = TestApp::start().await;
    assert!(app.output().text().contains("the log is opened in test mode"), "nobody told the mode");
    app.stop().await;
    let settings = Settings::of_service().with("DATABASE_URL", app.database.url());
    for (name, value) in [("STRIPE_LIVEMODE", "true"), ("STRIPE_ACCOUNT", "acct_e2e")] {
        let told = refused(settings.clone().with(name, value), 2).await.stderr;
        for text in ["STRIPE_LIVEMODE=false and no STRIPE_ACCOUNT", &format!("{name}={value}")] {
            assert!(told.contains(text), "{text} in {told}");
        }
    }
    app.start_service().await;
    assert!(!app.output().text().contains("the log is opened in test mode"), "it was open");
}
