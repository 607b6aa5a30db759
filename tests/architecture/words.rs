//! Words that mark something unfinished or switched off.

use crate::rust_text::{Part, lines_of};
use crate::tree::files;

/// Not in code: each hides something that the others believe to be there.
const IN_CODE: [(&str, &str); 4] = [
    ("#[ignore", "a test that doesn't run proves nothing"),
    ("todo!", "finish it, or leave it out"),
    ("unimplemented!", "finish it, or leave it out"),
    ("dbg!", "use tracing"),
];

/// Not in comments: an example that isn't compiled goes wrong unseen.
const IN_COMMENTS: [(&str, &str); 2] = [
    ("```ignore", "an example that isn't compiled goes wrong unseen"),
    ("```rust,ignore", "an example that isn't compiled goes wrong unseen"),
];

/// Nowhere in any text: what is known to be wrong is put right.
const ANYWHERE: (&str, &str) = (concat!("FIX", "ME"), "put it right");

/// Which files are text that somebody wrote.
const TEXT: [&str; 11] =
    ["rs", "toml", "sql", "sh", "md", "html", "css", "js", "json", "yml", "yaml"];

#[test]
fn nothing_is_marked_as_unfinished() {
    let mut found = Vec::new();
    for file in files() {
        if file.has_extension(&TEXT) || file.path == "Makefile" || file.path == ".ci/run" {
            found.extend(violations(&file.path, &file.text()));
        }
    }
    crate::assert_none(&found);
}

fn violations(path: &str, text: &str) -> Vec<String> {
    let (word, reason) = ANYWHERE;
    let mut found: Vec<(usize, &str, &str)> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if line.contains(word) {
            found.push((number, word, reason));
        }
    }
    if path.ends_with(".rs") {
        for (part, words) in [(Part::Code, &IN_CODE[..]), (Part::Comment, &IN_COMMENTS[..])] {
            for (number, line) in lines_of(text, &[part]) {
                let hits = words.iter().filter(|(word, _)| line.contains(word));
                found.extend(hits.map(|(word, reason)| (number, *word, *reason)));
            }
        }
    }
    let describe = |(number, word, reason)| format!("{path}:{number}: `{word}`: {reason}");
    found.into_iter().map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_found_where_it_counts() {
        for (word, _) in IN_CODE {
            let source = format!("fn f() {{\n    {word}(\"\")]\n}}");
            assert_eq!(violations("a.rs", &source).len(), 1, "{word}");
            assert!(violations("a.rs", &format!("let x = \"{word}\"; // {word}")).is_empty());
        }
        for (word, _) in IN_COMMENTS {
            assert_eq!(violations("a.rs", &format!("/// {word}\n/// x")).len(), 1, "{word}");
        }
        let (word, _) = ANYWHERE;
        for path in ["a.rs", "a.sql", "a.md", "a.toml"] {
            assert_eq!(violations(path, &format!("-- {word}: later")).len(), 1, "{path}");
        }
    }
}
