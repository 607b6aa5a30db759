//! Ends the services when the tests are killed.
//!
//! A `Drop` doesn't run when a process is killed. A small shell process reads a pipe whose only
//! writer is this process; at the pipe's end it kills what is still on its list.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// `+PID` puts a process on the list, `-PID` takes it off.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
pids=' '
while read -r line; do
    pid=${line#[+-]}
    case $line in
        +*) pids="$pids$pid " ;;
        -*) pids="${pids%% $pid *} ${pids#* $pid }" ;;
    esac
done
for pid in $pids; do kill -KILL "$pid"; done
"#;

struct Watchdog {
    pipe: ChildStdin,
    _shell: Child,
}

/// Puts a process on the list.
pub(crate) fn watch(pid: u32) {
    tell(&format!("+{pid}\n"));
}

/// Takes a process off the list, once it was waited for: its id may come to be another's.
pub(crate) fn forget(pid: u32) {
    tell(&format!("-{pid}\n"));
}

fn tell(line: &str) {
    static WATCHDOG: OnceLock<Mutex<Watchdog>> = OnceLock::new();
    let watchdog = WATCHDOG.get_or_init(|| Mutex::new(Watchdog::start()));
    let mut watchdog = watchdog.lock().unwrap_or_else(PoisonError::into_inner);
    watchdog.pipe.write_all(line.as_bytes()).expect("the watchdog reads until we end");
}

impl Watchdog {
    fn start() -> Self {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "ledger-e2e-watchdog"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in a terminal is for us; the watchdog has to come after.
            .process_group(0)
            .spawn()
            .expect("/bin/sh runs");
        let pipe = shell.stdin.take().expect("standard input is a pipe");
        Self { pipe, _shell: shell }
    }
}
