//! Everything that a start needs to be told, checked at once: whoever sets a service up learns of
//! all mistakes in one go.

use super::catalog::CatalogFile;
use crate::config::{Config, ConfigError, ConfigErrors, Environment, catalog_of};
use crate::errors::chain;

/// Reads the settings, and checks the catalogue that they name.
///
/// # Errors
/// Everything that is wrong with either.
pub(crate) fn read(environment: &Environment) -> Result<Config, ConfigErrors> {
    let config = Config::read(environment);
    let (path, prices) = catalog_of(environment);
    let Err(error) = CatalogFile::at(&path, &prices) else { return config };
    let mut errors = config.err().unwrap_or(ConfigErrors(Vec::new()));
    errors.0.push(ConfigError::bad("LEDGER_CATALOG", chain(&error)));
    Err(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_of_all_kinds_are_told_together() {
        let folder = tempfile::tempdir().unwrap();
        let catalog = folder.path().join("catalog.toml");
        std::fs::write(&catalog, "name = 7\n").unwrap();
        let environment = Environment::default()
            .with("LEDGER_LISTEN", "0.0.0.0:80")
            .with("LEDGER_JWT_SECRET", "short")
            .with("STRIPE_WEBHOOK_SECRET", ",")
            .with("STRIPE_LIVEMODE", "maybe")
            .with("STRIPE_ACCOUNT", "no account")
            .with("STRIPE_METADATA_KEYS", "plan_hint,email")
            .with("LEDGER_TENANT_SECRETS_DIR", "/nowhere/at/all")
            .with("LEDGER_BILLING", "barter")
            .with("RUST_LOG", "info,a=b=c")
            .with("LEDGER_CATALOG", catalog.to_str().unwrap());
        let told = read(&environment).expect_err("nothing of this can be used").to_string();
        for name in [
            "DATABASE_URL is not set",
            "LEDGER_JWT_SECRET can't be used",
            "STRIPE_WEBHOOK_SECRET can't",
            "STRIPE_LIVEMODE can't",
            "STRIPE_ACCOUNT can't",
            "STRIPE_METADATA_KEYS can't be used: its key 2",
            "LEDGER_TENANT_SECRETS_DIR names",
            "No such file",
            "LEDGER_BILLING can't",
            "RUST_LOG can't",
            "LEDGER_CATALOG can't",
            "line 1",
        ] {
            assert!(told.contains(name), "{name} in {told}");
        }
        let twice = Environment::default().with("STRIPE_SECRET_KEY_FILE", "/nowhere/at/all");
        let told = read(&twice).expect_err("the file is not there").to_string();
        assert_eq!(told.matches("STRIPE_SECRET_KEY_FILE").count(), 1, "{told}");
    }
}
