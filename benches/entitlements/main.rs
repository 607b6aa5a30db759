//! How many entitlement decisions a second the ledger gives, and how long each takes, beside a bare
//! axum handler that sends the same bytes in the same run.
//!
//! A service asks about trainers who each have a subscription, some far more often than others (a
//! zipf law); what answers are made from is in memory by then.
//!
//! ```text
//! cargo bench --bench entitlements
//! cargo bench --bench entitlements -- --help
//! ```

mod bare;
mod ledger;
mod load;
#[expect(dead_code, reason = "each bench uses its part of what they share")]
#[path = "../common/processes.rs"]
mod processes;
mod questions;
#[path = "../common/service.rs"]
mod service;
#[expect(dead_code, reason = "each bench uses its part of what they share")]
#[path = "../common/stats.rs"]
mod stats;
mod webhooks;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;

use crate::ledger::Ledger;
use crate::load::Outcome;
use crate::questions::Questions;
use crate::stats::{median, ms};

#[derive(Debug, Parser)]
#[command(about = "Measures entitlement decisions over HTTP", version)]
struct Arguments {
    /// How often everything is measured; the report shows medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Trainers with a subscription each
    #[arg(long, default_value_t = 100_000)]
    trainers: usize,
    /// Decisions in a round, and as many of the bare handler's answers
    #[arg(long, default_value_t = 400_000)]
    decisions: usize,
    /// Decisions that aren't measured, asked for after everybody was asked about once
    #[arg(long, default_value_t = 50_000)]
    warm_up: usize,
    /// The zipf law's exponent: 0 = all trainers are asked about equally often
    #[arg(long, default_value_t = 1.0)]
    exponent: f64,
    /// Connections of the generator
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Tell how many statements PostgreSQL was asked for meanwhile; counting them costs a little
    #[arg(long)]
    statements: bool,
    /// Be the bare HTTP server that is the baseline, on this address
    #[arg(long, hide = true, requires = "bare_body")]
    bare_server: Option<SocketAddr>,
    /// The file with what it answers
    #[arg(long, hide = true)]
    bare_body: Option<PathBuf>,
    /// Told by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let (Some(address), Some(body)) = (arguments.bare_server, &arguments.bare_body) {
        return bare::serve(address, body);
    }
    if !arguments.bench {
        println!("a test has nothing to see here; run it with `cargo bench --bench entitlements`");
        return Ok(());
    }
    let cluster = service::durable_cluster(arguments.statements)?;
    println!("{} trainers buy", arguments.trainers);
    let ledger = Ledger::start(&cluster, &arguments)?;
    let (_folder, bare) = bare::start(&ledger.an_answer()?)?;
    let everybody = Questions::of_each(arguments.trainers, &ledger.token);
    let seconds = load::run(ledger.address(), arguments.connections, &everybody)?.seconds();
    println!("everybody was asked about once, cold, in {seconds:.1} s");
    let warm_up = questions(&arguments, &ledger, 0, arguments.warm_up);
    load::run(ledger.address(), arguments.connections, &warm_up)?;
    let (mut decisions, mut answers) = (Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        let asked = questions(&arguments, &ledger, round, arguments.decisions);
        let before = ledger.count()?;
        let of_ledger = load::run(ledger.address(), arguments.connections, &asked)?;
        let count = ledger.count()?.since(before);
        let of_bare = load::run(bare.address, arguments.connections, &asked)?;
        println!(
            "round {round} of {}: {:.0}/s beside {:.0}/s bare; {count}",
            arguments.rounds,
            of_ledger.per_second(),
            of_bare.per_second(),
        );
        decisions.push(of_ledger);
        answers.push(of_bare);
    }
    report(&decisions, &answers);
    let (now, most) = processes::resident_mib(ledger.pid());
    println!("{:30} {now:12.0} {most:12.0}", "service in RAM, MiB; at most");
    println!("{:30} {:12.1}", "of which the cache says, MiB", ledger.cache_mib()?);
    Ok(())
}

/// Questions about trainers by the zipf law; each round has its own.
fn questions(arguments: &Arguments, ledger: &Ledger, round: usize, count: usize) -> Questions {
    let law = (arguments.trainers, arguments.exponent);
    Questions::by_zipf(law, count, round as u64, &ledger.token)
}

fn report(decisions: &[Outcome], answers: &[Outcome]) {
    let of = |all: &[Outcome], value: fn(&Outcome) -> f64| median(all.iter().map(value));
    let rate = |all: &[Outcome]| of(all, Outcome::per_second);
    println!("\n{:30} {:>12} {:>12} {:>12}", "medians", "a second", "p50 ms", "p99 ms");
    for (name, all) in [("entitlement decisions", decisions), ("bare axum handler", answers)] {
        let (p50, p99) = (of(all, |o| ms(o.times().p50)), of(all, |o| ms(o.times().p99)));
        println!("{name:30} {:12.0} {p50:12.2} {p99:12.2}", rate(all));
    }
    println!("{:30} {:12.2}", "ratio", rate(decisions) / rate(answers));
}
