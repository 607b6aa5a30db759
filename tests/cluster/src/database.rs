//! Databases of a cluster: making them, naming them, connecting to them.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;

use crate::cluster::Cluster;
use crate::command::command;
use crate::server::SUPERUSER;
use crate::{Error, Result};

/// The database that each server has, used where none is asked for.
const MAINTENANCE: &str = "postgres";

/// The one that `CREATE DATABASE` copies unless told otherwise.
const DEFAULT_TEMPLATE: &str = "template1";

/// SQLSTATE `duplicate_database`.
const DUPLICATE_DATABASE: &str = "42P04";

/// More than enough for names left over by processes with our id.
const NAME_TRIES_MAX: u32 = 1_000;

impl Cluster {
    /// The role that owns everything; nobody needs a password on the socket.
    pub fn superuser(&self) -> &'static str {
        SUPERUSER
    }

    /// The URL of a database for a role, as sqlx and libpq read it.
    pub fn url(&self, database: &str, user: &str) -> String {
        crate::url::url(self.socket_dir(), database, user)
    }

    /// Runs SQL as the superuser and returns what it answered: a line per row, `|` between columns.
    /// Several statements form one transaction.
    ///
    /// # Errors
    /// [`Error::Sql`] with the server's message.
    pub fn execute(&self, database: &str, sql: &str) -> Result<String> {
        self.psql(database, &[OsStr::new("-c"), OsStr::new(sql)])
    }

    /// Runs a file of SQL as the superuser in one transaction, or statement by statement when it
    /// begins with `-- no-transaction`, as sqlx does with migrations.
    ///
    /// # Errors
    /// When the file can't be read, and [`Error::Sql`] with the server's message.
    pub fn execute_file(&self, database: &str, file: &Path) -> Result<String> {
        let file = fs::canonicalize(file).map_err(Error::files("find", file))?;
        let text = fs::read_to_string(&file).map_err(Error::files("read", &file))?;
        let file = file.as_os_str();
        if text.starts_with("-- no-transaction") {
            return self.psql(database, &[OsStr::new("-f"), file]);
        }
        self.psql(database, &[OsStr::new("-1"), OsStr::new("-f"), file])
    }

    /// Creates an empty database.
    ///
    /// # Errors
    /// [`Error::Sql`], with SQLSTATE 42P04 when there is one of that name.
    pub fn create_database(&self, name: &str) -> Result<()> {
        self.create_database_from(DEFAULT_TEMPLATE, name)
    }

    /// Creates a database as a copy of another, which nobody may be connected to meanwhile. The
    /// quick way to many migrated databases: migrate one, close the pool, copy it.
    ///
    /// # Errors
    /// As [`Cluster::create_database`].
    pub fn create_database_from(&self, template: &str, name: &str) -> Result<()> {
        let (name, template) = (quote_identifier(name), quote_identifier(template));
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
        self.execute(MAINTENANCE, &sql).map(drop)
    }

    /// Creates an empty database under a name that nobody has yet, and returns the name.
    ///
    /// # Errors
    /// As [`Cluster::create_database`].
    pub fn fresh_database(&self) -> Result<String> {
        self.fresh_database_from(DEFAULT_TEMPLATE)
    }

    /// [`Cluster::fresh_database`] as a copy of another database.
    ///
    /// # Errors
    /// As [`Cluster::create_database_from`].
    pub fn fresh_database_from(&self, template: &str) -> Result<String> {
        let process = std::process::id();
        let mut tries = 0;
        loop {
            tries += 1;
            let name = format!("t{process}_{}", self.names.fetch_add(1, Ordering::Relaxed));
            match self.create_database_from(template, &name) {
                Ok(()) => return Ok(name),
                Err(error) if is_duplicate(&error) && tries < NAME_TRIES_MAX => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Drops a database, cutting off whoever is connected; fine when there is none.
    ///
    /// # Errors
    /// [`Error::Sql`] with the server's message.
    pub fn drop_database(&self, name: &str) -> Result<()> {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quote_identifier(name));
        self.execute(MAINTENANCE, &sql).map(drop)
    }

    fn psql(&self, database: &str, arguments: &[&OsStr]) -> Result<String> {
        let program = self.installation().program("psql");
        let mut psql = command(&program);
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"]);
        psql.arg("-d").arg(self.url(database, SUPERUSER)).args(arguments).stdin(Stdio::null());
        let output = match psql.output() {
            Ok(output) => output,
            Err(source) => return Err(Error::Spawn { program, source }),
        };
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let sqlstate = sqlstate(&message);
        Err(Error::Sql { database: database.to_owned(), sqlstate, message })
    }
}

fn is_duplicate(error: &Error) -> bool {
    matches!(error, Error::Sql { sqlstate: Some(state), .. } if state == DUPLICATE_DATABASE)
}

/// Finds the state in `ERROR:  42P04: database "x" already exists`.
fn sqlstate(message: &str) -> Option<String> {
    let (_, after) = message.split_once("ERROR:")?;
    let (state, _) = after.trim_start().split_once(':')?;
    let valid = state.len() == 5 && state.bytes().all(|byte| byte.is_ascii_alphanumeric());
    valid.then(|| state.to_owned())
}

fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_read_from_a_verbose_message() {
        let message = "ERROR:  42P04: database \"x\" already exists\nLOCATION:  createdb";
        assert_eq!(sqlstate(message).as_deref(), Some("42P04"));
        assert_eq!(sqlstate("psql: error: connection to server failed"), None);
    }

    #[test]
    fn quotes_in_names_are_doubled() {
        assert_eq!(quote_identifier(r#"a"b"#), r#""a""b""#);
    }
}
