//! The keys that tokens are checked with: those of the process, or a tenant's own.

use std::fmt;
use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use ledger_domain::id::{Tenant, TrainerId};
use quick_cache::sync::Cache;
use tokio_util::sync::CancellationToken;

use super::auth::Principal;
use super::claims::{Claims, Told};
use super::problem::Problem;
use crate::clock::Clock;
use crate::config::{AuthConfig, DEFAULT_TENANT, JwksConfig};
use crate::jwks::{Fetched, KeySet, Pace};
use crate::roles::{Role, Roles};
use crate::signer::TOKEN_TYPE;

/// Seconds by which the clocks of token makers may differ from ours.
const LEEWAY_S: i64 = 30;
/// Longest token that is looked at.
pub(super) const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// How many verified tokens are remembered, so that each is verified once and not at every call.
const REMEMBERED_MAX: usize = 4_096;

/// See above.
pub(crate) struct Keyring {
    keys: ArcSwap<Keys>,
    /// What asks for public keys again; none where they aren't fetched.
    fetched: Option<Fetched>,
    clock: Clock,
}

/// The keys in force, and the tokens that were found to be signed with one of them.
struct Keys {
    secrets: Arc<[DecodingKey]>,
    public: Public,
    validation: Validation,
    admin_mfa: bool,
    remembered: Cache<Box<str>, Arc<Principal>>,
}

/// The public keys that tokens may be signed with.
#[derive(Clone)]
enum Public {
    /// None are to be used.
    Unused,
    /// They weren't fetched yet.
    Awaited,
    Known(Arc<KeySet>),
}

/// Why a token is not accepted.
#[derive(Debug)]
pub(super) enum Refused {
    Why(&'static str),
    /// It names a key that isn't known.
    UnknownKey,
    /// No key is known yet.
    Awaited,
}

impl From<&'static str> for Refused {
    fn from(why: &'static str) -> Self {
        Self::Why(why)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Why(why) => Self::Unauthenticated(why),
            Refused::UnknownKey => Self::Unauthenticated(
                "The token's `kid` is none of the keys for its `alg` that LEDGER_JWKS tells of.",
            ),
            Refused::Awaited => Self::Unavailable,
        }
    }
}

impl Keys {
    /// As the settings say; keys that are fetched stay what they were.
    fn of(config: &AuthConfig, before: Public) -> Self {
        let secrets = config.keys().iter().map(|key| key.reveal().as_bytes());
        let public = match &config.jwks {
            None => Public::Unused,
            Some(JwksConfig::File(_, set)) => Public::Known(Arc::new(set.clone())),
            Some(JwksConfig::Url(_)) => before,
        };
        Self {
            secrets: secrets.map(DecodingKey::from_secret).collect(),
            public,
            validation: validation(config.audience.as_deref()),
            admin_mfa: config.admin_mfa,
            remembered: Cache::new(REMEMBERED_MAX),
        }
    }

    /// The same with other public keys, and nothing remembered.
    fn with_public(&self, set: &Arc<KeySet>) -> Self {
        Self {
            secrets: Arc::clone(&self.secrets),
            public: Public::Known(Arc::clone(set)),
            validation: self.validation.clone(),
            admin_mfa: self.admin_mfa,
            remembered: Cache::new(REMEMBERED_MAX),
        }
    }

    /// The keys that a token with this header may be signed with. A shared secret is never used
    /// for another algorithm than HMAC, nor a public key for HMAC: what is public could else sign.
    fn find(&self, header: &Header) -> Result<Vec<&DecodingKey>, Refused> {
        let found = match (header.alg, &self.public) {
            (Algorithm::HS256, _) if !self.secrets.is_empty() => {
                return Ok(self.secrets.iter().collect());
            }
            (Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA, Public::Known(set)) => {
                set.find(header.alg, header.kid.as_deref())
            }
            (Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA, Public::Awaited) => {
                return Err(Refused::Awaited);
            }
            _ => return Err(self.wrong_algorithm().into()),
        };
        if found.is_empty() { Err(Refused::UnknownKey) } else { Ok(found) }
    }

    fn wrong_algorithm(&self) -> &'static str {
        match (self.secrets.is_empty(), &self.public) {
            (_, Public::Unused) => "The token must be signed with HS256.",
            (true, _) => "The token must be signed with RS256, ES256 or EdDSA.",
            (false, _) => "The token must be signed with HS256, RS256, ES256 or EdDSA.",
        }
    }

    /// Who bears a token, if one of the keys signed it.
    fn verify(&self, token: &str) -> Result<Principal, Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err("The token is too long.".into());
        }
        let claims = self.claims(token)?;
        let tenant = claims.tenant.as_deref().unwrap_or(DEFAULT_TENANT);
        let tenant =
            Tenant::try_new(tenant).map_err(|_| "The token's tenant is not a tenant's name.")?;
        let trainer = match &claims.trainer {
            Some(named) => Some(
                TrainerId::try_new(named)
                    .map_err(|_| "The token's trainer is not a trainer id.")?,
            ),
            None => TrainerId::try_new(&claims.subject).ok(),
        };
        let roles = Roles::from_names(claims.roles.iter().map(String::as_str));
        let has_mfa = claims.amr.iter().any(|method| method == "mfa");
        let lacks_mfa = self.admin_mfa && roles.has(Role::Admin) && !has_mfa;
        Ok(Principal {
            subject: claims.subject.as_str().into(),
            tenant,
            trainer,
            roles: if lacks_mfa { roles.without(Role::Admin) } else { roles },
            lacks_mfa,
            expires_at: claims.expires_at,
            valid_from: claims.valid_from,
            issued_at: claims.issued_at,
        })
    }

    /// What a token says that is signed with one of the keys; else why it can't be taken.
    fn claims(&self, token: &str) -> Result<Claims, Refused> {
        // Whoever makes a header critical wants a token refused by those who don't know it, and
        // the ledger knows none (RFC 7515, 4.1.11).
        if has_critical_headers(token) {
            return Err(
                "The token has a `crit` header, and the ledger knows no critical headers.".into()
            );
        }
        let header = jsonwebtoken::decode_header(token).map_err(|error| reason(error.kind()))?;
        // One of our own, which whoever trusts our keys may hand on.
        if header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(TOKEN_TYPE)) {
            return Err("The token is one of entitlements, which opens nothing here.".into());
        }
        let validation = Validation { algorithms: vec![header.alg], ..self.validation.clone() };
        for key in self.find(&header)? {
            match jsonwebtoken::decode::<Told>(token, key, &validation) {
                Ok(decoded) => return Ok(Claims::try_new(&decoded.claims)?),
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => {}
                Err(error) => return Err(reason(error.kind()).into()),
            }
        }
        Err(reason(&ErrorKind::InvalidSignature).into())
    }
}

