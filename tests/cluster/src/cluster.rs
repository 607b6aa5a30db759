//! A cluster that is up, and the ways to bring it down.

use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::Result;
use crate::builder::Builder;
use crate::installation::Installation;
use crate::place::Place;
use crate::server::{Recipe, Server};
use crate::watchdog::Watchdog;

/// A private PostgreSQL; ends at drop, or with the process.
#[derive(Debug)]
pub struct Cluster {
    /// `None` between a stop and the next start.
    server: Mutex<Option<Server>>,
    recipe: Recipe,
    /// How many names [`Cluster::fresh_database`] has tried.
    pub(crate) names: AtomicU32,
    // Dropped in this order: the watchdog removes the folders, then the place lets go of the lock.
    watchdog: Watchdog,
    place: Place,
}

impl Cluster {
    /// Describes a cluster; a temporary one, unless told otherwise.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The temporary cluster that all tests of this process share, each with a database of its own.
    ///
    /// # Panics
    /// When it can't be started: no test could go on, and the message tells what to do.
    pub fn shared() -> &'static Cluster {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| match Self::builder().start() {
            Ok(cluster) => cluster,
            Err(error) => panic!("no PostgreSQL for the tests: {}", chain(&error)),
        })
    }

    pub(crate) fn new(server: Server, watchdog: Watchdog, recipe: Recipe, place: Place) -> Self {
        let names = AtomicU32::new(0);
        Self { server: Mutex::new(Some(server)), recipe, names, watchdog, place }
    }

    /// The postmaster's process id while the server was started and not stopped.
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(Server::pid)
    }

    /// Whether the server was started and has neither been stopped nor ended by itself.
    ///
    /// # Errors
    /// When the system doesn't tell.
    pub fn is_running(&self) -> Result<bool> {
        self.lock().as_mut().map_or(Ok(false), Server::is_running)
    }

    /// The server's major version, such as 15.
    pub fn major_version(&self) -> u32 {
        self.installation().major()
    }

    /// The folder of the unix socket, for programs that take it as a host name.
    pub fn socket_dir(&self) -> &Path {
        &self.place.socket
    }

    /// The data folder.
    pub fn data_dir(&self) -> &Path {
        &self.place.data
    }

    /// The file that the server logs to.
    pub fn log(&self) -> &Path {
        &self.place.log
    }

    /// Starts the server after [`Cluster::stop`], [`Cluster::kill_postmaster`] or an end of its
    /// own, with recovery where needed; does nothing while it runs.
    ///
    /// # Errors
    /// When it doesn't come up in time.
    pub fn start(&self) -> Result<()> {
        let mut slot = self.lock();
        if let Some(mut server) = slot.take() {
            if server.is_running()? {
                *slot = Some(server);
                return Ok(());
            }
            server.collect(&self.watchdog)?;
        }
        *slot = Some(Server::start(&self.recipe, &self.place, &self.watchdog)?);
        Ok(())
    }

    /// Stops the server in order, cutting off sessions (PostgreSQL's "fast" mode).
    ///
    /// # Errors
    /// When it doesn't end within a minute; it's killed then.
    pub fn stop(&self) -> Result<()> {
        match self.lock().take() {
            Some(server) => server.stop(&self.watchdog),
            None => Ok(()),
        }
    }

    /// [`Cluster::stop`], then [`Cluster::start`].
    ///
    /// # Errors
    /// As those two.
    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        self.start()
    }

    /// Kills the postmaster with SIGKILL, as a crash of the server would, and returns when its
    /// other processes are gone too, so that [`Cluster::start`] works at once.
    ///
    /// # Errors
    /// When one of them doesn't end within half a minute.
    pub fn kill_postmaster(&self) -> Result<()> {
        match self.lock().take() {
            Some(server) => server.kill(&self.watchdog),
            None => Ok(()),
        }
    }

    pub(crate) fn installation(&self) -> &Installation {
        &self.recipe.installation
    }

    fn lock(&self) -> MutexGuard<'_, Option<Server>> {
        // The slot is whole at every moment, so a panic elsewhere doesn't matter.
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Nobody is left to tell; the watchdog has another try.
        let _ = self.stop();
    }
}

/// An error with its causes, in one line each.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str("\n  caused by: ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
