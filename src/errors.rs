//! Errors in the log.

use std::error::Error;
use std::fmt::Write;

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some libraries repeat the cause in their own text.
        let said = error.to_string();
        if !text.ends_with(&said) {
            write!(text, ": {said}").expect("writing to a string can't fail");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_follow_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("the file can't be read")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("gone"));
        assert_eq!(chain(&error), "the file can't be read: gone");
    }
}
