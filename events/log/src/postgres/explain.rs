//! What went wrong with a database, in words for whoever runs the ledger: where, what, and what to
//! do about it.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgDatabaseError};
use sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;

/// How long one more try to connect may take, which is to tell the cause.
const TRY_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a database can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseTrouble {
    place: String,
    what: String,
    advice: String,
}

impl fmt::Display for DatabaseTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL at {}: {}", self.place, self.what)?;
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

impl Error for DatabaseTrouble {}

/// Explains an error of a database that these options lead to. A pool tells only that it waited in
/// vain: then the cause is found by one more try to connect.
pub async fn explain(options: &PgConnectOptions, error: sqlx::Error) -> DatabaseTrouble {
    of(options, &cause(options, error).await)
}

/// What lies behind an error; see [`explain`].
pub(super) async fn cause(options: &PgConnectOptions, error: sqlx::Error) -> sqlx::Error {
    let sqlx::Error::PoolTimedOut = error else { return error };
    match timeout(TRY_TIMEOUT, options.connect()).await {
        Ok(Err(cause)) => cause,
        Ok(Ok(connection)) => {
            // Whether it ends well doesn't matter: nothing was done with it.
            let _ = connection.close().await;
            error
        }
        Err(_) => sqlx::Error::Io(ErrorKind::TimedOut.into()),
    }
}

/// Whether this cause means that nobody in this process gets a connection, whatever for.
pub(super) fn is_unreachable(cause: &sqlx::Error) -> bool {
    match cause {
        sqlx::Error::Io(_) => true,
        // It is starting or ending, or breaks connections off.
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| code.starts_with("57P0") || code.starts_with("08"))
        }
        _ => false,
    }
}

/// An error of the database's driver in plain words; none if it is of another kind. The driver
/// adds line numbers of the server's own sources, which look like those of a statement.
#[must_use]
pub fn plain(error: &(dyn Error + 'static)) -> Option<String> {
    let error = error.downcast_ref::<sqlx::Error>()?;
    Some(match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => format!("{} (SQLSTATE {})", error.message(), error.code()),
            None => error.message().to_owned(),
        },
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::PoolTimedOut => "no connection to the database was to be had in time".into(),
        other => other.to_string(),
    })
}

pub(super) fn of(options: &PgConnectOptions, error: &sqlx::Error) -> DatabaseTrouble {
    let (what, advice) = match error {
        sqlx::Error::Io(error) => of_io(error),
        sqlx::Error::Tls(error) => (
            format!("no TLS connection could be made ({error})"),
            "set what it needs in the URL (sslmode, sslrootcert)".to_owned(),
        ),
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            of_server(options, &code, error.message())
        }
        sqlx::Error::PoolTimedOut => (
            "it can be reached, and all of the pool's connections are in use".to_owned(),
            "see what they are waiting for in pg_stat_activity".to_owned(),
        ),
        other => (other.to_string(), String::new()),
    };
    DatabaseTrouble { place: place(options), what, advice }
}

fn of_io(error: &io::Error) -> (String, String) {
    let (what, advice) = match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => {
            ("nothing listens there", "start the server, or correct the URL's host and port")
        }
        ErrorKind::PermissionDenied => {
            ("this user may not open the socket", "run the ledger as a user who may")
        }
        ErrorKind::TimedOut => {
            ("it doesn't answer", "look at the network between here and there, and at its load")
        }
        _ => ("it can't be reached", "correct the URL's host, or look at the network"),
    };
    (format!("{what} ({error})"), advice.to_owned())
}

/// By the codes of <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_server(options: &PgConnectOptions, code: &str, message: &str) -> (String, String) {
    let login = options.get_username();
    let database = options.get_database().unwrap_or(login);
    const MIGRATE: &str = "run `ledger migrate` with this version, this database and this login";
    match code {
        "28P01" => (
            format!("it refused the password of login {login}"),
            "correct the password in the URL".to_owned(),
        ),
        "28000" => (
            format!("it doesn't let login {login} in ({message})"),
            "make the login, or allow it in the server's pg_hba.conf".to_owned(),
        ),
        "3D000" => (
            format!("there is no database {database}"),
            "make it (`createdb`), then run `ledger migrate`; or correct the URL".to_owned(),
        ),
        "53300" => (
            "it has no connection left".to_owned(),
            "end other programs' connections, or raise its max_connections".to_owned(),
        ),
        "57P01" | "57P02" | "57P03" => {
            (format!("it is starting or ending ({message})"), "wait until it is up".to_owned())
        }
        // Who may become none of the service's roles is most likely the owner.
        "42501" => (
            format!("{message} (SQLSTATE {code})"),
            format!("use the service's login and not the owner's; or {MIGRATE}"),
        ),
        "42P01" | "3F000" | "42703" | "22023" => {
            (format!("{message} (SQLSTATE {code})"), MIGRATE.to_owned())
        }
        _ => (format!("{message} (SQLSTATE {code})"), String::new()),
    }
}

/// The host and port, or the socket; the URL itself may hold a password.
fn place(options: &PgConnectOptions) -> String {
    let (host, port) = (options.get_host(), options.get_port());
    match options.get_socket() {
        Some(socket) => format!("{}/.s.PGSQL.{port}", socket.display()),
        None if host.starts_with('/') => format!("{host}/.s.PGSQL.{port}"),
        None => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> PgConnectOptions {
        "postgres://someone:hunter2@db.test:5433/shop".parse().unwrap()
    }

    #[test]
    fn what_the_server_says_is_told_with_what_to_do() {
        let told = |code: &str, message: &str| {
            let (what, advice) = of_server(&options(), code, message);
            DatabaseTrouble { place: place(&options()), what, advice }.to_string()
        };
        for (code, parts) in [
            ("28P01", ["db.test:5433", "password of login someone"]),
            ("3D000", ["no database shop", "createdb"]),
            ("28000", ["login someone", "pg_hba.conf"]),
            ("22023", ["role \"ledger_writer\" does not exist", "ledger migrate"]),
            ("42501", ["the service's login", "ledger migrate"]),
            ("53300", ["no connection left", "max_connections"]),
            ("57P03", ["starting", "wait"]),
            ("XX000", ["SQLSTATE XX000", "ledger_writer"]),
        ] {
            let told = told(code, "role \"ledger_writer\" does not exist");
            for part in parts {
                assert!(told.contains(part), "{part} in {told}");
            }
            assert!(!told.contains("hunter2"), "{told}");
        }
    }

    #[tokio::test]
    async fn the_cause_of_a_wait_in_vain_is_found() {
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = nobody.local_addr().unwrap().port();
        drop(nobody);
        let options = options().host("127.0.0.1").port(port);
        let told = explain(&options, sqlx::Error::PoolTimedOut).await.to_string();
        assert!(told.contains(&format!("127.0.0.1:{port}: nothing listens there")), "{told}");
        assert!(told.contains("refused"), "{told}");
        let socket = options.socket("/nowhere/at/all");
        let told = explain(&socket, sqlx::Error::PoolTimedOut).await.to_string();
        assert!(told.contains("/nowhere/at/all/.s.PGSQL"), "{told}");
        assert!(told.contains("nothing listens there"), "{told}");
    }
}
