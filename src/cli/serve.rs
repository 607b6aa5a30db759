//! `ledger serve`.

use clap::Args;

use super::failure::Failure;
use crate::app::{self, StartError};
use crate::clock::Clock;
use crate::config::{Config, Environment};
use crate::signals;

/// Run the service, configured by the environment
///
/// Needs DATABASE_URL, LEDGER_JWT_SECRET and a migrated database (`ledger migrate`). Any number of
/// them may share one database. SIGTERM and SIGINT let it finish what it is doing.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where to listen; wins over LEDGER_LISTEN
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
}

impl Serve {
    pub(super) async fn run(self, mut environment: Environment) -> Result<(), Failure> {
        let stopped = signals::stop();
        if let Some(listen) = &self.listen {
            environment = environment.with("LEDGER_LISTEN", listen);
        }
        let config = Config::read(&environment).map_err(Failure::usage)?;
        let running = app::start(config, Clock::system()).await.map_err(failure)?;
        stopped.await;
        running.shutdown().await;
        Ok(())
    }
}

/// A mistake in the catalogue is found here, too, and settings that contradict the log.
pub(super) fn failure(error: StartError) -> Failure {
    match error {
        StartError::Catalog(_) | StartError::Config(_) | StartError::Contradiction { .. } => {
            Failure::usage(error)
        }
        _ => Failure::unavailable(error),
    }
}
