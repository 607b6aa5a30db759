//! Every statement on the tables of trainers and their grants.

use ledger_domain::account::{GrantView, TrainerView};
use ledger_domain::catalog::{Catalog, FeatureKind};
use ledger_domain::id::{Tenant, TrainerId};
use sqlx::PgConnection;

use super::rows::{GrantColumns, GrantRow, TrainerColumns, TrainerRow};
use crate::QueryError;
use crate::history::{ChangeColumns, ChangeRow};
use crate::rows::{PartColumns, PartRow};

/// Everything that one page changes in this read model.
#[derive(Debug, Clone, Default)]
pub(crate) struct Batch {
    pub(crate) parts: PartColumns,
    pub(crate) trainers: TrainerColumns,
    pub(crate) grants: GrantColumns,
    pub(crate) history: ChangeColumns,
}

/// Writes a page's changes.
pub(crate) async fn write(
    conn: &mut PgConnection,
    tenant: &Tenant,
    batch: Batch,
) -> sqlx::Result<()> {
    batch.parts.run(conn, tenant, UPSERT_PARTS).await?;
    batch.trainers.run(conn, tenant, UPSERT_TRAINERS).await?;
    batch.grants.run(conn, tenant, UPSERT_GRANTS).await?;
    batch.history.run(conn, tenant, INSERT_HISTORY).await?;
    Ok(())
}

const UPSERT_PARTS: &str = "
    INSERT INTO trainer_part (tenant, unit, part, state)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bytea[])
    ON CONFLICT (tenant, unit, part) DO UPDATE SET state = excluded.state";

const UPSERT_TRAINERS: &str = "
    INSERT INTO trainer (tenant, trainer_id, registered_at, suspended_at, position)
    SELECT $1, * FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[])
    ON CONFLICT (tenant, trainer_id) DO UPDATE SET
        registered_at = excluded.registered_at,
        suspended_at = excluded.suspended_at,
        position = excluded.position";

// Only grants that changed: a trainer's changes list everything that was ever given.
const UPSERT_GRANTS: &str = r#"
    INSERT INTO entitlement_grants (tenant, event_id, trainer_id, kind, tier, "interval", feature,
        effect, granted_at, expires_at, revoked_at, actor, position)
    SELECT $1, new.event_id, new.trainer_id, new.kind, new.tier, new."interval", new.feature,
        new.effect::jsonb, new.granted_at, new.expires_at, new.revoked_at, new.actor, new.position
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::text[], $13::bigint[])
        AS new (event_id, trainer_id, kind, tier, "interval", feature, effect, granted_at,
        expires_at, revoked_at, actor, position)
    LEFT JOIN LATERAL (
        SELECT * FROM entitlement_grants AS g WHERE g.tenant = $1 AND g.event_id = new.event_id
        OFFSET 0) AS old ON true
    WHERE old.tenant IS NULL OR old.position IS DISTINCT FROM new.position
    ON CONFLICT (tenant, event_id) DO UPDATE SET
        revoked_at = excluded.revoked_at,
        position = excluded.position"#;

// Acts are folded in the order of the log: a step that is there stays as it is.
const INSERT_HISTORY: &str = "
    INSERT INTO grant_history (tenant, subject, ordinal, trainer_id, change, from_prices,
        to_prices, tier, feature, at, actor, event_id, position)
    SELECT $1, subject, ordinal, trainer_id, change, string_to_array(from_prices, ' '),
        string_to_array(to_prices, ' '), tier, feature, at, actor, event_id, position
    FROM unnest($2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::timestamptz[], $11::text[], $12::text[], $13::bigint[])
        AS new (subject, ordinal, trainer_id, change, from_prices, to_prices, tier, feature, at,
        actor, event_id, position)
    ON CONFLICT DO NOTHING";

/// The stored state of units.
pub(crate) async fn parts(
    conn: &mut PgConnection,
    tenant: &Tenant,
    units: &[String],
) -> sqlx::Result<Vec<PartRow>> {
    const SELECT: &str =
        "SELECT unit, part, state FROM trainer_part WHERE tenant = $1 AND unit = ANY($2)";
    sqlx::query_as(SELECT).bind(tenant.as_str()).bind(units).fetch_all(conn).await
}

