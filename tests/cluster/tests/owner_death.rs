//! A cluster ends with the process that started it, also when that process is killed.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ledger_cluster::Cluster;

/// Tells the other process of this binary that it's the owner, and of what.
const ROLE: &str = "LEDGER_CLUSTER_TEST_OWNER";

/// How long a server may take to end; generous, since machines that run tests are busy.
const LIMIT: Duration = Duration::from_secs(60);

/// Not a test by itself: run by the tests below in a process of its own, it starts a cluster that
/// is never dropped, tells where it is, and lives until it's killed.
#[test]
fn owner() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let kept;
    let cluster = match role.as_str() {
        "shared" => Cluster::shared(),
        dir => {
            kept = Cluster::builder().data_dir(dir).start().unwrap();
            &kept
        }
    };
    // A child that outlives us must not keep the watchdog waiting.
    let mut survivor = Command::new("sleep").arg("300").stdout(Stdio::null()).spawn().unwrap();
    let (pid, data) = (cluster.pid().unwrap(), cluster.data_dir().display());
    println!("\nowner {pid} {} {data}", survivor.id());
    std::io::stdout().flush().unwrap();
    survivor.wait().unwrap();
}

struct Owner {
    process: Child,
    postmaster: u32,
    survivor: u32,
    data: PathBuf,
}

fn start_owner(role: &str) -> Owner {
    let mut process = Command::new(std::env::current_exe().expect("a test knows its binary"))
        .args(["--exact", "owner", "--nocapture"])
        .env(ROLE, role)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the own binary can be run");
    let lines = BufReader::new(process.stdout.take().expect("its output is a pipe")).lines();
    let mut lines = lines.map_while(Result::ok);
    let line = lines.find(|line| line.starts_with("owner ")).expect("it tells where it is");
    let [_, postmaster, survivor, data] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else {
        panic!("unreadable: {line}");
    };
    let number = |text: &str| text.parse().expect("a process id is a number");
    let (postmaster, survivor) = (number(postmaster), number(survivor));
    Owner { process, postmaster, survivor, data: data.into() }
}

impl Owner {
    fn kill(&mut self) {
        self.process.kill().and_then(|()| self.process.wait()).expect("it's our child");
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Also when the test failed before it killed the owner.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = Command::new("kill").arg(self.survivor.to_string()).status();
    }
}

/// Whether a process runs; one that ended and that nobody has waited for doesn't.
fn runs(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.contains(") Z ")
}

#[expect(clippy::disallowed_methods, reason = "other processes can only be polled")]
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < LIMIT, "{what} took too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_static_cluster_ends_when_its_owner_is_killed() {
    let mut owner = start_owner("shared");
    let folder = owner.data.parent().unwrap().to_path_buf();
    assert!(runs(owner.postmaster) && folder.exists());
    owner.kill();
    wait_until("the end of the server", || !runs(owner.postmaster));
    wait_until("the removal of its files", || !folder.exists());
    assert!(runs(owner.survivor), "the test is about a child that outlives the owner");
}

#[test]
fn a_persistent_cluster_can_be_taken_over_at_once() {
    let home = tempfile::tempdir().unwrap();
    let mut owner = start_owner(home.path().to_str().unwrap());
    let refused = Cluster::builder().data_dir(home.path()).start();
    assert!(refused.unwrap_err().to_string().contains("in use by process"));
    owner.kill();
    let cluster = Cluster::builder().data_dir(home.path()).start().unwrap();
    assert!(!runs(owner.postmaster));
    assert_eq!(cluster.execute("postgres", "SELECT 1").unwrap(), "1");
}
