//! How bearer tokens are checked and made: those of the process, and of tenants that have their own
//! keys.

use super::secret_file::SecretFile;
use super::{ConfigError, Environment, JwksConfig, JwksUrl, Secret};

/// A key must not be shorter than HMAC-SHA256's output (RFC 7518, 3.2).
const KEY_BYTES_MIN: usize = 32;
/// Most keys at the same time.
const KEYS_MAX: usize = 8;

/// How bearer tokens are checked.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthConfig {
    /// The keys of HS256 (`LEDGER_JWT_SECRET`), one a line; empty only if there is a `jwks`.
    keys: Vec<Secret>,
    /// The file that they come from.
    file: Option<SecretFile>,
    /// The public keys of RS256, ES256 and EdDSA (`LEDGER_JWKS`).
    pub(crate) jwks: Option<JwksConfig>,
    /// Whether administrators need a second factor (`LEDGER_ADMIN_MFA`).
    pub admin_mfa: bool,
    /// The audience that every token must name (`LEDGER_JWT_AUDIENCE`). There is one wherever there
    /// is a `jwks`: whose keys those are may make tokens for others, too.
    pub audience: Option<String>,
}

impl AuthConfig {
    /// The settings of keys that a tenant's folder may hold.
    pub(super) const OF_TENANT: [&str; 3] =
        ["LEDGER_JWT_SECRET", "LEDGER_JWKS", "LEDGER_JWT_AUDIENCE"];

    /// Reads how tokens of a tenant with keys of its own are checked and made; none where it has
    /// none.
    ///
    /// # Errors
    /// As [`Self::read`]; also where there is an audience and no key.
    pub(super) fn of_tenant(
        environment: &Environment,
        admin_mfa: bool,
    ) -> Result<Option<Self>, ConfigError> {
        let [secret, jwks, audience] = Self::OF_TENANT.map(|name| environment.get(name));
        match (secret.or(jwks), audience) {
            (Some(_), _) => Ok(Some(Self { admin_mfa, ..Self::read(environment)? })),
            (None, Some(_)) => Err(ConfigError::bad(
                "LEDGER_JWT_AUDIENCE",
                "it goes with keys of the tenant's own: give a LEDGER_JWT_SECRET or LEDGER_JWKS",
            )),
            (None, None) => Ok(None),
        }
    }

    /// Whether administrators need a second factor.
    ///
    /// # Errors
    /// When the setting says neither yes nor no.
    pub(super) fn read_admin_mfa(environment: &Environment) -> Result<bool, ConfigError> {
        match environment.get("LEDGER_ADMIN_MFA") {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ConfigError::bad("LEDGER_ADMIN_MFA", "it must be true or false")),
        }
    }

    /// Reads how tokens are checked and made.
    ///
    /// # Errors
    /// When there is no key, or one that is too short to be safe; also where there are public keys
    /// and no audience.
    pub fn read(environment: &Environment) -> Result<Self, ConfigError> {
        let (told, jwks) =
            (environment.secret("LEDGER_JWT_SECRET")?, JwksConfig::read(environment)?);
        if told.is_none() && jwks.is_none() {
            return Err(ConfigError::Missing {
                setting: "LEDGER_JWT_SECRET",
                hint: "give the key that your applications sign tokens with, as from `openssl \
                       rand -hex 32`, or LEDGER_JWKS where public keys tell who signed, or \
                       `--data-dir .ledger` to use what `ledger dev` chose",
            });
        }
        let (keys, file) = match told {
            Some(told) => (keys(&told.text)?, told.file),
            None => (Vec::new(), None),
        };
        let admin_mfa = Self::read_admin_mfa(environment)?;
        let audience = environment.get("LEDGER_JWT_AUDIENCE").map(str::to_owned);
        if jwks.is_some() && audience.is_none() {
            return Err(ConfigError::Missing {
                setting: "LEDGER_JWT_AUDIENCE",
                hint: "give the `aud` of the tokens that are meant for the ledger; without it, a \
                       token that the keys of LEDGER_JWKS signed for another application would be \
                       good here",
            });
        }
        Ok(Self { keys, file, jwks, admin_mfa, audience })
    }

    /// The same with the public keys that their file holds now; none if they are the same, or if
    /// there is no file.
    ///
    /// # Errors
    /// When the file can't be used.
    pub fn reread_jwks(&self) -> Result<Option<Self>, ConfigError> {
        let Some(jwks) = &self.jwks else { return Ok(None) };
        let fresh = jwks.reread()?;
        Ok(fresh.map(|fresh| Self { jwks: Some(fresh), ..self.clone() }))
    }

    /// The same with the keys that the file holds now; none if they are the same, or if there is
    /// no file.
    ///
    /// # Errors
    /// When the file can't be used, or holds weaker keys than before: whether those will do depends
    /// on who can reach the service, which is checked at its start.
    pub fn reread(&self) -> Result<Option<Self>, ConfigError> {
        let Some(file) = &self.file else { return Ok(None) };
        let keys = keys(&file.read()?)?;
        if keys == self.keys {
            return Ok(None);
        }
        let fresh = Self { keys, ..self.clone() };
        match (self.weakness(), fresh.weakness()) {
            (None, Some(why)) => {
                let hint = format!("of a new key, {why}; such a one is taken at a start only");
                Err(ConfigError::bad("LEDGER_JWT_SECRET_FILE", hint))
            }
            _ => Ok(Some(fresh)),
        }
    }

    /// Where public keys are fetched from.
    pub(crate) const fn jwks_url(&self) -> Option<&JwksUrl> {
        match &self.jwks {
            Some(JwksConfig::Url(url)) => Some(url),
            _ => None,
        }
    }

    /// All secrets that tokens may be signed with. The first one is the one to sign with.
    #[must_use]
    pub fn keys(&self) -> &[Secret] {
        &self.keys
    }

    /// Why the keys are only good for one's own machine, if they are.
    #[must_use]
    pub fn weakness(&self) -> Option<&'static str> {
        if self.keys.iter().any(Secret::is_development) {
            Some("it was made by `ledger dev`")
        } else {
            None
        }
    }
}

fn keys(text: &str) -> Result<Vec<Secret>, ConfigError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys: Vec<Secret> = lines.map(Secret::new).collect();
    if keys.len() > KEYS_MAX {
        let hint = format!("it has more than {KEYS_MAX} lines; each is a key");
        return Err(ConfigError::bad("LEDGER_JWT_SECRET", hint));
    }
    // Also on loopback: a proxy may stand in front, and whoever has seen one token can try keys.
    if keys.iter().any(|key| key.reveal().len() < KEY_BYTES_MIN) {
        let hint = format!(
            "a key has at least {KEY_BYTES_MIN} bytes, as from `openssl rand -hex 32`, and one of \
             its lines has fewer"
        );
        return Err(ConfigError::bad("LEDGER_JWT_SECRET", hint));
    }
    Ok(keys)
}
