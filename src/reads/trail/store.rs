//! The stored state of everything that is known of a trainer.

use futures::TryStreamExt;
use ledger_domain::account::UnitKey;
use ledger_domain::id::{Tenant, TrainerId};
use ledger_log::postgres::Pools;
use ledger_projections::{QueryError, Schemas};
use sqlx::AssertSqlSafe;

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

/// Hands over what is stored of a trainer object by object: the unit, and the object's parts. No
/// more than one object is in memory.
pub(super) async fn each_object(
    pools: &Pools,
    tenant: &Tenant,
    trainer: &TrainerId,
    mut take: impl FnMut(&str, Vec<(String, Vec<u8>)>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let path = Schemas::LIVE.search_path();
    let begin = format!(
        "BEGIN READ ONLY; SET LOCAL search_path = {path}; SET LOCAL statement_timeout = '30s'"
    );
    let mut tx = pools.projector.begin_with(AssertSqlSafe(begin)).await?;
    let query = sqlx::query_as::<_, (String, String, Vec<u8>)>(PARTS)
        .bind(tenant.as_str())
        .bind(trainer.as_str())
        .bind(UnitKey::Trainer(trainer.clone()).to_string());
    let mut rows = query.fetch(&mut *tx);
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
    drop(rows);
    tx.commit().await?;
    Ok(())
}
