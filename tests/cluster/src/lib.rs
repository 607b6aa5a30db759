//! A private PostgreSQL from the server binaries installed on this machine.
//!
//! Tests, benches and `ledger dev` all run against a real server, and none of them should need one
//! that somebody set up. A [`Cluster`] listens on a unix socket only, in a folder that only its
//! owner reaches, so any number of them run side by side without ports or passwords.
//!
//! ```no_run
//! # fn main() -> Result<(), ledger_cluster::Error> {
//! let cluster = ledger_cluster::Cluster::builder().start()?;
//! let database = cluster.fresh_database()?;
//! println!("{}", cluster.url(&database, cluster.superuser()));
//! # Ok(())
//! # }
//! ```
//!
//! What holds for every cluster:
//!
//! - It ends with the process that started it, however that process ends, SIGKILL included. A
//!   `static` cluster that is never dropped is no exception; see `watchdog.rs` for how.
//! - A temporary one ([`Cluster::builder`] without a folder, [`Cluster::shared`]) leaves no files.
//! - A persistent one ([`Builder::data_dir`]) survives crashes at any moment, also while it is
//!   being created, and belongs to one process at a time.
//! - Started by root it runs as the `postgres` user, since the server refuses root; started by
//!   anyone else it runs as that user.
//! - Every wait has a limit, and no wait is a guess: readiness is asked of the server, and the end
//!   of the last server process is seen as the end of a pipe that all of them hold.
//!
//! # Adding a server setting
//!
//! A setting that one test needs goes through [`Builder::setting`]. One that every cluster needs
//! goes into `settings.rs`, with the reason beside it.

mod account;
mod builder;
mod cluster;
mod command;
mod database;
mod error;
mod installation;
mod place;
mod server;
mod settings;
mod url;
mod watchdog;

pub use builder::Builder;
pub use cluster::Cluster;
pub use error::Error;

/// The result of everything this crate does.
pub type Result<T> = std::result::Result<T, Error>;
