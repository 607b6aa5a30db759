//! Which package of the workspace may depend on which.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::tree::root;

/// Who may import what, everything else being a violation. The core knows nobody; the root, which
/// wires it all together, knows everybody and is known to nobody.
const ALLOWED: [(&str, &[&str]); 8] = [
    ("ledger-domain", &[]),
    ("ledger-stripe", &["ledger-domain"]),
    ("ledger-log", &["ledger-domain"]),
    ("ledger-projections", &["ledger-domain", "ledger-log"]),
    ("ledger-replay", &["ledger-domain", "ledger-stripe", "ledger-log", "ledger-projections"]),
    // Stand in for Stripe and PostgreSQL; neither may share code with what it's to test.
    ("ledger-simulator", &[]),
    ("ledger-cluster", &[]),
    (
        "billing-ledger",
        &[
            "ledger-domain",
            "ledger-stripe",
            "ledger-log",
            "ledger-projections",
            "ledger-replay",
            "ledger-simulator",
            "ledger-cluster",
        ],
    ),
];

/// Besides those, what the tests of every package may use.
const ALLOWED_IN_TESTS: [&str; 1] = ["ledger-cluster"];

/// One package's dependency on another of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    from: String,
    to: String,
    tests_only: bool,
}

#[test]
fn packages_import_only_what_the_table_allows() {
    let (packages, edges) = workspace();
    crate::assert_none(&violations(&packages, &edges));
}

fn violations(packages: &BTreeSet<String>, edges: &[Edge]) -> Vec<String> {
    let mut violations = Vec::new();
    for package in packages {
        if !ALLOWED.iter().any(|(name, _)| name == package) {
            violations.push(format!(
                "{package} has no line in the table of tests/architecture/imports.rs"
            ));
        }
    }
    for Edge { from, to, tests_only } in edges {
        let allowed = ALLOWED.iter().find(|(name, _)| name == from);
        let listed = allowed.is_some_and(|(_, imports)| imports.contains(&to.as_str()));
        // A crate's tests may switch on a feature of its own.
        let for_tests = *tests_only && (from == to || ALLOWED_IN_TESTS.contains(&to.as_str()));
        if !listed && !for_tests {
            let how = if *tests_only { " in its tests" } else { "" };
            violations.push(format!("{from} must not import {to}{how}"));
        }
    }
    violations
}

/// The packages of the workspace and the dependencies between them.
fn workspace() -> (BTreeSet<String>, Vec<Edge>) {
    let metadata = MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .unwrap();
    let packages: BTreeSet<String> =
        metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect();
    let mut edges = Vec::new();
    for package in metadata.workspace_packages() {
        for dependency in &package.dependencies {
            if packages.contains(&dependency.name) {
                edges.push(Edge {
                    from: package.name.to_string(),
                    to: dependency.name.clone(),
                    tests_only: dependency.kind == DependencyKind::Development,
                });
            }
        }
    }
    assert!(packages.len() > 1 && !edges.is_empty(), "that isn't the workspace");
    (packages, edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, to: &str, tests_only: bool) -> Vec<String> {
        let packages = [from, to].map(str::to_owned).into();
        violations(&packages, &[Edge { from: from.to_owned(), to: to.to_owned(), tests_only }])
    }

    #[test]
    fn the_core_may_not_look_outwards() {
        let found = check("ledger-domain", "ledger-log", false);
        assert_eq!(found, ["ledger-domain must not import ledger-log"]);
        assert_eq!(check("ledger-projections", "billing-ledger", false).len(), 1);
        assert_eq!(check("ledger-stripe", "ledger-log", true).len(), 1);
        assert!(check("ledger-log", "ledger-domain", false).is_empty());
    }

    #[test]
    fn the_private_cluster_is_for_tests() {
        assert_eq!(check("ledger-log", "ledger-cluster", false).len(), 1);
        assert!(check("ledger-log", "ledger-cluster", true).is_empty());
        assert!(check("billing-ledger", "ledger-cluster", false).is_empty());
    }

    #[test]
    fn a_new_package_needs_a_line() {
        let found = check("ledger-new", "ledger-domain", false);
        assert!(found[0].contains("ledger-new has no line"), "{found:?}");
    }
}
