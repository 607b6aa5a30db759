//! `ledger dev`.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use crate::config::Environment;
use crate::dev::{self, DATA_DIR_DEFAULT, DevError, Request};
use crate::signals;

/// Try it: everything on this machine, nothing to configure
///
/// Starts a private PostgreSQL from the installed server programs, makes a database, publishes the
/// default catalogue and serves on loopback. Unless STRIPE_SECRET_KEY is set, a simulator stands in
/// for Stripe: it has the catalogue's prices, and its webhooks arrive here. What it chose is in
/// DIR/dev.env (DIR is .ledger unless --data-dir says otherwise), so that other subcommands find it
/// with `--data-dir DIR`. To begin afresh, remove the folder.
#[derive(Debug, Args)]
pub(super) struct Dev {
    /// Where to listen; port 0 takes any free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// First live months of a small product in the simulator, and deliver their webhooks
    #[arg(long)]
    sample: bool,
}

impl Dev {
    pub(super) async fn run(
        self,
        data_dir: Option<PathBuf>,
        environment: Environment,
    ) -> Result<(), Failure> {
        let stopped = signals::stop();
        let request = Request {
            data_dir: data_dir.unwrap_or_else(|| DATA_DIR_DEFAULT.into()),
            listen: self.listen,
            sample: self.sample,
            environment,
        };
        dev::run(request, stopped).await.map_err(|error| match error {
            DevError::Config(error) => Failure::usage(error),
            DevError::Usage(text) => Failure::usage(anyhow::Error::msg(text)),
            DevError::Start(error) => super::serve::failure(error),
            DevError::Other(error) => Failure::unavailable(error),
        })
    }
}