/// What is known of trainers.
pub(crate) const TRAINERS: &str = "
    SELECT trainer_id, registered_at, suspended_at, position
    FROM trainer WHERE tenant = $1 AND trainer_id = ANY($2)";

/// Everything that was ever given to trainers.
pub(crate) const GRANTS: &str = r#"
    SELECT event_id, trainer_id, kind, tier, "interval", feature, effect::text AS effect,
        granted_at, expires_at, revoked_at, actor, position
    FROM entitlement_grants WHERE tenant = $1 AND trainer_id = ANY($2)
    ORDER BY granted_at, event_id"#;

/// What is known of some trainers.
pub(crate) async fn trainers(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainers: &[&str],
) -> Result<Vec<TrainerView>, QueryError> {
    let rows: Vec<TrainerRow> =
        sqlx::query_as(TRAINERS).bind(tenant.as_str()).bind(trainers).fetch_all(conn).await?;
    Ok(rows.into_iter().map(TrainerView::try_from).collect::<Result<_, _>>()?)
}

/// Everything that was ever given to some trainers.
pub(crate) async fn grants_of(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainers: &[&str],
) -> Result<Vec<GrantView>, QueryError> {
    let rows: Vec<GrantRow> =
        sqlx::query_as(GRANTS).bind(tenant.as_str()).bind(trainers).fetch_all(conn).await?;
    Ok(rows.into_iter().map(GrantView::try_from).collect::<Result<_, _>>()?)
}

/// The steps that administrators made, the latest first, after a place in that order.
pub(crate) async fn history_of(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainer: &TrainerId,
    after: Option<&crate::queries::Place>,
    limit: i64,
) -> sqlx::Result<Vec<ChangeRow>> {
    const SELECT: &str = "
        SELECT subject, ordinal, trainer_id, change,
            array_to_string(from_prices, ' ') AS from_prices,
            array_to_string(to_prices, ' ') AS to_prices, tier, feature, at, actor, event_id,
            position
        FROM grant_history
        WHERE tenant = $1 AND trainer_id = $2
            AND ($3::timestamptz IS NULL OR (at, subject, ordinal) < ($3, $4, $5))
        ORDER BY at DESC, subject DESC, ordinal DESC LIMIT $6";
    sqlx::query_as(SELECT)
        .bind(tenant.as_str())
        .bind(trainer.as_str())
        .bind(after.map(|place| place.at))
        .bind(after.map(|place| place.subject.as_str()))
        .bind(after.map(|place| place.ordinal))
        .bind(limit)
        .fetch_all(conn)
        .await
}

/// The trainers of tiers that were given and not taken back, one entry for each, from a trainer on,
/// in order, and whether the catalogue lacks it. An override has an entry if it can't do anything.
/// Whether the trainer to begin with is included is said beside it.
pub(crate) async fn holders(
    conn: &mut PgConnection,
    tenant: &Tenant,
    catalog: &Catalog,
    (from, is_included): (&str, bool),
    limit: i64,
) -> sqlx::Result<Vec<(String, bool)>> {
    // To be granted without a number, a feature has to be a flag.
    const SELECT: &str = "SELECT trainer_id, kind = 'override' OR tier <> ALL ($5)
        FROM entitlement_grants
        WHERE tenant = $1 AND trainer_id >= $2 AND ($3 OR trainer_id > $2)
            AND (kind <> 'override' OR feature <> ALL (
                CASE WHEN effect = '\"grant\"' THEN $6::text[] ELSE $7::text[] END))
            AND revoked_at IS NULL
        ORDER BY trainer_id LIMIT $4";
    let plans = catalog.tiers().iter().chain(catalog.add_ons());
    let features = catalog.features().iter();
    let flags = features.clone().filter(|feature| feature.kind() == FeatureKind::Flag);
    sqlx::query_as(SELECT)
        .bind(tenant.as_str())
        .bind(from)
        .bind(is_included)
        .bind(limit)
        .bind(plans.map(|plan| plan.slug().as_str()).collect::<Vec<_>>())
        .bind(flags.map(|feature| feature.slug().as_str()).collect::<Vec<_>>())
        .bind(features.map(|feature| feature.slug().as_str()).collect::<Vec<_>>())
        .fetch_all(conn)
        .await
}
