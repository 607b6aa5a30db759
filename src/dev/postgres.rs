//! The private PostgreSQL of `ledger dev`.

use std::path::Path;

use anyhow::Context;
use ledger_cluster::Cluster;

/// The database.
const DATABASE: &str = "ledger";
/// The service's login; what it may do comes from the roles that it may become.
pub(super) const LOGIN: &str = "ledger_service";

/// A server that ends with this program.
pub(super) struct Postgres(Cluster);

impl Postgres {
    /// Starts the server that lives in a data folder, with the database and the login.
    pub(super) fn start(data_dir: &Path) -> anyhow::Result<Self> {
        let cluster = Cluster::builder()
            .data_dir(data_dir.join("postgres"))
            .start()
            .context("start the private PostgreSQL")?;
        let exists = |what: &str, name: &str| -> anyhow::Result<bool> {
            let sql = format!("SELECT 1 FROM {what} WHERE {name}");
            Ok(!cluster.execute("postgres", &sql)?.trim().is_empty())
        };
        if !exists("pg_database", &format!("datname = '{DATABASE}'"))? {
            cluster.create_database(DATABASE)?;
        }
        if !exists("pg_roles", &format!("rolname = '{LOGIN}'"))? {
            cluster.execute("postgres", &format!("CREATE ROLE {LOGIN} LOGIN NOINHERIT"))?;
        }
        Ok(Self(cluster))
    }

    pub(super) fn owner_url(&self) -> String {
        self.0.url(DATABASE, self.0.superuser())
    }

    pub(super) fn service_url(&self) -> String {
        self.0.url(DATABASE, LOGIN)
    }

    pub(super) fn stop(self) -> anyhow::Result<()> {
        self.0.stop().context("stop the private PostgreSQL")
    }
}
