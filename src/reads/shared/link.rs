//! The connection to Redis, and when it is left alone.
//!
//! A task connects and asks for a sign of life; only then are questions sent. At the first one that
//! fails, or isn't answered in time, the connection is given up, and the next one is tried a while
//! later. So a Redis that is dead costs nothing, and a slow one costs those who ask at the same
//! time [`CALL_MAX`] once in a while.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use metrics::{Counter, Gauge, counter, gauge};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::CALL_MAX;
use crate::config::RedisConfig;
use crate::errors::chain;
use crate::seldom;

/// How long Redis is left alone after a failure.
const LEAVE_ALONE: Duration = Duration::from_secs(1);

/// How long writing may take, which nobody waits for.
const WRITE_MAX: Duration = Duration::from_millis(500);

/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// How many questions may be under way; whoever finds no place reads the tables.
const CALLS_MAX: usize = 64;

pub(super) struct Link {
    client: Client,
    /// There while Redis may be asked.
    connection: ArcSwapOption<MultiplexedConnection>,
    failed: Notify,
    calls: Semaphore,
    failures: Counter,
    in_use: Gauge,
}

/// What a question brought.
pub(super) enum Answer {
    Nothing,
    Value(Vec<u8>),
    /// A longer value than may be.
    Longer,
    /// Something that isn't a string.
    OtherType,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("no connection")]
    Connection(#[from] RedisError),
    #[error("it doesn't answer in time")]
    Late,
}

impl Link {
    pub(super) fn new(config: &RedisConfig) -> Self {
        let in_use = gauge!("ledger_entitlement_redis_in_use");
        in_use.set(0.0);
        if config.is_encrypted() {
            // The process has two, and the client takes the one that is said to be the usual one.
            // It may have been said before.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        Self {
            client: Client::open(config.reveal()).expect("the settings were checked"),
            connection: ArcSwapOption::empty(),
            failed: Notify::new(),
            calls: Semaphore::new(CALLS_MAX),
            failures: counter!("ledger_entitlement_redis_failures_total"),
            in_use,
        }
    }

    /// Whether Redis may be asked.
    pub(super) fn is_in_use(&self) -> bool {
        self.connection.load().is_some()
    }

    /// Connects, and again after a failure, until it is time to stop.
    pub(super) async fn keep(&self, stop: &CancellationToken) {
        let mut told = None;
        while !stop.is_cancelled() {
            let connected = self.connect().await;
            let is_news = told.replace(connected.is_ok()) != Some(connected.is_ok());
            match connected {
                Ok(connection) => {
                    if is_news {
                        tracing::info!("Redis is asked for what trainers hold");
                    }
                    self.connection.store(Some(Arc::new(connection)));
                    self.in_use.set(1.0);
                    stop.run_until_cancelled(self.failed.notified()).await;
                    self.connection.store(None);
                    self.in_use.set(0.0);
                }
                Err(error) if is_news => {
                    let error = chain(&error);
                    tracing::warn!(error, "Redis can't be asked: tables are read instead");
                }
                Err(_) => {}
            }
            // Either end of the wait is fine.
            let _ = timeout(LEAVE_ALONE, stop.cancelled()).await;
        }
    }

    async fn connect(&self) -> Result<MultiplexedConnection, LinkError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout(Some(WRITE_MAX));
        let mut connection =
            self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let ping = redis::cmd("PING");
        let pong = ping.query_async::<()>(&mut connection);
        timeout(CALL_MAX, pong).await.map_err(|_| LinkError::Late)??;
        Ok(connection)
    }

    /// The value under a name; none if Redis is left alone, or fails. No more than one byte beyond
    /// the limit is sent, however long the value is.
    pub(super) async fn get(&self, name: &str, bytes_max: usize) -> Option<Answer> {
        let mut command = redis::cmd("GETRANGE");
        command.arg(name).arg(0).arg(bytes_max);
        let asking = |mut connection: MultiplexedConnection| async move {
            command.query_async::<Vec<u8>>(&mut connection).await
        };
        match self.call(CALL_MAX, asking).await? {
            Ok(value) if value.is_empty() => Some(Answer::Nothing),
            Ok(value) if value.len() > bytes_max => Some(Answer::Longer),
            Ok(value) => Some(Answer::Value(value)),
            Err(error) if error.code() == Some("WRONGTYPE") => Some(Answer::OtherType),
            Err(error) => {
                self.count(&error);
                None
            }
        }
    }

    /// Writes values, each for as long as it says; false if Redis is left alone, or fails. One that
    /// takes no more can still be asked.
    pub(super) async fn set(&self, values: &[(String, Vec<u8>, Duration)]) -> bool {
        if values.is_empty() {
            return true;
        }
        let mut commands = redis::pipe();
        for (name, value, left) in values {
            let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1);
            commands.cmd("SET").arg(name).arg(value).arg("PX").arg(left).ignore();
        }
        let writing = |mut connection: MultiplexedConnection| async move {
            commands.query_async::<()>(&mut connection).await
        };
        match self.call(WRITE_MAX, writing).await {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                self.count(&error);
                false
            }
            None => false,
        }
    }

    /// What Redis says, be it a refusal; none if it is left alone, or fails.
    async fn call<T, F>(
        &self,
        limit: Duration,
        ask: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Option<Result<T, RedisError>>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let connection = self.connection.load_full()?;
        let _place = self.calls.try_acquire().ok()?;
        match timeout(limit, ask(MultiplexedConnection::clone(&connection))).await {
            Ok(Err(error)) if !is_answer(&error) => self.count(&error),
            Ok(answer) => return Some(answer),
            Err(_) => self.count(&LinkError::Late),
        }
        // Whoever finds it gone needn't say so again.
        let given_up = self.connection.compare_and_swap(&connection, None);
        if given_up.as_ref().is_some_and(|current| Arc::ptr_eq(current, &connection)) {
            self.failed.notify_one();
        }
        None
    }

    fn count(&self, failure: &(dyn Error + 'static)) {
        self.failures.increment(1);
        if let Some(left_out) = seldom::tell("a failure of Redis") {
            tracing::warn!(error = chain(failure), left_out, "Redis has failed");
        }
    }
}

/// Whether Redis answers and will go on to: what lies there is of another type, or it takes no
/// more. One that is loading its data or wants a password can't be asked.
fn is_answer(error: &RedisError) -> bool {
    !matches!(error.code(), None | Some("LOADING" | "NOAUTH" | "NOPERM" | "MASTERDOWN"))
}
