//! Every statement on leases, checkpoints and parked units.

use std::time::Duration;

use chrono::{DateTime, Utc};
use ledger_domain::id::Tenant;
use ledger_domain::time::Timestamp;
use sqlx::PgConnection;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

use super::{Checkpoint, ParkColumns, ParkedEventColumns, ParkedUnit};

/// Takes a lease that is free, has run out, or is the owner's own, and tells its new token: the
/// highest that was ever given, so that whoever held the lease before can't write any more. One
/// that would last longer than anybody asks for was given by a clock that has been set back since;
/// one without an end is held by hand.
pub(crate) async fn acquire(
    conn: &mut PgConnection,
    tenant: &Tenant,
    name: &str,
    owner: &str,
    ttl: Duration,
) -> sqlx::Result<Option<i64>> {
    const SQL: &str = "
        INSERT INTO lease (tenant, name, owner, token, until)
        VALUES ($1, $2, $3, nextval('fence'), clock_timestamp() + $4)
        ON CONFLICT (tenant, name) DO UPDATE
            SET owner = excluded.owner, token = excluded.token, until = excluded.until
            WHERE lease.until < clock_timestamp() OR lease.owner = excluded.owner
                OR (lease.until > clock_timestamp() + 2 * $4 AND lease.until < 'infinity')
        RETURNING token";
    sqlx::query_scalar(SQL)
        .bind(tenant.as_str())
        .bind(name)
        .bind(owner)
        .bind(interval(ttl))
        .fetch_optional(conn)
        .await
}

/// Holds a lease for longer; false = somebody else has it.
pub(crate) async fn renew(
    conn: &mut PgConnection,
    tenant: &Tenant,
    name: &str,
    token: i64,
    ttl: Duration,
) -> sqlx::Result<bool> {
    const SQL: &str = "UPDATE lease SET until = clock_timestamp() + $4
        WHERE tenant = $1 AND name = $2 AND token = $3";
    let query = sqlx::query(SQL).bind(tenant.as_str()).bind(name).bind(token).bind(interval(ttl));
    Ok(query.execute(conn).await?.rows_affected() == 1)
}

/// Gives a lease back, so that a successor needn't wait until it runs out.
pub(crate) async fn release(
    conn: &mut PgConnection,
    tenant: &Tenant,
    name: &str,
    token: i64,
) -> sqlx::Result<()> {
    const SQL: &str = "UPDATE lease SET until = '-infinity', owner = ''
        WHERE tenant = $1 AND name = $2 AND token = $3";
    let query = sqlx::query(SQL).bind(tenant.as_str()).bind(name).bind(token);
    query.execute(conn).await.map(drop)
}

#[derive(sqlx::FromRow)]
struct CheckpointRow {
    read_model: String,
    log_id: Uuid,
    epoch: i32,
    position: i64,
    seal: Option<Vec<u8>>,
    recorded_at: Option<DateTime<Utc>>,
}

impl From<CheckpointRow> for (String, Checkpoint) {
    fn from(row: CheckpointRow) -> Self {
        let checkpoint = Checkpoint {
            log_id: row.log_id,
            epoch: row.epoch,
            position: row.position,
            seal: row.seal,
            recorded_at: row.recorded_at.map(Timestamp::from),
        };
        (row.read_model, checkpoint)
    }
}

