//! `ledger audit`: whatever somebody does to a log who may do everything in the database, the first
//! wrong position is named; and `check.py`, which was written from docs/log-format.md alone, agrees
//! wherever an export can show it.

mod damages;
mod export;
mod signing;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::bodies::{DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::harness::python::{self, installed};
use crate::harness::{Database, Finished, Settings, TestApp, now, run};

/// `https://pypi.org/project/cryptography/`
const CRYPTOGRAPHY: &str = "50.0.2";

/// An auditor: a folder with a key, its public half and what it signed.
struct Auditor {
    folder: TempDir,
}

impl Auditor {
    /// With a new key.
    async fn new() -> Self {
        let auditor = Self { folder: tempfile::tempdir().unwrap() };
        auditor.make_key("key").await;
        auditor
    }

    /// Makes `NAME.pem` and `NAME.pub`.
    async fn make_key(&self, name: &str) {
        let key = self.path(&format!("{name}.pem"));
        let made = run(&Settings::none(), &["audit", "key", text(&key)]).await;
        assert_eq!(made.code, Some(0), "{}", made.stderr);
        fs::write(self.path(&format!("{name}.pub")), made.stdout).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Signs what a log holds to a file, by a key's name.
    async fn sign(&self, database: &Database, key: &str, name: &str) {
        let (key, out) = (self.path(&format!("{key}.pem")), self.path(name));
        let args = ["checkpoint", "--key", text(&key), "--out", text(&out)];
        let signed = audit(database, &args).await;
        assert_eq!(signed.code, Some(0), "{}", signed.stderr);
    }

    /// Verifies a log, by a checkpoint or without.
    async fn verify(&self, database: &Database, checkpoint: Option<&str>) -> Verified {
        let mut args = vec!["verify", "--json"];
        let files = [self.path(checkpoint.unwrap_or_default()), self.path("key.pub")];
        if checkpoint.is_some() {
            args.extend(["--checkpoint", text(&files[0]), "--public-key", text(&files[1])]);
        }
        Verified::of(&audit(database, &args).await)
    }

    /// Exports a log.
    async fn export(&self, database: &Database, name: &str, args: &[&str]) {
        let out = self.path(name);
        let exported = audit(database, &[&["export", "--out", text(&out)], args].concat()).await;
        assert_eq!(exported.code, Some(0), "{}", exported.stderr);
    }

    /// Verifies an export by a checkpoint, without any database.
    async fn verify_export(&self, name: &str, checkpoint: &str) -> Verified {
        let [export, checkpoint, key] = [name, checkpoint, "key.pub"].map(|name| self.path(name));
        let mut args = vec!["audit", "verify", "--json", "--from-export", text(&export)];
        args.extend(["--checkpoint", text(&checkpoint), "--public-key", text(&key)]);
        Verified::of(&run(&Settings::none(), &args).await)
    }

    /// What the other checker says of an export: whether all is sound, the first wrong position,
    /// and what is wrong there.
    async fn check(&self, name: &str, checkpoint: &str) -> (bool, Option<i64>, String) {
        let programs = installed("cryptography", CRYPTOGRAPHY).await;
        let mut check = Command::new(programs.join("python"));
        check.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/seals/check.py"));
        check.args([name, checkpoint, "key.pub"].map(|name| self.path(name)));
        let output = python::run(&mut check).await;
        let said = String::from_utf8_lossy(&output.stderr);
        let told: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
        let sound = told["sound"].as_bool().unwrap();
        assert_eq!(output.status.code(), Some(i32::from(!sound)), "{told}");
        let kind = told["kind"].as_str().unwrap_or_default().to_owned();
        (sound, told["first_wrong"].as_i64(), kind)
    }
}

/// What `ledger audit verify --json` said.
#[derive(Debug)]
struct Verified {
    code: Option<i32>,
    report: Value,
    stderr: String,
}

impl Verified {
    fn of(finished: &Finished) -> Self {
        let report = serde_json::from_str(&finished.stdout).unwrap_or_default();
        Self { code: finished.code, report, stderr: finished.stderr.clone() }
    }

    /// The first wrong position, and what is wrong there.
    fn first(&self) -> (Option<i64>, &str) {
        let first = &self.report["first_wrong"];
        (first["position"].as_i64(), first["kind"].as_str().unwrap_or_default())
    }

    fn expect_sound(&self) -> &Value {
        assert_eq!(self.code, Some(0), "{}{}", self.report, self.stderr);
        assert_eq!(self.report["sound"], true);
        assert!(self.report["first_wrong"].is_null());
        &self.report
    }

    fn expect_wrong(&self, position: i64, kind: &str) {
        assert_eq!(self.first(), (Some(position), kind), "{}{}", self.report, self.stderr);
        assert_eq!(self.code, Some(1));
        let named = self.stderr.contains(&format!("first wrong position {position}: "));
        assert!(named, "{}", self.stderr);
    }
}

async fn audit(database: &Database, args: &[&str]) -> Finished {
    let settings = Settings::none().with("DATABASE_URL", database.url());
    run(&settings, &[&["audit"], args].concat()).await
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// A log of some dozens of events of two trainers, appended in several batches. The service has
/// ended.
async fn some_log() -> (TestApp, i64) {
    let mut app = TestApp::start().await;
    let begin = now() - 40 * DAY;
    let mut position = 0;
    for trainer in ["t1", "t2"] {
        let mut story = Story::new(trainer, Version::Clover, begin);
        story.purchase(STARTER).pass(DAY).change_to(PROFESSIONAL).renew().refund(900);
        position = app.stripe().deliver_all(&story.take()).await;
    }
    app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
    app.stop().await;
    (app, position)
}
