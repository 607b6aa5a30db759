//! How many webhooks a second the ledger takes in, durably and until they're visible, and how long
//! each takes; beside bare INSERTs, a bare HTTP server and sync-engine in the same run.
//!
//! ```text
//! cargo bench --bench webhooks
//! cargo bench --bench webhooks -- --help
//! ```

#[path = "../common/bare.rs"]
mod bare;
mod inserts;
mod ledger;
mod load;
#[path = "../common/processes.rs"]
mod processes;
mod report;
mod requests;
#[path = "../common/service.rs"]
mod service;
#[path = "../common/stats.rs"]
mod stats;
mod story;
mod sync_engine;
mod template;
mod usage;
mod visible;

use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::Result;
use clap::Parser;

use crate::load::Pace;
use crate::report::Round;
use crate::requests::Requests;
use crate::stats::Times;
use crate::story::{Moment, WEBHOOKS_PER_CUSTOMER};
use crate::sync_engine::SyncEngine;

#[derive(Debug, Parser)]
#[command(about = "Measures webhooks over HTTP", version)]
struct Arguments {
    /// How often everything is measured; the report shows medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Webhooks at full speed
    #[arg(long, default_value_t = 240_000)]
    webhooks: usize,
    /// Webhooks at full speed that aren't measured, sent first
    #[arg(long, default_value_t = 10_000)]
    warm_up: usize,
    /// Connections of the generator, and clients of the baselines
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Webhooks a second of the steady load
    #[arg(long, default_value_t = 2_000)]
    steady: u32,
    /// How long the steady load lasts
    #[arg(long, default_value_t = 15)]
    steady_seconds: u32,
    /// Webhooks for sync-engine in each of its two ways
    #[arg(long, default_value_t = 4_000)]
    sync_engine: usize,
    /// Rows of the bare INSERTs
    #[arg(long, default_value_t = 100_000)]
    inserts: usize,
    /// Measure the ledger alone
    #[arg(long)]
    no_baselines: bool,
    /// Tell which statements PostgreSQL was busy with at full speed; counting them costs a little
    #[arg(long)]
    statements: bool,
    /// Be the bare HTTP server that is a baseline, on this address
    #[arg(long, hide = true)]
    bare_server: Option<SocketAddr>,
    /// Told by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(address) = arguments.bare_server {
        return bare::serve(address);
    }
    if !arguments.bench {
        println!("a test has nothing to see here; run it with `cargo bench --bench webhooks`");
        return Ok(());
    }
    let sync_engine = if arguments.no_baselines { None } else { SyncEngine::install()? };
    let cluster = service::durable_cluster(arguments.statements)?;
    let mut rounds = Vec::new();
    for number in 1..=arguments.rounds {
        println!("round {number} of {}", arguments.rounds);
        let mut round = Round::default();
        if !arguments.no_baselines {
            if let Some(sync_engine) = &sync_engine {
                let connections = arguments.connections;
                let rates = sync_engine.run(&cluster, arguments.sync_engine, connections)?;
                round.sync_engine = Some(rates);
            }
            let (rows, times) =
                inserts::run(&cluster, arguments.connections, sequence(0, arguments.inserts))?;
            round.inserts = Some((rows, times));
            round.bare = Some(bare_http(&arguments)?);
        }
        round.ledger = Some(ledger::measure(&cluster, &arguments)?);
        round.print();
        rounds.push(round);
    }
    report::print(&rounds);
    Ok(())
}

/// So many webhooks of customers that no other part of the bench has: `part` tells them apart.
fn sequence(part: u64, webhooks: usize) -> impl Iterator<Item = Moment> {
    let customers = (webhooks as u64).div_ceil(WEBHOOKS_PER_CUSTOMER);
    story::moments(part * 1_000_000, customers).take(webhooks)
}

/// What generator and HTTP alone can do.
fn bare_http(arguments: &Arguments) -> Result<(f64, Times)> {
    let server = bare::start()?;
    let requests = Rc::new(Requests::build(sequence(0, arguments.webhooks.min(200_000))));
    let outcome = load::run(server.address, arguments.connections, &requests, Pace::Full)?;
    let times = Times::of(outcome.acks.iter().map(|ack| ack.received - ack.sent));
    Ok((outcome.per_second(), times))
}
