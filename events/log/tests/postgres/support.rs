//! Databases for the tests.

use std::sync::{Arc, OnceLock};

use ledger_cluster::Cluster;
use ledger_log::postgres::{Pools, PostgresLog, Settings, migrate};
use ledger_log::{EventLog, system_clock};
use sqlx::PgPool;

/// The login that takes on the service's roles.
pub(crate) const LOGIN: &str = "ledger_service";

/// A migrated database on the tests' shared cluster.
pub(crate) async fn database() -> String {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    let cluster = Cluster::shared();
    // Other tests may be here at the same time; one of them makes the template.
    let template = tokio::task::spawn_blocking(|| {
        TEMPLATE.get_or_init(|| {
            let template = cluster.fresh_database().unwrap();
            prepare(cluster, &template);
            template
        })
    })
    .await
    .unwrap();
    tokio::task::spawn_blocking(|| cluster.fresh_database_from(template).unwrap()).await.unwrap()
}

/// Makes the login and migrates a database.
pub(crate) fn prepare(cluster: &Cluster, database: &str) {
    cluster.execute(database, &format!("CREATE ROLE {LOGIN} LOGIN")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let owner = PgPool::connect(&cluster.url(database, cluster.superuser())).await.unwrap();
        migrate(&owner, &[LOGIN]).await.unwrap();
        owner.close().await;
    });
}

/// The service's pools on a database of the shared cluster.
pub(crate) fn pools(database: &str) -> Pools {
    Pools::connect_lazy(&Cluster::shared().url(database, LOGIN), "test").unwrap()
}

/// The owner's connections to a database of the shared cluster.
pub(crate) async fn owner(database: &str) -> PgPool {
    let cluster = Cluster::shared();
    PgPool::connect(&cluster.url(database, cluster.superuser())).await.unwrap()
}

/// A log on a database of the shared cluster.
pub(crate) async fn log_on(database: &str) -> PostgresLog {
    log_with(database, Settings::default()).await
}

/// A log that behaves as told.
pub(crate) async fn log_with(database: &str, settings: Settings) -> PostgresLog {
    PostgresLog::connect(&pools(database), system_clock(), settings).await.unwrap()
}

/// A log on a database of its own.
pub(crate) async fn empty() -> (Arc<dyn EventLog>, ()) {
    (Arc::new(log_on(&database().await).await), ())
}
