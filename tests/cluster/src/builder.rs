//! Describing a cluster and bringing it up.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::account::Account;
use crate::cluster::Cluster;
use crate::installation::Installation;
use crate::place::Place;
use crate::server::{Recipe, SUPERUSER, Server};
use crate::settings::{self, Kind};
use crate::watchdog::Watchdog;
use crate::{Error, Result};

/// What a cluster should be like; made by [`Cluster::builder`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `start`"]
pub struct Builder {
    data_dir: Option<PathBuf>,
    bin_dir: Option<PathBuf>,
    fsync: Option<bool>,
    settings: Vec<(String, String)>,
    start_timeout: Duration,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            data_dir: None,
            bin_dir: None,
            fsync: None,
            settings: Vec::new(),
            start_timeout: Duration::from_secs(60),
        }
    }

    /// Keeps the cluster in this folder, and finds it there the next time.
    ///
    /// The folder is the cluster's own and is made when absent: it holds `data`, the `socket`, the
    /// `server.log` (and the one of the run before) and a `lock`. Where root's folder is closed to
    /// the `postgres` user, as below `/root`, the data goes to `/var/lib/ledger-cluster` and `data`
    /// is a link to it. Without a folder the cluster is temporary.
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(dir.into());
        self
    }

    /// Uses the server binaries in this folder instead of the newest installed ones.
    pub fn bin_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.bin_dir = Some(dir.into());
        self
    }

    /// Whether commits must survive a crash of the machine; by default only in a persistent
    /// cluster. Benches turn it on, since otherwise they'd measure something else. A crash of the
    /// server alone loses nothing either way.
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.fsync = Some(fsync);
        self
    }

    /// Sets a server setting, as in `setting("work_mem", "64MB")`; the last of several wins. The
    /// few that this crate rests on (socket, port, logging) can't be changed.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// How long the server may take until it accepts connections, recovery included; 60 s unless
    /// said otherwise.
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.start_timeout = limit;
        self
    }

    /// Starts the cluster and waits until it accepts connections.
    ///
    /// # Errors
    /// When PostgreSQL isn't installed, the folder is in use or can't be used, or the server
    /// doesn't come up; the message tells what to do.
    pub fn start(self) -> Result<Cluster> {
        let installations = Installation::find(self.bin_dir.as_deref())?;
        let account = Account::for_this_process()?;
        let place = match &self.data_dir {
            Some(dir) => Place::persistent(dir, &account)?,
            None => Place::temporary(&account)?,
        };
        let installation = choose(installations, &place)?;

        let kind = Kind {
            temporary: self.data_dir.is_none(),
            fsync: self.fsync.unwrap_or(self.data_dir.is_some()),
        };
        let mut settings = settings::defaults(kind);
        settings.extend(self.settings);
        settings.extend(settings::fixed(&place.socket));
        let start_timeout = self.start_timeout;
        let recipe = Recipe { account, installation, settings, start_timeout };

        let watchdog = Watchdog::start(&place.to_remove(), place.lock.as_ref())?;
        if place.major()?.is_none() {
            initialise(&recipe, &place, &watchdog, kind)?;
        }
        let server = Server::start(&recipe, &place, &watchdog)?;
        Ok(Cluster::new(server, watchdog, recipe, place))
    }
}

/// The newest installation, or the one that wrote the data: a newer one can't read it.
fn choose(installations: Vec<Installation>, place: &Place) -> Result<Installation> {
    let major = place.major()?;
    let mut fitting =
        installations.into_iter().filter(|one| major.is_none_or(|major| one.major() == major));
    fitting.next().ok_or_else(|| Error::VersionNotInstalled {
        path: place.data.clone(),
        major: major.expect("only a written version excludes installations"),
    })
}

/// Creates the data folder under another name and renames it when it's complete, so that an
/// interruption leaves nothing that looks like one.
fn initialise(recipe: &Recipe, place: &Place, watchdog: &Watchdog, kind: Kind) -> Result<()> {
    let unfinished = place.data.with_extension("new");
    for leftover in [&unfinished, &place.data] {
        remove_if_there(leftover)?;
    }
    fs::create_dir(&unfinished).map_err(Error::files("create", &unfinished))?;
    recipe.account.own(&unfinished)?;

    let program = recipe.installation.program("initdb");
    let mut initdb = recipe.account.command(&program);
    // The C locale sorts and compares bytes: the same on every machine, and the fastest.
    initdb.args(["--encoding=UTF8", "--locale=C", "--auth=trust", "--no-instructions"]);
    initdb.arg(format!("--username={SUPERUSER}")).arg("-D").arg(&unfinished);
    if !kind.fsync {
        initdb.arg("--no-sync");
    }
    initdb.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = initdb.spawn();
    let child = child.map_err(|source| Error::Spawn { program: program.clone(), source })?;
    watchdog.watch(child.id())?;
    let output = child.wait_with_output().map_err(Error::process("wait for"))?;
    watchdog.watch_nothing()?;
    if !output.status.success() {
        let output_text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Failed { program, status: output.status, output: output_text });
    }

    fs::rename(&unfinished, &place.data).map_err(Error::files("rename", &unfinished))?;
    if kind.fsync {
        let parent = place.data.parent().expect("a data folder is in another folder");
        let synced = File::open(parent).and_then(|parent| parent.sync_all());
        synced.map_err(Error::files("write", parent))?;
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::files("remove", path)(error))
        }
        _ => Ok(()),
    }
}
