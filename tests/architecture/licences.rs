//! What `deny.toml` promises of the packages in the lock file: licences, banned packages, sources.
//! `cargo deny check` knows advisories besides, which takes the network.

use std::collections::BTreeSet;

use cargo_metadata::{Metadata, MetadataCommand};
use toml::{Table, Value};

use crate::tree::root;

/// The index of crates.io, as cargo names it in a package.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[test]
fn packages_keep_what_deny_toml_promises() {
    let deny: Table = std::fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap();
    let allowed = strings(&deny["licenses"]["allow"]);
    let banned: BTreeSet<&str> = deny["bans"]["deny"]
        .as_array()
        .unwrap()
        .iter()
        .map(|ban| ban["crate"].as_str().unwrap())
        .collect();
    let metadata = metadata();
    assert!(metadata.packages.len() > 100, "{} packages", metadata.packages.len());
    let mut violations = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let licence = package.license.as_deref().unwrap_or_default();
        if !is_allowed(licence, &allowed) {
            violations.push(format!("{name} has the licence `{licence}`"));
        }
        if banned.contains(name) {
            violations.push(format!("{name} is banned by deny.toml"));
        }
        if package.source.as_ref().is_some_and(|source| source.repr != REGISTRY) {
            violations.push(format!("{name} is not from crates.io"));
        }
    }
    crate::assert_none(&violations);
}

fn strings(list: &Value) -> BTreeSet<&str> {
    list.as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect()
}

fn metadata() -> Metadata {
    let mut command = MetadataCommand::new();
    command.manifest_path(root().join("Cargo.toml"));
    // What is built is downloaded; what other platforms need may not be.
    command.other_options(["--locked".to_owned(), "--filter-platform".into(), host()]);
    command.exec().expect("cargo metadata")
}

/// The platform that this was built on.
fn host() -> String {
    let rustc = std::process::Command::new("rustc").arg("-vV").output().expect("rustc");
    let told = String::from_utf8(rustc.stdout).expect("text");
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc tells its host").to_owned()
}

/// Whether an SPDX expression can be met by allowed licences alone. A slash is an old way to say
/// OR, which binds less than AND.
fn is_allowed(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    any_of(&mut words, allowed) && words.is_empty()
}

fn any_of(words: &mut Vec<&str>, allowed: &BTreeSet<&str>) -> bool {
    let mut is_met = all_of(words, allowed);
    while words.pop_if(|word| *word == "OR").is_some() {
        is_met |= all_of(words, allowed);
    }
    is_met
}

fn all_of(words: &mut Vec<&str>, allowed: &BTreeSet<&str>) -> bool {
    let mut is_met = one(words, allowed);
    while words.pop_if(|word| *word == "AND").is_some() {
        is_met &= one(words, allowed);
    }
    is_met
}

fn one(words: &mut Vec<&str>, allowed: &BTreeSet<&str>) -> bool {
    let Some(word) = words.pop() else { return false };
    if word == "(" {
        let is_met = any_of(words, allowed);
        return words.pop() == Some(")") && is_met;
    }
    let exception = words.pop_if(|word| *word == "WITH").and_then(|_| words.pop());
    match exception {
        Some(exception) => allowed.contains(format!("{word} WITH {exception}").as_str()),
        None => allowed.contains(word),
    }
}

#[test]
fn expressions_are_understood() {
    let allowed = BTreeSet::from(["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]);
    for good in [
        "MIT",
        "GPL-3.0 OR MIT",
        "GPL-3.0/MIT",
        "MIT AND ISC",
        "(GPL-3.0 OR ISC) AND MIT",
        "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        "GPL-3.0 AND ISC OR MIT",
    ] {
        assert!(is_allowed(good, &allowed), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "MIT AND (GPL-3.0 OR LGPL-2.1)",
        "Apache-2.0",
        "GPL-3.0 WITH LLVM-exception",
        "(MIT",
        "MIT ISC",
    ] {
        assert!(!is_allowed(bad, &allowed), "{bad}");
    }
}
