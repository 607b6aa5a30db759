//! `DIR/dev.env`: what `ledger dev` chose, for other subcommands and for shells.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;

use crate::config::DEV_FILE;

const HEAD: &str = "\
# What `ledger dev` chose. Other subcommands read it with `--data-dir`, shells with
#   set -a; . ./dev.env; set +a
# The secrets in here are for this machine only.
";

/// Writes the settings to the file, readable by its owner alone. The file is complete at every
/// moment: it takes the old one's place when it is written.
pub(super) fn write(dir: &Path, settings: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let path = dir.join(DEV_FILE);
    let fresh = path.with_extension("env.new");
    let text: String =
        settings.iter().map(|(name, value)| format!("{name}={}\n", quoted(value))).collect();
    let written = || -> std::io::Result<()> {
        let _ = fs::remove_file(&fresh);
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(HEAD.as_bytes())?;
        file.write_all(text.as_bytes())?;
        fs::rename(&fresh, &path)
    };
    written().with_context(|| format!("write {}", path.display()))
}

/// In single quotes where a shell would see more than a word. Values hold no single quote: URLs
/// are percent-encoded, and secrets, ids and addresses have none.
fn quoted(value: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.:/,@%+=".contains(&b);
    if value.bytes().all(is_plain) { value.to_owned() } else { format!("'{value}'") }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::Environment;

    #[test]
    fn what_is_written_can_be_read_and_by_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let url = "postgres:///ledger?host=%2Ftmp%2Fa&port=5432&user=x";
        let settings = BTreeMap::from([("DATABASE_URL".to_owned(), url.to_owned())]);
        write(dir.path(), &settings).unwrap();
        write(dir.path(), &settings).unwrap();
        let read = Environment::default().with_data_dir(dir.path()).unwrap();
        assert_eq!(read.get("DATABASE_URL"), Some(url));
        let mode = fs::metadata(dir.path().join(DEV_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
