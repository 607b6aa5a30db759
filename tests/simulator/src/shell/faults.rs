//! Faults on purpose, so that tests can see what clients make of them.

use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::api::{Failure, respond};
use super::serve::cut;
use super::state::Shared;

/// What happens to the next requests that match.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// The path, or its beginning before a `*`.
    path: String,
    /// `GET`, `POST` or `DELETE`; none for any.
    #[serde(default)]
    method: Option<String>,
    /// How many requests.
    #[serde(default = "once")]
    count: u32,
    kind: Kind,
    #[serde(default)]
    pub(crate) when: When,
    /// The status of an `error`.
    #[serde(default = "server_error")]
    status: u16,
}

/// In which way a request goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// It's answered by an error.
    Error,
    /// It isn't answered until the faults are released; then its connection ends.
    Timeout,
    /// Its connection ends.
    Cut,
    /// It waits until the faults are released, and goes on.
    Hold,
}

/// At which point a request goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    /// Before it's carried out: nothing happens, and nothing is kept under its idempotency key.
    #[default]
    Before,
    /// While it's carried out: nothing happens, and an error is what's kept under its key.
    Instead,
    /// After it was carried out; what's kept under its key is the true answer.
    After,
}

const fn once() -> u32 {
    1
}

const fn server_error() -> u16 {
    500
}

impl Fault {
    fn fits(&self, method: &str, path: &str) -> bool {
        let at_path = match self.path.strip_suffix('*') {
            Some(beginning) => path.starts_with(beginning),
            None => path == self.path,
        };
        at_path && self.method.as_deref().is_none_or(|wanted| wanted == method)
    }

    /// The error that it answers with.
    pub(crate) fn failure(&self) -> Failure {
        match self.status {
            429 => Failure::rate_limited(),
            status => Failure::api(status),
        }
    }

    /// Lets it happen. `None` when the request goes on.
    pub(crate) async fn happen(&self, shared: &Shared) -> Option<Response> {
        match self.kind {
            Kind::Error => Some(respond(&self.failure())),
            Kind::Cut => Some(cut()),
            Kind::Timeout => {
                shared.faults.wait(shared).await;
                Some(cut())
            }
            Kind::Hold => {
                shared.faults.wait(shared).await;
                None
            }
        }
    }
}

/// The faults to come, and the requests that they hold.
#[derive(Debug)]
pub(crate) struct Faults {
    coming: std::sync::Mutex<Vec<Fault>>,
    /// How often the held ones were released.
    releases: watch::Sender<u64>,
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self { coming: std::sync::Mutex::default(), releases: watch::Sender::new(0) }
    }

    fn coming(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.coming.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn add(&self, fault: Fault) {
        self.coming().push(fault);
    }

    pub(crate) fn clear(&self) {
        self.coming().clear();
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.coming().clone()
    }

    /// How many requests are held.
    pub(crate) fn held(&self) -> usize {
        self.releases.receiver_count()
    }

    pub(crate) fn release(&self) {
        self.releases.send_modify(|count| *count += 1);
    }

    /// The fault that hits a request, which uses up one of its times.
    pub(crate) fn hit(&self, method: &str, path: &str) -> Option<Fault> {
        let mut coming = self.coming();
        let at = coming.iter().position(|fault| fault.count > 0 && fault.fits(method, path))?;
        coming[at].count -= 1;
        let fault = coming[at].clone();
        coming.retain(|fault| fault.count > 0);
        Some(fault)
    }

    async fn wait(&self, shared: &Shared) {
        let mut releases = self.releases.subscribe();
        tokio::select! {
            _ = releases.changed() => {}
            () = shared.stop.cancelled() => {}
        }
    }
}
