//! Where in the log to look: every statement of a question about the past. None of them reads what
//! is known now. They read the log's own table of usage, and tables that are asked for positions
//! and for customers' ids alone:
//!
//! - `trainer_event`: the events that name a trainer;
//! - `unit_part`: the events behind each customer;
//! - `object_customer`: whose customer's an object is;
//! - `parked_event`: the events that could not be taken in.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ledger_domain::account::{CustomerUnit, UnitKey};
use ledger_domain::id::{FeatureSlug, StripeId, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use ledger_projections::{QueryError, ReadModel, Version};
use sqlx::PgConnection;

/// The events that name a trainer, but for usage.
const NAMING: &str = "
    SELECT position FROM trainer_event
    WHERE tenant = $1 AND trainer_id = $2 AND position <= $3
    EXCEPT
    SELECT position FROM public.usage_entry
    WHERE tenant = $1 AND trainer = $2 AND position <= $3
    ORDER BY position LIMIT $4";

const PARTS: &str = "SELECT part, state FROM unit_part WHERE tenant = $1 AND unit = $2";

const CUSTOMERS: &str =
    "SELECT DISTINCT customer_id FROM object_customer WHERE tenant = $1 AND object_id = ANY($2)";

const PARKED: &str = "
    SELECT position FROM parked_event
    WHERE tenant = $1 AND position <= $2 AND (
        (read_model = $3 AND unit = ANY($4)) OR (read_model = $5 AND unit = $6)
        OR trainer_id = $7)
    ORDER BY position LIMIT $8";

/// Sums stop at the ends of their range, as the read model's do.
const USED: &str = "
    SELECT (
        SELECT greatest(-9223372036854775808, least(9223372036854775807,
            coalesce(sum(u.quantity), 0)))::bigint
        FROM public.usage_entry u
        WHERE u.tenant = $1 AND u.trainer = $2 AND u.feature = w.feature COLLATE \"C\"
            AND u.occurred_at >= w.since AND u.occurred_at < w.until AND u.position <= $3)
    FROM unnest($4::text[], $5::timestamptz[], $6::timestamptz[])
        WITH ORDINALITY AS w (feature, since, until, ordinal)
    ORDER BY w.ordinal";

const USES: &str = "
    SELECT position, occurred_at, quantity FROM public.usage_entry
    WHERE tenant = $1 AND trainer = $2 AND feature = $3 AND occurred_at >= $4 AND occurred_at < $5
        AND position <= $6 AND quantity <> 0
    ORDER BY occurred_at DESC, position DESC LIMIT $7";

/// Something that was used.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct UseRow {
    pub(super) position: i64,
    pub(super) occurred_at: DateTime<Utc>,
    pub(super) quantity: i64,
}

/// The positions of events that name a trainer, in order; not of usage.
pub(super) async fn naming(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainer: &TrainerId,
    until: i64,
    limit: i64,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(NAMING)
        .bind(tenant.as_str())
        .bind(trainer.as_str())
        .bind(until)
        .bind(limit)
        .fetch_all(conn)
        .await
}

/// The positions of the events behind a customer. Of what is stored, nothing else is looked at.
pub(super) async fn behind(
    conn: &mut PgConnection,
    tenant: &Tenant,
    customer: &StripeId,
) -> Result<Vec<i64>, QueryError> {
    let unit = UnitKey::Customer(customer.clone()).to_string();
    let query = sqlx::query_as(PARTS).bind(tenant.as_str()).bind(&unit);
    let parts: Vec<(String, Vec<u8>)> = query.fetch_all(conn).await?;
    let state = CustomerUnit::restore(customer.clone(), parts);
    let state = state.map_err(|source| QueryError::State { unit, source })?;
    Ok(state.positions().collect())
}

/// The customers that some objects are of.
pub(super) async fn customers(
    conn: &mut PgConnection,
    tenant: &Tenant,
    objects: &BTreeSet<StripeId>,
) -> sqlx::Result<Vec<StripeId>> {
    let objects: Vec<&str> = objects.iter().map(StripeId::as_str).collect();
    let query = sqlx::query_scalar(CUSTOMERS).bind(tenant.as_str()).bind(&objects);
    let names: Vec<String> = query.fetch_all(conn).await?;
    Ok(names.into_iter().filter_map(|name| StripeId::try_from(name).ok()).collect())
}

/// The positions of the events that wait for a trainer, or for one of some customers.
pub(super) async fn parked(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainer: &TrainerId,
    customers: &BTreeSet<StripeId>,
    (until, limit): (i64, i64),
) -> sqlx::Result<Vec<i64>> {
    let units: Vec<String> =
        customers.iter().map(|id| UnitKey::Customer(id.clone()).to_string()).collect();
    sqlx::query_scalar(PARKED)
        .bind(tenant.as_str())
        .bind(until)
        .bind(ReadModel::Subscriptions.schema(Version::Live))
        .bind(&units)
        .bind(ReadModel::Grants.schema(Version::Live))
        .bind(UnitKey::Trainer(trainer.clone()).to_string())
        .bind(trainer.as_str())
        .bind(limit)
        .fetch_all(conn)
        .await
}

/// How much of each feature a trainer used within an interval, by the events up to a position.
pub(super) async fn used(
    conn: &mut PgConnection,
    tenant: &Tenant,
    trainer: &TrainerId,
    within: &[(FeatureSlug, Interval)],
    until: i64,
) -> sqlx::Result<Vec<i64>> {
    let features: Vec<&str> = within.iter().map(|(feature, _)| feature.as_str()).collect();
    let instants = |of: fn(&Interval) -> Timestamp| -> Vec<_> {
        within.iter().map(|(_, interval)| of(interval).to_datetime()).collect()
    };
    sqlx::query_scalar(USED)
        .bind(tenant.as_str())
        .bind(trainer.as_str())
        .bind(until)
        .bind(&features)
        .bind(instants(|interval| interval.from))
        .bind(instants(|interval| interval.until))
        .fetch_all(conn)
        .await
}

/// What counted of a feature within an interval, by the events up to a position; the latest first.
pub(super) async fn uses(
    conn: &mut PgConnection,
    tenant: &Tenant,
    (trainer, feature): (&TrainerId, &FeatureSlug),
    (within, until): (Interval, i64),
    limit: i64,
) -> sqlx::Result<Vec<UseRow>> {
    sqlx::query_as(USES)
        .bind(tenant.as_str())
        .bind(trainer.as_str())
        .bind(feature.as_str())
        .bind(within.from.to_datetime())
        .bind(within.until.to_datetime())
        .bind(until)
        .bind(limit)
        .fetch_all(conn)
        .await
}
