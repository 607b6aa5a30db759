//! How often callers may call whose tier doesn't say.

use std::num::NonZeroU32;

use super::{ConfigError, Environment};
use crate::throttle::Quota;

/// Most calls a minute that can be said, as in a catalogue.
const CALLS_MAX: u32 = 1_000_000;

/// How often callers may call whose tier doesn't say; none = as often as they like.
#[derive(Debug, Clone, Copy, Default)]
pub struct RatesConfig {
    /// Each service (`LEDGER_SERVICE_REQUESTS_PER_MINUTE`).
    pub(crate) service: Option<Quota>,
    /// Each administrator (`LEDGER_ADMIN_REQUESTS_PER_MINUTE`).
    pub(crate) admin: Option<Quota>,
}

impl RatesConfig {
    /// Reads how often callers may call.
    ///
    /// # Errors
    /// When it isn't said as a number.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self {
            service: quota(environment, "LEDGER_SERVICE_REQUESTS_PER_MINUTE")?,
            admin: quota(environment, "LEDGER_ADMIN_REQUESTS_PER_MINUTE")?,
        })
    }
}

fn quota(environment: &Environment, setting: &str) -> Result<Option<Quota>, ConfigError> {
    let Some(text) = environment.get(setting) else { return Ok(None) };
    match text.parse::<NonZeroU32>() {
        Ok(calls) if calls.get() <= CALLS_MAX => Ok(Some(Quota::per_minute(calls))),
        _ => {
            let hint = format!("it is a whole number from 1 to {CALLS_MAX}; without it, no limit");
            Err(ConfigError::bad(setting, hint))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_whole_number_above_0() {
        let with =
            |text: &str| Environment::default().with("LEDGER_SERVICE_REQUESTS_PER_MINUTE", text);
        let read = |text: &str| RatesConfig::read(&with(text)).map(|rates| rates.service);
        assert!(read("").unwrap().is_none());
        assert_eq!(read("600").unwrap().map(Quota::calls), Some(600));
        for wrong in ["0", "-1", "1.5", "unlimited", "1000001"] {
            let told = read(wrong).unwrap_err().to_string();
            assert!(told.contains("LEDGER_SERVICE_REQUESTS_PER_MINUTE"), "{told}");
        }
    }
}
