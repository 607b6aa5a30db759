//! Who asks, and whether they may: JWT bearer tokens, signed with a shared secret (HS256) or with a
//! private key whose public half is known (RS256, ES256, EdDSA).

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use ledger_domain::event::{Metadata, Source};
use ledger_domain::id::{Tenant, TrainerId};
use quick_cache::sync::Cache;

use super::AppState;
use super::claims::{Claims, Told};
use super::problem::Problem;
use super::track::RequestId;
use crate::clock::Clock;
use crate::config::{AuthConfig, DEFAULT_TENANT, JwksConfig};
use crate::jwks::{Fetched, KeySet};
use crate::roles::{Role, Roles};
use crate::signer::TOKEN_TYPE;

/// Seconds by which the clocks of token makers may differ from ours.
const LEEWAY_S: i64 = 30;
/// Longest token that is looked at.
const TOKEN_BYTES_MAX: usize = 4 * 1024;
/// How many verified tokens are remembered, so that each is verified once and not at every call.
const REMEMBERED_MAX: usize = 4_096;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Principal {
    /// Their name, as the token says.
    pub(crate) subject: Box<str>,
    /// Whose data they ask about.
    pub(crate) tenant: Tenant,
    /// The trainer that they are, if they are one.
    pub(crate) trainer: Option<TrainerId>,
    pub(crate) roles: Roles,
    /// An administrator who isn't one for want of a second factor.
    lacks_mfa: bool,
    expires_at: i64,
    valid_from: i64,
    issued_at: i64,
}

/// Checks tokens.
pub(crate) struct Authenticator {
    keys: ArcSwap<Keys>,
    /// What asks for public keys again; none where they aren't fetched.
    fetched: Option<Arc<Fetched>>,
    validation: Validation,
    admin_mfa: bool,
    clock: Clock,
}

/// The keys in force, and the tokens that were found to be signed with one of them.
struct Keys {
    secrets: Arc<[DecodingKey]>,
    public: Public,
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
enum Refused {
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
    fn new(secrets: Arc<[DecodingKey]>, public: Public) -> Self {
        Self { secrets, public, remembered: Cache::new(REMEMBERED_MAX) }
    }

    /// As the settings say; keys that are fetched stay what they were.
    fn of(config: &AuthConfig, before: Public) -> Self {
        let secrets = config.keys().iter().map(|key| key.reveal().as_bytes());
        let public = match &config.jwks {
            None => Public::Unused,
            Some(JwksConfig::File(_, set)) => Public::Known(Arc::new(set.clone())),
            Some(JwksConfig::Url(_)) => before,
        };
        Self::new(secrets.map(DecodingKey::from_secret).collect(), public)
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
}

impl Authenticator {
    /// Checks tokens by these settings.
    pub(crate) fn new(config: &AuthConfig, clock: Clock) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // The library asks the machine's clock; ours is injected, so the times are checked below.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_required_spec_claims::<&str>(&[]);
        match &config.audience {
            Some(audience) => {
                validation.set_audience(&[audience]);
                validation.set_required_spec_claims(&["aud"]);
            }
            None => validation.validate_aud = false,
        }
        let keys = ArcSwap::from_pointee(Keys::of(config, Public::Awaited));
        Self { keys, fetched: None, validation, admin_mfa: config.admin_mfa, clock }
    }

    /// Asks here for public keys that aren't known.
    pub(crate) fn with_fetched(self, fetched: Option<Arc<Fetched>>) -> Self {
        Self { fetched, ..self }
    }

    /// From now on these keys count, and no others, also not for tokens that were seen before.
    pub(crate) fn replace_keys(&self, config: &AuthConfig) {
        self.keys.rcu(|keys| Keys::of(config, keys.public.clone()));
    }

    /// From now on these public keys count, and no others.
    pub(crate) fn replace_public(&self, set: KeySet) {
        let set = Arc::new(set);
        let known = || Public::Known(Arc::clone(&set));
        self.keys.rcu(|keys| Keys::new(Arc::clone(&keys.secrets), known()));
    }

    /// Who the bearer of a token is.
    pub(crate) async fn authenticate(&self, token: &str) -> Result<Arc<Principal>, Problem> {
        let checked = match (self.check(token), &self.fetched) {
            (Err(Refused::UnknownKey | Refused::Awaited), Some(fetched)) => {
                fetched.again().await;
                self.check(token)
            }
            (checked, _) => checked,
        };
        Ok(checked?)
    }

    /// The same by the keys that are known.
    fn check(&self, token: &str) -> Result<Arc<Principal>, Refused> {
        let keys = self.keys.load();
        let principal = match keys.remembered.get(token) {
            Some(principal) => principal,
            None => {
                let principal = Arc::new(self.verify(token, &keys)?);
                keys.remembered.insert(token.into(), Arc::clone(&principal));
                principal
            }
        };
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

    fn verify(&self, token: &str, keys: &Keys) -> Result<Principal, Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err("The token is too long.".into());
        }
        let claims = self.claims(token, keys)?;
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
    fn claims(&self, token: &str, keys: &Keys) -> Result<Claims, Refused> {
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
        for key in keys.find(&header)? {
            match jsonwebtoken::decode::<Told>(token, key, &validation) {
                Ok(decoded) => return Ok(Claims::try_new(&decoded.claims)?),
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => {}
                Err(error) => return Err(reason(error.kind()).into()),
            }
        }
        Err(reason(&ErrorKind::InvalidSignature).into())
    }
}

impl Principal {
    /// Refuses everybody who has none of these roles.
    pub(crate) fn require(&self, any_of: &[Role]) -> Result<(), Problem> {
        if any_of.iter().any(|role| self.roles.has(*role)) {
            return Ok(());
        }
        if self.lacks_mfa && any_of.contains(&Role::Admin) {
            return Err(Problem::Forbidden(
                "For the role admin the token must tell of a second factor: `mfa` in `amr`.",
            ));
        }
        Err(Problem::Forbidden("The token's roles don't allow this."))
    }

