//! One run of the server, from its start to the end of its last process.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use crate::account::Account;
use crate::command::command;
use crate::installation::Installation;
use crate::place::Place;
use crate::watchdog::Watchdog;
use crate::{Error, Result};

/// The account that everything connects with, made by `initdb`.
pub(crate) const SUPERUSER: &str = "postgres";

/// How long an orderly shutdown may take; it writes a checkpoint.
const STOP_WAIT: Duration = Duration::from_secs(60);

/// How long the other processes may take to notice that the postmaster was killed.
const KILL_WAIT: Duration = Duration::from_secs(30);

/// How often a starting server is asked whether it's ready.
const READY_PAUSE: Duration = Duration::from_millis(20);

/// Waits for the word before becoming the server, so that there is no moment at which the server
/// runs and the watchdog doesn't know it.
const GATE: &str = r#"read -r go && exec "$0" "$@" </dev/null"#;

/// What is the same for each run of a cluster's server.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) account: Account,
    pub(crate) installation: Installation,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) start_timeout: Duration,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    postmaster: Child,
    /// The standard output of the postmaster and, by inheritance, of all its processes. They write
    /// nothing to it; its end means that the last of them ended.
    outputs: ChildStdout,
}

impl Server {
    /// Starts the server and waits until it accepts connections.
    pub(crate) fn start(recipe: &Recipe, place: &Place, watchdog: &Watchdog) -> Result<Self> {
        let shell = Path::new("/bin/sh");
        let log = File::options().create(true).append(true).open(&place.log);
        let log = log.map_err(Error::files("open", &place.log))?;
        let mut command = recipe.account.command(shell);
        command.args(["-c", GATE]).arg(recipe.installation.program("postgres"));
        command.arg("-D").arg(&place.data);
        for (name, value) in &recipe.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        // Its own process group: Ctrl-C in a terminal must reach us and not the server, which
        // would end before we have drained.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let spawned = command.spawn();
        let mut postmaster =
            spawned.map_err(|source| Error::Spawn { program: shell.to_path_buf(), source })?;
        let outputs = postmaster.stdout.take().expect("standard output is a pipe");
        let gate = postmaster.stdin.take().expect("standard input is a pipe");
        let mut server = Self { postmaster, outputs };

        let ready = watchdog
            .watch(server.pid())
            .and_then(|()| (&gate).write_all(b"go\n").map_err(Error::process("start")))
            .and_then(|()| server.wait_until_ready(recipe, place));
        match ready {
            Ok(()) => Ok(server),
            Err(error) => {
                drop(gate);
                // In order, so that the server returns its shared memory; the first error is the
                // one to report.
                let _ = server.stop(watchdog);
                Err(error)
            }
        }
    }

    /// The postmaster's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.postmaster.id()
    }

    /// Whether a process of this run is left.
    pub(crate) fn is_running(&mut self) -> Result<bool> {
        Ok(!self.ends_within(Duration::ZERO)?)
    }

    /// Ends the server in order: sessions are cut off, data is written.
    pub(crate) fn stop(mut self, watchdog: &Watchdog) -> Result<()> {
        if self.ends_after(Signal::INT, STOP_WAIT)? {
            return self.collect(watchdog);
        }
        self.kill(watchdog)?;
        Err(Error::NotEnded { waited: STOP_WAIT })
    }

    /// Ends the server as a crash would, and waits until none of its processes is left: one of them
    /// would keep a new server from starting.
    pub(crate) fn kill(mut self, watchdog: &Watchdog) -> Result<()> {
        if self.ends_after(Signal::KILL, KILL_WAIT)? {
            return self.collect(watchdog);
        }
        Err(Error::NotEnded { waited: KILL_WAIT })
    }

    /// Takes the postmaster's exit status. Only from here on its process id can be given to another
    /// process, so nobody must signal it any more.
    pub(crate) fn collect(mut self, watchdog: &Watchdog) -> Result<()> {
        self.postmaster.wait().map_err(Error::process("wait for"))?;
        watchdog.watch_nothing()
    }

    /// Signals the postmaster, unless it has ended already, and waits for the last process.
    fn ends_after(&mut self, signal: Signal, limit: Duration) -> Result<bool> {
        if self.ends_within(Duration::ZERO)? {
            return Ok(true);
        }
        let pid = Pid::from_child(&self.postmaster);
        kill_process(pid, signal).map_err(Error::process("signal"))?;
        self.ends_within(limit)
    }

    fn wait_until_ready(&mut self, recipe: &Recipe, place: &Place) -> Result<()> {
        let begin = Instant::now();
        let program = recipe.installation.program("pg_isready");
        loop {
            if self.ends_within(READY_PAUSE)? {
                let status = self.postmaster.wait().map_err(Error::process("wait for"))?;
                return Err(Error::Ended { status, log: place.log_tail() });
            }
            let mut ask = command(&program);
            ask.args(["-q", "-t", "5", "-d", "postgres", "-U", SUPERUSER, "-h"]).arg(&place.socket);
            ask.args(["-p", &crate::url::PORT.to_string()]);
            match ask.status() {
                Ok(status) if status.success() => return Ok(()),
                Ok(_) => {}
                Err(source) => return Err(Error::Spawn { program, source }),
            }
            if begin.elapsed() >= recipe.start_timeout {
                let waited = recipe.start_timeout;
                return Err(Error::NotReady { waited, log: place.log_tail() });
            }
        }
    }

    /// Waits for the end of the last process.
    fn ends_within(&mut self, limit: Duration) -> Result<bool> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).expect("our limits fit the system's time type");
            let mut fds = [PollFd::new(&self.outputs, PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Ok(0) => return Ok(false),
                Ok(_) => {
                    let mut ignored = [0; 512];
                    let read = self.outputs.read(&mut ignored);
                    if read.map_err(Error::process("watch"))? == 0 {
                        return Ok(true);
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(Error::process("watch")(error)),
            }
        }
    }
}
