//! The public keys of those who make tokens, where they are fetched from a URL.
//!
//! A task fetches them at intervals, and sooner when a token comes whose key isn't known; requests
//! wait for that only shortly. Whatever goes wrong, the keys that were known stay.

mod fetch;
mod set;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::time::Duration;

use ledger_domain::id::Tenant;
use metrics::counter;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::config::JwksUrl;
use crate::errors::chain;
pub(crate) use fetch::BYTES_MAX;
use fetch::Fetcher;
pub(crate) use set::KeySet;

/// How often the keys are fetched, and how long anybody waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Between two fetches of which the first went well.
    pub(crate) interval: Duration,
    /// Between two fetches of which the first failed.
    pub(crate) retry: Duration,
    /// Least between two fetches that tokens ask for: anybody can make up the id of a key.
    pub(crate) gap: Duration,
    /// How long a request waits for a fetch.
    pub(crate) wait: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(300),
            retry: Duration::from_secs(10),
            gap: Duration::from_secs(5),
            wait: Duration::from_secs(2),
        }
    }
}

/// Keys that are fetched.
pub(crate) struct Fetched {
    fetcher: Fetcher,
    /// The tenant whose keys they are; none of those of the process.
    whose: Option<String>,
    pace: Pace,
    state: watch::Sender<State>,
    wanted: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fetching,
    /// The last fetch ended then.
    Idle(Instant),
}

impl Fetched {
    /// # Errors
    /// When no server can be known by its certificate.
    pub(crate) fn try_new(
        url: &JwksUrl,
        whose: Option<&Tenant>,
        pace: Pace,
    ) -> std::io::Result<Self> {
        let fetcher = Fetcher::try_new(url)?;
        // The first fetch is about to begin, and is worth waiting for.
        Ok(Self {
            fetcher,
            whose: whose.map(ToString::to_string),
            pace,
            state: watch::Sender::new(State::Fetching),
            wanted: Notify::new(),
        })
    }

    /// Asks for the keys to be fetched now, and waits for it, but not for long; unless they have
    /// just been fetched.
    pub(crate) async fn again(&self) {
        let (mut state, asked_at) = (self.state.subscribe(), Instant::now());
        if let State::Idle(since) = *state.borrow_and_update() {
            if since.elapsed() < self.pace.gap {
                return;
            }
            self.wanted.notify_one();
        }
        let is_done = |state: &State| matches!(state, State::Idle(since) if *since >= asked_at);
        // Whoever waited in vain goes on with what is known.
        let _ = timeout(self.pace.wait, state.wait_for(is_done)).await;
    }

    /// Fetches until it is told to stop, and hands on what is new.
    pub(crate) async fn follow(&self, hand_on: impl Fn(KeySet), stop: CancellationToken) {
        let mut known: Option<KeySet> = None;
        let (mut told, tenant): (Option<String>, _) = (None, self.whose.as_deref());
        loop {
            self.state.send_replace(State::Fetching);
            let Some(fetched) = stop.run_until_cancelled(self.fetcher.fetch()).await else {
                return;
            };
            counter!("ledger_jwks_fetches_total").increment(1);
            let error = fetched.as_ref().err().map(|error| chain(error));
            counter!("ledger_jwks_failures_total").increment(u64::from(error.is_some()));
            if let Some(error) = error.as_ref().filter(|error| told.as_ref() != Some(error)) {
                tracing::error!(tenant, error, "the keys of LEDGER_JWKS can't be fetched");
            }
            told = error;
            let pause = if fetched.is_ok() { self.pace.interval } else { self.pace.retry };
            if let Ok(set) = fetched
                && known.as_ref() != Some(&set)
            {
                let keys = set.len();
                tracing::info!(tenant, keys, "the keys of LEDGER_JWKS were taken over");
                known = Some(set.clone());
                hand_on(set);
            }
            let ended_at = Instant::now();
            self.state.send_replace(State::Idle(ended_at));
            let pausing = self.pause(ended_at, pause);
            if stop.run_until_cancelled(pausing).await.is_none() {
                return;
            }
        }
    }

    /// Waits until the next fetch is due, or wanted.
    async fn pause(&self, ended_at: Instant, pause: Duration) {
        while timeout_at(ended_at + pause, self.wanted.notified()).await.is_ok() {
            // Several may have wanted the last one.
            if ended_at.elapsed() >= self.pace.gap {
                return;
            }
        }
    }
}
