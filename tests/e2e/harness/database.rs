//! Databases: one for each test, on the cluster that all tests share or on one of its own.

use std::sync::Arc;

use ledger_cluster::Cluster;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use tokio::sync::OnceCell;

use super::process::run;
use super::settings::Settings;

/// The service's login. It owns nothing, and takes on the roles that the migrations make.
const LOGIN: &str = "ledger_login";

/// A migrated database that the others are copies of.
const TEMPLATE: &str = "migrated";

/// A migrated database.
#[derive(Clone)]
pub(crate) struct Database {
    cluster: Place,
    name: String,
    owner: PgPool,
}

#[derive(Clone)]
enum Place {
    Shared(&'static Cluster),
    Own(Arc<Cluster>),
}

impl Database {
    /// On the cluster that all tests share.
    pub(crate) async fn fresh() -> Self {
        static MIGRATED: OnceCell<()> = OnceCell::const_new();
        let cluster = Cluster::shared();
        MIGRATED.get_or_init(|| migrate(cluster)).await;
        Self::copy_of(Place::Shared(cluster), TEMPLATE)
    }

    /// On a cluster of its own, which the test may stop and kill.
    pub(crate) async fn on_own_cluster() -> Self {
        // A careless server: what is acknowledged must be durable whatever its default is.
        let careless = Cluster::builder().setting("synchronous_commit", "off");
        let cluster = careless.start().expect("a cluster can be started");
        migrate(&cluster).await;
        Self::copy_of(Place::Own(Arc::new(cluster)), TEMPLATE)
    }

    /// On a cluster of its own that counts the statements on its tables (`pg_stat_statements`).
    pub(crate) async fn counting_statements() -> Self {
        let counting = Cluster::builder()
            .setting("shared_preload_libraries", "pg_stat_statements")
            .setting("pg_stat_statements.track_utility", "off");
        let cluster = counting.start().expect("a cluster can be started");
        migrate(&cluster).await;
        let database = Self::copy_of(Place::Own(Arc::new(cluster)), TEMPLATE);
        database.execute("CREATE EXTENSION pg_stat_statements");
        database
    }

    /// A database without tables.
    pub(crate) fn empty() -> Self {
        let cluster = Cluster::shared();
        let name = cluster.fresh_database().expect("a database can be made");
        Self::named(Place::Shared(cluster), name)
    }

    /// A copy of this one, which nobody may be connected to meanwhile.
    pub(crate) async fn copy(&mut self) -> Self {
        self.owner.close().await;
        let copy = Self::copy_of(self.cluster.clone(), &self.name);
        *self = Self::named(self.cluster.clone(), self.name.clone());
        copy
    }

    fn copy_of(cluster: Place, template: &str) -> Self {
        let name = cluster.get().fresh_database_from(template).expect("a database can be copied");
        // A copy takes over everything but the rights on the database itself.
        let grant = format!("GRANT CREATE ON DATABASE {name} TO ledger_projector");
        cluster.get().execute(&name, &grant).expect("the migrations made the role");
        Self::named(cluster, name)
    }

    fn named(cluster: Place, name: String) -> Self {
        let url = cluster.get().url(&name, cluster.get().superuser());
        let options: PgConnectOptions = url.parse().expect("a URL that sqlx reads");
        // Nothing connects before it's used, so that a stopped server is no obstacle.
        let owner = PgPoolOptions::new().max_connections(4).connect_lazy_with(options);
        Self { cluster, name, owner }
    }

    /// The server.
    pub(crate) fn cluster(&self) -> &Cluster {
        self.cluster.get()
    }

    /// A pool of the owner's, who sees all rows.
    pub(crate) fn owner(&self) -> &PgPool {
        &self.owner
    }

    /// The URL for the service.
    pub(crate) fn url(&self) -> String {
        self.cluster().url(&self.name, LOGIN)
    }

    /// The URL for migrations.
    pub(crate) fn owner_url(&self) -> String {
        self.cluster().url(&self.name, self.cluster().superuser())
    }

    /// Its name on the server, and the login that the service uses.
    pub(crate) fn name_and_login(&self) -> (&str, &str) {
        (&self.name, LOGIN)
    }

    /// A number that SQL computes.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        let number = sqlx::query_scalar(sql).fetch_one(&self.owner).await;
        number.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Statements, as the owner.
    pub(crate) fn execute(&self, sql: &str) -> String {
        self.cluster().execute(&self.name, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Lets the read models of the tenant `default` stand still: somebody else takes the lease, and
    /// does nothing.
    pub(crate) fn hold_up_runner(&self) {
        self.execute(
            "UPDATE projection.lease SET owner = 'another', token = nextval('projection.fence'),
                 until = 'infinity' WHERE tenant = 'default';
             UPDATE projection.checkpoint AS c SET token = l.token
                 FROM projection.lease AS l WHERE l.tenant = c.tenant",
        );
    }

    /// Lets them go on.
    pub(crate) fn release_runner(&self) {
        self.execute("UPDATE projection.lease SET until = '-infinity'");
    }
}

impl Place {
    fn get(&self) -> &Cluster {
        match self {
            Self::Shared(cluster) => cluster,
            Self::Own(cluster) => cluster,
        }
    }
}

/// Makes the login and the template on a new cluster.
async fn migrate(cluster: &Cluster) {
    cluster.create_database(TEMPLATE).expect("a new cluster has no such database");
    let role = format!("CREATE ROLE {LOGIN} LOGIN NOINHERIT");
    cluster.execute(TEMPLATE, &role).expect("a new cluster has no such role");
    let settings = Settings::none()
        .with("DATABASE_URL", cluster.url(TEMPLATE, LOGIN))
        .with("LEDGER_OWNER_DATABASE_URL", cluster.url(TEMPLATE, cluster.superuser()));
    let migrated = run(&settings, &["migrate"]).await;
    assert_eq!(migrated.code, Some(0), "ledger migrate: {}{}", migrated.stdout, migrated.stderr);
}
