//! Baseline: single-row INSERTs by as many clients as there are connections, each its own commit.
//!
//! The row has what a log can't do without: an id that is unique, a type, a time, and the body,
//! compressed as the ledger compresses it. No order, no seal, no streams, no read models.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use ledger_cluster::Cluster;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinSet;

use crate::stats::Times;
use crate::story::{Bodies, Moment};

const TABLE: &str = "CREATE TABLE webhook (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id text COLLATE \"C\" NOT NULL UNIQUE,
    type text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    body bytea NOT NULL
);
ALTER TABLE webhook ALTER body SET STORAGE EXTERNAL";

const INSERT: &str = "INSERT INTO webhook (event_id, type, body) VALUES ($1, $2, $3)";

/// Inserts some webhooks; returns how many a second, and how long each took.
///
/// # Errors
/// When an INSERT fails.
pub(crate) fn run(
    cluster: &Cluster,
    clients: usize,
    moments: impl Iterator<Item = Moment>,
) -> Result<(f64, Times)> {
    let database = cluster.fresh_database()?;
    cluster.execute(&database, TABLE)?;
    let url = cluster.url(&database, cluster.superuser());
    let bodies = Bodies::new(crate::requests::unix_now());
    let rows: Vec<Vec<u8>> = moments
        .map(|moment| {
            let mut body = Vec::new();
            bodies.write(moment, &mut body);
            lz4_flex::compress_prepend_size(&body)
        })
        .collect();
    let rows = Arc::new(rows);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..clients {
            connections.push(PgConnection::connect(&url).await?);
        }
        let next = Arc::new(AtomicUsize::new(0));
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for connection in connections {
            tasks.spawn(insert(connection, Arc::clone(&rows), Arc::clone(&next)));
        }
        let mut times = Vec::with_capacity(rows.len());
        while let Some(done) = tasks.join_next().await {
            times.extend(done??);
        }
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
        let per_second = rows.len() as f64 / started.elapsed().as_secs_f64();
        anyhow::Ok((per_second, Times::of(times)))
    });
    cluster.drop_database(&database)?;
    outcome
}

async fn insert(
    mut connection: PgConnection,
    rows: Arc<Vec<Vec<u8>>>,
    next: Arc<AtomicUsize>,
) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(row) = rows.get(index) else { return Ok(times) };
        let started = Instant::now();
        sqlx::query(INSERT)
            .bind(format!("evt_1A9xW20mQrT{index:012}"))
            .bind("invoice.payment_succeeded")
            .bind(row)
            .execute(&mut connection)
            .await?;
        times.push(started.elapsed());
    }
}
