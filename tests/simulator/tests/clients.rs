//! The simulator as Stripe's own client libraries see it. They are installed below `target`, once,
//! in the versions named here.

#![cfg(test)]

#[path = "shell_http/harness.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use ledger_simulator::shell::{Clock, Config};
use serde_json::json;
use tokio::process::Command;

use harness::{Api, KEY, Receiver, config};

/// `https://pypi.org/project/stripe/`
const PYTHON_LIBRARY: &str = "16.1.0";

/// `https://www.npmjs.com/package/stripe`
const NODE_LIBRARY: &str = "22.6.2";

/// Installing takes longest, from a slow registry.
const PATIENCE: Duration = Duration::from_secs(300);

#[tokio::test]
async fn the_library_for_python() {
    let folder = cache(&format!("python-{PYTHON_LIBRARY}"));
    let python = folder.join("bin/python");
    if !is_complete(&folder) {
        let mut venv = Command::new("python3");
        run(venv.args(["-m", "venv", "--clear"]).arg(&folder)).await;
        let library = format!("stripe=={PYTHON_LIBRARY}");
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        run(Command::new(&python).args(quiet).arg(library)).await;
        complete(&folder);
    }
    let mut check = Command::new(&python);
    check.arg(script("check.py"));
    checks_out(&mut check).await;
}

#[tokio::test]
async fn the_library_for_node() {
    let folder = cache(&format!("node-{NODE_LIBRARY}"));
    if !is_complete(&folder) {
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("package.json"), "{\"private\":true}\n").unwrap();
        let mut install = Command::new("npm");
        install.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]);
        run(install.arg(format!("stripe@{NODE_LIBRARY}")).current_dir(&folder)).await;
        complete(&folder);
    }
    let mut check = Command::new("node");
    check.arg(script("check.mjs")).current_dir(&folder);
    checks_out(&mut check).await;
}

/// Runs a check against a simulator of its own.
async fn checks_out(check: &mut Command) {
    let api = Api::start(Config { clock: Clock::system(), ..config() }).await;
    let receiver = Receiver::start().await;
    let (endpoint, secret) = api.register(&receiver, "").await;
    api.post("/v1/customers", "name=Webhook").await;
    api.deliver().await;
    let received = receiver.take().remove(0);
    api.delete(&format!("/v1/webhook_endpoints/{endpoint}")).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let webhook = json!({
        "body": received.body, "signature": received.signature, "secret": secret,
    });
    fs::write(file.path(), webhook.to_string()).unwrap();
    let output = run(check.arg(&api.running.url).arg(KEY).arg(file.path())).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.ends_with(": fine\n"), "it didn't come to its end: {said}");
    api.running.stop().await;
}

async fn run(command: &mut Command) -> Output {
    let program = format!("{command:?}");
    let child = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, child)
        .await
        .unwrap_or_else(|_| panic!("{program} took longer than {PATIENCE:?}"))
        .unwrap_or_else(|error| {
            panic!(
                "can't run {program}: {error}. python3, python3-venv and npm are installed by \
                 tools/setup.sh (make setup)"
            )
        });
    assert!(
        output.status.success(),
        "{program} failed. If a tool is missing: tools/setup.sh (make setup) installs python3-venv \
         and npm.\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Where a library is installed, for the next time too.
fn cache(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("stripe-clients").join(name)
}

/// An installation that was interrupted is made again.
fn is_complete(folder: &Path) -> bool {
    folder.join("complete").exists()
}

fn complete(folder: &Path) {
    fs::write(folder.join("complete"), "").unwrap();
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}
