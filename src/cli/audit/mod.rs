//! `ledger audit`: what an auditor needs, and who signs for one. docs/auditors.md tells the way.

mod checkpoint;
mod export;
mod key;
mod verify;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use ledger_domain::id::Tenant;
use ledger_log::postgres::{Pools, RawLog, RawReader};

use super::failure::Failure;
use crate::config::{DatabaseConfig, Environment};
use crate::ids;

/// Prove the log: sign checkpoints, verify it against them, export it
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Make a key for checkpoints, and print its public half
    Key(key::Key),
    /// Sign what the log holds now, after recomputing all of it
    ///
    /// The text is to be published where nobody who can write the database can alter it. Ends
    /// with 1 if the log isn't sound, and signs nothing then.
    Checkpoint(checkpoint::SignCheckpoint),
    /// Recompute every hash of a log or of an export, and name the first wrong position
    ///
    /// No stored hash is trusted. Without a checkpoint the events are compared with the roots and
    /// leaves beside them, which whoever can write the database can make anew. The service may go
    /// on meanwhile. Ends with 1 if anything is wrong.
    Verify(verify::Verify),
    /// Write the log, or a trainer's part of it, to a file that can be verified without a database
    Export(export::Export),
}

impl AuditCommand {
    pub(super) async fn run(self, environment: &Environment) -> Result<(), Failure> {
        match self {
            Self::Key(key) => key.run(),
            Self::Checkpoint(checkpoint) => checkpoint.run(environment).await,
            Self::Verify(verify) => verify.run(environment).await,
            Self::Export(export) => export.run(environment).await,
        }
    }
}

/// A log that is looked at.
struct Looked {
    pools: Pools,
    reader: RawReader,
    log: RawLog,
}

impl Looked {
    async fn at(environment: &Environment, tenant: &Tenant) -> Result<Self, Failure> {
        let config = DatabaseConfig::read(environment).map_err(Failure::usage)?;
        let process = format!("ledger audit {}", ids::fresh().simple());
        let pools = Pools::connect_lazy(config.url.reveal(), &process).map_err(Failure::usage)?;
        let reader = RawReader::new(pools.auditor.clone(), tenant.clone());
        let log = reader.log().await.map_err(Failure::unavailable)?;
        let log = log.ok_or_else(|| Failure::usage(anyhow::anyhow!("{tenant} has no log")))?;
        Ok(Self { pools, reader, log })
    }
}

/// A bar on standard error, if that is a terminal.
fn bar(what: &'static str, end: i64) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(end).unwrap_or(0));
    let template = "{msg} [{wide_bar}] {human_pos}/{human_len}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("a constant template");
    bar.set_style(style.progress_chars("=> "));
    bar.set_message(what);
    bar
}

/// Moves a bar to a position.
fn moving(bar: &ProgressBar) -> impl FnMut(i64) {
    |position| bar.set_position(u64::try_from(position).unwrap_or(0))
}
