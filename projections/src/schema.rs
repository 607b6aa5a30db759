//! The schemas that read models live in, and how they come to be.
//!
//! Read models have no migrations, since the log can make them anew. What they look like is their
//! *form*: every statement that makes them, and how units store their state. Its hash stands in the
//! comment on the schema [`CONTROL`]. Where it isn't this program's, `install` makes all of them
//! anew, and no runner writes them.

use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The schema of what runners keep of themselves: leases, checkpoints, parked units.
pub(crate) const CONTROL: &str = "projection";

const CONTROL_DDL: &str = include_str!("control/schema.sql");

/// How units store their state. It is raised when a state that was stored before can't be read, or
/// would say something else; a test in `tests/postgres/forms.rs` notices other fields.
const STATE: u32 = 12;

/// A read model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReadModel {
    /// Subscriptions, payments, their history, customers' links.
    Subscriptions,
    /// Trainers, and what administrators gave and did.
    Grants,
    /// Usage by day, and of all time.
    Usage,
    /// Catalogues, enforcement, prices and products.
    Catalog,
}

impl ReadModel {
    /// All of them, in the order in which a page writes them.
    pub const ALL: [Self; 4] = [Self::Subscriptions, Self::Grants, Self::Catalog, Self::Usage];

    /// The name that operators know it by.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Subscriptions => "subscriptions",
            Self::Grants => "grants",
            Self::Usage => "usage",
            Self::Catalog => "catalog",
        }
    }

    /// The statements that make its tables, policies and grants, in the current schema.
    #[must_use]
    pub const fn ddl(self) -> &'static str {
        match self {
            Self::Subscriptions => crate::subscriptions::SCHEMA,
            Self::Grants => crate::grants::SCHEMA,
            Self::Usage => crate::usage::SCHEMA,
            Self::Catalog => crate::catalog::SCHEMA,
        }
    }

    /// The schema of one of its versions.
    #[must_use]
    pub fn schema(self, version: Version) -> String {
        format!("rm_{}{}", self.as_str(), version.suffix())
    }
}

/// A version of a read model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Version {
    /// The one that serves.
    #[default]
    Live,
    /// One that is being built beside it.
    Next,
    /// The one that served before.
    Previous,
}

impl Version {
    /// What its schema's name ends with.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Next => "_next",
            Self::Previous => "_prev",
        }
    }
}

/// Which version of each read model a connection works on. Statements name their tables
/// unqualified; this says what the names mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Schemas([Version; 4]);

impl Schemas {
    /// The versions that serve.
    pub const LIVE: Self = Self([Version::Live; 4]);

    /// The same, but for one read model.
    #[must_use]
    pub fn with(mut self, model: ReadModel, version: Version) -> Self {
        self.0[model as usize] = version;
        self
    }

    /// The version of one read model.
    #[must_use]
    pub const fn version(self, model: ReadModel) -> Version {
        self.0[model as usize]
    }

    /// The schema of one read model.
    #[must_use]
    pub fn schema(self, model: ReadModel) -> String {
        model.schema(self.version(model))
    }

    /// The value of `search_path`.
    #[must_use]
    pub fn search_path(self) -> String {
        let mut path = String::new();
        for model in ReadModel::ALL {
            path.push_str(&self.schema(model));
            path.push_str(", ");
        }
        path + CONTROL + ", public"
    }
}

/// What `install` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// There were no read models.
    First,
    /// They are there, in this program's form.
    Before,
    /// They were there in another form, or not all of them, and are empty now: runners fill them
    /// from the log.
    Anew,
}

/// Makes the schemas of all read models if they aren't there in this program's form. Runs as
/// `ledger_projector`, or as a role that may become it; the roles and `current_tenant()` must be
/// there.
///
/// # Errors
/// If the database refuses; then nothing has changed.
pub async fn install(conn: &mut PgConnection) -> sqlx::Result<Installed> {
    const THERE: &str = "SELECT nspname::text FROM pg_namespace WHERE nspname = ANY($1)";
    let mut tx = conn.begin().await?;
    // Several processes may start at once on a fresh database.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('ledger projections install'))")
        .execute(&mut *tx)
        .await?;
    let there: Vec<String> = sqlx::query_scalar(THERE).bind(all()).fetch_all(&mut *tx).await?;
    let live = ReadModel::ALL.map(|model| model.schema(Version::Live));
    let is_whole = live.iter().all(|schema| there.contains(schema));
    if is_whole && has_our_form(&mut tx).await? {
        return Ok(Installed::Before);
    }
    for schema in &there {
        let drop =
            format!("SET LOCAL ROLE ledger_projector; DROP SCHEMA {schema} CASCADE; RESET ROLE");
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut *tx).await?;
    }
    make(&mut tx, CONTROL, CONTROL_DDL).await?;
    for model in ReadModel::ALL {
        make(&mut tx, &model.schema(Version::Live), model.ddl()).await?;
    }
    // The comment is letters and digits.
    let comment = format!("COMMENT ON SCHEMA {CONTROL} IS '{}'", form());
    let comment = format!("SET LOCAL ROLE ledger_projector; {comment}; RESET ROLE");
    sqlx::raw_sql(AssertSqlSafe(comment)).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(if there.is_empty() { Installed::First } else { Installed::Anew })
}

/// The names of all schemas of ours, in every version.
fn all() -> Vec<String> {
    let versions = [Version::Live, Version::Next, Version::Previous];
    let models = ReadModel::ALL.into_iter();
    let mut names: Vec<String> =
        models.flat_map(|model| versions.map(|version| model.schema(version))).collect();
    names.push(CONTROL.to_owned());
    names
}

/// Whether the read models that are there have this program's form.
pub(crate) async fn has_our_form(conn: &mut PgConnection) -> sqlx::Result<bool> {
    const SELECT: &str = "SELECT obj_description(to_regnamespace($1), 'pg_namespace')";
    let comment: Option<String> = sqlx::query_scalar(SELECT).bind(CONTROL).fetch_one(conn).await?;
    Ok(comment.is_some_and(|comment| comment == form()))
}

/// What the comment says.
fn form() -> String {
    let ddl = ReadModel::ALL.map(ReadModel::ddl).concat();
    let hash = Sha256::digest(format!("{STATE} {CONTROL_DDL} {ddl}"));
    format!("form {}", hex::encode(hash))
}

/// Makes the schema of one version of a read model, empty.
///
/// # Errors
/// If it is there already, or the database refuses.
pub async fn create(
    conn: &mut PgConnection,
    model: ReadModel,
    version: Version,
) -> sqlx::Result<()> {
    let mut tx = conn.begin().await?;
    make(&mut tx, &model.schema(version), model.ddl()).await?;
    tx.commit().await
}

/// The role and the path end with the transaction.
async fn make(conn: &mut PgConnection, schema: &str, ddl: &str) -> sqlx::Result<()> {
    let sql = format!(
        "SET LOCAL ROLE ledger_projector;
         CREATE SCHEMA {schema};
         GRANT USAGE ON SCHEMA {schema} TO ledger_api, ledger_auditor;
         SET LOCAL search_path = {schema};
         {ddl}
         SET LOCAL search_path = DEFAULT;
         RESET ROLE;"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_path_names_one_version_of_each() {
        assert_eq!(
            Schemas::LIVE.with(ReadModel::Grants, Version::Next).search_path(),
            "rm_subscriptions, rm_grants_next, rm_catalog, rm_usage, projection, public"
        );
    }
}
