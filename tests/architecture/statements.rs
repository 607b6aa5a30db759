//! Where SQL may stand: one module owns a table's reads and writes.

use crate::rust_text::{Part, lines_of};
use crate::tree::{fits, rust_files};

/// Where statements stand, with the reason for each.
const INSIDE: &[(&str, &str)] = &[
    ("events/log/src/postgres/**", "the log's engine"),
    ("projections/src/**/store.rs", "each owns the tables of its read model"),
    ("projections/src/rows.rs", "binds columns to the statement that a store gives it"),
    ("projections/src/schema.rs", "makes the tables of a read model"),
    ("replay/src/schema.rs", "makes and compares the tables of a rebuild"),
    ("replay/src/**/store.rs", "reads what a rebuild is compared by"),
    ("src/**/store.rs", "outbox and vault"),
    ("tests/**", "looks at what the service has written"),
    ("**/tests/**", "looks at what the crate has written"),
    ("benches/**", "the bare statements that are the baseline"),
    ("**/examples/**", "measures"),
];

/// What makes a statement of a text.
const MAKERS: &[&str] = &["query", "query_as", "query_scalar", "query_with", "raw_sql"];

#[test]
fn statements_stand_in_the_stores_alone() {
    let outside =
        rust_files().into_iter().filter(|file| !INSIDE.iter().any(|(at, _)| fits(at, &file.path)));
    let found: Vec<String> =
        outside.flat_map(|file| violations(&file.path, &file.text())).collect();
    crate::assert_none(&found);
}

fn violations(path: &str, text: &str) -> Vec<String> {
    lines_of(text, &[Part::Code])
        .into_iter()
        .filter(|(_, line)| MAKERS.iter().any(|maker| makes(line, maker)))
        .map(|(number, _)| format!("{path}:{number}: a statement belongs in a store.rs"))
        .collect()
}

/// Whether a line calls one of sqlx's functions that make a statement.
fn makes(line: &str, maker: &str) -> bool {
    ["(", "::<", "!("].iter().any(|after| line.contains(&format!("sqlx::{maker}{after}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_outside_a_store_is_found() {
        let text = "fn f() {\n    sqlx::query(\"SELECT 1\");\n}\n";
        assert_eq!(violations("src/x.rs", text), ["src/x.rs:2: a statement belongs in a store.rs"]);
        assert!(!violations("src/x.rs", "let a = sqlx::query_scalar::<_, i64>(Q);").is_empty());
        assert!(!violations("src/x.rs", "let a = sqlx::query!(\"SELECT 1\");").is_empty());
    }

    #[test]
    fn types_and_texts_are_left_alone() {
        assert!(violations("src/x.rs", "fn f(e: sqlx::Error) {}").is_empty());
        assert!(violations("src/x.rs", "// sqlx::query(..)").is_empty());
        assert!(violations("src/x.rs", "let q = axum::extract::Query(x);").is_empty());
    }
}
