//! The keys of tokens, read again while the service runs. (Those of webhooks belong to tenants.)

use std::sync::Arc;

use crate::config::AuthConfig;
use crate::errors::chain;
use crate::http::Authenticator;

/// Follows the file that holds the keys, if there is one.
pub(crate) struct Rotation {
    config: AuthConfig,
    authenticator: Arc<Authenticator>,
    /// What was told of a file that can't be used: it is told when it changes, not at each look.
    told: Option<String>,
}

impl Rotation {
    pub(crate) const fn new(config: AuthConfig, authenticator: Arc<Authenticator>) -> Self {
        Self { config, authenticator, told: None }
    }

    /// Takes over what the file says now. As long as it can't be used, the keys stay.
    pub(crate) fn look(&mut self) {
        let told = match self.config.reread() {
            Ok(None) => None,
            Ok(Some(config)) => {
                tracing::info!(keys = config.keys().len(), "the keys of tokens were replaced");
                self.authenticator.replace_keys(&config);
                self.config = config;
                None
            }
            Err(error) => Some(chain(&error)),
        };
        if let Some(error) = told.as_ref().filter(|error| self.told.as_ref() != Some(error)) {
            tracing::error!(error, "the keys of tokens stay as they are");
        }
        self.told = told;
    }
}
