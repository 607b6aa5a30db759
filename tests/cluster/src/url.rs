//! Connection URLs for a server behind a unix socket.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The number in the socket's file name; nothing listens on a port.
pub(crate) const PORT: u16 = 5432;

/// A URL that sqlx and libpq both read.
///
/// The folder can't stand where a host name goes, so it is a parameter, which both accept. Port and
/// `sslmode` are given because both would otherwise take `PGPORT` and `PGSSLMODE` from the
/// environment, and look for another socket or ask for TLS on this one.
pub(crate) fn url(socket_dir: &Path, database: &str, user: &str) -> String {
    let host = percent_encode(socket_dir.as_os_str().as_bytes());
    let database = percent_encode(database.as_bytes());
    let user = percent_encode(user.as_bytes());
    format!("postgres:///{database}?host={host}&port={PORT}&user={user}&sslmode=disable")
}

/// Encodes everything but RFC 3986's unreserved characters.
fn percent_encode(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to a string can't fail");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_could_end_a_part_is_encoded() {
        assert_eq!(
            url(Path::new("/tmp/a b"), "x?y", "o'neil&co"),
            "postgres:///x%3Fy?host=%2Ftmp%2Fa%20b&port=5432&user=o%27neil%26co&sslmode=disable"
        );
    }
}
