//! One pool of connections per role, over one login that may become each of them.

use std::str::FromStr;
use std::time::Duration;

use ledger_domain::id::{Tenant, TrainerId};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};

use super::explain::{DatabaseTrouble, explain};

/// The roles of the database, each with what it may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Appends to the log, for every tenant.
    Writer,
    /// Folds the log into read models, for every tenant.
    Projector,
    /// Serves trainers and services, of one tenant and trainer at a time: read models, and of the
    /// log what was used.
    Api,
    /// Reads the log of one tenant at a time.
    Auditor,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Writer, Self::Projector, Self::Api, Self::Auditor];

    /// Its name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Writer => "ledger_writer",
            Self::Projector => "ledger_projector",
            Self::Api => "ledger_api",
            Self::Auditor => "ledger_auditor",
        }
    }

    const fn connections(self) -> u32 {
        match self {
            // The appending task and the listener keep one each; the rest reads and notifies.
            Self::Writer | Self::Projector | Self::Api => 8,
            Self::Auditor => 4,
        }
    }

    const fn statement_timeout(self) -> &'static str {
        match self {
            Self::Writer => "10s",
            // Read models are built with statements over many rows.
            Self::Projector => "10min",
            Self::Api => "5s",
            Self::Auditor => "30s",
        }
    }
}

/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// The pools of one process.
#[derive(Debug, Clone)]
pub struct Pools {
    /// Appends to the log.
    pub writer: PgPool,
    /// Folds the log.
    pub projector: PgPool,
    /// Serves requests.
    pub api: PgPool,
    /// Reads the log for auditors.
    pub auditor: PgPool,
}

impl Pools {
    /// Pools over this URL; connections are made when they are needed. `process` is what the
    /// database's administrator sees as the application's name.
    ///
    /// # Errors
    /// If the URL isn't one of PostgreSQL's.
    pub fn connect_lazy(url: &str, process: &str) -> Result<Self, sqlx::Error> {
        // The driver takes any scheme for its own.
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
            return Err(sqlx::Error::Configuration("the URL isn't one of PostgreSQL's".into()));
        }
        let options = PgConnectOptions::from_str(url)?;
        let of = |role| pool(options.clone(), role, process);
        Ok(Self {
            writer: of(Role::Writer),
            projector: of(Role::Projector),
            api: of(Role::Api),
            auditor: of(Role::Auditor),
        })
    }

    /// Why the database can't be used, in words for whoever runs the ledger.
    pub async fn explain(&self, error: sqlx::Error) -> DatabaseTrouble {
        explain(&self.writer.connect_options(), error).await
    }

    /// Closes all of them and waits for the connections to end.
    pub async fn close(&self) {
        for pool in [&self.writer, &self.projector, &self.api, &self.auditor] {
            pool.close().await;
        }
    }
}

/// The role is a setting of the connection's start: the login's own rights are never in force, and
/// RESET ROLE or DISCARD ALL lead back to the role, not to the login.
fn pool(options: PgConnectOptions, role: Role, process: &str) -> PgPool {
    let options = options.application_name(&format!("{process} {}", role.as_str())).options([
        ("role", role.as_str()),
        ("statement_timeout", role.statement_timeout()),
        ("idle_in_transaction_session_timeout", "10s"),
        ("timezone", "UTC"),
        ("jit", "off"),
    ]);
    PgPoolOptions::new()
        .max_connections(role.connections())
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options)
}

/// Whose rows a transaction sees.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// All that belongs to the tenant.
    Tenant(&'a Tenant),
    /// What belongs to one trainer of the tenant.
    Trainer(&'a Tenant, &'a TrainerId),
}

/// Begins a read-only transaction that sees what the scope allows, and nothing once it has ended:
/// the settings end with it, so the connection carries nothing over to whoever uses it next.
///
/// # Errors
/// If the database can't be reached.
pub async fn begin_scoped(
    pool: &PgPool,
    scope: Scope<'_>,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let (tenant, user) = match scope {
        Scope::Tenant(tenant) => (tenant, "*"),
        Scope::Trainer(tenant, trainer) => (tenant, trainer.as_str()),
    };
    // Names are checked when they are made and hold no quote or backslash. The scope comes first:
    // when setting it fails there must be no transaction to go on with.
    let begin = format!(
        "BEGIN READ ONLY; SET LOCAL ledger.tenant = '{tenant}'; SET LOCAL ledger.\"user\" = '{user}'"
    );
    pool.begin_with(AssertSqlSafe(begin)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_another_kind_is_refused() {
        assert!(Pools::connect_lazy("mysql://localhost/x", "test").is_err());
    }

    #[test]
    fn names_in_a_scope_can_hold_no_quote() {
        for text in ["a'b", "a\\b", "a;b", "a b"] {
            assert!(TrainerId::try_new(text).is_err() && Tenant::try_new(text).is_err());
        }
    }
}
