//! Which of the events behind an answer wait.

use ledger_domain::account::UnitKey;
use ledger_domain::id::{Tenant, TrainerId};
use ledger_projections::{QueryError, ReadModel, Reader, Version};
use sqlx::{AssertSqlSafe, Row};

/// The first event that waits for one of the units behind an answer (the trainer's customers, the
/// trainer, and the tenant's catalogues), or that names the trainer: of whose customer nothing may
/// be known but by events that wait.
const FIRST_PARKED: &str = r#"
    SELECT least(min(e.position), (
        SELECT min(n.position) FROM parked_event n
        WHERE n.tenant = $1 AND n.trainer_id = $5 AND n.read_model IN ($2, $3, $4)))
    FROM (
        SELECT $2::text COLLATE "C" AS read_model, 'customer/' || customer_id COLLATE "C" AS unit
        FROM (
            SELECT customer_id FROM customer_link WHERE tenant = $1 AND trainer_id = $5
            UNION
            SELECT customer_id FROM trainer_subscriptions
            WHERE tenant = $1 AND trainer_id = $5 AND customer_id IS NOT NULL
        ) AS c
        UNION ALL SELECT $3::text COLLATE "C", $6::text COLLATE "C"
        UNION ALL SELECT $4::text COLLATE "C", $7::text COLLATE "C"
    ) AS u
    JOIN parked_event e ON e.tenant = $1 AND e.read_model = u.read_model AND e.unit = u.unit"#;

/// The position of the first event that waits for a unit behind an answer about a trainer, or about
/// the tenant alone. Whoever sees one trainer sees nothing of what waits: the reader sees the whole
/// tenant from here on, so this comes last.
pub(in crate::reads) async fn first_parked(
    reader: &mut Reader,
    tenant: &Tenant,
    trainer: Option<&TrainerId>,
) -> Result<Option<i64>, QueryError> {
    let connection = reader.connection();
    // Nearly always nothing waits, which one exchange tells. A tenant's name holds no quote.
    let anything = format!(
        "SET LOCAL ledger.\"user\" = '*';
         SELECT EXISTS (SELECT FROM parked_unit WHERE tenant = '{tenant}')"
    );
    let row = sqlx::raw_sql(AssertSqlSafe(anything)).fetch_one(&mut *connection).await?;
    if !row.try_get::<bool, _>(0)? {
        return Ok(None);
    }
    let query = sqlx::query_scalar(FIRST_PARKED)
        .bind(tenant.as_str())
        .bind(ReadModel::Subscriptions.schema(Version::Live))
        .bind(ReadModel::Grants.schema(Version::Live))
        .bind(ReadModel::Catalog.schema(Version::Live))
        .bind(trainer.map(TrainerId::as_str))
        .bind(trainer.map(|trainer| UnitKey::Trainer(trainer.clone()).to_string()))
        .bind(UnitKey::Tenant.to_string());
    Ok(query.fetch_one(connection).await?)
}
