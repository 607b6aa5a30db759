//! Every statement of a verification but those that make and remove its schemas.

use std::pin::Pin;

use futures::{Stream, TryStreamExt};
use ledger_domain::id::Tenant;
use ledger_projections::{Checkpoint, Version};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Transaction};

use super::layout::{Column, Layout, Table};
use super::report::{Digest, Parked};
use super::{VerifyConfig, VerifyError};
use crate::schema::{self, DatabaseError};

/// Connections of the role `ledger_projector`.
pub(super) type Pool = sqlx::PgPool;

/// The columns of the counters' table.
pub(super) const ENTRY_COLUMNS: [&str; 9] = [
    "occurred_at",
    "position",
    "quantity",
    "held",
    "held_until",
    "hold_id",
    "tenant",
    "trainer",
    "feature",
];

/// How many parked units a report lists.
const PARKED_MAX: i64 = 100;

/// Where the live read models are, together.
pub(super) async fn live(
    pool: &Pool,
    tenant: &Tenant,
    schemas: &[String],
) -> Result<Checkpoint, VerifyError> {
    let mut conn = pool.acquire().await.map_err(DatabaseError::from)?;
    let found = checkpoints(&mut conn, tenant, schemas).await?;
    let Some((_, first)) = found.first().filter(|_| found.len() == schemas.len()) else {
        return Err(VerifyError::NotBegun);
    };
    if first.position == 0 {
        return Err(VerifyError::NotBegun);
    }
    if found.iter().any(|(_, checkpoint)| checkpoint != first) {
        let at = |(name, it): &(String, Checkpoint)| format!("{name} at {}", it.position);
        return Err(VerifyError::Uneven(found.iter().map(at).collect::<Vec<_>>().join(", ")));
    }
    Ok(first.clone())
}

