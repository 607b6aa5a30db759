//! Texts that must not be printed.

use std::fmt;

/// How the secrets begin that `ledger dev` makes up.
pub const DEVELOPMENT_PREFIXES: [&str; 2] = ["dev_", "whsec_dev_"];

/// A secret. It prints as `***`, also in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one call that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether this is a secret of `ledger dev`, fit for one's own machine only.
    #[must_use]
    pub fn is_development(&self) -> bool {
        self.0.split(',').any(|one| DEVELOPMENT_PREFIXES.iter().any(|p| one.trim().starts_with(p)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_stars() {
        let secret = Secret::new("whsec_dev_1");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert!(secret.is_development());
        assert!(Secret::new("whsec_real, whsec_dev_2").is_development());
        assert!(!Secret::new("whsec_real").is_development());
    }
}
