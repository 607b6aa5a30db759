//! The schemas that read models are built in beside the live ones: who has them, how they come to
//! be, and that they go away again with everything that was kept about them.
//!
//! There is one set of them in a database, so somebody has it or nobody. Its owner is written on
//! each schema as a comment, in the transaction that makes it, and stays its owner for as long as
//! the lease of that name is held. What is left by an owner whose lease ran out is removed by the
//! next one.

use std::time::Duration;

use ledger_domain::id::Tenant;
use ledger_projections::{ReadModel, Version, create};
use sqlx::postgres::types::PgInterval;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

/// The database can't be reached, or refused.
#[derive(Debug, thiserror::Error)]
#[error("the database can't be reached, or refused")]
pub struct DatabaseError(#[from] sqlx::Error);

impl DatabaseError {
    /// Whether somebody else held a lock for longer than we would wait.
    pub(crate) fn is_lock_timeout(&self) -> bool {
        let code = self.0.as_database_error().and_then(|error| error.code());
        code.is_some_and(|code| code == "55P03")
    }
}

/// What the comment on a schema of ours begins with; the owner follows.
const MARK: &str = "made by `ledger replay verify`: ";

/// How asking for the schemas ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Occupied {
    /// They are there, empty, and ours.
    Ours,
    /// Another verification has them, or had them until a moment ago.
    Busy,
    /// Something else made this one, which is left alone.
    Foreign(String),
}

/// The names of the schemas.
pub(crate) fn names() -> [String; 4] {
    ReadModel::ALL.map(|model| model.schema(Version::Next))
}

/// The comment that says who has a schema.
pub(crate) fn mark(owner: &str) -> String {
    format!("{MARK}{owner}")
}

/// Makes the schemas, all of them and empty, after removing what somebody left behind; and takes
/// the lease under which a runner of the same owner may write them.
pub(crate) async fn occupy(
    pool: &PgPool,
    tenant: &Tenant,
    owner: &str,
    lease: &str,
    ttl: Duration,
) -> Result<Occupied, DatabaseError> {
    const HELD: &str = "SELECT EXISTS (SELECT FROM projection.lease
        WHERE name = $1 AND owner <> $2 AND until > clock_timestamp())";
    const TAKE: &str = "INSERT INTO projection.lease (tenant, name, owner, token, until)
        VALUES ($1, $2, $3, nextval('projection.fence'), clock_timestamp() + $4)";
    let mut tx = begin_alone(pool).await?;
    let marks = marks(&mut tx).await?;
    let foreign = marks.iter().find(|(_, mark)| !mark.starts_with(MARK));
    if let Some((schema, _)) = foreign {
        return Ok(Occupied::Foreign(schema.clone()));
    }
    if sqlx::query_scalar(HELD).bind(lease).bind(owner).fetch_one(&mut *tx).await? {
        return Ok(Occupied::Busy);
    }
    drop_schemas(&mut tx, marks.iter().map(|(schema, _)| schema)).await?;
    forget(&mut tx).await?;
    let leases = sqlx::query("DELETE FROM projection.lease WHERE name = $1").bind(lease);
    leases.execute(&mut *tx).await?;
    for model in ReadModel::ALL {
        create(&mut tx, model, Version::Next).await?;
        let (schema, mark) = (model.schema(Version::Next), mark(owner).replace('\'', "''"));
        let comment = format!("COMMENT ON SCHEMA {schema} IS '{mark}'");
        sqlx::raw_sql(AssertSqlSafe(comment)).execute(&mut *tx).await?;
    }
    let ttl = PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX),
    };
    let take = sqlx::query(TAKE).bind(tenant.as_str()).bind(lease).bind(owner).bind(ttl);
    take.execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(Occupied::Ours)
}

/// Removes the schemas, if they are this owner's, and all that was kept about them.
pub(crate) async fn leave(pool: &PgPool, owner: &str, lease: &str) -> Result<(), DatabaseError> {
    // The runner has given it back; it is this owner's only if that went wrong.
    const RETURN: &str = "DELETE FROM projection.lease
        WHERE name = $1 AND (owner = $2 OR until < clock_timestamp())";
    let mut tx = begin_alone(pool).await?;
    let marks = marks(&mut tx).await?;
    let (ours, others): (Vec<_>, Vec<_>) =
        marks.into_iter().partition(|(_, it)| *it == mark(owner));
    drop_schemas(&mut tx, ours.iter().map(|(schema, _)| schema)).await?;
    if others.is_empty() {
        forget(&mut tx).await?;
    }
    sqlx::query(RETURN).bind(lease).bind(owner).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// Two owners would find the schemas missing at the same time. The lock ends with the transaction.
async fn begin_alone(
    pool: &PgPool,
) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, DatabaseError> {
    let mut tx = pool.begin().await?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtext('ledger replay beside'))");
    lock.execute(&mut *tx).await?;
    Ok(tx)
}

/// Which of the schemas are there, and what is written on them.
async fn marks(conn: &mut PgConnection) -> Result<Vec<(String, String)>, DatabaseError> {
    const SELECT: &str = "
        SELECT nspname::text, coalesce(obj_description(oid, 'pg_namespace'), '')
        FROM pg_namespace WHERE nspname = ANY($1)";
    Ok(sqlx::query_as(SELECT).bind(names()).fetch_all(conn).await?)
}

async fn drop_schemas(
    conn: &mut PgConnection,
    schemas: impl Iterator<Item = &String>,
) -> Result<(), DatabaseError> {
    for schema in schemas {
        // One of our own names.
        let sql = format!("DROP SCHEMA {schema} CASCADE");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await?;
    }
    Ok(())
}

/// Removes what runners keep about the schemas, of every tenant.
async fn forget(conn: &mut PgConnection) -> Result<(), DatabaseError> {
    const DELETES: [&str; 3] = [
        "DELETE FROM projection.checkpoint WHERE read_model = ANY($1)",
        "DELETE FROM projection.parked_event WHERE read_model = ANY($1)",
        "DELETE FROM projection.parked_unit WHERE read_model = ANY($1)",
    ];
    for delete in DELETES {
        sqlx::query(delete).bind(names()).execute(&mut *conn).await?;
    }
    Ok(())
}
