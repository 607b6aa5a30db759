//! How a subcommand ends when it doesn't end well.

use std::fmt;
use std::process::ExitCode;

use crate::errors::causes;

/// An error with the exit code that it means.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl Failure {
    /// Something was looked at and is wrong.
    pub(super) fn found(error: impl Into<anyhow::Error>) -> Self {
        Self { code: 1, error: error.into() }
    }

    /// The command or the settings can't be used as they are.
    pub(super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { code: 2, error: error.into() }
    }

    /// Something that is needed doesn't answer.
    pub(super) fn unavailable(error: impl Into<anyhow::Error>) -> Self {
        Self { code: 3, error: error.into() }
    }

    pub(super) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

/// The error with its causes, in one line each.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&causes(self.error.as_ref()).join("\n  because "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_once() {
        let error = anyhow::anyhow!("the disk is full").context("the log can't be written");
        let failure = Failure::unavailable(error);
        assert_eq!(failure.to_string(), "the log can't be written\n  because the disk is full");
    }
}
