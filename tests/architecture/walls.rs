//! Where the outside world may be touched: which source may name which crate.

use crate::rust_text::{Part, lines_of};
use crate::tree::{fits, rust_files};

/// Crates behind one wall, and the sources inside it with the reason for each.
struct Wall {
    crates: &'static [&'static str],
    inside: &'static [(&'static str, &'static str)],
}

const WALLS: [Wall; 6] = [
    Wall {
        crates: &["axum"],
        inside: &[
            ("src/http/**", "the API"),
            ("src/console/**", "the console"),
            ("src/app.rs", "wires the router to the listener"),
            ("src/jwks/tests.rs", "a stand-in for the server that keys are fetched from"),
            ("tests/**", "stand-ins for other servers"),
            ("benches/**", "the bare handler that is the baseline"),
        ],
    },
    Wall {
        crates: &["sqlx"],
        inside: &[
            ("events/log/src/postgres/**", "the log's engine"),
            ("events/log/src/postgres.rs", "the log's engine"),
            ("projections/src/**", "pools, rows and errors; statements have a wall of their own"),
            ("projections/examples/**", "a pool to measure with"),
            ("replay/src/**", "pools, rows and errors; statements have a wall of their own"),
            ("src/**/store.rs", "outbox and vault"),
            ("src/app.rs", "makes the pool"),
            ("src/cli/migrate.rs", "makes the owner's connection, runs the migrations"),
            ("src/cli/migrate/**", "makes the owner's connection, runs the migrations"),
            ("**/tests/**", "a database for each test"),
            ("tests/**", "a database for each test"),
            ("benches/**", "the bare statements that are the baseline"),
            ("**/benches/**", "the bare statements that are the baseline"),
        ],
    },
    Wall {
        crates: &[
            "async_stripe",
            "stripe_billing",
            "stripe_checkout",
            "stripe_client_core",
            "stripe_connect",
            "stripe_core",
            "stripe_fraud",
            "stripe_misc",
            "stripe_payment",
            "stripe_product",
            "stripe_shared",
            "stripe_types",
            "stripe_webhook",
        ],
        inside: &[("src/stripe_api/**", "calls to Stripe")],
    },
    Wall {
        crates: &["kurrentdb", "eventstore"],
        inside: &[
            ("events/log/src/kurrentdb/**", "the log's other engine"),
            ("events/log/src/kurrentdb.rs", "the log's other engine"),
            ("events/log/tests/**", "the contract of both engines"),
        ],
    },
    Wall {
        crates: &["redis"],
        inside: &[
            ("src/reads/shared/**", "what nodes remember together"),
            ("src/config/redis_url.rs", "reads its URL"),
            ("tests/**", "a server that tests spoil"),
        ],
    },
    Wall {
        crates: &["ledger_simulator"],
        inside: &[
            ("src/dev/**", "`ledger dev` runs it in the place of Stripe"),
            ("tests/**", "its own tests, and those that compare the ledger with it"),
        ],
    },
];

/// What the program is made of. A test that takes its expectations from there agrees with every
/// mistake.
const PROGRAM: [&str; 6] = [
    "billing_ledger",
    "ledger_domain",
    "ledger_log",
    "ledger_projections",
    "ledger_replay",
    "ledger_stripe",
];

#[test]
fn end_to_end_tests_use_nothing_of_the_program() {
    let mut found = Vec::new();
    for file in rust_files().into_iter().filter(|file| fits("tests/e2e/**", &file.path)) {
        for (number, line) in lines_of(&file.text(), &[Part::Code]) {
            let named = PROGRAM.iter().filter(|name| names_crate(&line, name));
            found.extend(named.map(|name| format!("{}:{number}: `{name}`", file.path)));
        }
    }
    crate::assert_none(&found);
}

#[test]
fn the_outside_world_is_touched_only_inside_its_wall() {
    let mut found = Vec::new();
    for file in rust_files() {
        found.extend(violations(&file.path, &file.text()));
    }
    crate::assert_none(&found);
}

fn violations(path: &str, text: &str) -> Vec<String> {
    let outside = WALLS.iter().filter(|wall| !wall.inside.iter().any(|(at, _)| fits(at, path)));
    let banned: Vec<(&str, &Wall)> =
        outside.flat_map(|wall| wall.crates.iter().map(move |&name| (name, wall))).collect();
    let mut violations = Vec::new();
    for (number, line) in lines_of(text, &[Part::Code]) {
        for (name, wall) in &banned {
            if names_crate(&line, name) {
                let inside: Vec<&str> = wall.inside.iter().map(|(at, _)| *at).collect();
                let inside = inside.join(", ");
                violations.push(format!("{path}:{number}: `{name}` belongs in {inside}"));
            }
        }
    }
    violations
}

/// Whether a line of code names a crate: as the root of a path, in a `use`, or in an attribute.
fn names_crate(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (line[..at].trim_end(), line[at + name.len()..].trim_start());
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        let glued_before = line[..at].ends_with(is_word) || before.ends_with('.');
        let glued_after = line[at + name.len()..].starts_with(is_word);
        // `::axum::` is the crate, `crate::axum::` is a module of ours.
        let inner = before.strip_suffix("::").is_some_and(|path| path.ends_with(is_word));
        if glued_before || glued_after || inner {
            return false;
        }
        let imported = before.split(is_not_word).any(|word| word == "use" || word == "extern");
        after.starts_with("::") || imported || before.ends_with("#[")
    })
}

fn is_not_word(character: char) -> bool {
    !character.is_alphanumeric() && character != '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_crate_is_seen() {
        for line in [
            "use axum::Router;",
            "use axum;",
            "use {axum as web, std::fmt};",
            "fn f(r: axum::Router) {}",
            "let r = ::axum::Router::new();",
            "#[axum::debug_handler]",
            "extern crate axum;",
        ] {
            assert!(names_crate(line, "axum"), "{line}");
        }
        assert!(names_crate("#[sqlx(rename = \"x\")]", "sqlx"));
    }

    #[test]
    fn other_names_are_left_alone() {
        for line in ["let axum = 1;", "use my_axum::x;", "self.axum.x()", "crate::axum::f()"] {
            assert!(!names_crate(line, "axum"), "{line}");
        }
        assert!(!names_crate("use crate::stripe_api::client;", "stripe_core"));
    }

    #[test]
    fn a_crate_outside_its_wall_is_found() {
        let source = "//! sqlx::query\nlet filter = \"sqlx::query=warn\";\nsqlx::query(\"\");\n";
        let found = violations("src/commands/assign.rs", source);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("src/commands/assign.rs:3: `sqlx` belongs in "), "{found:?}");
        assert!(violations("src/vault/store.rs", source).is_empty());
        assert!(violations("events/log/src/postgres/append.rs", source).is_empty());
        assert_eq!(violations("events/log/src/memory.rs", source).len(), 1);
        assert_eq!(violations("src/scheduler/mod.rs", "use stripe_core::Customer;").len(), 1);
        assert_eq!(violations("src/app.rs", "use kurrentdb::Client;").len(), 1);
        assert_eq!(violations("projections/src/lib.rs", "use axum::Json;").len(), 1);
        assert_eq!(violations("src/ingest.rs", "use ledger_simulator::world::World;").len(), 1);
        assert!(violations("src/dev/stripe.rs", "use ledger_simulator::shell;").is_empty());
    }
}
