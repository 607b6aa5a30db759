//! The settings of the program in a test: its environment.

use std::collections::BTreeMap;

/// What Stripe signs with.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_e2e_first_5b0c";

/// What callers sign their tokens with.
pub(crate) const JWT_SECRET: &str = "e2e-key-of-more-than-thirty-two-bytes-79ab";

/// The variables of the shipped catalogue, and the price ids that the tests use.
const PRICES: [(&str, &str); 6] = [
    ("STRIPE_PRICE_TIER_STARTER", "price_starter_month"),
    ("STRIPE_PRICE_TIER_PROFESSIONAL", "price_professional_month"),
    ("STRIPE_PRICE_TIER_PROFESSIONAL_YEAR", "price_professional_year"),
    ("STRIPE_PRICE_TIER_ENTERPRISE", "price_enterprise_month"),
    ("STRIPE_PRICE_ADDON_AI_STARTER", "price_ai_starter_month"),
    ("STRIPE_PRICE_ADDON_AI_PROFESSIONAL", "price_ai_professional_month"),
];

/// Environment variables by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    /// None at all.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// What a service needs, apart from its database.
    pub(crate) fn of_service() -> Self {
        let settings = Self::none()
            .with("LEDGER_LISTEN", "127.0.0.1:0")
            .with("LEDGER_JWT_SECRET", JWT_SECRET)
            .with("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET)
            .with("LEDGER_CATALOG", concat!(env!("CARGO_MANIFEST_DIR"), "/catalogs/trainers.toml"))
            .with("RUST_LOG", "info");
        PRICES.iter().fold(settings, |settings, (name, price)| settings.with(name, *price))
    }

    /// The same with one more, which wins.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// The same without one.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// The value of one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }
}

/// How often to repeat what chance decides: few times by default, many with `LEDGER_SOAK=1`.
pub(crate) fn soak(few: usize, many: usize) -> usize {
    if is_soak() { many } else { few }
}

/// Whether the long forms of the tests were asked for.
pub(crate) fn is_soak() -> bool {
    std::env::var_os("LEDGER_SOAK").is_some_and(|value| value == "1")
}
