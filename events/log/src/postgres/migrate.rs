//! Bringing a database up to date.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, PgPool};

use super::pools::Role;

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// How often a grant is tried that collides with the same grant in another migration.
const GRANT_TRIES: usize = 50;

/// Runs the migrations that the database lacks, as its owner, lets the owner become the projector,
/// as whom read models are made, and each of these logins every role of the service.
///
/// # Errors
/// What the database objected to.
pub async fn migrate(owner: &PgPool, grant_to: &[&str]) -> Result<(), MigrateError> {
    MIGRATOR.run(owner).await?;
    // Rights on a database aren't part of its contents: a copy or a restored one lacks them.
    let sql =
        "SELECT format('GRANT CREATE ON DATABASE %I TO ledger_projector', current_database())";
    let grant_create: String = sqlx::query_scalar(sql).fetch_one(owner).await?;
    execute(owner, &grant_create).await?;
    let own: String = sqlx::query_scalar("SELECT current_user::text").fetch_one(owner).await?;
    grant(owner, &[Role::Projector], &own).await?;
    for login in grant_to {
        grant(owner, &Role::ALL, login).await?;
    }
    Ok(())
}

/// Lets a login become these roles, if it can't yet.
async fn grant(owner: &PgPool, roles: &[Role], login: &str) -> Result<(), sqlx::Error> {
    let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    // From PostgreSQL 16 on, who makes a role is a member of it that may grant it, also to itself,
    // but may not become it. Older servers know no such difference, nor the word for it.
    let may_become = "SELECT bool_and(pg_has_role($1, role, CASE
            WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END))
        FROM unnest($2::text[]) role";
    // The server quotes the login's name, which may be any text.
    let sql = "SELECT format('GRANT %s TO %I', array_to_string($2::text[], ', '), $1::text)";
    let grant: String = sqlx::query_scalar(sql).bind(login).bind(&roles).fetch_one(owner).await?;
    if sqlx::query_scalar(may_become).bind(login).bind(&roles).fetch_one(owner).await? {
        return Ok(());
    }
    execute(owner, &grant).await
}

/// Databases and roles belong to the whole cluster: somebody else may be granting the same at the
/// same time, and the server reports that as an internal error or a broken key.
async fn execute(owner: &PgPool, grant: &str) -> Result<(), sqlx::Error> {
    let mut tries = 0;
    loop {
        match sqlx::raw_sql(AssertSqlSafe(grant.to_owned())).execute(owner).await {
            Err(sqlx::Error::Database(error))
                if tries < GRANT_TRIES
                    && matches!(error.code().as_deref(), Some("XX000" | "23505")) =>
            {
                tries += 1;
            }
            done => return done.map(drop),
        }
    }
}
