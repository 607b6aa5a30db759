//! Whose answers changed: told by whoever writes read models, in the transaction that writes them,
//! and followed by every process that remembers what answers are made from.
//!
//! A change has a number, one more than the change before it, which is given under a lock that is
//! held until the commit. So a follower that has heard of a number has heard of all before it, and
//! one that misses a number knows it. The feed has an id besides, which changes with every session
//! of a runner: after a crash, a takeover or a restored backup nobody can know what a number meant
//! before, and everything is forgotten. The last [`KEPT`] changes are kept.

pub(crate) mod store;
mod wake;

use std::fmt;
use std::sync::Arc;

use ledger_domain::id::{Tenant, TrainerId};
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use crate::queries::QueryError;
use crate::schema::CONTROL;
use crate::{Positions, ReadModel, Version};
use wake::Bell;

/// How many changes are kept for those who lag behind: at full speed some ten seconds, since each
/// page of the log makes one.
pub(crate) const KEPT: i64 = 256;

/// How far a feed was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Which feed it is.
    pub id: Uuid,
    /// The last change that was heard.
    pub number: i64,
}

/// A secret of those who follow one feed, and of nobody else: another feed has another one. It
/// prints as `***`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FeedKey([u8; 32]);

impl FeedKey {
    /// Wraps it.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The key itself, for the one call that needs it.
    #[must_use]
    pub const fn reveal(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for FeedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What was heard of a tenant at one instant of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// How far the feed is.
    pub to: Cursor,
    /// Where the read models are then: all that changed answers up to there has been told.
    pub position: i64,
    /// What the feed's followers have in common.
    pub key: FeedKey,
    /// What changed since the cursor, in order; none = nobody can tell any more.
    pub changes: Option<Vec<Change>>,
}

/// A change of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its number.
    pub number: i64,
    /// Who may be answered differently.
    pub whose: Whose,
}

/// Who may be answered differently from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// All of the tenant: the catalogue, how far denials are enforced, or what is parked.
    Everybody,
    /// These.
    Of {
        /// Who holds something else.
        trainers: Vec<TrainerId>,
        /// Of whom more was used, or less.
        users: Vec<TrainerId>,
    },
}

/// The feeds of all tenants in one database.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Connections as `ledger_projector`.
    pool: PgPool,
    positions: Positions,
    bell: Arc<Bell>,
}

impl Feed {
    pub(crate) fn new(pool: PgPool, positions: Positions) -> Self {
        Self { pool, positions, bell: Arc::default() }
    }

    /// Asks for what changed since some cursors; of a tenant without one, only how far it is. A
    /// tenant whose read models nobody has begun to write isn't there. Whoever waits for a position
    /// hears of it, too.
    ///
    /// # Errors
    /// If the database can't be reached, or a name in it can't be one.
    pub async fn ask(
        &self,
        known: &[(Tenant, Cursor)],
    ) -> Result<Vec<(Tenant, Heard)>, QueryError> {
        let begin = format!("BEGIN READ ONLY; SET LOCAL search_path = {CONTROL}, public");
        let mut tx = self.pool.begin_with(AssertSqlSafe(begin)).await?;
        let heard = store::heard(&mut tx, &serving(), known).await?;
        tx.commit().await?;
        for (tenant, heard) in &heard {
            self.positions.publish(tenant, heard.position);
        }
        Ok(heard)
    }

    /// Waits until somebody may have something to tell. Only one may wait at a time.
    pub async fn rung(&self) {
        self.bell.rung.notified().await;
    }
}

/// The schemas that answers are made from.
pub(crate) fn serving() -> [String; 4] {
    ReadModel::ALL.map(|model| model.schema(Version::Live))
}
