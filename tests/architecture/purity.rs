//! What the pure packages may not be built from, however indirectly.

use std::process::Command;

use crate::tree::root;

/// The packages whose results depend on their arguments alone.
const PURE: [&str; 2] = ["ledger-domain", "ledger-stripe"];

/// Beginnings of the names of packages that bring a runtime, a database, a network or chance.
const BANNED: [(&str, &str); 9] = [
    ("tokio", "the core is synchronous"),
    ("async-", "the core is synchronous"),
    ("sqlx", "the core knows no database"),
    ("axum", "the core knows no HTTP"),
    ("hyper", "the core knows no HTTP"),
    ("reqwest", "the core knows no HTTP"),
    ("rand", "ids and randomness are arguments"),
    ("fastrand", "ids and randomness are arguments"),
    ("getrandom", "ids and randomness are arguments"),
];

/// Features of a package that bring a clock or chance with them.
const BANNED_FEATURES: [(&str, &str, &str); 5] = [
    ("chrono", "clock", "time is an argument"),
    ("chrono", "now", "time is an argument"),
    ("uuid", "v4", "ids are arguments"),
    ("uuid", "v7", "ids are arguments"),
    ("uuid", "rng", "ids are arguments"),
];

#[test]
fn the_core_has_no_runtime_no_database_no_clock_and_no_chance() {
    for package in PURE {
        crate::assert_none(&violations(package, &dependencies(package)));
    }
}

/// Checks lines of a package's name and its features, as in `chrono|serde,std`.
fn violations(package: &str, dependencies: &str) -> Vec<String> {
    let mut violations = Vec::new();
    for line in dependencies.lines() {
        let (name, features) = line.split_once('|').unwrap_or((line, ""));
        // The first word; a version follows.
        let name = name.split(' ').next().unwrap_or_default();
        for (banned, reason) in BANNED {
            if name.starts_with(banned) {
                violations.push(format!("{package} depends on {name}: {reason}"));
            }
        }
        for (banned, feature, reason) in BANNED_FEATURES {
            if name == banned && features.split(',').any(|enabled| enabled == feature) {
                violations.push(format!("{package} has {name}'s feature {feature}: {reason}"));
            }
        }
    }
    violations
}

/// All dependencies of a package, built alone: in the workspace's own builds the features that
/// other packages ask for would show up too.
fn dependencies(package: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", package, "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}|{f}"])
        .current_dir(root())
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree: {complaint}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with(package), "cargo tree answered {text}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_anywhere_below_is_found() {
        let found = violations("ledger-domain", "ledger-domain v0.1.0|\ntokio v1.0.0|rt,sync");
        assert_eq!(found, ["ledger-domain depends on tokio: the core is synchronous"]);
        assert_eq!(violations("x", "sqlx-core v0.9.0|\nrand_core v0.9.0|").len(), 2);
    }

    #[test]
    fn a_clock_is_found() {
        let found = violations("ledger-domain", "chrono v0.4.45|clock,serde,std");
        assert_eq!(found, ["ledger-domain has chrono's feature clock: time is an argument"]);
        assert!(violations("ledger-domain", "chrono v0.4.45|serde,std (*)").is_empty());
    }
}
