//! `ledger dev`: everything on one machine, from nothing to nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::simulator::says;
use super::tour::LAST_LINE;
use crate::harness::{
    Caller, LEDGER, Service, Settings, address_logged, address_said, command, eventually, http, run,
};

/// How long `make run` may take from the end of the build until all can be asked, sample included:
/// whoever tries the ledger out for the first time waits for it.
const READY_MAX: Duration = Duration::from_secs(60);

/// The user that owns nothing, by convention.
const NOBODY: u32 = 65_534;

#[tokio::test(flavor = "multi_thread")]
async fn dev_with_a_sample_from_start_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let service = start(&data, &["--sample"]).await;
    let chosen = chosen_in(&data);
    assert_eq!(chosen["LEDGER_URL"], service.url());
    for name in [
        "DATABASE_URL",
        "LEDGER_OWNER_DATABASE_URL",
        "STRIPE_API_BASE",
        "STRIPE_SECRET_KEY",
        "STRIPE_WEBHOOK_SECRET",
    ] {
        assert!(chosen.contains_key(name), "{name} in {:?}", chosen.keys());
    }
    let anyone = Caller::new(http(), service.url(), None);
    assert_eq!(anyone.get("/readyz").await.status, 200, "ready means ready");
    says(&service, LAST_LINE).await;
    let said = service.output().text();
    assert!(said.contains("delivered ") && !said.contains('\u{1b}'), "nothing is drawn: {said}");

    // Other subcommands find the same ledger.
    let auditor = with_role(&anyone, &data, "auditor").await;
    let events = auditor.get("/api/v1/audit/events?type=SubscriptionReported").await.expect(200);
    let trainer =
        events["events"].as_array().unwrap().iter().find_map(|e| e["trainer_id"].as_str());
    let trainer = trainer.expect("the sample has trainers").to_owned();
    let args = ["token", "--role", "trainer", "--subject", &trainer, "--data-dir"];
    let printed = run(&Settings::none(), &[&args[..], &[data.to_str().unwrap()]].concat()).await;
    let caller = anyone.with_token(printed.stdout.trim());
    let current = caller.get("/api/v1/tiers/current").await.expect(200);
    assert_eq!(current["trainer_id"], trainer.as_str());
    assert_ne!(current["status"], "none", "the sample tells of {trainer}: {current}");
    let before = last_position(&auditor).await;
    assert!(before > 500, "months of webhooks: {before}");

    let postmaster = postmaster(&data);
    let status = service.stop().await;
    assert!(status.success(), "SIGTERM ends it in order: {status}");
    assert!(has_ended(postmaster), "PostgreSQL ended, too");

    // A second start finds everything again, and plays the sample once only.
    let service = start(&data, &["--sample"]).await;
    for name in ["LEDGER_JWT_SECRET", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"] {
        assert_eq!(chosen_in(&data)[name], chosen[name], "{name} stays");
    }
    let anyone = Caller::new(http(), service.url(), None);
    let auditor = with_role(&anyone, &data, "auditor").await;
    // Time goes on, and somebody may have renewed; a second sample would be as long as the first.
    assert!((before..before + 200).contains(&last_position(&auditor).await));
    service.stop().await;
}

