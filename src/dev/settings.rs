//! What `ledger dev` chooses where nobody said anything, the same again at the next start.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use rand::RngExt;

use super::{Request, env_file};
use crate::commands::catalog::CatalogFile;
use crate::config::{DEV_FILE, Environment, LISTEN_DEFAULT, TenantsConfig};

/// The settings that stay what they were at the last start, unless the environment says otherwise.
const KEPT: [&str; 3] = ["LEDGER_JWT_SECRET", "LEDGER_TOKEN_KEY", "STRIPE_WEBHOOK_SECRET"];
/// What the simulator's key begins with. A shell that has read `dev.env` hands it to us as though
/// there were a Stripe account.
const SIMULATOR_KEY: &str = "sk_test_simulator_";
/// The settings that the environment may give.
const TAKEN: [&str; 21] = [
    "STRIPE_API_BASE",
    "STRIPE_WEBHOOK_SECRET",
    "STRIPE_WEBHOOK_SECRET_FILE",
    "STRIPE_SECRET_KEY",
    "STRIPE_SECRET_KEY_FILE",
    "STRIPE_LIVEMODE",
    "STRIPE_ACCOUNT",
    "STRIPE_METADATA_KEYS",
    "LEDGER_BILLING",
    "LEDGER_CATALOG",
    "LEDGER_JWT_SECRET",
    "LEDGER_JWT_SECRET_FILE",
    "LEDGER_JWT_AUDIENCE",
    "LEDGER_JWKS",
    "LEDGER_ADMIN_MFA",
    "LEDGER_TOKEN_KEY",
    "LEDGER_TOKEN_KEY_FILE",
    "LEDGER_SERVICE_REQUESTS_PER_MINUTE",
    "LEDGER_ADMIN_REQUESTS_PER_MINUTE",
    "LEDGER_ENTITLEMENT_CACHE_MIB",
    "LEDGER_TENANT_SECRETS_DIR",
];

/// The settings that the service is started with.
pub(super) struct Chosen(BTreeMap<String, String>);

impl Chosen {
    pub(super) fn new(request: &Request) -> anyhow::Result<Self> {
        let mut chosen = Self(BTreeMap::new());
        let mut simulator_key = None;
        if request.data_dir.join(DEV_FILE).exists() {
            let before = Environment::default().with_data_dir(&request.data_dir)?;
            for name in KEPT {
                if let Some(value) = before.get(name) {
                    chosen.set(name, value);
                }
            }
            simulator_key = before.get("STRIPE_SECRET_KEY").and_then(of_simulator);
        }
        let environment = &request.environment;
        for name in TAKEN {
            if let Some(value) = environment.get(name) {
                chosen.set(name, value);
                // What was chosen at the last start must not contradict a file, or the file it.
                let file = format!("{name}_FILE");
                let other = name.strip_suffix("_FILE").unwrap_or(&file);
                if environment.get(other).is_none() {
                    chosen.0.remove(other);
                }
            }
        }
        for (name, value) in environment.starting_with("STRIPE_PRICE_") {
            chosen.set(name, value);
        }
        let listen = request.listen.as_deref().or(environment.get("LEDGER_LISTEN"));
        chosen.set("LEDGER_LISTEN", listen.unwrap_or(LISTEN_DEFAULT));
        // Webhooks tell what becomes of each trial, as with a real account.
        chosen.set_default("LEDGER_BILLING", || "stripe".into());
        // The private server takes their place as soon as it runs.
        chosen.set("DATABASE_URL", "postgres:///");
        chosen.set_default("LEDGER_JWT_SECRET", || format!("dev_{}", secret()));
        chosen.set_default("LEDGER_TOKEN_KEY", || format!("dev_{}", secret()));
        chosen.set_default("STRIPE_WEBHOOK_SECRET", || format!("whsec_dev_{}", secret()));
        if !chosen.has("STRIPE_SECRET_KEY") || chosen.is_simulated() {
            chosen.set_default("STRIPE_LIVEMODE", || "false".into());
            let key = simulator_key.unwrap_or_else(|| format!("{SIMULATOR_KEY}{}", secret()));
            chosen.set("STRIPE_SECRET_KEY", &key);
        }
        chosen.name_prices()?;
        Ok(chosen)
    }

    /// Prices that nobody named are `price_<plan>_<interval>`, if nobody named any.
    fn name_prices(&mut self) -> anyhow::Result<()> {
        if self.0.keys().any(|name| name.starts_with("STRIPE_PRICE_")) {
            return Ok(());
        }
        let tenants = TenantsConfig::read(&self.environment())?;
        for unset in CatalogFile::of(&tenants.default)?.parsed.unset_variables {
            self.set(&unset.variable, &format!("price_{}_{}", unset.plan, unset.interval));
        }
        Ok(())
    }

