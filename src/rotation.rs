//! Keys of tokens, read again while the service runs: those that callers' tokens are signed with,
//! and those that ours are. (Those of webhooks belong to tenants, as do keys of their own.)

use std::sync::Arc;

use crate::config::{AuthConfig, ConfigError, TokenConfig};
use crate::errors::chain;
use crate::http::Keyring;
use crate::signer::Signer;

/// Follows the files that hold the keys, as far as there are any.
pub(crate) struct Rotation {
    callers: (AuthConfig, Arc<Keyring>),
    ours: (Option<TokenConfig>, Arc<Signer>),
    told: [Told; 3],
}

/// What was told of a file that can't be used: it is told when it changes, not at each look.
#[derive(Default)]
struct Told(Option<String>);

impl Rotation {
    pub(crate) fn new(
        callers: (AuthConfig, Arc<Keyring>),
        ours: (Option<TokenConfig>, Arc<Signer>),
    ) -> Self {
        Self { callers, ours, told: Default::default() }
    }

    /// Takes over what the files say now. As long as one can't be used, its keys stay.
    pub(crate) fn look(&mut self) {
        let [of_callers, of_public, of_ours] = &mut self.told;
        let (config, keyring) = &mut self.callers;
        if let Some(fresh) = of_callers.of("the keys of tokens", config.reread()) {
            keyring.replace_keys(&fresh);
            *config = fresh;
        }
        if let Some(fresh) = of_public.of("the public keys of tokens", config.reread_jwks()) {
            keyring.replace_keys(&fresh);
            *config = fresh;
        }
        let (config, signer) = &mut self.ours;
        let reread = config.as_ref().map_or(Ok(None), TokenConfig::reread);
        if let Some(fresh) = of_ours.of("the keys of entitlement tokens", reread) {
            signer.replace_keys(&fresh);
            *config = Some(fresh);
        }
    }
}

impl Told {
    /// What is to be taken over, after telling of it.
    fn of<T>(&mut self, what: &str, reread: Result<Option<T>, ConfigError>) -> Option<T> {
        let error = reread.as_ref().err().map(|error| chain(error));
        if let Some(error) = error.as_ref().filter(|error| self.0.as_ref() != Some(error)) {
            tracing::error!(error, "{what} stay as they are");
        }
        self.0 = error;
        let fresh = reread.ok().flatten()?;
        tracing::info!("{what} were replaced");
        Some(fresh)
    }
}