/// The likeliest mistake of all costs nothing: no server is made for it, and no folder filled.
#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_told_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = ["dev", "--listen", &address, "--data-dir", folder.path().to_str().unwrap()];
    let refused = run(&Settings::none(), &[&args[..], &["--sample"]].concat()).await;
    assert_eq!(refused.code, Some(3), "{}{}", refused.stdout, refused.stderr);
    for part in [&*address, "--listen"] {
        assert!(refused.stderr.contains(part), "{part} in {}", refused.stderr);
    }
    let made: Vec<_> = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    assert!(made.is_empty(), "{made:?}");
    drop(taken);
    let service = Service::start(&Settings::none(), &args).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(service.url(), format!("http://{address}"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_dev_leaves_no_postgresql_behind() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let service = start(&data, &[]).await;
    let postmaster = postmaster(&data);
    service.kill();
    eventually("PostgreSQL ends with it", || async { has_ended(postmaster).then_some(()) }).await;
    // And the folder can be used again.
    start(&data, &[]).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_its_postgresql_and_says_where_to_look() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut service = start(&data, &[]).await;
    let killed = Command::new("kill").arg("-KILL").arg(postmaster(&data).to_string()).status();
    assert!(killed.expect("kill runs").success());
    assert_eq!(service.ended().await.code(), Some(3));
    // What it wrote last may still be in the pipe.
    let told = || async {
        let said = service.output().text();
        said.lines().find(|line| line.contains("PostgreSQL has ended")).map(str::to_owned)
    };
    let line = eventually("it tells of PostgreSQL's end", told).await;
    let log = line.rsplit(' ').next().expect("a path");
    assert!(Path::new(log).is_file(), "{line}");
    // And the folder can be used again.
    start(&data, &[]).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_it_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = start(&folder.path().join("data"), &[]).await;
    service.signal("INT");
    assert!(service.ended().await.success());
}

/// The sample is not done when the service listens, and there is no need to wait for its end.
#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_stopped_while_it_plays_the_sample() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let args = [&ARGS_OF_DEV[..], &["--data-dir", data.to_str().unwrap(), "--sample"]].concat();
    let command = command(LEDGER, &Settings::none(), &args);
    let service = Service::spawn(command, address_logged).await.unwrap();
    let postmaster = postmaster(&data);
    let output = service.output().clone();
    let status = service.stop().await;
    assert!(status.success(), "{status}: {}", output.text());
    assert!(has_ended(postmaster), "PostgreSQL ended, too");
}

/// Installed anywhere, started by anyone: nothing but the program itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_user_needs_no_more_than_the_program() {
    let home = Home::of(Somebody::Ordinary);
    let args = [&ARGS_OF_DEV[..], &["--sample"]].concat();
    let mut command = command(home.program.to_str().unwrap(), &Settings::none(), &args);
    home.enter(&mut command);
    let service =
        Service::spawn(command, address_said).await.unwrap_or_else(|error| panic!("{error}"));
    let anyone = Caller::new(http(), service.url(), None);
    let ready = anyone.get("/readyz").await;
    assert_eq!(ready.status, 200, "{ready:?}");
    for file in ["dev.env", "simulator.ndjson"] {
        let file = home.folder.join(".ledger").join(file);
        assert!(file.exists(), "{} is where it was started", file.display());
    }
    assert!(service.stop().await.success());
}

/// What the README says first, on a machine that has nothing of what only tests need. In the place
/// of cargo stands a script that runs the program which was built for this test: another build
/// would take minutes.
#[tokio::test(flavor = "multi_thread")]
async fn make_run_works_for_root_and_for_an_ordinary_user() {
    for somebody in [Somebody::Caller, Somebody::Ordinary] {
        let home = Home::of(somebody);
        let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
        fs::create_dir_all(home.folder.join(".cargo/bin")).unwrap();
        fs::create_dir(home.folder.join("tools")).unwrap();
        for file in ["Makefile", "tools/setup.sh"] {
            fs::copy(repository.join(file), home.folder.join(file)).unwrap();
        }
        // With make it ends, too, however make ends.
        let cargo = format!(
            "#!/bin/sh\nset -e\n[ \"$1\" = run ] || exit 0\n\
             [ \"$1 $2 $3\" = 'run --locked --' ]\nshift 3\n\
             exec setpriv --pdeathsig TERM {} \"$@\"\n",
            home.program.display()
        );
        let script = home.folder.join(".cargo/bin/cargo");
        fs::write(&script, cargo).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let programs = home.folder.join("programs");
        link_programs(&programs);
        let script = home.folder.join("tools/setup.sh");
        let mut setup = command(script.to_str().unwrap(), &Settings::none(), &["test"]);
        home.enter(&mut setup);
        let refused = setup.env("PATH", &programs).output().unwrap();
        let said = String::from_utf8_lossy(&refused.stdout);
        assert!(said.contains("python3 python3-venv nodejs npm"), "tests need more: {refused:?}");
        assert_eq!(refused.status.code(), Some(1), "and nothing can install it: {refused:?}");
        let args = ["run", "ARGS=--sample --listen 127.0.0.1:0"];
        let mut command = command("make", &Settings::none(), &args);
        home.enter(&mut command);
        command.env("PATH", &programs);
        let begun = Instant::now();
        let mut service =
            Service::spawn(command, address_said).await.unwrap_or_else(|error| panic!("{error}"));
        let anyone = Caller::new(http(), service.url(), None);
        assert_eq!(anyone.get("/readyz").await.status, 200, "{somebody:?}");
        let taken = begun.elapsed();
        assert!(taken <= READY_MAX, "{somebody:?} waited for {taken:?}");
        let data = home.folder.join(".ledger");
        let auditor = with_role(&anyone, &data, "auditor").await;
        assert!(last_position(&auditor).await > 500, "{somebody:?} has the sample");
        let postmaster = postmaster(&data);
        service.signal("TERM");
        service.ended().await;
        eventually("all ends with make", || async { has_ended(postmaster).then_some(()) }).await;
    }
}

