//! What earlier commits held. Where there is no history, as in an archive of the sources, there is
//! nothing to compare with.

use std::collections::BTreeSet;
use std::process::Command;

use crate::tree::root;

/// What git answers; none where it can't.
pub(crate) fn git(arguments: &[&str]) -> Option<String> {
    // Also where the sources belong to another user.
    let git = ["-c", "safe.directory=*", "-C"];
    let output = Command::new("git").args(git).arg(root()).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// A file as it once was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Earlier {
    /// From the root of the repository.
    pub(crate) path: String,
    /// Git's name of what it held.
    pub(crate) blob: String,
}

impl Earlier {
    /// What it held; none where the history is cut off before it.
    pub(crate) fn text(&self) -> Option<String> {
        git(&["cat-file", "blob", &self.blob])
    }
}

/// Every state that the files of a folder ever had, also on branches that were merged.
pub(crate) fn states(folder: &str) -> BTreeSet<Earlier> {
    let raw = ["log", "--full-history", "-m", "--raw", "--no-abbrev", "--no-renames", "--format="];
    let log = git(&[&raw[..], &["--", folder]].concat()).unwrap_or_default();
    log.lines().flat_map(both_sides).collect()
}

/// The two sides of a line of `git log --raw`: `:modes before after status<TAB>path`.
fn both_sides(line: &str) -> Vec<Earlier> {
    let Some((sides, path)) = line.split_once('\t') else { return Vec::new() };
    let blobs = sides.split(' ').skip(2).take(2).filter(|blob| blob.bytes().any(|b| b != b'0'));
    blobs.map(|blob| Earlier { path: path.to_owned(), blob: blob.to_owned() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_a_change_are_states() {
        let (none, one, two) = ("0".repeat(40), "1".repeat(40), "2".repeat(40));
        let blobs = |line: String| -> Vec<String> {
            both_sides(&line).into_iter().map(|earlier| earlier.blob).collect()
        };
        assert_eq!(blobs(format!(":100644 100644 {one} {two} M\ta/b.json")), [&*one, &two]);
        assert_eq!(blobs(format!(":000000 100644 {none} {two} A\ta/b.json")), [&*two]);
        assert_eq!(blobs(String::new()), [""; 0]);
    }

    #[test]
    fn this_repository_remembers_what_it_held() {
        let Some(log) = git(&["log", "--format=%H", "--", "Cargo.toml"]) else { return };
        let states = states("Cargo.toml");
        assert!(log.is_empty() || states.iter().any(|state| state.text().is_some()), "{states:?}");
    }
}
