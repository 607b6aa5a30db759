//! The command line: each subcommand a file.
//!
//! To add a subcommand: a file with its arguments and a `run`, a variant of [`Command`], and a line
//! where it is called.

mod as_of;
mod audit;
mod catalog;
mod dev;
mod failure;
pub(crate) mod migrate;
mod replay;
mod schema;
mod schema_files;
mod serve;
pub(crate) mod token;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::config::{Environment, log_filter};
use crate::panics;
use failure::Failure;

/// An event-sourced billing ledger: Stripe's webhooks in, provable answers out.
#[derive(Debug, Parser)]
#[command(name = "ledger", version, propagate_version = true, after_help = AFTER_HELP)]
struct Arguments {
    /// Use what `ledger dev` wrote to DIR/dev.env; it wins over the environment.
    /// `ledger dev` itself keeps everything in DIR.
    #[arg(long, value_name = "DIR", global = true)]
    data_dir: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it: everything on this machine, nothing to configure
    Dev(dev::Dev),
    /// Run the service, configured by the environment
    Serve(serve::Serve),
    /// Bring the database up to date, as its owner
    Migrate,
    /// Print a token for the API
    Token(token::Token),
    /// Check or publish a catalogue of tiers, add-ons and features
    #[command(subcommand)]
    Catalog(catalog::CatalogCommand),
    /// Replay the log: verify read models, tell how far they are, or ask about the past
    #[command(subcommand)]
    Replay(replay::ReplayCommand),
    /// Tell whether this program can read every event of a log, and what events look like
    #[command(subcommand)]
    Schema(schema::SchemaCommand),
    /// Prove the log: sign checkpoints, verify it against them, export it
    #[command(subcommand)]
    Audit(audit::AuditCommand),
}

const AFTER_HELP: &str = "\
Begin with:
  ledger dev --sample                  a ledger with months of a small product's life in it
  ledger --data-dir .ledger token --role trainer --subject t1

In production:
  ledger migrate                       once for each version, as the owner of the database
  ledger serve                         on as many machines as you like

Settings come from the environment; README.md lists them. Exit codes: 0 fine, 1 found something
wrong, 2 wrong usage or settings, 3 something needed is unavailable.";

/// How long threads that are still busy hold up the end: what a command waits for is done.
const LEFTOVERS_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let is_service = matches!(arguments.command, Command::Serve(_) | Command::Dev(_));
    start_logging(is_service, &Environment::of_process());
    panics::tell();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => {
            let done = runtime.block_on(execute(arguments));
            runtime.shutdown_timeout(LEFTOVERS_TIMEOUT);
            done
        }
        Err(error) => Err(Failure::unavailable(error)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ledger: {failure}");
            failure.code()
        }
    }
}

async fn execute(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { data_dir, command } = arguments;
    if let Command::Dev(dev) = command {
        return dev.run(data_dir, Environment::of_process()).await;
    }
    let mut environment = Environment::of_process();
    if let Some(dir) = &data_dir {
        environment = environment.with_data_dir(dir).map_err(Failure::usage)?;
    }
    match command {
        Command::Dev(_) => Ok(()),
        Command::Serve(serve) => serve.run(environment).await,
        Command::Migrate => migrate::run(&environment).await,
        Command::Token(token) => token.run(&environment),
        Command::Catalog(command) => command.run(&environment).await,
        Command::Replay(command) => command.run(&environment).await,
        Command::Schema(command) => command.run(&environment).await,
        Command::Audit(command) => command.run(&environment).await,
    }
}

/// Results, for people and programs. A reader that has gone away is no reason to end.
pub(crate) fn tell(text: &str) {
    use std::io::Write;

    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Text for people at a terminal, JSON for everything else; always on standard error.
fn start_logging(is_service: bool, environment: &Environment) {
    use std::io::IsTerminal;

    use tracing_subscriber::EnvFilter;

    let usual = if is_service { "info,sqlx=warn" } else { "warn" };
    // A filter that can't be understood is told of where the other settings are read.
    let filter = log_filter(environment, usual).unwrap_or_else(|_| EnvFilter::new(usual));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start in one process keeps the first one's subscriber.
    let _ = if std::io::stderr().is_terminal() {
        lines.with_target(false).try_init()
    } else {
        lines.json().flatten_event(true).with_span_list(false).try_init()
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_folder_can_be_named_before_and_after() {
        for line in [
            "ledger --data-dir x token --role trainer --subject t1",
            "ledger token --role trainer --subject t1 --data-dir x",
        ] {
            let parsed = Arguments::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(parsed.data_dir, Some(PathBuf::from("x")), "{line}");
        }
    }

    #[test]
    fn the_help_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
