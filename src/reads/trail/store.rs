//! The stored state of everything that is known of a trainer, and the events that name it.

use futures::TryStreamExt;
use ledger_domain::account::UnitKey;
use ledger_domain::id::{Tenant, TrainerId};
use ledger_projections::QueryError;
use sqlx::PgConnection;

/// The first events within bounds that name a trainer.
const NAMING: &str = "
    SELECT position FROM trainer_event
    WHERE tenant = $1 AND trainer_id = $2 AND position > $3 AND position < $4
    ORDER BY position LIMIT $5";

/// The parts of everything that is known of a trainer. An object's parts, which have its name with
/// `@` and more behind it, follow each other.
const PARTS: &str = "
    SELECT unit, part, state FROM (
        SELECT unit, part, state FROM unit_part WHERE tenant = $1 AND unit IN (
            SELECT 'customer/' || customer_id FROM customer_link
            WHERE tenant = $1 AND trainer_id = $2
            UNION
            SELECT 'customer/' || customer_id FROM trainer_subscriptions
            WHERE tenant = $1 AND trainer_id = $2 AND customer_id IS NOT NULL)
        UNION ALL
        SELECT unit, part, state FROM trainer_part WHERE tenant = $1 AND unit = $3
    ) AS p
    ORDER BY unit, split_part(part, '@', 1), part";

/// The first positions after one and before another of events that name a trainer, in order.
pub(super) async fn naming(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainer: &TrainerId,
    (after, until): (i64, i64),
    limit: usize,
) -> Result<Vec<i64>, QueryError> {
    let query = sqlx::query_scalar(NAMING)
        .bind(tenant.as_str())
        .bind(trainer.as_str())
        .bind(after)
        .bind(until)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX));
    Ok(query.fetch_all(conn).await?)
}

/// Hands over what is stored of a trainer object by object: the unit, and the object's parts. No
/// more than one object is in memory.
pub(super) async fn each_object(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainer: &TrainerId,
    mut take: impl FnMut(&str, Vec<(String, Vec<u8>)>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let query = sqlx::query_as::<_, (String, String, Vec<u8>)>(PARTS)
        .bind(tenant.as_str())
        .bind(trainer.as_str())
        .bind(UnitKey::Trainer(trainer.clone()).to_string());
    let mut rows = query.fetch(conn);
    let (mut unit, mut object) = (String::new(), String::new());
    let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
    while let Some((of, part, state)) = rows.try_next().await? {
        let name = part.split('@').next().unwrap_or_default();
        if (of.as_str(), name) != (unit.as_str(), object.as_str()) {
            if !parts.is_empty() {
                take(&unit, std::mem::take(&mut parts))?;
            }
            (unit, object) = (of, name.to_owned());
        }
        parts.push((part, state));
    }
    if !parts.is_empty() {
        take(&unit, parts)?;
    }
    Ok(())
}