/// Puts a lease's token on the checkpoints of its read models, beginning those that aren't there
/// yet at position 0. In the transaction that took the lease; it waits for a page that is just
/// being committed under an older token, and sees what that left.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    tenant: &Tenant,
    read_models: &[String],
    (log_id, epoch): (Uuid, i32),
    token: i64,
) -> sqlx::Result<Vec<(String, Checkpoint)>> {
    const SQL: &str = "
        INSERT INTO checkpoint (tenant, read_model, log_id, epoch, position, token)
        SELECT $1, read_model, $3, $4, 0, $5 FROM unnest($2::text[]) AS r (read_model)
        ORDER BY read_model
        ON CONFLICT (tenant, read_model) DO UPDATE SET token = excluded.token
        RETURNING read_model, log_id, epoch, position, seal, recorded_at";
    let rows: Vec<CheckpointRow> = sqlx::query_as(SQL)
        .bind(tenant.as_str())
        .bind(read_models)
        .bind(log_id)
        .bind(epoch)
        .bind(token)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Moves the checkpoints of some read models on, in the transaction that writes the page; false =
/// somebody else writes them now, and the transaction must be rolled back.
pub(crate) async fn advance(
    conn: &mut PgConnection,
    tenant: &Tenant,
    read_models: &[String],
    from: i64,
    to: &Checkpoint,
    token: i64,
) -> sqlx::Result<bool> {
    const SQL: &str = "
        UPDATE checkpoint SET position = $3, seal = $4, recorded_at = $5
        WHERE tenant = $1 AND read_model = ANY($2) AND position = $6 AND token = $7";
    let query = sqlx::query(SQL)
        .bind(tenant.as_str())
        .bind(read_models)
        .bind(to.position)
        .bind(&to.seal)
        .bind(to.recorded_at.map(Timestamp::to_datetime))
        .bind(from)
        .bind(token);
    Ok(query.execute(conn).await?.rows_affected() == read_models.len() as u64)
}

/// How far each read model is.
pub(crate) async fn checkpoints(
    conn: &mut PgConnection,
    tenant: &Tenant,
) -> sqlx::Result<Vec<(String, Checkpoint)>> {
    const SQL: &str = "
        SELECT read_model, log_id, epoch, position, seal, recorded_at
        FROM checkpoint WHERE tenant = $1 ORDER BY read_model";
    let rows: Vec<CheckpointRow> =
        sqlx::query_as(SQL).bind(tenant.as_str()).fetch_all(conn).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The position up to which all of some read models are; 0 if one of them hasn't begun.
pub(crate) async fn position(
    conn: &mut PgConnection,
    tenant: &Tenant,
    read_models: &[String],
) -> sqlx::Result<i64> {
    const SQL: &str = "
        SELECT CASE WHEN count(*) = cardinality($2::text[]) THEN min(position) ELSE 0 END
        FROM checkpoint WHERE tenant = $1 AND read_model = ANY($2)";
    sqlx::query_scalar(SQL).bind(tenant.as_str()).bind(read_models).fetch_one(conn).await
}

/// Parks units, or counts one more failed attempt. Attempts grow apart: two seconds, four, ... an
/// hour.
pub(crate) async fn park(
    conn: &mut PgConnection,
    tenant: &Tenant,
    units: ParkColumns,
) -> sqlx::Result<()> {
    const SQL: &str = "
        INSERT INTO parked_unit AS p (tenant, read_model, unit, reason, attempts, parked_at,
            next_attempt_at)
        SELECT $1, read_model, unit, reason, 1, clock_timestamp(),
            clock_timestamp() + interval '2 s'
        FROM unnest($2::text[], $3::text[], $4::text[]) AS new (read_model, unit, reason)
        ON CONFLICT (tenant, read_model, unit) DO UPDATE SET
            reason = excluded.reason,
            attempts = p.attempts + 1,
            next_attempt_at = clock_timestamp()
                + least(interval '2 s' * power(2, least(p.attempts, 20)), interval '1 h')";
    units.run(conn, tenant, SQL).await.map(drop)
}

/// Queues events behind their parked units.
pub(crate) async fn park_events(
    conn: &mut PgConnection,
    tenant: &Tenant,
    events: ParkedEventColumns,
) -> sqlx::Result<()> {
    const SQL: &str = "
        INSERT INTO parked_event (tenant, read_model, unit, position, trainer_id)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[])
        ON CONFLICT DO NOTHING";
    events.run(conn, tenant, SQL).await.map(drop)
}

/// The parked units of some read models, and how long until the first of them is due.
pub(crate) async fn parked(
    conn: &mut PgConnection,
    tenant: &Tenant,
    read_models: &[String],
) -> sqlx::Result<Vec<(String, f64)>> {
    const SQL: &str = "
        SELECT unit, extract(epoch FROM next_attempt_at - clock_timestamp())::float8
        FROM parked_unit WHERE tenant = $1 AND read_model = ANY($2)
        ORDER BY next_attempt_at, unit";
    sqlx::query_as(SQL).bind(tenant.as_str()).bind(read_models).fetch_all(conn).await
}

/// The first events that wait for a unit, in order.
pub(crate) async fn parked_events(
    conn: &mut PgConnection,
    tenant: &Tenant,
    read_models: &[String],
    unit: &str,
    limit: i64,
) -> sqlx::Result<Vec<i64>> {
    const SQL: &str = "
        SELECT DISTINCT position FROM parked_event
        WHERE tenant = $1 AND read_model = ANY($2) AND unit = $3 ORDER BY position LIMIT $4";
    sqlx::query_scalar(SQL)
        .bind(tenant.as_str())
        .bind(read_models)
        .bind(unit)
        .bind(limit)
        .fetch_all(conn)
        .await
}

/// Takes events out of a unit's queue, and the unit out of parking once its queue is empty.
pub(crate) async fn unpark(
    conn: &mut PgConnection,
    tenant: &Tenant,
    read_models: &[String],
    unit: &str,
    positions: &[i64],
) -> sqlx::Result<()> {
    const EVENTS: &str = "DELETE FROM parked_event
        WHERE tenant = $1 AND read_model = ANY($2) AND unit = $3 AND position = ANY($4)";
    const UNIT: &str = "DELETE FROM parked_unit AS p
        WHERE tenant = $1 AND read_model = ANY($2) AND unit = $3
            AND NOT EXISTS (SELECT FROM parked_event AS e
                WHERE e.tenant = p.tenant AND e.read_model = p.read_model AND e.unit = p.unit)";
    sqlx::query(EVENTS)
        .bind(tenant.as_str())
        .bind(read_models)
        .bind(unit)
        .bind(positions)
        .execute(&mut *conn)
        .await?;
    sqlx::query(UNIT).bind(tenant.as_str()).bind(read_models).bind(unit).execute(conn).await?;
    Ok(())
}

/// Makes a parked unit due now; false = it isn't parked.
pub(crate) async fn retry_now(
    conn: &mut PgConnection,
    tenant: &Tenant,
    unit: &str,
) -> sqlx::Result<bool> {
    const SQL: &str = "UPDATE parked_unit SET next_attempt_at = clock_timestamp()
        WHERE tenant = $1 AND unit = $2";
    let done = sqlx::query(SQL).bind(tenant.as_str()).bind(unit).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

/// Takes one event out of a parked unit's queue for good; false = it isn't there.
pub(crate) async fn discard(
    conn: &mut PgConnection,
    tenant: &Tenant,
    unit: &str,
    position: i64,
) -> sqlx::Result<bool> {
    const SQL: &str = "DELETE FROM parked_event WHERE tenant = $1 AND unit = $2 AND position = $3";
    let query = sqlx::query(SQL).bind(tenant.as_str()).bind(unit).bind(position);
    Ok(query.execute(conn).await?.rows_affected() > 0)
}

#[derive(sqlx::FromRow)]
struct ParkedUnitRow {
    read_model: String,
    unit: String,
    reason: String,
    attempts: i32,
    parked_at: DateTime<Utc>,
    next_attempt_at: DateTime<Utc>,
    events: i64,
    first_position: Option<i64>,
}

/// The parked units with what waits for them, those parked first coming first.
pub(crate) async fn parked_units(
    conn: &mut PgConnection,
    tenant: &Tenant,
    limit: i64,
) -> sqlx::Result<Vec<ParkedUnit>> {
    const SQL: &str = "
        SELECT read_model, unit, reason, attempts, parked_at, next_attempt_at, w.events,
            w.first_position
        FROM parked_unit AS p, LATERAL (
            SELECT count(*) AS events, min(position) AS first_position FROM parked_event AS e
            WHERE e.tenant = p.tenant AND e.read_model = p.read_model AND e.unit = p.unit) AS w
        WHERE tenant = $1 ORDER BY parked_at, unit LIMIT $2";
    let rows: Vec<ParkedUnitRow> =
        sqlx::query_as(SQL).bind(tenant.as_str()).bind(limit).fetch_all(conn).await?;
    let unit = |row: ParkedUnitRow| ParkedUnit {
        read_model: row.read_model,
        unit: row.unit,
        reason: row.reason,
        attempts: row.attempts,
        parked_at: row.parked_at.into(),
        next_attempt_at: row.next_attempt_at.into(),
        events: row.events,
        first_position: row.first_position,
    };
    Ok(rows.into_iter().map(unit).collect())
}

fn interval(duration: Duration) -> PgInterval {
    let microseconds = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    PgInterval { months: 0, days: 0, microseconds }
}
