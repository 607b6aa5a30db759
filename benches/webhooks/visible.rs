//! When events became visible: how far the read models were at which moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ledger_cluster::Cluster;
use sqlx::{Connection, PgConnection};

use crate::load::Ack;

/// How long read models may lag behind before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// The positions of all read models, as anybody sees them who reads now.
pub(crate) struct Watch {
    thread: JoinHandle<Result<Vec<(Instant, i64)>>>,
    target: Arc<AtomicI64>,
}

/// Says that the target isn't known yet.
const NO_TARGET: i64 = -1;

impl Watch {
    /// Looks again and again, with such pauses.
    ///
    /// # Errors
    /// When there's no table of checkpoints.
    pub(crate) fn start(cluster: &Cluster, database: &str, interval: Duration) -> Result<Self> {
        let find = "SELECT quote_ident(nspname) FROM pg_class c JOIN pg_namespace n
                    ON n.oid = relnamespace WHERE relname = 'checkpoint' AND relkind = 'r'";
        let schema = cluster.execute(database, find)?;
        ensure!(!schema.is_empty() && !schema.contains('\n'), "not one checkpoint table: {schema}");
        let query = format!(
            "SELECT coalesce(min(position), 0) FROM {schema}.checkpoint WHERE tenant = 'default'"
        );
        let url = cluster.url(database, cluster.superuser());
        let target = Arc::new(AtomicI64::new(NO_TARGET));
        let shared = Arc::clone(&target);
        let thread = std::thread::spawn(move || watch(&url, &query, interval, &shared));
        Ok(Self { thread, target })
    }

    /// Waits until everything up to `position` is visible. Returns what was seen: how far the read
    /// models were, and when, oldest first.
    ///
    /// # Errors
    /// When the read models don't get there.
    pub(crate) fn until(self, position: i64) -> Result<Vec<(Instant, i64)>> {
        self.target.store(position, Ordering::Relaxed);
        self.thread.join().ok().context("the watch panicked")?
    }
}

/// For each acknowledgement the moment at which its event was visible. That moment may have been
/// earlier by as much as two looks are apart, never later.
pub(crate) fn visible_at<'a>(
    acks: &'a [Ack],
    seen: &'a [(Instant, i64)],
) -> impl Iterator<Item = (&'a Ack, Instant)> {
    acks.iter().filter_map(|ack| {
        let first = seen.partition_point(|&(_, position)| position < ack.position);
        Some((ack, seen.get(first)?.0))
    })
}

fn watch(
    url: &str,
    query: &str,
    interval: Duration,
    target: &AtomicI64,
) -> Result<Vec<(Instant, i64)>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let mut seen = Vec::new();
        let mut late_since = None;
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let position: i64 =
                sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&mut connection).await?;
            let now = Instant::now();
            if seen.last().is_none_or(|&(_, last)| last < position) {
                seen.push((now, position));
            }
            let target = target.load(Ordering::Relaxed);
            if target != NO_TARGET {
                if position >= target {
                    return Ok(seen);
                }
                let since = *late_since.get_or_insert(now);
                let late = now - since;
                ensure!(late < PATIENCE, "the read models are at {position}, not at {target}");
            }
        }
    })
}
