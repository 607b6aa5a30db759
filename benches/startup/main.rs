//! How long `ledger serve` takes from exec until it's ready, and how much memory it then needs,
//! beside a bare axum process and the time that a connection to PostgreSQL takes.
//!
//! ```text
//! cargo bench --bench startup
//! cargo bench --bench startup -- --help
//! ```

#[path = "../common/bare.rs"]
mod bare;
#[expect(dead_code, reason = "each bench uses its part of what they share")]
#[path = "../common/processes.rs"]
mod processes;
#[expect(dead_code, reason = "each bench uses its part of what they share")]
#[path = "../common/service.rs"]
mod service;
#[expect(dead_code, reason = "each bench uses its part of what they share")]
#[path = "../common/stats.rs"]
mod stats;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use ledger_cluster::Cluster;
use sqlx::{Connection, PgConnection};

use crate::processes::{cpu_time, resident_mib};
use crate::service::{Server, ledger, migrated_database, pause};
use crate::stats::{median, ms};

#[derive(Debug, Parser)]
#[command(about = "Measures the start and idle memory", version)]
struct Arguments {
    /// How often everything is started; the report shows medians
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// How long a process is left alone before its memory is read
    #[arg(long, default_value_t = 3.0)]
    idle_seconds: f64,
    /// Be the bare HTTP server that is a baseline, on this address
    #[arg(long, hide = true)]
    bare_server: Option<SocketAddr>,
    /// Told by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What one start of a process brought.
#[derive(Debug, Clone, Copy)]
struct Started {
    ready_ms: f64,
    idle_mib: f64,
    /// Processor time used per second of doing nothing.
    idle_cpu: f64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(address) = arguments.bare_server {
        return bare::serve(address);
    }
    if !arguments.bench {
        println!("a test has nothing to see here; run it with `cargo bench --bench startup`");
        return Ok(());
    }
    let cluster = service::durable_cluster(false)?;
    let database = migrated_database(&cluster)?;
    let idle = Duration::from_secs_f64(arguments.idle_seconds);
    // The very first start of all writes the log's first events.
    let first = started(&Server::ledger(&mut ledger(&cluster, &database), SECRET)?, idle);
    let (mut ledgers, mut bares, mut connects) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..arguments.rounds {
        let server = Server::ledger(&mut ledger(&cluster, &database), SECRET)?;
        ledgers.push(started(&server, idle));
        drop(server);
        bares.push(started(&bare::start()?, idle));
        connects.push(connect_ms(&cluster, &database)?);
    }
    println!("{:40} {:>10} {:>10} {:>10} {:>10}", "", "median", "least", "most", "ratio");
    let bare_ready = median(bares.iter().map(|bare| bare.ready_ms));
    let bare_mib = median(bares.iter().map(|bare| bare.idle_mib));
    row("ledger serve, exec to ready, ms", ledgers.iter().map(|s| s.ready_ms), bare_ready);
    row("  its first start on a new database, ms", [first.ready_ms], bare_ready);
    row("bare axum, exec to ready, ms", bares.iter().map(|s| s.ready_ms), bare_ready);
    row("a connection to PostgreSQL, ms", connects, bare_ready);
    row("ledger serve, idle, MiB in RAM", ledgers.iter().map(|s| s.idle_mib), bare_mib);
    row("bare axum, idle, MiB in RAM", bares.iter().map(|s| s.idle_mib), bare_mib);
    let idle_cpu = median(ledgers.iter().map(|s| s.idle_cpu));
    println!("{:40} {idle_cpu:10.4}", "ledger serve, idle, processors used");
    Ok(())
}

/// Nothing is signed with it here.
const SECRET: &str = "whsec_a_secret_for_one_bench_only";

fn started(server: &Server, idle: Duration) -> Started {
    let before = cpu_time(server.pid());
    pause(idle);
    let used = cpu_time(server.pid()).saturating_sub(before);
    Started {
        ready_ms: ms(server.ready_after),
        idle_mib: resident_mib(server.pid()).0,
        idle_cpu: used.as_secs_f64() / idle.as_secs_f64(),
    }
}

/// The least that anything with a database waits for at its start.
fn connect_ms(cluster: &Cluster, database: &str) -> Result<f64> {
    let url = cluster.url(database, cluster.superuser());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let started = Instant::now();
        let connection = PgConnection::connect(&url).await?;
        let taken = ms(started.elapsed());
        connection.close().await?;
        Ok(taken)
    })
}

fn row(name: &str, values: impl IntoIterator<Item = f64>, baseline: f64) {
    let values: Vec<f64> = values.into_iter().collect();
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    let median = median(values);
    println!("{name:40} {median:10.1} {least:10.1} {most:10.1} {:9.1}x", median / baseline);
}
