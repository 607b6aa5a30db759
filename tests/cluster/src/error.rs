//! What can go wrong with a private cluster, worded for the person who has to fix it.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use crate::installation::OLDEST_MAJOR;

/// Why a cluster couldn't be started, stopped or asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable server binaries on this machine.
    #[error(
        "PostgreSQL {OLDEST_MAJOR} or newer is not installed (looked in {searched}); \
         run `make setup`, or `apt-get install postgresql` on Debian and Ubuntu"
    )]
    NotInstalled {
        /// The folders that were looked at.
        searched: String,
    },

    /// The data was written by a major version that isn't installed.
    #[error(
        "{} was written by PostgreSQL {major}, which is not installed; \
         run `apt-get install postgresql-{major}`, or remove that folder to start afresh", path.display()
    )]
    VersionNotInstalled {
        /// The data folder.
        path: PathBuf,
        /// The major version that wrote it.
        major: u32,
    },

    /// We are root, and the account that the server should run as doesn't exist.
    #[error(
        "PostgreSQL refuses to run as root and there is no user `{user}` to run it as; \
         run `make setup`, or `apt-get install postgresql`, which creates that user"
    )]
    NoAccount {
        /// The missing account.
        user: &'static str,
    },

    /// A file or folder of the cluster couldn't be put in place.
    #[error("cannot {action} {}", path.display())]
    Files {
        /// What was tried, as in "create".
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },

    /// The account that runs the server has no way into a folder.
    #[error(
        "the user `{user}`, which runs PostgreSQL because root must not, cannot enter {}; \
         choose a folder that it can enter, or run as an ordinary user", path.display()
    )]
    Unreachable {
        /// The folder.
        path: PathBuf,
        /// The account.
        user: String,
    },

    /// No folder is short enough and reachable enough to hold the server's socket.
    #[error("no usable folder for temporary files (tried {tried}); set TMPDIR to a short path")]
    NoTemporaryFolder {
        /// The folders that were tried.
        tried: String,
    },

    /// The data belongs to somebody else, most often after a change between root and a user.
    #[error(
        "{} belongs to user id {owner} but PostgreSQL would run as user id {expected}; \
         run as the user who created it, or remove that folder to start afresh", path.display()
    )]
    ForeignData {
        /// The data folder.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who should.
        expected: u32,
    },

    /// Another process runs the cluster of this folder.
    #[error("{} is in use by {holder}; stop that first", dir.display())]
    InUse {
        /// The cluster's folder.
        dir: PathBuf,
        /// Who holds it, as in "process 4711".
        holder: String,
    },

    /// A program couldn't be run at all.
    #[error("cannot run {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system answered.
        source: io::Error,
    },

    /// A program ran and failed.
    #[error("{} failed ({status}): {output}", program.display())]
    Failed {
        /// The program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote, standard output and error joined.
        output: String,
    },

    /// The server ended while it was starting.
    #[error("PostgreSQL ended while starting ({status}); the end of its log:\n{log}")]
    Ended {
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },

    /// The server didn't accept connections in time.
    #[error("PostgreSQL was not ready after {waited:?}; the end of its log:\n{log}")]
    NotReady {
        /// How long we waited.
        waited: Duration,
        /// The end of its log.
        log: String,
    },

    /// The server didn't end in time, and was killed.
    #[error("PostgreSQL did not end within {waited:?} and was killed")]
    NotEnded {
        /// How long we waited.
        waited: Duration,
    },

    /// The server couldn't be watched or signalled.
    #[error("cannot {action} the PostgreSQL server process")]
    Process {
        /// What was tried, as in "signal".
        action: &'static str,
        /// What the system answered.
        source: io::Error,
    },

    /// An SQL statement failed.
    #[error("SQL failed in database {database}: {message}")]
    Sql {
        /// The database it ran in.
        database: String,
        /// The SQLSTATE, such as `42P04`, where the server gave one.
        sqlstate: Option<String>,
        /// What psql wrote.
        message: String,
    },
}

impl Error {
    /// Makes the closure for `map_err` on a file operation.
    pub(crate) fn files(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Files { action, path, source }
    }

    /// Makes the closure for `map_err` on something done to the server process.
    pub(crate) fn process<E: Into<io::Error>>(action: &'static str) -> impl FnOnce(E) -> Error {
        move |source| Error::Process { action, source: source.into() }
    }
}
