//! Bringing a database up to date.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, PgPool};

use super::pools::Role;

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// How often a grant is tried that collides with the same grant in another database's migration.
const GRANT_TRIES: usize = 50;

/// Runs the migrations that the database lacks, as its owner, and lets each of these logins become
/// every role of the service.
///
/// # Errors
/// What the database objected to.
pub async fn migrate(owner: &PgPool, grant_to: &[&str]) -> Result<(), MigrateError> {
    MIGRATOR.run(owner).await?;
    // Rights on a database aren't part of its contents: a copy or a restored one lacks them.
    let sql =
        "SELECT format('GRANT CREATE ON DATABASE %I TO ledger_projector', current_database())";
    let grant_create: String = sqlx::query_scalar(sql).fetch_one(owner).await?;
    sqlx::raw_sql(AssertSqlSafe(grant_create)).execute(owner).await?;
    for login in grant_to {
        grant(owner, login).await?;
    }
    Ok(())
}

async fn grant(owner: &PgPool, login: &str) -> Result<(), sqlx::Error> {
    let roles: Vec<String> = Role::ALL.iter().map(|role| role.as_str().to_owned()).collect();
    let member = "SELECT bool_and(pg_has_role($1, role, 'MEMBER')) FROM unnest($2::text[]) role";
    // The server quotes the login's name, which may be any text.
    let sql = "SELECT format('GRANT %s TO %I', array_to_string($2::text[], ', '), $1::text)";
    let grant: String = sqlx::query_scalar(sql).bind(login).bind(&roles).fetch_one(owner).await?;
    let mut tries = 0;
    // Roles belong to the whole cluster: somebody else may be granting the same at the same time,
    // and the server reports that as an internal error or a broken key.
    while !sqlx::query_scalar(member).bind(login).bind(&roles).fetch_one(owner).await? {
        match sqlx::raw_sql(AssertSqlSafe(grant.clone())).execute(owner).await {
            Err(sqlx::Error::Database(error))
                if tries < GRANT_TRIES
                    && matches!(error.code().as_deref(), Some("XX000" | "23505")) =>
            {
                tries += 1;
            }
            done => return done.map(drop),
        }
    }
    Ok(())
}