/// What is checked besides the signature.
fn validation(audience: Option<&str>) -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    // The library asks the machine's clock; ours is injected, so the times are checked elsewhere.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.set_required_spec_claims::<&str>(&[]);
    match audience {
        Some(audience) => {
            validation.set_audience(&[audience]);
            validation.set_required_spec_claims(&["aud"]);
        }
        None => validation.validate_aud = false,
    }
    validation
}

impl Keyring {
    /// The keys by these settings: those of a tenant, or else of the process.
    ///
    /// # Errors
    /// When they are to be fetched, and no server can be known by its certificate.
    pub(crate) fn try_new(
        config: &AuthConfig,
        whose: Option<&Tenant>,
        clock: Clock,
    ) -> io::Result<Self> {
        let fetched = match &config.jwks {
            Some(JwksConfig::Url(url)) => Some(Fetched::try_new(url, whose, Pace::default())?),
            _ => None,
        };
        let keys = ArcSwap::from_pointee(Keys::of(config, Public::Awaited));
        Ok(Self { keys, fetched, clock })
    }

    /// From now on these keys count, and no others, also not for tokens that were seen before.
    /// Where public keys are fetched from stays what it was.
    pub(crate) fn replace_keys(&self, config: &AuthConfig) {
        self.keys.rcu(|keys| Keys::of(config, keys.public.clone()));
    }

    /// From now on these public keys count, and no others.
    fn replace_public(&self, set: KeySet) {
        let set = Arc::new(set);
        self.keys.rcu(|keys| keys.with_public(&set));
    }

    /// Whether public keys are fetched.
    pub(crate) const fn is_fetched(&self) -> bool {
        self.fetched.is_some()
    }

    /// Follows the public keys, if they are fetched, until it is told to stop.
    pub(crate) async fn follow(&self, stop: CancellationToken) {
        if let Some(fetched) = &self.fetched {
            fetched.follow(|set| self.replace_public(set), stop).await;
        }
    }

    /// Who the bearer of a token is.
    pub(super) async fn authenticate(&self, token: &str) -> Result<Arc<Principal>, Refused> {
        match (self.check(token), &self.fetched) {
            (Err(Refused::UnknownKey | Refused::Awaited), Some(fetched)) => {
                fetched.again().await;
                self.check(token)
            }
            (checked, _) => checked,
        }
    }

    /// The same by the keys that are known.
    pub(super) fn check(&self, token: &str) -> Result<Arc<Principal>, Refused> {
        let keys = self.keys.load();
        let principal = match keys.remembered.get(token) {
            Some(principal) => principal,
            None => {
                let principal = Arc::new(keys.verify(token)?);
                keys.remembered.insert(token.into(), Arc::clone(&principal));
                principal
            }
        };
        self.timely(principal)
    }

    /// Whose a token was found to be by the keys in force, whenever that was.
    pub(super) fn seen(&self, token: &str) -> Option<Arc<Principal>> {
        self.keys.load().remembered.get(token)
    }

    /// Whoever's time has come and isn't over.
    pub(super) fn timely(&self, principal: Arc<Principal>) -> Result<Arc<Principal>, Refused> {
        let now = self.clock.now().unix();
        if now >= principal.expires_at.saturating_add(LEEWAY_S) {
            return Err("The token has expired.".into());
        }
        if now < principal.valid_from.saturating_sub(LEEWAY_S) {
            return Err("The token is not valid yet.".into());
        }
        if now < principal.issued_at.saturating_sub(LEEWAY_S) {
            return Err(Refused::Why(
                "The token was issued in the future: the clock of its maker, or the ledger's, is \
                 wrong.",
            ));
        }
        Ok(principal)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

/// Whether a token names headers that must be understood, in whatever form.
fn has_critical_headers(token: &str) -> bool {
    let header = token.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header = header.and_then(|json| serde_json::from_slice::<serde_json::Value>(&json).ok());
    header.is_some_and(|header| header.get("crit").is_some())
}

fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidSignature => "The token's signature doesn't fit.",
        ErrorKind::InvalidAudience => "The token is for another audience.",
        // No other claim is required of the library.
        ErrorKind::MissingRequiredClaim(_) => "The token lacks the claim `aud`.",
        ErrorKind::Json(error) if error.to_string().contains("out of range") => {
            "The token has a number that is too large: times are seconds since 1970."
        }
        _ => "The token can't be read: it is not a JWT as RFC 7519 has it.",
    }
}

#[cfg(test)]
#[path = "keyring_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "keyring_jwks_tests.rs"]
mod jwks_tests;
