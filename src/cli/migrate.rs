//! `ledger migrate`.

use std::str::FromStr;
use std::time::Duration;

use ledger_log::postgres;
use ledger_projections::Installed;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::failure::Failure;
use crate::config::{DatabaseConfig, Environment, owner_url};

/// How long to wait for a server that is just starting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What is said when another version had made the read models.
pub(crate) const ANEW: &str = "the read models were made by another version, and are made anew from \
    the log: answers are as of their `position` until `ledger_projection_lag_events` is 0";

/// Brings the database of the owner's URL up to date, and lets the service's login become the
/// service's roles.
pub(super) async fn run(environment: &Environment) -> Result<(), Failure> {
    let owner = owner_url(environment).map_err(Failure::usage)?;
    let service = DatabaseConfig::read(environment).map_err(Failure::usage)?;
    let login = PgConnectOptions::from_str(service.url.reveal()).map_err(Failure::usage)?;
    let installed =
        migrate(owner.reveal(), &[login.get_username()]).await.map_err(Failure::unavailable)?;
    println!("the database is up to date");
    if installed == Installed::Anew {
        println!("{ANEW}");
    }
    Ok(())
}

/// Migrates the log, makes the read models' schemas, and lets these logins serve.
pub(crate) async fn migrate(owner: &str, logins: &[&str]) -> anyhow::Result<Installed> {
    let options = PgConnectOptions::from_str(owner)?;
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT_TIMEOUT);
    let pool = match pool.connect_with(options.clone()).await {
        Ok(pool) => pool,
        Err(error) => {
            let trouble = postgres::explain(&options, error).await;
            return Err(anyhow::Error::from(trouble).context("the owner's database can't be used"));
        }
    };
    postgres::migrate(&pool, logins).await?;
    let mut connection = pool.acquire().await?;
    let installed = ledger_projections::install(&mut connection).await?;
    connection.close().await?;
    pool.close().await;
    Ok(installed)
}
