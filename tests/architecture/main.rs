//! The rules of the codebase that a compiler doesn't check, as tests.
//!
//! Each module holds one rule: a pure function from what was found to a list of violations, a test
//! that applies it to this repository, and tests that show it can fail. To add a rule, add a module
//! of that shape; to change what is allowed, edit the table at the top of the rule's module, where
//! every entry gives its reason.

#![cfg(test)]

mod catalogs;
mod golden;
mod history;
mod imports;
mod licences;
mod migrations;
mod purity;
mod rust_text;
mod schemas;
mod shape;
mod statements;
mod tree;
mod walls;
mod words;

/// Fails a test with everything that is wrong, one line each.
fn assert_none(violations: &[String]) {
    assert!(violations.is_empty(), "{} violation(s):\n{}", violations.len(), violations.join("\n"));
}
