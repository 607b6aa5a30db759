//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing anybody wrote.
const SKIPPED: [&str; 4] = [".git", ".ledger", "node_modules", "target"];

/// A file of the repository.
pub(crate) struct File {
    /// From the root, with `/` between folders.
    pub(crate) path: String,
    /// Where it is now.
    pub(crate) absolute: PathBuf,
}

impl File {
    pub(crate) fn text(&self) -> String {
        fs::read_to_string(&self.absolute).unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }

    pub(crate) fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension = self.absolute.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|extension| extensions.contains(&extension))
    }
}

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files, sorted by path. The tree is walked, and not asked of git, so that the rules also hold
/// in a copy without history.
pub(crate) fn files() -> Vec<File> {
    let mut files = Vec::new();
    walk(root(), "", &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.iter().any(|file| file.path == "Cargo.toml"), "that isn't the repository");
    files
}

/// The Rust sources.
pub(crate) fn rust_files() -> Vec<File> {
    let mut files = files();
    files.retain(|file| file.has_extension(&["rs"]));
    files
}

/// The files directly in a folder; none when it doesn't exist.
pub(crate) fn files_in(folder: &str) -> Vec<File> {
    let mut files = files();
    files.retain(|file| file.path.rsplit_once('/').is_some_and(|(parent, _)| parent == folder));
    files
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().expect("file names are UTF-8");
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
            walk(&entry.path(), &format!("{path}/"), files);
        } else if kind.is_file() {
            files.push(File { path, absolute: entry.path() });
        }
    }
}

/// Whether a path fits a pattern: `*` stands for part of a name, `**` for any folders.
pub(crate) fn fits(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    fits_parts(&pattern, &path)
}

fn fits_parts(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        (["**", rest @ ..], _) => (0..=path.len()).any(|skip| fits_parts(rest, &path[skip..])),
        ([first, pattern @ ..], [name, path @ ..]) => {
            fits_name(first, name) && fits_parts(pattern, path)
        }
        _ => false,
    }
}

fn fits_name(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| fits_name(after, rest)))
        }),
    }
}

#[test]
fn patterns_fit_what_they_say() {
    assert!(fits("src/http/**", "src/http/router.rs"));
    assert!(fits("src/http/**", "src/http/a/b.rs"));
    assert!(fits("src/**/store.rs", "src/store.rs"));
    assert!(fits("src/**/store.rs", "src/a/b/store.rs"));
    assert!(fits("src/cli/migrate*", "src/cli/migrate.rs"));
    assert!(!fits("src/**/store.rs", "src/a/stores.rs"));
    assert!(!fits("src/http/**", "src/https/router.rs"));
    assert!(!fits("src/*", "src/a/b.rs"));
}
