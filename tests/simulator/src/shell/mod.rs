//! The simulator as a server: Stripe's HTTP in front of the world.
//!
//! `serve` accepts connections, `api` is a request's way through keys, limits, versions, forms and
//! idempotency to the world and back, `webhooks` delivers what happened, `control` is the
//! simulator's own interface below `/simulator`. All of them share one `state`; the world's calls
//! are short, so one mutex guards it. To add a resource that isn't the world's, add a module to
//! `api` and a line to its `execute`.

mod api;
mod config;
mod control;
mod faults;
pub mod render;
mod serve;
mod state;
mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::config::{Clock, Config, Endpoint, Sending, Time};
use self::state::Shared;
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
        let address = config.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| StartError::Listen { address, source })?;
        let address =
            listener.local_addr().map_err(|source| StartError::Listen { address, source })?;
        let shared = Arc::new(Shared::new(config)?);
        let (tasks, stop) = (TaskTracker::new(), shared.stop.clone());
        tasks.spawn(serve::accept(listener, Arc::clone(&shared), tasks.clone()));
        tasks.spawn(webhooks::work(Arc::clone(&shared)));
        tasks.close();
        Ok(Running { url: format!("http://{address}"), shared, tasks, stop })
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
