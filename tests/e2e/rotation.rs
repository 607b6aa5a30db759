//! Secrets that are files are changed while the service runs, and no request is lost over it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{
    Caller, Claims, JWT_SECRET, Settings, Stripe, TestApp, WEBHOOK_SECRET, eventually, run,
};
use crate::webhooks::some_webhook;

const NEXT_WEBHOOK_SECRET: &str = "whsec_e2e_next_91d0";
const NEXT_JWT_SECRET: &str = "e2e-next-key-of-more-than-thirty-two-bytes";

/// The files of a service's secrets.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        files.write("webhook", &format!("{WEBHOOK_SECRET}\n"));
        files.write("jwt", &format!("{JWT_SECRET}\n"));
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whole at every moment, as orchestrators do it.
    fn write(&self, name: &str, text: &str) {
        let fresh = self.path("fresh");
        fs::write(&fresh, text).unwrap();
        fs::rename(&fresh, self.path(name)).unwrap();
    }

    fn settings(&self) -> Settings {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        Settings::of_service()
            .without("STRIPE_WEBHOOK_SECRET")
            .without("LEDGER_JWT_SECRET")
            .with("STRIPE_WEBHOOK_SECRET_FILE", text(&self.path("webhook")))
            .with("LEDGER_JWT_SECRET_FILE", text(&self.path("jwt")))
    }
}

fn trainer_by(app: &TestApp, key: &str) -> Caller {
    app.anyone().with_token(&Claims::of("trainer", "t1").signed_with(key))
}

async fn is_admitted(caller: &Caller) -> bool {
    let status = caller.get("/api/v1/tiers/current").await.status;
    // Who asks this often may be told to wait; then the token is good.
    assert!([200, 401, 429].contains(&status), "{status}");
    status != 401
}

async fn is_taken(stripe: &Stripe) -> bool {
    let status = stripe.post(&some_webhook("evt_rotation")).await.status;
    assert!([200, 400].contains(&status), "{status}");
    status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_webhooks_are_rolled_without_a_restart() {
    let files = Files::new();
    let app = TestApp::start_with(files.settings()).await;
    let (old, new) = (app.stripe(), app.stripe().with_secret(NEXT_WEBHOOK_SECRET));
    assert!(is_taken(&old).await && !is_taken(&new).await);

    // Nobody tells it: it looks by itself.
    files.write("webhook", &format!("{NEXT_WEBHOOK_SECRET}\n{WEBHOOK_SECRET}\n"));
    eventually("the new one is known", || async { is_taken(&new).await.then_some(()) }).await;
    assert!(is_taken(&old).await, "and the old one still");

    // A file that can't be used changes nothing.
    for wrong in ["", "\n", "sk_live_an_api_key", "whsec_dev_weak"] {
        files.write("webhook", wrong);
        app.signal("HUP");
    }
    eventually("the mistake is told", || async {
        app.output().text().contains("settings can't be used").then_some(())
    })
    .await;
    fs::remove_file(files.path("webhook")).unwrap();
    app.signal("HUP");
    assert!(is_taken(&old).await && is_taken(&new).await);

    files.write("webhook", &format!("{NEXT_WEBHOOK_SECRET},"));
    app.signal("HUP");
    eventually("the old one is forgotten", || async { (!is_taken(&old).await).then_some(()) })
        .await;
    assert!(is_taken(&new).await);
    expect_no_secret(&app);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_tokens_are_rolled_without_a_restart() {
    let files = Files::new();
    let app = TestApp::start_with(files.settings()).await;
    let (old, new) = (trainer_by(&app, JWT_SECRET), trainer_by(&app, NEXT_JWT_SECRET));
    assert!(is_admitted(&old).await && !is_admitted(&new).await);

    files.write("jwt", &format!("{NEXT_JWT_SECRET}\n{JWT_SECRET}\n"));
    eventually("the new key is known", || async { is_admitted(&new).await.then_some(()) }).await;
    assert!(is_admitted(&old).await, "and the old one still");

    // The first one signs what `ledger token` prints.
    let args = ["token", "--role", "trainer", "--subject", "t1"];
    let printed = run(&files.settings(), &args).await;
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    files.write("jwt", NEXT_JWT_SECRET);
    app.signal("HUP");
    eventually("the old key is forgotten", || async { (!is_admitted(&old).await).then_some(()) })
        .await;
    assert!(is_admitted(&app.anyone().with_token(printed.stdout.trim())).await);

    for wrong in ["", "short", "dev_0123456789abcdef0123456789abcdef0123"] {
        files.write("jwt", wrong);
        app.signal("HUP");
        assert!(is_admitted(&new).await);
    }
    eventually("the mistake is told", || async {
        app.output().text().contains("keys of tokens stay as they are").then_some(())
    })
    .await;
    assert!(is_admitted(&new).await);
    expect_no_secret(&app);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_without_files_changes_nothing() {
    let app = TestApp::start().await;
    app.signal("HUP");
    assert!(is_taken(&app.stripe()).await && is_admitted(&app.trainer("t1")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_used_is_told_at_the_start() {
    let files = Files::new();
    let settings = files.settings().with("DATABASE_URL", "postgres://localhost/none");
    files.write("jwt", " \n");
    let both = settings.clone().with("LEDGER_JWT_SECRET", JWT_SECRET);
    let absent = settings.clone().with("LEDGER_JWT_SECRET_FILE", "/nonexistent/key");
    for (settings, said) in [(settings, "empty"), (both, "leave out"), (absent, "can't be read")] {
        let ended = run(&settings, &["serve"]).await;
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        let is_told = ended.stderr.contains("LEDGER_JWT_SECRET") && ended.stderr.contains(said);
        assert!(is_told, "{said}: {}", ended.stderr);
    }
}

fn expect_no_secret(app: &TestApp) {
    let output = app.output().text();
    let secrets = [WEBHOOK_SECRET, NEXT_WEBHOOK_SECRET, JWT_SECRET, NEXT_JWT_SECRET, "sk_live"];
    for secret in secrets {
        assert!(!output.contains(secret), "{secret} in the log");
    }
}