    /// Who acts, as the log will keep it for good: an id, and not what a person is called or
    /// reached by.
    pub(crate) fn actor(&self) -> Result<&str, Problem> {
        match TrainerId::try_new(&self.subject) {
            Ok(_) => Ok(&self.subject),
            Err(_) => Err(Problem::Forbidden(
                "The token's `sub` would stay in the log for good, so that for this it must be an \
                 id: 1 to 128 of A-Z a-z 0-9 _ . : - (and so no name or address).",
            )),
        }
    }

    /// What the log keeps of who acts, where [`Self::actor`] allows it.
    pub(crate) fn metadata(&self, request: Option<RequestId>, source: Source) -> Metadata {
        Metadata {
            actor: self.subject.clone(),
            actor_roles: self.roles.names().map(Into::into).collect(),
            correlation_id: request.map(|RequestId(id)| id),
            source,
            ..Metadata::default()
        }
    }

    /// The trainer whose answers are to be explained: auditors may name anybody, too.
    pub(crate) fn trainer_to_explain(&self, named: Option<&str>) -> Result<TrainerId, Problem> {
        let is_auditor = self.roles.has(Role::Auditor);
        match named {
            Some(named) if is_auditor => TrainerId::try_new(named)
                .map_err(|error| Problem::InvalidRequest(format!("`trainer`: {error}."))),
            None if is_auditor && !self.roles.has(Role::Trainer) => Err(Problem::InvalidRequest(
                "An auditor names the trainer: add `?trainer=ID`.".into(),
            )),
            _ => self.trainer_in_question(named),
        }
    }

    /// The trainer that a request is about: a service names one, a trainer is one.
    pub(crate) fn trainer_in_question(&self, named: Option<&str>) -> Result<TrainerId, Problem> {
        self.require(&[Role::Service, Role::Trainer])?;
        match named {
            Some(named) if self.roles.has(Role::Service) => TrainerId::try_new(named)
                .map_err(|error| Problem::InvalidRequest(format!("`trainer`: {error}."))),
            Some(named) if self.trainer.as_ref().is_some_and(|own| own.as_str() == named) => {
                Ok(self.trainer.clone().expect("compared just now"))
            }
            Some(_) => Err(Problem::Forbidden("A trainer can only ask about itself.")),
            None if self.roles.has(Role::Trainer) => self
                .trainer
                .clone()
                .ok_or(Problem::Forbidden("The token's subject is not a trainer id.")),
            None => Err(Problem::InvalidRequest(
                "A service names the trainer: add `?trainer=ID`.".into(),
            )),
        }
    }
}

impl FromRequestParts<AppState> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let principal = identify(&parts.headers, state).await?.ok_or(NO_TOKEN)?;
        reachable(state)?;
        Ok(principal)
    }
}

/// Who bears the token of a request, if it brings one.
async fn identify(headers: &HeaderMap, state: &AppState) -> Result<Option<Principal>, Problem> {
    let Some(token) = bearer(headers)? else { return Ok(None) };
    let principal = state.auth.authenticate(token).await?;
    if !state.tenants.has(principal.tenant.as_str()) {
        return Err(Problem::Forbidden("The token's tenant has no ledger here."));
    }
    Ok(Some(Principal::clone(&principal)))
}

/// The same without waiting for anything, where that is enough to know.
pub(super) fn identify_known(headers: &HeaderMap, state: &AppState) -> Option<Arc<Principal>> {
    let principal = state.auth.check(bearer(headers).ok().flatten()?).ok()?;
    state.tenants.has(principal.tenant.as_str()).then_some(principal)
}

/// Sends everybody away at once while it is known that no question has an answer: each would wait
/// seconds for a connection.
fn reachable(state: &AppState) -> Result<(), Problem> {
    if state.readiness.is_unreachable() { Err(Problem::Unavailable) } else { Ok(()) }
}

const NO_TOKEN: Problem = Problem::Unauthenticated(
    "Send a token: `Authorization: Bearer TOKEN`. `ledger token` makes one.",
);

/// Who asks, where anyone may ask.
pub(crate) struct Caller(Option<Principal>);

impl Caller {
    /// Who asks; an error for somebody without a token.
    pub(crate) fn principal(&self) -> Result<&Principal, Problem> {
        self.0.as_ref().ok_or(NO_TOKEN)
    }

    /// Whose data they ask about.
    pub(crate) fn tenant(&self) -> Tenant {
        match &self.0 {
            Some(principal) => principal.tenant.clone(),
            None => Tenant::try_new(DEFAULT_TENANT).expect("a constant name"),
        }
    }
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Self(identify(&parts.headers, state).await?);
        reachable(state)?;
        Ok(caller)
    }
}

/// Who asks for what needs no database: nobody is sent away while it can't be reached.
pub(crate) struct CallerAnytime(pub(crate) Caller);

impl FromRequestParts<AppState> for CallerAnytime {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        Ok(Self(Caller(identify(&parts.headers, state).await?)))
    }
}

/// The token of a request, if it brings one.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    const SCHEME: &str = "bearer ";
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        // A proxy may have looked at another one than we would.
        return Err(Problem::Unauthenticated("There is more than one Authorization header."));
    }
    let text = value.to_str().unwrap_or_default();
    match text.split_at_checked(SCHEME.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) => Ok(Some(token.trim())),
        _ => Err(Problem::Unauthenticated("The Authorization header is not `Bearer TOKEN`.")),
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
#[path = "auth_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "auth_jwks_tests.rs"]
mod jwks_tests;
