//! The private PostgreSQL of `ledger dev`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Error, anyhow};
use ledger_cluster::Cluster;

/// The database.
const DATABASE: &str = "ledger";
/// The service's login; what it may do comes from the roles that it may become.
pub(super) const LOGIN: &str = "ledger_service";

/// How often to look whether the server still runs.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

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

    /// Waits for the server to end by itself, as it never should.
    pub(super) async fn died(&self) -> anyhow::Error {
        let mut looks = tokio::time::interval(LOOK_INTERVAL);
        loop {
            looks.tick().await;
            match self.0.is_running() {
                Ok(true) => {}
                Ok(false) => {
                    let log = self.0.log().display();
                    return anyhow!("the private PostgreSQL has ended; its log is {log}");
                }
                Err(error) => return Error::new(error).context("watch the private PostgreSQL"),
            }
        }
    }

    pub(super) fn stop(self) -> anyhow::Result<()> {
        self.0.stop().context("stop the private PostgreSQL")
    }
}
