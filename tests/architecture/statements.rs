//! Where SQL may stand: one module owns a table's reads and writes.

use std::collections::BTreeSet;

use crate::rust_text::{Part, classify, lines_of};
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
    ("src/dev/postgres.rs", "makes the database and the login of its private server"),
    ("tests/**", "looks at what the service has written"),
    ("**/tests/**", "looks at what the crate has written"),
    ("benches/**", "the bare statements that are the baseline"),
    ("**/examples/**", "measures"),
];

/// The functions that make a statement of a text, of sqlx or imported from there.
const MAKERS: &[&str] = &[
    "query",
    "query_as",
    "query_as_with",
    "query_file",
    "query_file_as",
    "query_file_scalar",
    "query_scalar",
    "query_scalar_with",
    "query_with",
    "raw_sql",
];

/// The methods that carry a statement out. A connection takes a bare text, too.
const DOERS: &[&str] =
    &["execute", "execute_many", "fetch_all", "fetch_many", "fetch_one", "fetch_optional"];

/// What a text begins with that is a statement about rows, tables or roles. Those that begin a
/// transaction and set its search path stand where one is begun.
const VERBS: &[&str] = &[
    "ALTER", "CALL", "COPY", "CREATE", "DELETE", "DO", "DROP", "GRANT", "INSERT", "LOCK", "REVOKE",
    "SELECT", "TRUNCATE", "UPDATE", "WITH",
];

#[test]
fn statements_stand_in_the_stores_alone() {
    let outside =
        rust_files().into_iter().filter(|file| !INSIDE.iter().any(|(at, _)| fits(at, &file.path)));
    let found: Vec<String> =
        outside.flat_map(|file| violations(&file.path, &file.text())).collect();
    crate::assert_none(&found);
}

fn violations(path: &str, text: &str) -> Vec<String> {
    let code = lines_of(text, &[Part::Code]);
    let calls = code.iter().filter(|(_, line)| {
        MAKERS.iter().any(|maker| makes(line, maker)) || DOERS.iter().any(|doer| does(line, doer))
    });
    let texts = texts_of(text);
    let statements = texts.iter().filter(|(_, text)| is_statement(text));
    let lines = calls.map(|(number, _)| *number).chain(statements.map(|(number, _)| *number));
    let lines: BTreeSet<usize> = lines.collect();
    let told = |number| format!("{path}:{number}: a statement belongs in a store.rs");
    lines.into_iter().map(told).collect()
}

/// Whether a line calls a function that makes a statement: sqlx's by its path, or an imported one.
/// A method of that name, and a function of a module of ours, are something else.
fn makes(line: &str, maker: &str) -> bool {
    ["(", "::<", "!("].iter().any(|after| {
        line.match_indices(&format!("{maker}{after}")).any(|(at, _)| {
            let before = &line[..at];
            let is_defined = before.trim_end().ends_with("fn");
            match before.strip_suffix("::") {
                Some(path) => path.ends_with("sqlx"),
                None => !before.ends_with(is_word) && !before.ends_with('.') && !is_defined,
            }
        })
    })
}

/// Whether a line calls a method that carries a statement out.
fn does(line: &str, doer: &str) -> bool {
    line.contains(&format!(".{doer}("))
}

/// Whether a text begins as statements do, in capitals.
fn is_statement(text: &str) -> bool {
    let mut words = text.split_whitespace();
    words.next().is_some_and(|verb| VERBS.contains(&verb)) && words.next().is_some()
}

/// The literals of a source, each with the number of its first line.
fn texts_of(source: &str) -> Vec<(usize, String)> {
    let mut texts: Vec<(usize, String)> = Vec::new();
    let (mut number, mut is_within) = (1, false);
    for (character, part) in classify(source) {
        let is_text = part == Part::Literal;
        match texts.last_mut() {
            Some((_, text)) if is_text && is_within => text.push(character),
            _ if is_text => texts.push((number, character.into())),
            _ => {}
        }
        is_within = is_text;
        number += usize::from(character == '\n');
    }
    texts
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_outside_a_store_is_found() {
        let text = "fn f() {\n    sqlx::query(\"SELECT 1\");\n}\n";
        assert_eq!(violations("src/x.rs", text), ["src/x.rs:2: a statement belongs in a store.rs"]);
        for line in [
            "let a = sqlx::query_scalar::<_, i64>(Q);",
            "let a = sqlx::query!(\"x\");",
            "let a = query(Q).bind(1);",
            "let a = query_as::<_, Row>(Q);",
            "let a = raw_sql(Q);",
            "connection.execute(Q).await?;",
            "cluster.execute(\"postgres\", &sql)?;",
            "let row = pool.fetch_one(Q).await?;",
            "let sql = format!(\"CREATE ROLE {name} LOGIN\");",
            "const Q: &str = \"\n    SELECT a\n    FROM b\";",
            "let q = r#\"UPDATE a SET b = \"c\"\"#;",
        ] {
            assert_eq!(violations("src/x.rs", line).len(), 1, "{line}");
        }
    }

    #[test]
    fn types_and_texts_are_left_alone() {
        for line in [
            "fn f(e: sqlx::Error) {}",
            "// sqlx::query(..)",
            "let q = axum::extract::Query(x);",
            "let q = request.query(x);",
            "let q = crate::uri::query(x);",
            "fn query(x: u8) {}",
            "let my_query = my_query(x);",
            "let set = fetcher.fetch().await;",
            "let told = \"WITH\";",
            "let told = \"Select one of these\";",
            "let told = \"nobody may DROP anything\";",
        ] {
            assert!(violations("src/x.rs", line).is_empty(), "{line}");
        }
    }
}
