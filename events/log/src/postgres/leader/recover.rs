//! Getting to where appends can be written: connecting, waiting an outage out, comparing clocks.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::time::Instant;

use super::{Leader, PARTITION_MARGIN, Trouble, load, pause, within};

/// The longest that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to rest after a panic, and before the database is asked for again; at first and at
/// most. Nobody waits meanwhile.
pub(super) const REST: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How far the clock and the database's may be apart, in microseconds; the statements that append
/// hold to the same.
const CLOCKS_APART_MAX: u64 = 1_000_000;

impl Leader {
    /// Asks for the database again and again, and sends everybody away until it can be written.
    /// Ends also at a shutdown.
    pub(super) async fn recover(&mut self, closed: &'static str) {
        while !self.shared.shutdown.is_cancelled() {
            let rest = self.rest;
            self.rest = (rest * 2).min(REST.1);
            let options = self.options.clone();
            let probe = async {
                pause(rest).await;
                connect(&options).await
            };
            let probed = tokio::select! {
                probed = probe => probed,
                // Receiving loses nothing when it is dropped.
                () = self.queue.refuse(closed) => return,
                () = self.shared.shutdown.cancelled() => return,
            };
            match probed {
                Ok((connection, partitioned)) => {
                    (self.connection, self.partitioned) = (Some(connection), partitioned);
                    self.shared.gate.set(None);
                    return;
                }
                Err(error) => self.outage.lost(&error, Instant::now()),
            }
        }
    }

    /// Whether the clock and the database's differ, by more than how long it took to ask explains.
    pub(super) async fn clocks_differ(&mut self) -> Result<bool, Trouble> {
        let mut connection = self.connection().await?;
        let asked = (self.shared.clock)().micros();
        let theirs = within(load::clock(&mut connection)).await?.micros();
        let answered = (self.shared.clock)().micros();
        self.connection = Some(connection);
        let (middle, half) = (asked.midpoint(answered), answered.abs_diff(asked) / 2);
        Ok(theirs.abs_diff(middle) > CLOCKS_APART_MAX + half)
    }

    /// The connection, taken out: whoever fails drops it, and with it what was on its way.
    pub(super) async fn connection(&mut self) -> Result<PgConnection, Trouble> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let (connection, partitioned) = connect(&self.options).await?;
        self.partitioned = partitioned;
        Ok(connection)
    }
}

/// A connection that can be written on, and the last position that has a partition.
async fn connect(options: &PgConnectOptions) -> Result<(PgConnection, i64), sqlx::Error> {
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, load::connect(options)).await;
    let mut connection = connected.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
    let reach = within(load::longest(&mut connection)).await? + PARTITION_MARGIN;
    let partitioned = within(load::ensure_partition(&mut connection, reach)).await?;
    Ok((connection, partitioned))
}
