//! How entitlement tokens are signed.

use std::fmt;

use super::secret_file::SecretFile;
use super::{ConfigError, DEVELOPMENT_PREFIXES, Environment};

const SETTING: &str = "LEDGER_TOKEN_KEY";
/// Most keys at the same time.
const KEYS_MAX: usize = 8;

/// How entitlement tokens are signed.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// One a line; never empty.
    keys: Vec<TokenKey>,
    /// The file that they come from.
    file: Option<SecretFile>,
}

/// A private key of Ed25519 (RFC 8032, 5.1.5). It prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey {
    seed: [u8; 32],
    is_development: bool,
}

impl TokenKey {
    /// The key itself, for the one call that needs it.
    #[must_use]
    pub const fn reveal(&self) -> &[u8; 32] {
        &self.seed
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl TokenConfig {
    /// Reads how entitlement tokens are signed; none where none are to be issued.
    ///
    /// # Errors
    /// When a key can't be used.
    pub fn read(environment: &Environment) -> Result<Option<Self>, ConfigError> {
        let Some(told) = environment.secret(SETTING)? else { return Ok(None) };
        Ok(Some(Self { keys: keys(&told.text)?, file: told.file }))
    }

    /// The same with the keys that the file holds now; none if they are the same, or if there is
    /// no file.
    ///
    /// # Errors
    /// When the file can't be used, or holds keys of `ledger dev` where there were others: whether
    /// those will do depends on who can reach the service, which is checked at its start.
    pub fn reread(&self) -> Result<Option<Self>, ConfigError> {
        let Some(file) = &self.file else { return Ok(None) };
        let fresh = Self { keys: keys(&file.read()?)?, ..self.clone() };
        if fresh.keys == self.keys {
            return Ok(None);
        }
        if fresh.is_development() && !self.is_development() {
            let hint = "a new key was made by `ledger dev`; such a one is taken at a start only";
            return Err(ConfigError::bad("LEDGER_TOKEN_KEY_FILE", hint));
        }
        Ok(Some(fresh))
    }

    /// All keys that are published. The first one signs.
    #[must_use]
    pub fn keys(&self) -> &[TokenKey] {
        &self.keys
    }

    /// Whether one of them was made by `ledger dev`.
    #[must_use]
    pub fn is_development(&self) -> bool {
        self.keys.iter().any(|key| key.is_development)
    }
}

fn keys(text: &str) -> Result<Vec<TokenKey>, ConfigError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys = lines.map(key).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() || keys.len() > KEYS_MAX {
        let hint = format!("it has {} lines; each of 1 to {KEYS_MAX} is a key", keys.len());
        return Err(ConfigError::bad(SETTING, hint));
    }
    Ok(keys)
}

fn key(line: &str) -> Result<TokenKey, ConfigError> {
    let bare = DEVELOPMENT_PREFIXES.iter().find_map(|prefix| line.strip_prefix(prefix));
    let mut seed = [0; 32];
    hex::decode_to_slice(bare.unwrap_or(line), &mut seed).map_err(|_| {
        let hint = "a line of it is not 32 bytes in hexadecimal, as from `openssl rand -hex 32`";
        ConfigError::bad(SETTING, hint)
    })?;
    Ok(TokenKey { seed, is_development: bare.is_some() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<TokenConfig>, ConfigError> {
        TokenConfig::read(&Environment::default().with(SETTING, text))
    }

    #[test]
    fn each_line_is_a_key() {
        let (one, two) = ("11".repeat(32), "22".repeat(32));
        let config = read(&format!("{one}\n\n dev_{two}\n")).unwrap().unwrap();
        let seeds: Vec<[u8; 32]> = config.keys().iter().map(|key| *key.reveal()).collect();
        assert_eq!(seeds, [[0x11; 32], [0x22; 32]]);
        assert!(config.is_development());
        assert!(!format!("{config:?}").contains("17"), "{config:?}");
        assert!(read("").unwrap().is_none());
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for wrong in ["11", &"1".repeat(63), &"zz".repeat(32), &"11\n".repeat(3)] {
            let told = read(wrong).unwrap_err().to_string();
            assert!(told.contains("openssl rand -hex 32"), "{told}");
            assert!(!told.contains(wrong), "{told}");
        }
        let many = format!("{}\n", "11".repeat(32)).repeat(9);
        assert!(read(&many).unwrap_err().to_string().contains("9 lines"));
    }

    #[test]
    fn a_file_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token-keys");
        std::fs::write(&path, "11".repeat(32)).unwrap();
        let path_text = path.to_str().unwrap();
        let environment = Environment::default().with("LEDGER_TOKEN_KEY_FILE", path_text);
        let config = TokenConfig::read(&environment).unwrap().unwrap();
        assert!(config.reread().unwrap().is_none());
        std::fs::write(&path, format!("{}\n{}", "22".repeat(32), "11".repeat(32))).unwrap();
        let fresh = config.reread().unwrap().unwrap();
        assert_eq!(fresh.keys().len(), 2);
        std::fs::write(&path, format!("dev_{}", "33".repeat(32))).unwrap();
        assert!(fresh.reread().unwrap_err().to_string().contains("ledger dev"));
    }
}
