//! The service as operators run it: the release binary, with a migrated database and a login that
//! isn't the owner's.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use ledger_cluster::Cluster;

/// The service's login.
const LOGIN: &str = "ledger_bench";

/// How long a process may take until it answers, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often is asked whether a process answers. A quarter of it is the mean error of a start-up
/// time, and asking costs the process next to nothing.
const PROBE_INTERVAL: Duration = Duration::from_millis(1);

/// A server whose commits survive a crash of the machine.
///
/// What differs from PostgreSQL's defaults is what its manual advises for servers that mainly
/// write, and holds for the ledger and for its baselines alike.
///
/// # Errors
/// When PostgreSQL isn't installed or doesn't start.
pub(crate) fn durable_cluster(counts_statements: bool) -> Result<Cluster> {
    let mut builder = Cluster::builder()
        .fsync(true)
        .setting("shared_buffers", "512MB")
        .setting("max_wal_size", "4GB")
        .setting("min_wal_size", "1GB");
    if counts_statements {
        builder = builder.setting("shared_preload_libraries", "pg_stat_statements");
    }
    let cluster = builder.start().context("no PostgreSQL for the bench")?;
    if counts_statements {
        cluster.execute("postgres", "CREATE EXTENSION pg_stat_statements")?;
    }
    cluster.execute("postgres", &format!("CREATE ROLE {LOGIN} LOGIN"))?;
    use_wal_files(&cluster)?;
    Ok(cluster)
}

/// Gives the server the files that one in use has: a checkpoint makes those of its log that are
/// done ready to be used again, up to `min_wal_size`. A fresh server makes each anew while all
/// commits wait, some 20 ms for every 16 MB.
fn use_wal_files(cluster: &Cluster) -> Result<()> {
    let switch = "DO $$ BEGIN FOR i IN 1..60 LOOP
        PERFORM pg_logical_emit_message(false, 'bench', repeat('x', 100)), pg_switch_wal();
        END LOOP; END $$";
    cluster.execute("postgres", switch)?;
    cluster.execute("postgres", "CHECKPOINT")?;
    Ok(())
}

/// Makes a database and migrates it with `ledger migrate`.
///
/// # Errors
/// When the migration fails; its own words are part of the error.
pub(crate) fn migrated_database(cluster: &Cluster) -> Result<String> {
    let database = cluster.fresh_database()?;
    let output = ledger(cluster, &database).arg("migrate").output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(database)
}

/// `ledger` with the settings that it needs for this database.
pub(crate) fn ledger(cluster: &Cluster, database: &str) -> Command {
    let mut ledger = Command::new(env!("CARGO_BIN_EXE_ledger"));
    ledger
        .current_dir(root())
        .env("DATABASE_URL", cluster.url(database, LOGIN))
        .env("LEDGER_OWNER_DATABASE_URL", cluster.url(database, cluster.superuser()))
        .env("LEDGER_JWT_SECRET", "a secret for one bench only, 32 bytes or more");
    for (plan, variable) in [
        ("starter", "STRIPE_PRICE_TIER_STARTER"),
        ("professional", "STRIPE_PRICE_TIER_PROFESSIONAL"),
        ("enterprise", "STRIPE_PRICE_TIER_ENTERPRISE"),
        ("ai_starter", "STRIPE_PRICE_ADDON_AI_STARTER"),
        ("ai_professional", "STRIPE_PRICE_ADDON_AI_PROFESSIONAL"),
        ("ai_enterprise", "STRIPE_PRICE_ADDON_AI_ENTERPRISE"),
    ] {
        ledger.env(variable, format!("price_{plan}_month"));
        ledger.env(format!("{variable}_YEAR"), format!("price_{plan}_year"));
    }
    ledger
}

/// A server process that is ended when it's dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From starting the program to the first 200.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts `ledger serve` and waits until it's ready.
    ///
    /// # Errors
    /// When it ends or doesn't get ready; the file with its messages is named.
    pub(crate) fn ledger(ledger: &mut Command, secret: &str) -> Result<Self> {
        let address = free_address()?;
        ledger.arg("serve").env("LEDGER_LISTEN", address.to_string());
        ledger.env("STRIPE_WEBHOOK_SECRET", secret);
        Self::start(ledger, address, "/readyz")
    }

    /// Starts a server that listens on `address`, and waits until a path of it answers 200.
    ///
    /// # Errors
    /// When it ends or doesn't get ready; the file with its messages is named.
    pub(crate) fn start(command: &mut Command, address: SocketAddr, path: &str) -> Result<Self> {
        let (log, log_path) = log_file()?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = Instant::now();
        let child = command.spawn().context("the program can't be started")?;
        let mut server = Self { child, address, ready_after: Duration::ZERO };
        while !answers(address, path) {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended ({status}); see {}", log_path.display());
            }
            ensure!(started.elapsed() < PATIENCE, "never ready; see {}", log_path.display());
            pause(PROBE_INTERVAL);
        }
        server.ready_after = started.elapsed();
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Asks as an operator would, and insists when that doesn't help.
        let asked = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status();
        let since = Instant::now();
        while asked.is_ok() && since.elapsed() < PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            pause(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on.
///
/// # Errors
/// When the machine has none left.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Waits, where there's nothing to wait on.
#[expect(clippy::disallowed_methods, reason = "polls another process, within a limit")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn answers(address: SocketAddr, path: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.1 200 "))
    };
    ask().unwrap_or(false)
}

fn log_file() -> Result<(File, PathBuf)> {
    let folder = root().join("target/benches");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("server.log");
    Ok((File::create(&path)?, path))
}
