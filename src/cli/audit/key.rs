//! `ledger audit key`.

use std::path::PathBuf;

use clap::Args;

use super::Failure;
use crate::cli::tell;
use crate::seals::key;

/// Make a key for checkpoints, and print its public half
///
/// The private key must lie where nobody can read it who can write the database. What is printed
/// is for auditors.
#[derive(Debug, Args)]
pub(in crate::cli) struct Key {
    /// Where to write the private key: a new file that its owner alone can read
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Key {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let made = key::make(&self.file).map_err(Failure::usage)?;
        tell(&key::to_pem(&made.verifying_key()).map_err(Failure::usage)?);
        Ok(())
    }
}
