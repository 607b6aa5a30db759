//! The program as a process: for as long as a test wants it, or until it ends by itself.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::settings::Settings;
use super::wait::{WAIT_MAX, turns};
use super::watchdog;

/// How long a program may take until it is ready. With a sample it takes in a product's months
/// first, for which a busy machine needs minutes.
const READY_MAX: Duration = WAIT_MAX.saturating_mul(5);

/// The program under test.
pub(crate) const LEDGER: &str = env!("CARGO_BIN_EXE_ledger");

/// How much of the output a failed test shows.
const TAIL_LINES: usize = 40;

/// A `ledger serve` or `ledger dev` that runs; killed at drop.
pub(crate) struct Service {
    child: Child,
    url: String,
    output: Output,
}

/// Everything that a process wrote so far, standard output and error in one.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Mutex<String>>);

/// Where to tell the address, once.
type Ready = Arc<Mutex<Option<oneshot::Sender<String>>>>;

/// Finds the address in a line that tells it.
pub(crate) type AddressIn = fn(&str) -> Option<String>;

/// A process that has ended.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Service {
    /// Starts the program and waits until it tells where it listens.
    ///
    /// # Errors
    /// What it wrote, when it ended instead.
    pub(crate) async fn start(settings: &Settings, args: &[&str]) -> Result<Self, String> {
        let announces = if args.contains(&"dev") { address_said } else { address_logged };
        Self::spawn(command(LEDGER, settings, args), announces).await
    }

    /// Starts a command and waits for the line that tells an address.
    pub(crate) async fn spawn(mut command: Command, address_in: AddressIn) -> Result<Self, String> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program can be started");
        watchdog::watch(child.id());
        let output = Output::default();
        let (tell_ready, ready) = oneshot::channel();
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let tell_ready = Arc::new(Mutex::new(Some(tell_ready)));
        output.follow(stdout, Arc::clone(&tell_ready), address_in);
        output.follow(stderr, tell_ready, address_in);
        let mut service = Self { child, url: String::new(), output };
        match timeout(READY_MAX, ready).await {
            Ok(Ok(url)) => service.url = url,
            Ok(Err(_)) => {
                let status = service.ended().await;
                return Err(format!("{status}\n{}", service.output.text()));
            }
            Err(_) => panic!("not ready after {READY_MAX:?}:\n{}", service.output.tail()),
        }
        Ok(service)
    }

    /// Where it listens, as in `http://127.0.0.1:40123`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What it wrote so far.
    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(sent.expect("kill runs").success(), "SIG{name} can't be sent");
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut turns = turns("the program ends");
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            turns.next().await;
        }
    }

    fn end(&mut self) {
        // It may have ended by itself; what counts is that it's gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end();
        watchdog::forget(self.pid());
        if std::thread::panicking() {
            eprintln!("--- the service's last words\n{}", self.output.tail());
        }
    }
}

impl Output {
    /// All of it.
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tail(&self) -> String {
        let text = self.text();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// Collects lines until the pipe ends, and tells the address that one of them names.
    fn follow(&self, pipe: impl Read + Send + 'static, ready: Ready, address_in: AddressIn) {
        let output = self.clone();
        std::thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).into_owned();
                output.0.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
                if let Some(url) = address_in(&text)
                    && let Some(ready) = ready.lock().unwrap_or_else(PoisonError::into_inner).take()
                {
                    // Nobody listens any more when the start took too long.
                    let _ = ready.send(url);
                }
                line.clear();
            }
        });
    }
}

/// `ready URL`, as `ledger dev` says it.
pub(crate) fn address_said(line: &str) -> Option<String> {
    line.trim().strip_prefix("ready ").map(str::to_owned)
}

/// The listener's line in the log.
pub(crate) fn address_logged(line: &str) -> Option<String> {
    let entry: serde_json::Value = serde_json::from_str(line).ok()?;
    let address = entry["address"].as_str().filter(|_| entry["message"] == "listening")?;
    Some(format!("http://{address}"))
}

/// Runs the program to its end, with these settings and nothing else in its environment.
pub(crate) async fn run<S: AsRef<OsStr>>(settings: &Settings, args: &[S]) -> Finished {
    let mut command = tokio::process::Command::from(command(LEDGER, settings, args));
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(WAIT_MAX, command.output()).await;
    let output = output.expect("the program ends in time").expect("the program can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Finished {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// The program with these settings and nothing else in its environment: a developer's own
/// variables must not decide what is tested.
pub(crate) fn command<S: AsRef<OsStr>>(program: &str, settings: &Settings, args: &[S]) -> Command {
    let mut command = Command::new(program);
    command.args(args).env_clear().current_dir(env!("CARGO_MANIFEST_DIR"));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", std::env::temp_dir());
    command.envs(settings.iter());
    command
}
