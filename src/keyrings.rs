//! The keys of tenants that have their own. They are kept from one look at the folders to the next,
//! so that what was verified or fetched with them stays known, and followed where they are fetched.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use ledger_domain::id::Tenant;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::AuthConfig;
use crate::http::Keyring;
use crate::panics::{AFTER_PANIC, survived};

/// See above.
pub(crate) struct Keyrings {
    clock: Clock,
    tasks: TaskTracker,
    stop: CancellationToken,
    kept: BTreeMap<Tenant, Kept>,
}

struct Kept {
    config: AuthConfig,
    keyring: Arc<Keyring>,
    /// Ends the task that follows them.
    _following: DropGuard,
}

impl Keyrings {
    /// None yet. What is fetched is fetched by `tasks`, until `stop`.
    pub(crate) fn new(clock: Clock, tasks: &TaskTracker, stop: &CancellationToken) -> Self {
        Self { clock, tasks: tasks.clone(), stop: stop.clone(), kept: BTreeMap::new() }
    }

    /// Takes over what a tenant's settings say of its keys.
    ///
    /// # Errors
    /// When they are to be fetched, and no server can be known by its certificate.
    pub(crate) fn take(&mut self, tenant: &Tenant, config: Option<&AuthConfig>) -> io::Result<()> {
        let Some(config) = config else {
            self.kept.remove(tenant);
            return Ok(());
        };
        match self.kept.get_mut(tenant) {
            Some(kept) if kept.config == *config => {}
            Some(kept) if kept.config.jwks_url() == config.jwks_url() => {
                tracing::info!(%tenant, "the keys of the tenant's tokens were replaced");
                kept.keyring.replace_keys(config);
                kept.config = config.clone();
            }
            _ => {
                let keyring = Keyring::try_new(config, Some(tenant), self.clock.clone())?;
                let (keyring, stop) = (Arc::new(keyring), self.stop.child_token());
                follow(&keyring, &self.tasks, stop.clone());
                let (config, following) = (config.clone(), stop.drop_guard());
                let kept = Kept { config, keyring, _following: following };
                self.kept.insert(tenant.clone(), kept);
            }
        }
        Ok(())
    }

    /// Forgets the keys of all others.
    pub(crate) fn retain(&mut self, is_served: impl Fn(&Tenant) -> bool) {
        self.kept.retain(|tenant, _| is_served(tenant));
    }

    /// A tenant's own keys; none if the process's are to be used.
    pub(crate) fn of(&self, tenant: &Tenant) -> Option<Arc<Keyring>> {
        self.kept.get(tenant).map(|kept| Arc::clone(&kept.keyring))
    }
}

/// Starts the task that follows public keys, until `stop`.
pub(crate) fn follow(keyring: &Arc<Keyring>, tasks: &TaskTracker, stop: CancellationToken) {
    if !keyring.is_fetched() {
        return;
    }
    let keyring = Arc::clone(keyring);
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            survived("the fetching of keys", keyring.follow(stop.clone())).await;
            // Nothing but a panic ends it before it is to stop.
            let _ = timeout(AFTER_PANIC, stop.cancelled()).await;
        }
    });
}
