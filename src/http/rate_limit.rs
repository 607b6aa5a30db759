//! Calls are counted before they are answered, and whoever counts is told how many are left: the
//! fields `RateLimit` and `RateLimit-Policy` of the IETF's draft-ietf-httpapi-ratelimit-headers-10.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ledger_domain::id::{Tenant, TrainerId};

use super::AppState;
use super::auth::{self, Principal};
use super::problem::Problem;
use crate::errors::chain;
use crate::roles::Role;
use crate::service::Service;
use crate::throttle::{Policy, Verdict, Who};

/// What is counted begins with this: health and metrics must be seen by whoever looks after it.
pub(super) const COUNTED: &str = "/api/";

const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

pub(crate) async fn rate_limit(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let verdict = match caller(&state, &mut request) {
        Some((tenant, who)) => count(&state, &tenant, who).await,
        None => None,
    };
    let Some(verdict) = verdict else { return next.run(request).await };
    let mut answer = match refusal(&verdict) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    tell(&verdict, answer.headers_mut());
    answer
}

/// Who makes a request that is counted. Whose token can't be taken is told so by the handler, which
/// also waits for a key that isn't known yet: the first call by a new key isn't counted.
fn caller(state: &AppState, request: &mut Request) -> Option<(Tenant, Who)> {
    if !request.uri().path().starts_with(COUNTED) {
        return None;
    }
    let principal = auth::identify_known(request, state)?;
    Some((principal.tenant.clone(), who(&principal)?))
}

/// Counts a call of a trainer's that somebody else makes in its name.
pub(super) async fn count_trainer(
    state: &Service,
    tenant: &Tenant,
    trainer: &TrainerId,
) -> Option<Verdict> {
    count(state, tenant, Who::Trainer(trainer.clone())).await
}

/// The problem of one who has called too often.
pub(super) fn refusal(verdict: &Verdict) -> Option<Problem> {
    let retry_after_s = verdict.next_in_s;
    (!verdict.is_allowed).then_some(Problem::RateLimited { retry_after_s })
}

/// Tells how many calls are left, and of how many.
pub(super) fn tell(verdict: &Verdict, headers: &mut HeaderMap) {
    let Verdict { policy: Policy { name, quota }, remaining, next_in_s, .. } = verdict;
    let text = |text: String| HeaderValue::try_from(text).expect("slugs and numbers");
    headers.append(POLICY, text(format!("\"{name}\";q={};w=60", quota.calls())));
    headers.append(LIMIT, text(format!("\"{name}\";r={remaining};t={next_in_s}")));
}

async fn count(state: &Service, tenant: &Tenant, who: Who) -> Option<Verdict> {
    // Nobody gets an answer then, and each look would wait seconds for a connection.
    if state.readiness.is_unreachable() {
        return None;
    }
    let look = async |trainer: TrainerId| match state.reads.rate(tenant, &trainer).await {
        Ok(policy) => policy,
        Err(error) => {
            tracing::debug!(error = chain(&error), "nobody can tell how often a trainer may call");
            None
        }
    };
    state.throttle.count(tenant, who, look).await
}

/// Whose calls a token's are. Who has several roles is an application before a person, and an
/// administrator before a trainer.
fn who(principal: &Principal) -> Option<Who> {
    let Principal { roles, subject, trainer, .. } = principal;
    if roles.has(Role::Service) {
        Some(Who::Service(subject.clone()))
    } else if roles.has(Role::Admin) {
        Some(Who::Admin(subject.clone()))
    } else if roles.has(Role::Trainer) {
        trainer.clone().map(Who::Trainer)
    } else {
        None
    }
}
