//! `ledger token`, and the help.

use crate::harness::{JWT_SECRET, Settings, TestApp, run};

#[tokio::test(flavor = "multi_thread")]
async fn help_names_every_subcommand() {
    for args in [&["--help"][..], &["help"]] {
        let help = run(&Settings::none(), args).await;
        assert_eq!(help.code, Some(0), "{args:?}: {}", help.stderr);
        for word in ["serve", "dev", "migrate", "token", "catalog", "--data-dir"] {
            assert!(help.stdout.contains(word), "{word} in {}", help.stdout);
        }
    }
    let version = run(&Settings::none(), &["--version"]).await;
    assert_eq!(version.code, Some(0));
    assert!(version.stdout.contains(env!("CARGO_PKG_VERSION")), "{}", version.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_isnt_is_wrong_usage() {
    for args in [&[][..], &["nonsense"], &["serve", "--nonsense"], &["token", "--role", "king"]] {
        let refused = run(&Settings::none(), args).await;
        assert_eq!(refused.code, Some(2), "{args:?}: {}{}", refused.stdout, refused.stderr);
        assert!(!refused.stderr.is_empty(), "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printed_token_opens_the_api() {
    let app = TestApp::start().await;
    let settings = Settings::none().with("LEDGER_JWT_SECRET", JWT_SECRET);
    let args = ["token", "--role", "trainer", "--subject", "t1", "--ttl", "5m"];
    let printed = run(&settings, &args).await;
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""), "nothing but the token");
    let caller = app.anyone().with_token(printed.stdout.trim());
    let current = caller.get("/api/v1/tiers/current").await.expect(200);
    assert_eq!(current["trainer_id"], "t1");
    caller.get("/api/v1/audit/events").await.expect_problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_tells_of_a_second_factor() {
    let settings = Settings::of_service().with("LEDGER_ADMIN_MFA", "true");
    let app = TestApp::start_with(settings.clone()).await;
    let args = ["token", "--role", "admin", "--subject", "ada"];
    for (more, status) in [(&[][..], 403), (&["--amr", "pwd"], 403), (&["--amr", "pwd,mfa"], 200)] {
        let printed = run(&settings, &[&args[..], more].concat()).await;
        let admin = app.anyone().with_token(printed.stdout.trim());
        let answer = admin.get("/api/v1/admin/anomalies").await;
        assert_eq!(answer.status, status, "{more:?}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_needs_the_key_and_a_proper_subject() {
    let args = ["token", "--role", "trainer", "--subject", "t1"];
    let refused = run(&Settings::none(), &args).await;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("LEDGER_JWT_SECRET"), "{}", refused.stderr);
    assert_eq!(refused.stdout, "");

    let settings = Settings::none().with("LEDGER_JWT_SECRET", JWT_SECRET);
    for wrong in [
        ["token", "--role", "trainer", "--subject", "jenny@example.test", "--ttl", "1h"],
        ["token", "--role", "trainer", "--subject", "t1", "--ttl", "tomorrow"],
    ] {
        let refused = run(&settings, &wrong).await;
        assert_eq!(refused.code, Some(2), "{wrong:?}");
        assert!(!refused.stderr.contains(JWT_SECRET), "{}", refused.stderr);
    }
}
