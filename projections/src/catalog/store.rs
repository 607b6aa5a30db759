//! Every statement on the tables of what holds for a whole tenant.

use ledger_domain::account::LogIdentity;
use ledger_domain::catalog::Catalogs;
use ledger_domain::id::{StripeId, Tenant};
use sqlx::PgConnection;

use super::rows::{
    CatalogColumns, CatalogRow, EnforcementColumns, EnforcementRow, IdentityColumns, IdentityRow,
    SoldColumns,
};
use super::{EnforcementView, SoldAnomalyColumns, SubjectColumns};
use crate::QueryError;
use crate::queries::{AnomalyFilter, AnomalyPlace, FoundRow};
use crate::rows::{PartColumns, PartRow};

/// Everything that one page changes in this read model.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    pub(crate) parts: PartColumns,
    pub(crate) identity: IdentityColumns,
    pub(crate) catalogs: CatalogColumns,
    pub(crate) enforcement: EnforcementColumns,
    pub(crate) prices: SoldColumns,
    pub(crate) products: SoldColumns,
    /// Whose anomalies are replaced.
    pub(crate) looked_at: SubjectColumns,
    pub(crate) anomalies: SoldAnomalyColumns,
}

/// Writes a page's changes.
pub(crate) async fn write(
    conn: &mut PgConnection,
    tenant: &Tenant,
    batch: Batch,
) -> sqlx::Result<()> {
    batch.parts.run(conn, tenant, UPSERT_PARTS).await?;
    batch.identity.run(conn, tenant, UPSERT_IDENTITY).await?;
    batch.catalogs.run(conn, tenant, INSERT_CATALOGS).await?;
    batch.enforcement.run(conn, tenant, INSERT_ENFORCEMENT).await?;
    batch.prices.run(conn, tenant, UPSERT_PRICES).await?;
    batch.products.run(conn, tenant, UPSERT_PRODUCTS).await?;
    batch.looked_at.run(conn, tenant, DELETE_ANOMALIES).await?;
    batch.anomalies.run(conn, tenant, INSERT_ANOMALIES).await?;
    Ok(())
}

const UPSERT_PARTS: &str = "
    INSERT INTO tenant_part (tenant, unit, part, state)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bytea[])
    ON CONFLICT (tenant, unit, part) DO UPDATE SET state = excluded.state";

const UPSERT_IDENTITY: &str = "
    INSERT INTO stripe_account (tenant, log_id, livemode, account, position)
    SELECT $1, * FROM unnest($2::uuid[], $3::boolean[], $4::text[], $5::bigint[])
    ON CONFLICT (tenant) DO UPDATE SET
        log_id = excluded.log_id,
        livemode = excluded.livemode,
        account = excluded.account,
        position = excluded.position";

const INSERT_CATALOGS: &str = "
    INSERT INTO catalog (tenant, position, event_id, effective_at, recorded_at, toml, prices)
    SELECT $1, position, event_id, effective_at, recorded_at, toml, prices::jsonb
    FROM unnest($2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[],
        $7::text[]) AS new (position, event_id, effective_at, recorded_at, toml, prices)
    ON CONFLICT DO NOTHING";

const INSERT_ENFORCEMENT: &str = "
    INSERT INTO enforcement (tenant, position, event_id, since, recorded_at, mode, actor)
    SELECT $1, position, event_id, since, recorded_at, mode::jsonb, actor
    FROM unnest($2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[],
        $7::text[]) AS new (position, event_id, since, recorded_at, mode, actor)
    ON CONFLICT DO NOTHING";

const UPSERT_PRICES: &str = "
    INSERT INTO price (tenant, price_id, snapshot, deleted, position)
    SELECT $1, id, snapshot::jsonb, deleted, position
    FROM unnest($2::text[], $3::text[], $4::boolean[], $5::bigint[])
        AS new (id, snapshot, deleted, position)
    ON CONFLICT (tenant, price_id) DO UPDATE SET
        snapshot = excluded.snapshot,
        deleted = excluded.deleted,
        position = excluded.position";

