//! What runners keep of themselves: who may write, how far the read models are, and what they
//! could not take in.

pub(crate) mod store;

use std::collections::BTreeSet;

use ledger_domain::id::Tenant;
use ledger_domain::time::Timestamp;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::feed;
use crate::rows::table_rows;
use crate::schema::CONTROL;

/// A place in a log that can be recognised: another log has another event there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's id.
    pub log_id: Uuid,
    /// The log's epoch, which rises when it is restored from a backup.
    pub epoch: i32,
    /// The position up to which everything is taken in.
    pub position: i64,
    /// The leaf hash of the event there; none at position 0.
    pub seal: Option<Vec<u8>>,
    /// When the log accepted that event.
    pub recorded_at: Option<Timestamp>,
}

/// A unit that could not take in an event. Its later events wait; all other units go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedUnit {
    /// The schema of the read model that lacks it.
    pub read_model: String,
    /// Which unit; `event/N` for an event that doesn't even tell its unit.
    pub unit: String,
    /// Why.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i32,
    /// Since when.
    pub parked_at: Timestamp,
    /// When it is tried again.
    pub next_attempt_at: Timestamp,
    /// How many of its events wait.
    pub events: i64,
    /// The first of them.
    pub first_position: Option<i64>,
}

/// Has a parked unit tried again within seconds; false = it isn't parked. Over connections of the
/// role `ledger_projector`.
///
/// # Errors
/// If the database can't be reached.
pub async fn retry_parked(pool: &PgPool, tenant: &Tenant, unit: &str) -> sqlx::Result<bool> {
    let mut tx = begin(pool).await?;
    let is_parked = store::retry_now(&mut tx, tenant, unit).await?;
    tx.commit().await?;
    Ok(is_parked)
}

/// Gives up on one event of a parked unit, which then goes on with the events after it; false =
/// no such event waits. A rebuild meets the event again. Over connections of the role
/// `ledger_projector`.
///
/// # Errors
/// If the database can't be reached.
pub async fn discard_parked(
    pool: &PgPool,
    tenant: &Tenant,
    unit: &str,
    position: i64,
) -> sqlx::Result<bool> {
    let mut tx = begin(pool).await?;
    let was_there = store::discard(&mut tx, tenant, unit, position).await?;
    if was_there {
        // Answers that ended before the event end later now.
        let nobody = BTreeSet::new();
        feed::store::record(&mut tx, tenant, &feed::serving(), None, &nobody).await?;
        feed::store::tell(&mut *tx).await?;
    }
    store::retry_now(&mut tx, tenant, unit).await?;
    tx.commit().await?;
    Ok(was_there)
}

async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let begin = format!("BEGIN; SET LOCAL search_path = {CONTROL}, public");
    pool.begin_with(AssertSqlSafe(begin)).await
}

table_rows! {
    /// A unit on its way into parking.
    ParkRow, ParkColumns {
        read_model: String,
        unit: String,
        reason: String,
    }
}

table_rows! {
    /// An event that waits for its unit.
    ParkedEventRow, ParkedEventColumns {
        read_model: String,
        unit: String,
        position: i64,
        trainer_id: Option<String>,
    }
}
