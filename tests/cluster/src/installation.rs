//! Finding the server binaries.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{command, run};
use crate::{Error, Result};

/// The oldest major version the ledger supports.
pub(crate) const OLDEST_MAJOR: u32 = 15;

/// Where distributions keep one folder per major version, and the path to `bin` in it.
const VERSIONED_FOLDERS: [(&str, &str); 3] = [
    ("/usr/lib/postgresql", "bin"), // Debian, Ubuntu
    ("/usr", "bin"),                // Red Hat's /usr/pgsql-16
    ("/opt/homebrew/opt", "bin"),   // postgresql@16
];

/// The programs we need; a folder counts only when it has them all.
const PROGRAMS: [&str; 4] = ["initdb", "postgres", "psql", "pg_isready"];

/// One installed PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installation {
    bin: PathBuf,
    major: u32,
}

impl Installation {
    /// All usable installations of this machine, or of one folder, newest first.
    pub(crate) fn find(only_in: Option<&Path>) -> Result<Vec<Self>> {
        let candidates = match only_in {
            Some(bin) => vec![bin.to_path_buf()],
            None => candidates(),
        };
        let mut found: Vec<Self> = candidates.iter().filter_map(|bin| Self::at(bin)).collect();
        // Stable: of two folders with the same version the distribution's comes before PATH's.
        found.sort_by_key(|installation| std::cmp::Reverse(installation.major));
        if found.is_empty() {
            let mut searched: Vec<String> =
                candidates.iter().map(|bin| bin.display().to_string()).collect();
            if only_in.is_none() {
                searched.insert(0, "/usr/lib/postgresql/*/bin".to_owned());
            }
            return Err(Error::NotInstalled { searched: searched.join(", ") });
        }
        Ok(found)
    }

    /// The path of one of PostgreSQL's programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// The major version, 15 for 15.4.
    pub(crate) fn major(&self) -> u32 {
        self.major
    }

    fn at(bin: &Path) -> Option<Self> {
        if !PROGRAMS.iter().all(|name| bin.join(name).is_file()) {
            return None;
        }
        let version = run(command(&bin.join("postgres")).arg("--version")).ok()?;
        let major = parse_major(&version)?;
        (major >= OLDEST_MAJOR).then(|| Self { bin: bin.to_path_buf(), major })
    }
}

/// The folders worth looking at, each once.
fn candidates() -> Vec<PathBuf> {
    let mut bins = Vec::new();
    for (folder, bin) in VERSIONED_FOLDERS {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        let versioned = entries.flatten().map(|entry| entry.path().join(bin));
        bins.extend(versioned.filter(|bin| bin.join("postgres").is_file()));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    for folder in env::split_paths(&path).filter(|folder| folder.is_absolute()) {
        // `postgres` on PATH is often a link into a folder that has the other programs too.
        let Ok(postgres) = fs::canonicalize(folder.join("postgres")) else { continue };
        bins.extend(postgres.parent().map(Path::to_path_buf));
        bins.push(folder);
    }
    let mut unique = Vec::new();
    for bin in bins {
        if bin.file_name() != Some(OsStr::new("")) && !unique.contains(&bin) {
            unique.push(bin);
        }
    }
    unique
}

/// Reads `postgres (PostgreSQL) 15.4 (Debian ...)`, also `16beta1`.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    let digits = number.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_major("postgres"), None);
    }

    #[test]
    fn a_missing_server_tells_what_to_install() {
        let empty = tempfile::tempdir().unwrap();
        let error = Installation::find(Some(empty.path())).unwrap_err().to_string();
        assert!(error.contains("make setup"), "{error}");
        assert!(error.contains("apt-get install postgresql"), "{error}");
        assert!(error.contains(&empty.path().display().to_string()), "{error}");
    }

    #[test]
    fn the_newest_installation_comes_first() {
        let found = Installation::find(None).unwrap();
        assert!(found.iter().all(|installation| installation.major() >= OLDEST_MAJOR));
        assert!(found.is_sorted_by(|a, b| a.major() >= b.major()));
    }
}
