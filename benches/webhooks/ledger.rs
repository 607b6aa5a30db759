//! The ledger itself: full speed until durable and until visible, then a steady load.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ledger_cluster::Cluster;

use crate::load::{self, Outcome, Pace};
use crate::processes::resident_mib;
use crate::requests::{Requests, SIGNING_SECRET};
use crate::service::{Server, ledger, migrated_database};
use crate::stats::Times;
use crate::usage::{Share, Usage};
use crate::visible::{Watch, visible_at};
use crate::{Arguments, sequence};

/// How often one looks how far the read models are: seldom at full speed, where it takes processor
/// time away from what is measured, and often in the steady load, where it limits precision.
const LOOKS: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(2)];

/// What one round brought.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) body_bytes_mean: usize,
    /// Acknowledgements a second: each after its commit.
    pub(crate) durable_per_second: f64,
    /// From sending to the acknowledgement.
    pub(crate) answer: Times,
    /// Webhooks a second until the last one was in all read models.
    pub(crate) visible_per_second: f64,
    pub(crate) share: Share,
    pub(crate) share_until_visible: Share,
    pub(crate) resident_mib: f64,
    pub(crate) resident_mib_max: f64,
    pub(crate) steady_per_second: f64,
    pub(crate) steady_answer: Times,
    /// From the acknowledgement to visible.
    pub(crate) acknowledged_to_visible: Times,
    /// From sending to visible.
    pub(crate) sent_to_visible: Times,
    pub(crate) steady_share: Share,
}

/// Measures one round on a fresh database.
pub(crate) fn measure(cluster: &Cluster, arguments: &Arguments) -> Result<Measured> {
    let database = migrated_database(cluster)?;
    let server = Server::ledger(&mut ledger(cluster, &database), SIGNING_SECRET)?;
    let postmaster = cluster.pid().unwrap_or(0);
    let usage = || Usage::now(server.pid(), postmaster);
    let send = |requests: &Rc<Requests>, pace| {
        load::run(server.address, arguments.connections, requests, pace)
    };
    let watch = |look| Watch::start(cluster, &database, look);

    let warm_up = Rc::new(Requests::build(sequence(1, arguments.warm_up)));
    let warmed_up = send(&warm_up, Pace::Full)?;
    watch(LOOKS[0])?.until(warmed_up.last_position())?;

    let requests = Rc::new(Requests::build(sequence(2, arguments.webhooks)));
    // The dirty pages that building left behind are nobody's in particular.
    cluster.execute(&database, "CHECKPOINT")?;
    if arguments.statements {
        cluster.execute("postgres", "SELECT pg_stat_statements_reset()")?;
    }
    let full_watch = watch(LOOKS[0])?;
    let before = usage();
    let full = send(&requests, Pace::Full)?;
    let acknowledged = usage();
    let seen = full_watch.until(full.last_position())?;
    let visible = usage();
    let (resident_mib, resident_mib_max) = resident_mib(server.pid());
    if arguments.statements {
        print_statements(cluster)?;
    }
    must_be_logged(cluster, &database, &full)?;
    let last_seen = seen.last().map_or(full.ended, |&(at, _)| at);

    let count = (arguments.steady * arguments.steady_seconds) as usize;
    let requests_steady = Rc::new(Requests::build(sequence(3, count)));
    let steady_watch = watch(LOOKS[1])?;
    let steady_before = usage();
    let steady = send(&requests_steady, Pace::Steady(arguments.steady))?;
    let steady_after = usage();
    let seen = steady_watch.until(steady.last_position())?;
    let lag = |since: fn(&load::Ack) -> Instant| {
        let visible = visible_at(&steady.acks, &seen);
        Times::of(visible.map(|(ack, at)| at.saturating_duration_since(since(ack))))
    };

    let measured = Measured {
        body_bytes_mean: requests.body_bytes_mean(),
        durable_per_second: full.per_second(),
        answer: answer_times(&full),
        visible_per_second: per_second(full.acks.len(), last_seen - full.started),
        share: acknowledged.since(before, full.acks.len()),
        share_until_visible: visible.since(before, full.acks.len()),
        resident_mib,
        resident_mib_max,
        steady_per_second: steady.per_second(),
        steady_answer: answer_times(&steady),
        acknowledged_to_visible: lag(|ack| ack.received),
        sent_to_visible: lag(|ack| ack.sent),
        steady_share: steady_after.since(steady_before, steady.acks.len()),
    };
    drop(server);
    cluster.drop_database(&database)?;
    Ok(measured)
}

fn answer_times(outcome: &Outcome) -> Times {
    Times::of(outcome.acks.iter().map(|ack| ack.received - ack.sent))
}

/// Nothing was acknowledged that isn't there, each webhook once and in its place.
fn must_be_logged(cluster: &Cluster, database: &str, outcome: &Outcome) -> Result<()> {
    let (first, last) =
        (outcome.acks.iter().map(|ack| ack.position).min(), outcome.last_position());
    let first = first.unwrap_or(0);
    let query = format!("SELECT count(*) FROM event WHERE position BETWEEN {first} AND {last}");
    let logged: usize = cluster.execute(database, &query)?.parse()?;
    let acknowledged = outcome.acks.len();
    ensure!(logged == acknowledged, "{acknowledged} were acknowledged and {logged} are logged");
    Ok(())
}

/// What PostgreSQL was busy with, by its own account.
fn print_statements(cluster: &Cluster) -> Result<()> {
    let query = "SELECT format('%8s ms %7s calls %8s rows %9s us each  %s',
            round(total_exec_time::numeric), calls, rows,
            round((total_exec_time / calls * 1000)::numeric),
            left(regexp_replace(query, '\\s+', ' ', 'g'), 100))
        FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 25";
    println!("{}", cluster.execute("postgres", query)?);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
