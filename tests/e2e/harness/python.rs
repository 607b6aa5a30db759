//! Programs from PyPI, installed below `target`, once for each version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Installing takes longest, from a slow registry.
const PATIENCE: Duration = Duration::from_secs(300);

/// Held by the test that installs for all others.
static INSTALLING: Mutex<()> = Mutex::const_new(());

/// The folder of programs of a package's environment. Packages that it needs come with it.
pub(crate) async fn installed(package: &str, version: &str) -> PathBuf {
    let name = format!("{package}-{version}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python").join(name);
    let programs = folder.join("bin");
    let _turn = INSTALLING.lock().await;
    // An installation that was interrupted is made again.
    let complete = folder.join("complete");
    if !complete.exists() {
        let mut venv = Command::new("python3");
        succeed(venv.args(["-m", "venv", "--clear"]).arg(&folder)).await;
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
        let mut pip = Command::new(programs.join("python"));
        succeed(pip.args(quiet).arg(format!("{package}=={version}"))).await;
        fs::write(complete, "").unwrap();
    }
    programs
}

/// Runs a program to its end.
pub(crate) async fn run(command: &mut Command) -> Output {
    run_within(PATIENCE, command).await
}

/// Runs a program to its end, which comes within so long.
pub(crate) async fn run_within(limit: Duration, command: &mut Command) -> Output {
    let program = format!("{:?}", command.as_std().get_program());
    let child = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let ended = timeout(limit, child).await;
    let output = ended.unwrap_or_else(|_| panic!("{program} took longer than {limit:?}"));
    output.unwrap_or_else(|error| {
        panic!("can't run {program}: {error}. tools/setup.sh (make setup) installs python3-venv")
    })
}

async fn succeed(command: &mut Command) {
    let output = run(command).await;
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{command:?}\n{}", said.concat());
}