/// What only tests need, and what would install it.
const HIDDEN: [&str; 7] = ["apt-get", "nginx", "node", "nodejs", "npm", "python3", "sudo"];

/// Fills a folder with links to all programs that there are, but for the hidden ones.
fn link_programs(folder: &Path) {
    fs::create_dir(folder).unwrap();
    let path = std::env::var_os("PATH").expect("a PATH");
    for programs in std::env::split_paths(&path).filter_map(|place| fs::read_dir(place).ok()) {
        for program in programs.map(Result::unwrap) {
            let (name, link) = (program.file_name(), folder.join(program.file_name()));
            // The first of a name is the one that is found.
            if !HIDDEN.iter().any(|hidden| name == *hidden) && !link.is_symlink() {
                symlink(program.path(), link).unwrap();
            }
        }
    }
}

/// Who starts something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Somebody {
    /// Whoever runs the tests; root, often.
    Caller,
    /// One who owns nothing else.
    Ordinary,
}

/// A home with the program beside it.
struct Home {
    folder: PathBuf,
    program: PathBuf,
    somebody: Somebody,
    _place: tempfile::TempDir,
}

impl Home {
    fn of(somebody: Somebody) -> Self {
        let place = tempfile::tempdir().unwrap();
        let (folder, program) = (place.path().join("home"), place.path().join("ledger"));
        fs::create_dir(&folder).unwrap();
        fs::copy(LEDGER, &program).unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        if is_root() && somebody == Somebody::Ordinary {
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Self { folder, program, somebody, _place: place }
    }

    fn enter(&self, command: &mut Command) {
        command.current_dir(&self.folder).env("HOME", &self.folder);
        if is_root() && self.somebody == Somebody::Ordinary {
            command.uid(NOBODY).gid(NOBODY);
        }
    }
}

pub(super) const ARGS_OF_DEV: [&str; 3] = ["dev", "--listen", "127.0.0.1:0"];

pub(super) async fn start(data: &Path, more: &[&str]) -> Service {
    start_with(&Settings::none(), data, more).await
}

pub(super) async fn start_with(settings: &Settings, data: &Path, more: &[&str]) -> Service {
    let args = [&ARGS_OF_DEV[..], &["--data-dir", data.to_str().unwrap()], more].concat();
    let started = Service::start(settings, &args).await;
    started.unwrap_or_else(|error| panic!("ledger dev ended: {error}"))
}

/// The settings in `dev.env`, which nobody else may read.
pub(super) fn chosen_in(data: &Path) -> BTreeMap<String, String> {
    let file = data.join("dev.env");
    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "dev.env holds secrets");
    let text = fs::read_to_string(&file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let settings = lines.filter_map(|line| line.split_once('='));
    settings.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect()
}

pub(super) async fn with_role(anyone: &Caller, data: &Path, role: &str) -> Caller {
    let data = data.to_str().unwrap();
    let args = ["--data-dir", data, "token", "--role", role, "--subject", "e2e"];
    let printed = run(&Settings::none(), &args).await;
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    anyone.with_token(printed.stdout.trim())
}

/// The position of the last event.
pub(super) async fn last_position(auditor: &Caller) -> i64 {
    let mut path = "/api/v1/audit/events?limit=500".to_owned();
    let mut last = 0;
    loop {
        let page: Value = auditor.get(&path).await.expect(200);
        let positions = page["events"].as_array().unwrap().iter().map(|e| e["position"].as_i64());
        last = positions.flatten().fold(last, i64::max);
        match page["cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/audit/events?limit=500&cursor={cursor}"),
            None => return last,
        }
    }
}

/// The process id of the private PostgreSQL.
pub(super) fn postmaster(data: &Path) -> u32 {
    let file: PathBuf = data.join("postgres/data/postmaster.pid");
    let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    text.lines().next().expect("a process id").trim().parse().unwrap()
}

/// A zombie has ended, too: in a container nobody may collect it.
pub(super) fn has_ended(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout.trim_ascii() == b"0"
}
