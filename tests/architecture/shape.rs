//! How long a source may be, and a line of it.

use crate::rust_text::{Part, classify};
use crate::tree::rust_files;

/// A file that is longer holds two things.
const LINES_MAX: usize = 500;

/// What fits beside a second file on a screen; rustfmt keeps it except where it can't break.
const COLUMNS_MAX: usize = 100;

#[test]
fn sources_are_short_and_narrow() {
    let mut found = Vec::new();
    for file in rust_files() {
        found.extend(violations(&file.path, &file.text()));
    }
    crate::assert_none(&found);
}

fn violations(path: &str, text: &str) -> Vec<String> {
    let mut violations = Vec::new();
    let count = text.lines().count();
    if count > LINES_MAX {
        violations.push(format!("{path}: {count} lines, at most {LINES_MAX}: divide it"));
    }
    if text.lines().all(|line| line.chars().count() <= COLUMNS_MAX) {
        return violations;
    }
    // What is inside a string may be wide: data that must stay in one piece.
    let mut line = 1;
    let mut columns = 0;
    for (character, part) in classify(text).into_iter().chain([('\n', Part::Code)]) {
        if character == '\n' {
            if columns > COLUMNS_MAX {
                violations.push(format!(
                    "{path}:{line}: {columns} columns outside strings, at most {COLUMNS_MAX}"
                ));
            }
            line += 1;
            columns = 0;
        } else if part != Part::Literal {
            columns += 1;
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        assert!(violations("a.rs", &"x\n".repeat(LINES_MAX)).is_empty());
        assert_eq!(
            violations("a.rs", &"x\n".repeat(LINES_MAX + 1)),
            ["a.rs: 501 lines, at most 500: divide it"]
        );
    }

    #[test]
    fn a_wide_line_is_found() {
        let wide = "x".repeat(COLUMNS_MAX + 1);
        let found = violations("a.rs", &format!("short\n// {wide}\nshort"));
        assert_eq!(found, ["a.rs:2: 104 columns outside strings, at most 100"]);
        assert!(violations("a.rs", &"ü".repeat(COLUMNS_MAX)).is_empty());
    }

    #[test]
    fn a_wide_string_is_left_alone() {
        let wide = "x".repeat(COLUMNS_MAX + 1);
        assert!(violations("a.rs", &format!("let x = \"{wide}\";")).is_empty());
    }
}
