//! Where the read models are: told at once within the process that writes them, asked of the
//! database elsewhere.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ledger_domain::id::Tenant;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::control::store;
use crate::schema::CONTROL;

/// How often the database is asked while somebody waits.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Where the read models are.
#[derive(Clone)]
pub struct Positions {
    pool: PgPool,
    read_models: Arc<[String]>,
    tenants: Arc<Mutex<HashMap<Tenant, Arc<Place>>>>,
}

struct Place {
    position: watch::Sender<i64>,
    /// The last change of answers that this process has committed.
    change: AtomicI64,
    is_leading: watch::Sender<bool>,
    halted: Mutex<Option<String>>,
    /// Held by the one who asks the database for all who wait.
    asking: tokio::sync::Mutex<()>,
}

/// This process writes the read models of a tenant. However that ends, by a panic too, the database
/// is asked from then on.
#[must_use]
pub(crate) struct Leading(Arc<Place>);

impl Drop for Leading {
    fn drop(&mut self) {
        self.0.is_leading.send_replace(false);
    }
}

impl std::fmt::Debug for Positions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Positions").field("read_models", &self.read_models).finish_non_exhaustive()
    }
}

/// What this process knows to be committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// Where the read models are, at least.
    pub position: i64,
    /// The last change of answers that a runner of this process made: a parked unit that is taken
    /// up again makes one without moving the position. 0 if none did.
    pub change: i64,
}

/// Why a wait ended.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The deadline came first.
    #[error("the read models are at position {at} only")]
    Deadline {
        /// Where they were last seen.
        at: i64,
    },
    /// The database can't be reached.
    #[error("nobody knows where the read models are")]
    Unavailable(#[source] sqlx::Error),
}

impl Positions {
    /// The positions of some read models, by the names of their schemas, asked over connections
    /// that may read checkpoints of every tenant.
    #[must_use]
    pub fn new(pool: PgPool, read_models: Vec<String>) -> Self {
        Self { pool, read_models: read_models.into(), tenants: Arc::default() }
    }

    /// The position as far as it is known without asking; 0 at first.
    #[must_use]
    pub fn known(&self, tenant: &Tenant) -> i64 {
        *self.place(tenant).position.borrow()
    }

    /// What is known to be committed, without asking.
    #[must_use]
    pub fn committed(&self, tenant: &Tenant) -> Committed {
        let place = self.place(tenant);
        let position = *place.position.borrow();
        Committed { position, change: place.change.load(Ordering::Relaxed) }
    }

    /// Told whenever the known position rises.
    #[must_use]
    pub fn watch(&self, tenant: &Tenant) -> watch::Receiver<i64> {
        self.place(tenant).position.subscribe()
    }

    /// Why the tenant's read models are halted, if they are and this process has tried.
    #[must_use]
    pub fn halted(&self, tenant: &Tenant) -> Option<String> {
        let place = self.place(tenant);
        let halted = place.halted.lock().unwrap_or_else(PoisonError::into_inner);
        halted.clone()
    }

    /// Waits until everything up to a position can be read, and tells the position reached.
    ///
    /// # Errors
    /// If the deadline comes first, or the database can't be asked.
    pub async fn wait_for(
        &self,
        tenant: &Tenant,
        position: i64,
        deadline: Instant,
    ) -> Result<i64, WaitError> {
        let place = self.place(tenant);
        let mut told = place.position.subscribe();
        loop {
            let at = *told.borrow_and_update();
            if at >= position {
                return Ok(at);
            }
            if Instant::now() >= deadline {
                return Err(WaitError::Deadline { at });
            }
            let until = deadline.min(Instant::now() + ASK_EVERY);
            if timeout_at(until, told.changed()).await.is_ok() || *place.is_leading.borrow() {
                continue;
            }
            // One asks for all; the others hear of it.
            let Ok(_asking) = place.asking.try_lock() else { continue };
            let asked = self.ask(tenant).await.map_err(WaitError::Unavailable)?;
            self.publish(tenant, asked);
        }
    }

    /// Asks the database for the position.
    ///
    /// # Errors
    /// If it can't be reached.
    pub async fn ask(&self, tenant: &Tenant) -> sqlx::Result<i64> {
        let begin = format!("BEGIN READ ONLY; SET LOCAL search_path = {CONTROL}, public");
        let mut tx = self.pool.begin_with(sqlx::AssertSqlSafe(begin)).await?;
        let position = store::position(&mut tx, tenant, &self.read_models).await?;
        tx.commit().await?;
        Ok(position)
    }

    /// A position is told when it is higher than what was told before: read models never go back
    /// but by a rebuild, which catches up first.
    pub(crate) fn publish(&self, tenant: &Tenant, position: i64) {
        self.place(tenant).position.send_if_modified(|at| {
            let is_news = position > *at;
            *at = position.max(*at);
            is_news
        });
    }

    /// The last change of answers that this process has committed, or found when it took over.
    pub(crate) fn set_change(&self, tenant: &Tenant, number: i64) {
        self.place(tenant).change.store(number, Ordering::Relaxed);
    }

    /// Says that this process writes the read models, until what is returned is dropped: nobody
    /// asks the database meanwhile.
    pub(crate) fn lead(&self, tenant: &Tenant) -> Leading {
        let place = self.place(tenant);
        place.is_leading.send_replace(true);
        Leading(place)
    }

    /// Says why the read models are halted, and tells whether that is news.
    pub(crate) fn set_halted(&self, tenant: &Tenant, reason: Option<String>) -> bool {
        let is_halted = if reason.is_some() { 1.0 } else { 0.0 };
        metrics::gauge!("ledger_projection_halted", "tenant" => tenant.to_string()).set(is_halted);
        let place = self.place(tenant);
        let mut halted = place.halted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = *halted != reason;
        *halted = reason;
        is_news
    }

    fn place(&self, tenant: &Tenant) -> Arc<Place> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        // Nearly always it is there, and every question asks.
        if let Some(place) = tenants.get(tenant) {
            return Arc::clone(place);
        }
        let place = tenants.entry(tenant.clone()).or_insert_with(|| {
            Arc::new(Place {
                position: watch::Sender::new(0),
                change: AtomicI64::new(0),
                is_leading: watch::Sender::new(false),
                halted: Mutex::new(None),
                asking: tokio::sync::Mutex::new(()),
            })
        });
        Arc::clone(place)
    }
}
