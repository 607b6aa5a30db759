//! Who asks, and whether they may: JWT bearer tokens, signed with a shared secret (HS256) or with a
//! private key whose public half is known (RS256, ES256, EdDSA).

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ledger_domain::event::{Metadata, Source};
use ledger_domain::id::{Tenant, TrainerId};
use serde::Deserialize;

use super::AppState;
use super::keyring::{Keyring, Refused, TOKEN_BYTES_MAX};
use super::problem::Problem;
use super::track::RequestId;
use crate::config::DEFAULT_TENANT;
use crate::roles::{Role, Roles};
use crate::tenants::Tenants;

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
    pub(super) lacks_mfa: bool,
    pub(super) expires_at: i64,
    pub(super) valid_from: i64,
    pub(super) issued_at: i64,
}

/// Checks tokens, each by the keys of the tenant that it names. Whoever may speak for one tenant is
/// nobody to another one that has keys of its own.
pub(crate) struct Authenticator {
    /// The process's keys, for all tenants without their own.
    process: Arc<Keyring>,
    tenants: Arc<Tenants>,
}

impl Authenticator {
    /// Checks tokens by the keys of the process, and by those of these tenants.
    pub(crate) const fn new(process: Arc<Keyring>, tenants: Arc<Tenants>) -> Self {
        Self { process, tenants }
    }

    /// Who the bearer of a token is, once all keys are known.
    async fn authenticate(&self, token: &str) -> Result<Arc<Principal>, Problem> {
        let named = named_tenant(token);
        Ok(of(&named, self.keyring(&named).authenticate(token).await?)?)
    }

    /// The same by the keys that are known.
    fn check(&self, token: &str) -> Result<Arc<Principal>, Refused> {
        // Most tokens were seen before, and reading one costs more than to know it again.
        if let Some(seen) = self.process.seen(token)
            && self.tenants.keyring(seen.tenant.as_str()).is_none()
        {
            return self.process.timely(seen);
        }
        let named = named_tenant(token);
        of(&named, self.keyring(&named).check(token)?)
    }

    /// The keys that count for a tenant.
    fn keyring(&self, tenant: &str) -> Arc<Keyring> {
        self.tenants.keyring(tenant).unwrap_or_else(|| Arc::clone(&self.process))
    }
}

/// The tenant that a token names. Nobody has vouched for it: it tells whose keys to check the token
/// with, and nothing else.
fn named_tenant(token: &str) -> String {
    /// The one claim that is looked at.
    #[derive(Deserialize)]
    struct Named {
        tenant: Option<String>,
    }
    let named = || {
        let claims = token.split('.').nth(1).filter(|_| token.len() <= TOKEN_BYTES_MAX)?;
        let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
        serde_json::from_slice::<Named>(&claims).ok()?.tenant
    };
    named().unwrap_or_else(|| DEFAULT_TENANT.to_owned())
}

/// Whoever is of the tenant whose keys were used.
fn of(tenant: &str, principal: Arc<Principal>) -> Result<Arc<Principal>, Refused> {
    if principal.tenant.as_str() == tenant {
        return Ok(principal);
    }
    Err("The token's tenant can't be read.".into())
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
        let principal = identify(parts, state).await?.ok_or(NO_TOKEN)?;
        reachable(state)?;
        Ok(principal)
    }
}

/// What became of a request's token when it was first looked at: it is checked once, whoever asks.
#[derive(Clone)]
struct Checked(Result<Arc<Principal>, &'static str>);

/// Who bears the token of a request, if it brings one.
async fn identify(parts: &Parts, state: &AppState) -> Result<Option<Principal>, Problem> {
    let Some(token) = bearer(&parts.headers)? else { return Ok(None) };
    let principal = match parts.extensions.get() {
        Some(Checked(Ok(principal))) => Arc::clone(principal),
        Some(Checked(Err(why))) => return Err(Problem::Unauthenticated(why)),
        None => state.auth.authenticate(token).await?,
    };
    if !state.tenants.has(principal.tenant.as_str()) {
        return Err(Problem::Forbidden("The token's tenant has no ledger here."));
    }
    Ok(Some(Principal::clone(&principal)))
}

/// The same without waiting for anything, where that is enough to know.
pub(super) fn identify_known(request: &mut Request, state: &AppState) -> Option<Arc<Principal>> {
    let checked = match state.auth.check(bearer(request.headers()).ok().flatten()?) {
        Ok(principal) => Ok(principal),
        Err(Refused::Why(why)) => Err(why),
        Err(Refused::UnknownKey | Refused::Awaited) => return None,
    };
    request.extensions_mut().insert(Checked(checked.clone()));
    checked.ok().filter(|principal| state.tenants.has(principal.tenant.as_str()))
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
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Self(identify(parts, state).await?);
        reachable(state)?;
        Ok(caller)
    }
}

/// Who asks for what needs no database: nobody is sent away while it can't be reached.
pub(crate) struct CallerAnytime(pub(crate) Caller);

impl FromRequestParts<AppState> for CallerAnytime {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        Ok(Self(Caller(identify(parts, state).await?)))
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

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