async fn checkpoints(
    conn: &mut PgConnection,
    tenant: &Tenant,
    schemas: &[String],
) -> Result<Vec<(String, Checkpoint)>, DatabaseError> {
    const SELECT: &str = "
        SELECT read_model, log_id, epoch, position, seal FROM projection.checkpoint
        WHERE tenant = $1 AND read_model = ANY($2) ORDER BY read_model";
    let rows: Vec<CheckpointRow> =
        sqlx::query_as(SELECT).bind(tenant.as_str()).bind(schemas).fetch_all(conn).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

#[derive(sqlx::FromRow)]
struct CheckpointRow {
    read_model: String,
    log_id: uuid::Uuid,
    epoch: i32,
    position: i64,
    seal: Option<Vec<u8>>,
}

impl From<CheckpointRow> for (String, Checkpoint) {
    fn from(row: CheckpointRow) -> Self {
        let CheckpointRow { read_model, log_id, epoch, position, seal } = row;
        (read_model, Checkpoint { log_id, epoch, position, seal, recorded_at: None })
    }
}

/// The live read models at rest, until it is released or dropped.
pub(super) struct Held(Transaction<'static, Postgres>);

impl Held {
    pub(super) async fn release(self) -> Result<(), DatabaseError> {
        Ok(self.0.rollback().await?)
    }
}

/// Keeps the live read models from moving on, and tells where they are. None if they are too busy
/// to be asked.
///
/// One row is held and nothing else: all of them move in one transaction, and whoever holds one
/// lock alone can be part of no deadlock.
pub(super) async fn hold(
    pool: &Pool,
    tenant: &Tenant,
    schemas: &[String],
) -> Result<Option<(Held, i64)>, DatabaseError> {
    const SELECT: &str = "
        SELECT position FROM projection.checkpoint WHERE tenant = $1 AND read_model = $2 FOR SHARE";
    let Some(schema) = schemas.first() else { return Ok(None) };
    let mut tx = pool.begin_with("BEGIN; SET LOCAL lock_timeout = '2s'").await?;
    let query = sqlx::query_scalar(SELECT).bind(tenant.as_str()).bind(schema);
    match query.fetch_optional(&mut *tx).await.map_err(DatabaseError::from) {
        Ok(position) => Ok(position.map(|position| (Held(tx), position))),
        Err(error) if error.is_lock_timeout() => Ok(None),
        Err(error) => Err(error),
    }
}

/// One instant of the database, in which both sides stand at one position.
pub(super) struct Snapshot {
    tx: Transaction<'static, Postgres>,
    pub(super) tenant: Tenant,
    pub(super) position: i64,
}

impl Snapshot {
    /// Looks at both sides. None if they don't stand at one position.
    pub(super) async fn take(
        pool: &Pool,
        tenant: &Tenant,
        config: &VerifyConfig,
    ) -> Result<Option<Self>, VerifyError> {
        const OURS: &str = "SELECT count(*) FROM pg_namespace
            WHERE nspname = ANY($1) AND obj_description(oid, 'pg_namespace') = $2";
        let (live, next) = (config.schemas(Version::Live), config.schemas(Version::Next));
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut tx = pool.begin_with(begin).await.map_err(DatabaseError::from)?;
        let found = checkpoints(&mut tx, tenant, &[live, next.clone()].concat()).await?;
        let ours = sqlx::query_scalar(OURS).bind(&next).bind(schema::mark(&config.owner));
        let ours: i64 = ours.fetch_one(&mut *tx).await.map_err(DatabaseError::from)?;
        if usize::try_from(ours) != Ok(next.len()) {
            return Err(VerifyError::Lost);
        }
        let Some((_, first)) = found.first().filter(|_| found.len() == 2 * next.len()) else {
            return Ok(None);
        };
        let position = first.position;
        if found.iter().any(|(_, checkpoint)| checkpoint.position != position) {
            return Ok(None);
        }
        if found.iter().any(|(_, checkpoint)| checkpoint != first) {
            return Err(VerifyError::Diverged { position });
        }
        Ok(Some(Self { tx, tenant: tenant.clone(), position }))
    }

    /// The tables of a schema and their columns, as the catalogue has them.
    pub(super) async fn layout(&mut self, schema: &str) -> Result<Layout, DatabaseError> {
        const SELECT: &str = "
            SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
                array_position(i.indkey::int2[], a.attnum)
            FROM pg_namespace AS n
            JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p')
            JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
            WHERE n.nspname = $1 ORDER BY c.relname, a.attnum";
        let rows: Vec<(String, String, String, Option<i32>)> =
            sqlx::query_as(SELECT).bind(schema).fetch_all(&mut *self.tx).await?;
        let mut layout = Layout::new();
        for (table, name, type_name, key_ordinal) in rows {
            let columns = layout.entry(table).or_default();
            columns.push(Column { name, type_name, key_ordinal });
        }
        Ok(layout)
    }

    /// All compared columns of all of the tenant's rows in short: the sum of the rows' hashes.
    pub(super) async fn digest(
        &mut self,
        schema: &str,
        table: &Table,
    ) -> Result<Digest, DatabaseError> {
        let sql = format!(
            "SELECT count(*), md5(concat_ws(' ', count(*), sum(high), sum(low)))
             FROM (SELECT ('x' || left(hash, 16))::bit(64)::bigint AS high,
                       ('x' || right(hash, 16))::bit(64)::bigint AS low
                   FROM (SELECT md5(ROW({columns})::text) AS hash
                         FROM {table} AS t WHERE tenant = $1) AS hashes) AS halves",
            columns = columns("t", &table.compared),
            table = qualified(schema, &table.name),
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(self.tenant.as_str());
        let (rows, digest) = query.fetch_one(&mut *self.tx).await?;
        Ok(Digest { rows, digest })
    }

    /// The rows that differ, in the order of the key, one after the other: live and built anew,
    /// each as the text of a JSON object.
    pub(super) fn differing(&mut self, live: &str, next: &str, table: &Table) -> DifferingRows<'_> {
        let side = |schema: &str| {
            let (shown, table) = (columns("t", &table.shown), qualified(schema, &table.name));
            format!("(SELECT {shown} FROM {table} AS t WHERE tenant = $1)")
        };
        let same_key = |column: &String| format!("live.{0} = next.{0}", quoted(column));
        let either = |column: &String| format!("coalesce(live.{0}, next.{0})", quoted(column));
        let list = |each: &dyn Fn(&String) -> String, between: &str| {
            table.key.iter().map(each).collect::<Vec<_>>().join(between)
        };
        // The text of a row is what its digest is made of, so the two can't disagree.
        let sql = format!(
            "SELECT CASE WHEN live.{first} IS NOT NULL THEN to_jsonb(live)::text END,
                 CASE WHEN next.{first} IS NOT NULL THEN to_jsonb(next)::text END
             FROM {live} AS live FULL JOIN {next} AS next ON {on}
             WHERE ROW({live_columns})::text <> ROW({next_columns})::text
             ORDER BY {order}",
            first = quoted(&table.key[0]),
            live = side(live),
            next = side(next),
            on = list(&same_key, " AND "),
            live_columns = columns("live", &table.compared),
            next_columns = columns("next", &table.compared),
            order = list(&either, ", "),
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(self.tenant.to_string());
        Box::pin(query.fetch(&mut *self.tx).map_err(DatabaseError::from))
    }

    /// Where the log ends.
    pub(super) async fn log_end(&mut self) -> Result<i64, DatabaseError> {
        const SELECT: &str = "
            SELECT position FROM public.log_head WHERE tenant = $1 ORDER BY position DESC LIMIT 1";
        let query = sqlx::query_scalar(SELECT).bind(self.tenant.as_str());
        Ok(query.fetch_one(&mut *self.tx).await?)
    }

    /// Begins to go through the counters' rows. A cursor, since there may be more of them than one
    /// statement has time for.
    pub(super) async fn begin_entries(&mut self) -> Result<(), DatabaseError> {
        let sql = format!(
            "DECLARE entries NO SCROLL CURSOR FOR
             SELECT position, to_jsonb(entry)::text
             FROM (SELECT {} FROM public.usage_entry AS u WHERE tenant = $1) AS entry
             ORDER BY position, trainer, feature, occurred_at",
            columns("u", &ENTRY_COLUMNS),
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(self.tenant.as_str());
        query.execute(&mut *self.tx).await?;
        Ok(())
    }

    /// The next of the counters' rows, in the order of their positions, each as the text of a JSON
    /// object; none after the last.
    pub(super) async fn next_entries(&mut self) -> Result<Vec<(i64, String)>, DatabaseError> {
        let query = sqlx::query_as("FETCH 2000 FROM entries").persistent(false);
        Ok(query.fetch_all(&mut *self.tx).await?)
    }

    /// Tells the server that the transaction is in use: it ends one in which nothing is asked for
    /// ten seconds.
    pub(super) async fn stay(&mut self) -> Result<(), DatabaseError> {
        Ok(self.tx.ping().await?)
    }

    /// The first parked units on either side.
    pub(super) async fn parked(
        &mut self,
        schemas: &[String],
    ) -> Result<Vec<Parked>, DatabaseError> {
        const SELECT: &str = "
            SELECT read_model, unit, reason FROM projection.parked_unit
            WHERE tenant = $1 AND read_model = ANY($2) ORDER BY unit, read_model LIMIT $3";
        let query = sqlx::query_as(SELECT).bind(self.tenant.as_str()).bind(schemas);
        let rows: Vec<(String, String, String)> =
            query.bind(PARKED_MAX).fetch_all(&mut *self.tx).await?;
        let parked = |(read_model, unit, reason)| Parked { read_model, unit, reason };
        Ok(rows.into_iter().map(parked).collect())
    }

    /// Ends the transaction.
    pub(super) async fn finish(self) -> Result<(), DatabaseError> {
        Ok(self.tx.commit().await?)
    }
}

/// Rows that differ, as they come.
pub(super) type DifferingRows<'a> = Pin<
    Box<dyn Stream<Item = Result<(Option<String>, Option<String>), DatabaseError>> + Send + 'a>,
>;

fn columns(of: &str, names: &[impl AsRef<str>]) -> String {
    let names = names.iter().map(|name| format!("{of}.{}", quoted(name.as_ref())));
    let names: Vec<_> = names.collect();
    names.join(", ")
}

fn qualified(schema: &str, table: &str) -> String {
    format!("{}.{}", quoted(schema), quoted(table))
}

/// A name from the catalogue as SQL reads it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
