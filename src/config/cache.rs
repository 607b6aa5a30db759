//! What is remembered of trainers, so that answers about them needn't ask the database.

use super::{ConfigError, Environment};

/// Room for many thousand trainers with a subscription each.
const MIB_DEFAULT: u32 = 256;

/// The most that can be said.
const MIB_MAX: u32 = 1 << 20;

/// What is remembered of trainers.
#[derive(Debug, Clone, Copy)]
pub struct CacheConfig {
    /// How much memory it may take (`LEDGER_ENTITLEMENT_CACHE_MIB`); 0 = nothing is remembered.
    pub mib: u32,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self { mib: MIB_DEFAULT }
    }
}

impl CacheConfig {
    /// Reads how much may be remembered.
    ///
    /// # Errors
    /// When it isn't said as a number.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        const SETTING: &str = "LEDGER_ENTITLEMENT_CACHE_MIB";
        let Some(text) = environment.get(SETTING) else { return Ok(Self::default()) };
        match text.parse() {
            Ok(mib) if mib <= MIB_MAX => Ok(Self { mib }),
            _ => {
                let hint = format!("it is a whole number of MiB from 0 to {MIB_MAX}; 0 = none");
                Err(ConfigError::bad(SETTING, hint))
            }
        }
    }

    /// How many bytes of memory it may take.
    pub(crate) fn bytes(self) -> u64 {
        u64::from(self.mib) << 20
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_size_is_a_whole_number_of_mebibytes() {
        let with = |text: &str| Environment::default().with("LEDGER_ENTITLEMENT_CACHE_MIB", text);
        let read = |text: &str| CacheConfig::read(&with(text)).map(CacheConfig::bytes);
        assert_eq!(read("").unwrap(), 256 << 20);
        assert_eq!(read("0").unwrap(), 0);
        assert_eq!(read("1").unwrap(), 1 << 20);
        for wrong in ["-1", "1.5", "1G", "unlimited", "1048577"] {
            let told = read(wrong).unwrap_err().to_string();
            assert!(told.contains("LEDGER_ENTITLEMENT_CACHE_MIB"), "{told}");
        }
    }
}
