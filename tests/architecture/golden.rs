//! Golden files: events as they were once written, which must be readable for ever.
//!
//! The list beside them gives the hash of each. It only grows: a file that changed, or went, would
//! mean that the decoder isn't tested any more against what the logs out there hold.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::history::git;
use crate::tree::{files, root};

/// The folder of the golden files, with the list in it.
const FOLDER: &str = "events/domain/golden/";

/// The list, in the format of `sha256sum`, paths from the folder.
const LIST: &str = "SHA256SUMS";

#[test]
fn golden_files_are_listed_and_unchanged() {
    let list = std::fs::read_to_string(root().join(FOLDER).join(LIST)).unwrap();
    let mut found = BTreeMap::new();
    for file in files() {
        let Some(path) = file.path.strip_prefix(FOLDER) else { continue };
        if path != LIST {
            let bytes = std::fs::read(&file.absolute).unwrap();
            found.insert(path.to_owned(), hex::encode(Sha256::digest(bytes)));
        }
    }
    crate::assert_none(&violations(&list, &found));
}

/// Whatever an earlier commit listed is listed still. Where there is no history, as in an archive
/// of the sources, there is nothing to compare with.
#[test]
fn the_list_of_golden_files_only_grew() {
    let list = format!("{FOLDER}{LIST}");
    let now = std::fs::read_to_string(root().join(&list)).unwrap();
    let commits = git(&["log", "--format=%H", "--", &list]).unwrap_or_default();
    let earlier = commits.lines().map(|commit| {
        let then = git(&["show", &format!("{commit}:{list}")]).unwrap_or_default();
        (commit.to_owned(), then)
    });
    crate::assert_none(&lost(&now, &earlier.collect::<Vec<_>>()));
}

/// Lines of earlier lists that the list doesn't have any more.
fn lost(now: &str, earlier: &[(String, String)]) -> Vec<String> {
    let now: BTreeSet<&str> = now.lines().collect();
    let lost = earlier.iter().flat_map(|(commit, then)| {
        let lines = then.lines().filter(|line| !now.contains(line));
        lines.map(move |line| format!("{commit} listed this, and it must stay: {line}"))
    });
    lost.collect()
}

/// Compares the list with the hashes of the files that are there.
fn violations(list: &str, found: &BTreeMap<String, String>) -> Vec<String> {
    let mut violations = Vec::new();
    let mut listed = BTreeMap::new();
    for (line, number) in list.lines().zip(1..) {
        match line.split_once("  ") {
            Some((hash, path)) if hash.len() == 64 && !path.is_empty() => {
                if listed.insert(path, hash).is_some() {
                    violations.push(format!("{LIST}:{number}: {path} is listed twice"));
                }
            }
            _ => violations.push(format!("{LIST}:{number}: not `sha256  path`: {line}")),
        }
    }
    for (path, hash) in &listed {
        match found.get(*path) {
            None => violations
                .push(format!("{FOLDER}{path} is gone; logs still hold such events, put it back")),
            Some(now) if now != hash => violations.push(format!(
                "{FOLDER}{path} was changed; put it back, and add a new file for a new version"
            )),
            Some(_) => {}
        }
    }
    for (path, hash) in found {
        if !listed.contains_key(path.as_str()) {
            violations.push(format!(
                "{FOLDER}{path} is new; append this line to {FOLDER}{LIST}:\n{hash}  {path}"
            ));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, files: &[(&str, &str)]) -> Vec<String> {
        let files = files.iter().map(|(path, hash)| ((*path).to_owned(), hash.repeat(64)));
        violations(list, &files.collect())
    }

    fn line(hash: &str, path: &str) -> String {
        format!("{}  {path}\n", hash.repeat(64))
    }

    #[test]
    fn a_listed_and_unchanged_file_is_fine() {
        assert!(check(&line("a", "v1/x.json"), &[("v1/x.json", "a")]).is_empty());
        assert!(check("", &[]).is_empty());
    }

    #[test]
    fn a_line_that_is_lost_or_changed_is_found() {
        let earlier = [("c0ffee".to_owned(), line("a", "x.json"))];
        assert!(lost(&(line("b", "y.json") + &line("a", "x.json")), &earlier).is_empty());
        assert_eq!(lost(&line("b", "x.json"), &earlier).len(), 1);
    }

    #[test]
    fn a_missing_or_changed_file_is_found() {
        let list = line("a", "x.json");
        assert!(check(&list, &[])[0].contains("x.json is gone"));
        assert!(check(&list, &[("x.json", "b")])[0].contains("x.json was changed"));
    }

    #[test]
    fn a_new_file_tells_the_line_to_append() {
        let found = check("", &[("x.json", "c")]);
        assert!(found[0].ends_with(&format!("\n{}  x.json", "c".repeat(64))), "{found:?}");
    }

    #[test]
    fn a_broken_list_is_found() {
        let twice = line("a", "x.json").repeat(2);
        assert!(check(&twice, &[("x.json", "a")])[0].contains("listed twice"));
        assert!(check("abc x.json\n", &[])[0].contains("not `sha256  path`"));
    }
}
