//! The simulator as a server: Stripe's HTTP in front of the world.
//!
//! `serve` accepts connections, `api` is a request's way through keys, limits, versions, forms and
//! idempotency to the world and back, `webhooks` delivers what happened, `control` is the
//! simulator's own interface below `/simulator`. All of them share one `state`; the world's calls
//! are short, so one mutex guards it. To add a resource that isn't the world's, add a module to
//! `api` and a line to its `execute`.

mod account;
mod api;
mod config;
mod control;
mod faults;
mod journal;
pub mod render;
mod serve;
mod state;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::account::{Account, CallError};
pub use self::config::{Clock, Config, Endpoint, Keeping, Sending, Time};
pub use self::journal::JournalError;
use self::state::{Shared, State};
use crate::world::World;

/// Why the simulator didn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else has the address, or it isn't this machine's.
    #[error("can't listen on {address}")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The client for webhooks couldn't be made.
    #[error("can't make the client that delivers webhooks")]
    Client(#[source] reqwest::Error),
    /// What is kept can't be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// No such API version.
    #[error("{0} is no API version")]
    Version(String),
}

/// Stripe, as far as a billing ledger needs it.
#[derive(Debug)]
pub struct Simulator;

impl Simulator {
    /// Starts to listen and to deliver.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        Account::open(config)?.serve().await
    }
}

/// A simulator that runs. It ends when it's stopped, or when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it answers, without a slash at the end.
    pub url: String,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Running {
    /// Looks at the world as it is.
    pub fn with_world<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.shared.lock().world)
    }

    /// Registers an endpoint as though it had been there from the start: what hasn't arrived there
    /// yet, in this life or one before, is delivered now. The id tells it from others.
    pub fn attach(&self, id: &str, endpoint: Endpoint) -> Result<(), StartError> {
        let mut state = self.shared.lock();
        let State { world, outbox, .. } = &mut *state;
        outbox.attach(id, endpoint, world.events(), world.now())?;
        self.shared.wake.notify_one();
        Ok(())
    }

    /// How many events have not arrived yet at an endpoint, those given up not counted.
    #[must_use]
    pub fn backlog(&self, endpoint: &str) -> usize {
        self.shared.lock().outbox.outstanding_for(endpoint)
    }

    /// Ends all that it does and waits for it.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
