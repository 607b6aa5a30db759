//! `ledger serve`.

use std::time::Duration;

use clap::Args;

use super::failure::Failure;
use crate::app::{self, Running, StartError};
use crate::clock::Clock;
use crate::commands::settings;
use crate::config::Environment;
use crate::signals;

/// Between two looks whether the service is ready.
const READY_PAUSE: Duration = Duration::from_millis(50);

/// Run the service, configured by the environment
///
/// Needs DATABASE_URL, LEDGER_JWT_SECRET or LEDGER_JWKS, and a migrated database (`ledger
/// migrate`). Any number of them may share one database; each takes up to 29 of its connections, so
/// `max_connections` has to allow for them. It prints `ready URL` once it can be asked. SIGTERM and
/// SIGINT let it finish what it is doing, SIGHUP lets it read secrets that are files again.
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
        let config = settings::read(&environment).map_err(Failure::usage)?;
        let mut hangup = signals::hangup();
        let running = app::start(config, Clock::system()).await.map_err(failure)?;
        let rereads = async {
            while hangup.recv().await.is_some() {
                running.reread();
            }
        };
        tokio::select! {
            () = stopped => {}
            ((), ()) = async { tokio::join!(announce(&running), rereads) } => {}
        }
        running.shutdown().await;
        Ok(())
    }
}

/// Says where the service is, once it can be asked.
async fn announce(running: &Running) {
    let mut looks = tokio::time::interval(READY_PAUSE);
    while !running.is_ready().await {
        looks.tick().await;
    }
    super::tell(&format!("ready http://{}\n", running.address()));
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