    /// Whether the simulator stands in for Stripe.
    pub(super) fn is_simulated(&self) -> bool {
        of_simulator(self.get("STRIPE_SECRET_KEY")).is_some()
    }

    pub(super) fn environment(&self) -> Environment {
        self.0.clone().into_iter().collect()
    }

    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    fn set_default(&mut self, name: &str, value: impl FnOnce() -> String) {
        if !self.has(name) {
            self.set(name, &value());
        }
    }

    /// Whether a setting is there, or the file that holds it.
    fn has(&self, name: &str) -> bool {
        !self.get(name).is_empty() || !self.get(&format!("{name}_FILE")).is_empty()
    }

    pub(super) fn write(&self, data_dir: &Path) -> anyhow::Result<()> {
        env_file::write(data_dir, &self.0).context("write down what was chosen")
    }
}

fn of_simulator(key: &str) -> Option<String> {
    key.starts_with(SIMULATOR_KEY).then(|| key.to_owned())
}

/// A number that nobody had before.
#[expect(
    clippy::disallowed_methods,
    reason = "what the simulator makes its ids from is drawn here"
)]
pub(super) fn random_number() -> u64 {
    rand::rng().random()
}

#[expect(clippy::disallowed_methods, reason = "a development secret is drawn here")]
fn secret() -> String {
    hex::encode(rand::rng().random::<[u8; 32]>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(dir: &Path, environment: Environment) -> Chosen {
        let data_dir = dir.to_owned();
        let request = Request { data_dir, listen: None, sample: false, environment };
        Chosen::new(&request).unwrap()
    }

    #[test]
    fn what_was_chosen_stays() {
        let dir = tempfile::tempdir().unwrap();
        let first = choose(dir.path(), Environment::default());
        first.write(dir.path()).unwrap();
        let second = choose(dir.path(), Environment::default());
        assert_eq!(first.0, second.0);
        assert!(first.get("STRIPE_WEBHOOK_SECRET").starts_with("whsec_dev_"));
        assert!(first.is_simulated());
        assert_eq!(first.get("STRIPE_PRICE_TIER_STARTER"), "price_starter_month");
        assert_eq!(first.get("STRIPE_PRICE_ADDON_AI_STARTER_YEAR"), "price_ai_starter_year");
    }

    #[test]
    fn a_file_takes_the_place_of_what_was_chosen() {
        let dir = tempfile::tempdir().unwrap();
        choose(dir.path(), Environment::default()).write(dir.path()).unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, "a key\n").unwrap();
        let environment =
            Environment::default().with("LEDGER_JWT_SECRET_FILE", file.to_str().unwrap());
        let chosen = choose(dir.path(), environment);
        assert_eq!(chosen.get("LEDGER_JWT_SECRET"), "");
        assert_eq!(chosen.get("LEDGER_JWT_SECRET_FILE"), file.to_str().unwrap());
        assert!(chosen.get("STRIPE_WEBHOOK_SECRET").starts_with("whsec_dev_"));
    }

    #[test]
    fn the_environment_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::default()
            .with("STRIPE_PRICE_TIER_STARTER", "price_mine")
            .with("STRIPE_WEBHOOK_SECRET", "whsec_mine");
        let chosen = choose(dir.path(), environment);
        assert_eq!(chosen.get("STRIPE_WEBHOOK_SECRET"), "whsec_mine");
        assert_eq!(chosen.get("STRIPE_PRICE_TIER_STARTER"), "price_mine");
        assert_eq!(chosen.get("STRIPE_PRICE_TIER_ENTERPRISE"), "");
    }

    #[test]
    fn a_key_of_stripes_takes_the_simulators_place_and_the_other_way_round() {
        let dir = tempfile::tempdir().unwrap();
        let first = choose(dir.path(), Environment::default());
        first.write(dir.path()).unwrap();
        let real = Environment::default().with("STRIPE_SECRET_KEY", "sk_test_mine");
        let chosen = choose(dir.path(), real);
        assert_eq!(
            (chosen.get("STRIPE_SECRET_KEY"), chosen.is_simulated()),
            ("sk_test_mine", false)
        );
        chosen.write(dir.path()).unwrap();
        assert!(choose(dir.path(), Environment::default()).is_simulated());
        // A shell that has read the file.
        let read = Environment::default()
            .with("STRIPE_SECRET_KEY", first.get("STRIPE_SECRET_KEY"))
            .with("STRIPE_API_BASE", "http://127.0.0.1:1");
        assert!(choose(dir.path(), read).is_simulated());
    }
}
