//! The simulator as a program.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use ledger_simulator::shell::render::{NEWEST, Version};
use ledger_simulator::shell::{Clock, Config, Simulator, Time};
use ledger_simulator::world::{self, Exhausted, RetryPolicy};
use tokio::signal::unix::{SignalKind, signal};

/// A stand-in for Stripe: subscriptions, invoices, payments and webhooks, kept in memory.
///
/// Point a client at the URL that it prints, with any key that begins with sk_test_. Webhook
/// endpoints are registered as at Stripe, by POST /v1/webhook_endpoints. Time is the machine's, and
/// test clocks work; with --stepped time stands still, and POST /simulator/advance moves it.
/// Everything is gone when it ends.
#[derive(Debug, Parser)]
#[command(name = "ledger-simulator", version)]
struct Arguments {
    /// Where to listen; port 0 takes one that is free
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,

    /// What ids are made from: the same calls with the same seed get the same ids
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,

    /// The account's API version, for requests and endpoints that name none
    #[arg(long, default_value = NEWEST, value_name = "VERSION", value_parser = version)]
    api_version: String,

    /// Let only this secret key in; can be given several times
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<String>,

    /// What becomes of a subscription whose last try to be paid failed
    #[arg(long, default_value = "cancel", value_name = "WHAT", value_parser = after_retries)]
    after_retries: Exhausted,

    /// Let time stand still
    #[arg(long)]
    stepped: bool,

    /// With --stepped, where time stands at the start, in seconds since 1970
    #[arg(long, value_name = "SECONDS", requires = "stepped")]
    now: Option<i64>,
}

fn version(name: &str) -> Result<String, String> {
    match Version::parse(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(format!("the newest is {NEWEST}")),
    }
}

fn after_retries(word: &str) -> Result<Exhausted, String> {
    match word {
        "cancel" => Ok(Exhausted::Cancel),
        "unpaid" => Ok(Exhausted::Unpaid),
        "past_due" => Ok(Exhausted::PastDue),
        "pause" => Ok(Exhausted::Pause),
        _ => Err("it is cancel, unpaid, past_due or pause".to_owned()),
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ledger-simulator: {error:#}");
            ExitCode::from(3)
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> anyhow::Result<()> {
    // Signals are caught before anybody is told that it's ready.
    let mut interrupt = signal(SignalKind::interrupt()).context("can't wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("can't wait for SIGTERM")?;
    let clock = Clock::system();
    let now = arguments.now.unwrap_or_else(|| clock.now());
    let usual = world::Config::default();
    let retries = RetryPolicy { exhausted: arguments.after_retries, ..usual.retries.clone() };
    let world = world::Config { seed: arguments.seed, now, retries, ..usual };
    let running = Simulator::start(Config {
        listen: arguments.listen,
        api_version: arguments.api_version,
        keys: arguments.keys,
        clock,
        time: if arguments.stepped {
            Time::Stepped
        } else {
            Time::Following(Duration::from_secs(1))
        },
        ..Config::new(world)
    })
    .await?;
    println!("ready {}", running.url);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    running.stop().await;
    Ok(())
}
