//! Errors in the log and on the terminal.

use std::error::Error;

use ledger_log::postgres::plain;

/// An error with its causes, in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).join(": ")
}

/// An error and its causes, each once: some libraries repeat the cause in their own text. The
/// database's errors end the list, in plain words.
pub(crate) fn causes(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut all = vec![error];
    while let Some(cause) = all[all.len() - 1].source() {
        all.push(cause);
    }
    let of_database = all.iter().position(|error| plain(*error).is_some());
    let told = &all[..=of_database.unwrap_or(all.len() - 1)];
    let plainly = of_database.and_then(|at| Some((all[at].to_string(), plain(all[at])?)));
    let mut texts: Vec<String> = Vec::new();
    for error in told {
        let text = error.to_string();
        let text = match &plainly {
            Some((wordy, plain)) => text.replace(wordy, plain),
            None => text,
        };
        if !texts.last().is_some_and(|last| last.contains(&text)) {
            texts.push(text);
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file can't be read")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn causes_follow_once() {
        let error = Outer(std::io::Error::other("gone"));
        assert_eq!(chain(&error), "the file can't be read: gone");
    }

    #[test]
    fn a_cause_that_was_told_is_not_repeated() {
        #[derive(Debug, thiserror::Error)]
        #[error("it failed: {0}")]
        struct Repeating(#[source] std::io::Error);
        assert_eq!(chain(&Repeating(std::io::Error::other("gone"))), "it failed: gone");
    }
}