const UPSERT_PRODUCTS: &str = "
    INSERT INTO product (tenant, product_id, snapshot, deleted, position)
    SELECT $1, id, snapshot::jsonb, deleted, position
    FROM unnest($2::text[], $3::text[], $4::boolean[], $5::bigint[])
        AS new (id, snapshot, deleted, position)
    ON CONFLICT (tenant, product_id) DO UPDATE SET
        snapshot = excluded.snapshot,
        deleted = excluded.deleted,
        position = excluded.position";

const DELETE_ANOMALIES: &str =
    "DELETE FROM sold_anomaly WHERE tenant = $1 AND subject = ANY($2::text[])";

const INSERT_ANOMALIES: &str = "
    INSERT INTO sold_anomaly (tenant, subject, kind, event_id, previous_event_id)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[])
    ON CONFLICT DO NOTHING";

/// What is odd about prices and products, in the order of its key, after a place in that order.
pub(crate) async fn anomalies(
    conn: &mut PgConnection,
    tenant: &Tenant,
    filter: &AnomalyFilter,
    after: AnomalyPlace,
    limit: i64,
) -> sqlx::Result<Vec<FoundRow>> {
    const SELECT: &str = "
        SELECT '' AS customer_id, NULL AS trainer_id, subject, kind, event_id, previous_event_id
        FROM sold_anomaly
        WHERE tenant = $1
            AND ($2::text IS NULL OR kind = $2)
            AND ($3::text IS NULL OR split_part(subject, '/', 2) = $3)
            AND (subject, kind, event_id) > ($4, $5, $6)
        ORDER BY subject, kind, event_id LIMIT $7";
    sqlx::query_as(SELECT)
        .bind(tenant.as_str())
        .bind(filter.kind.as_deref())
        .bind(filter.subject.as_ref().map(StripeId::as_str))
        .bind(after.subject)
        .bind(after.kind)
        .bind(after.event_id)
        .bind(limit)
        .fetch_all(conn)
        .await
}

/// The stored state of units.
pub(crate) async fn parts(
    conn: &mut PgConnection,
    tenant: &Tenant,
    units: &[String],
) -> sqlx::Result<Vec<PartRow>> {
    const SELECT: &str =
        "SELECT unit, part, state FROM tenant_part WHERE tenant = $1 AND unit = ANY($2)";
    sqlx::query_as(SELECT).bind(tenant.as_str()).bind(units).fetch_all(conn).await
}

/// Whose events belong to the log; none before the log is opened.
pub(crate) async fn identity(
    conn: &mut PgConnection,
    tenant: &Tenant,
) -> Result<Option<LogIdentity>, QueryError> {
    const SELECT: &str =
        "SELECT log_id, livemode, account, position FROM stripe_account WHERE tenant = $1";
    let row: Option<IdentityRow> =
        sqlx::query_as(SELECT).bind(tenant.as_str()).fetch_optional(conn).await?;
    Ok(row.map(LogIdentity::try_from).transpose()?)
}

/// Every catalogue that was published.
pub(crate) async fn catalogs(
    conn: &mut PgConnection,
    tenant: &Tenant,
) -> Result<Catalogs, QueryError> {
    const SELECT: &str = "
        SELECT position, event_id, effective_at, recorded_at, toml, prices::text AS prices
        FROM catalog WHERE tenant = $1 ORDER BY position";
    let rows: Vec<CatalogRow> =
        sqlx::query_as(SELECT).bind(tenant.as_str()).fetch_all(conn).await?;
    let mut catalogs = Catalogs::new();
    for row in rows {
        row.insert_into(&mut catalogs)?;
    }
    Ok(catalogs)
}

/// How far denials were enforced, the latest first.
pub(crate) async fn enforcement(
    conn: &mut PgConnection,
    tenant: &Tenant,
    limit: i64,
) -> Result<Vec<EnforcementView>, QueryError> {
    const SELECT: &str = "
        SELECT position, event_id, since, recorded_at, mode::text AS mode, actor
        FROM enforcement WHERE tenant = $1 ORDER BY position DESC LIMIT $2";
    let rows: Vec<EnforcementRow> =
        sqlx::query_as(SELECT).bind(tenant.as_str()).bind(limit).fetch_all(conn).await?;
    Ok(rows.into_iter().map(EnforcementView::try_from).collect::<Result<_, _>>()?)
}
