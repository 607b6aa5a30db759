//! `/api/v1/authorize`: whether a gateway may let a request through, as nginx's `auth_request`,
//! Traefik's `ForwardAuth` and Envoy's `ext_authz` ask it.
//!
//! Gateways look at the status and copy headers. Whatever isn't clear is refused, since a gateway
//! lets nothing through but on 2xx.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use ledger_domain::id::{FeatureSlug, TrainerId};

use super::AppState;
use super::auth::Principal;
use super::entitlements::{Decided, decide, denied_by};
use super::openapi::{MayDeny, Refused, schema};
use super::problem::Problem;
use super::rate_limit;
use crate::meters::outcome;
use crate::reads::Standing;
use crate::roles::Role;

/// Names the feature that is asked for.
const FEATURE: &str = "x-ledger-feature";
/// Names the trainer, if a service asks.
const TRAINER: &str = "x-ledger-trainer";

/// Tell the upstream who comes. They are always there, so that none of the client's own pass for
/// ours.
const TOLD_TIER: HeaderName = HeaderName::from_static("x-tier");
const TOLD_TRAINER: HeaderName = HeaderName::from_static("x-trainer");
/// Tells by which code full enforcement denies it, whether that is carried out or not.
const TOLD_DENIAL: HeaderName = HeaderName::from_static("x-would-deny");
/// In the place of a tier or of a code where there is none.
const NONE: &str = "none";

/// Whether a gateway may let a request through
///
/// For nginx's `auth_request`, Traefik's `ForwardAuth` and Envoy's `ext_authz`. Every method is
/// taken, and any path below it, where Envoy puts its client's. A denial is 403 with the way out.
#[utoipa::path(
    get,
    path = "/api/v1/authorize",
    operation_id = "authorize",
    tag = "entitlements",
    params(
        ("X-Ledger-Feature" = schema::FeatureSlug, Header, description = "What is to be used"),
        ("X-Ledger-Trainer" = Option<schema::TrainerId>, Header, description = "Who, if a service asks"),
    ),
    responses(
        (
            status = 200,
            description = "It may be used",
            body = Decided,
            headers(
                ("X-Tier" = String, description = "The trainer's tier, or `none`"),
                ("X-Trainer" = String, description = "Who it is"),
                ("X-Would-Deny" = String,
                    description = "The code by which full enforcement denies it, or `none`"),
            ),
        ),
        Refused, MayDeny,
    ),
    security(("token" = ["trainer"]), ("token" = ["service"])),
)]
pub(crate) async fn authorize(
    State(state): State<AppState>,
    principal: Principal,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let trainer = trainer_of(&principal, &headers)?;
    let feature = feature_in(&headers)?;
    // A trainer's own call is counted already, like every other.
    let counted = match principal.roles.has(Role::Service) {
        true => rate_limit::count_trainer(&state, &principal.tenant, &trainer).await,
        false => None,
    };
    let refused = counted.as_ref().and_then(rate_limit::refusal);
    let mut answer = match refused {
        Some(problem) => problem.into_response(),
        None => decided(&state, &principal, &trainer, &feature).await?,
    };
    if let Some(verdict) = counted {
        rate_limit::tell(&verdict, answer.headers_mut());
    }
    answer.headers_mut().insert(TOLD_TRAINER, value(trainer.as_str()));
    Ok(answer)
}

async fn decided(
    state: &AppState,
    principal: &Principal,
    trainer: &TrainerId,
    feature: &FeatureSlug,
) -> Result<Response, Problem> {
    let standing = state.reads.standing(&principal.tenant, trainer, None).await?;
    let decided = decide(&standing, feature).ok_or_else(unknown_feature)?;
    let denied_by = denied_by(&decided);
    state.ingest.meters.checked(outcome(decided.is_ok(), denied_by));
    let mut answer = match decided {
        Ok(decided) => Json(decided).into_response(),
        Err(denial) => Problem::Denied(denial).into_response(),
    };
    let headers = answer.headers_mut();
    headers.insert(TOLD_TIER, value(tier_of(&standing)));
    headers.insert(TOLD_DENIAL, HeaderValue::from_static(denied_by.unwrap_or(NONE)));
    Ok(answer)
}

fn tier_of(standing: &Standing) -> &str {
    standing.answer.tier.as_ref().map_or(NONE, |tier| tier.slug.as_str())
}

/// Whose request it is. Only a service may name somebody.
fn trainer_of(principal: &Principal, headers: &HeaderMap) -> Result<TrainerId, Problem> {
    let named = one(headers, TRAINER)?;
    if named.is_none() && principal.roles.has(Role::Service) {
        return Err(Problem::InvalidRequest(
            "A service names the trainer in `X-Ledger-Trainer`.".into(),
        ));
    }
    principal.trainer_in_question(named)
}

fn feature_in(headers: &HeaderMap) -> Result<FeatureSlug, Problem> {
    let named = one(headers, FEATURE)?
        .ok_or_else(|| Problem::InvalidRequest("Name the feature in `X-Ledger-Feature`.".into()))?;
    FeatureSlug::try_new(named).map_err(|_| unknown_feature())
}

/// A gateway's mistake and not its client's, so it is no 404.
fn unknown_feature() -> Problem {
    Problem::InvalidRequest("`X-Ledger-Feature`: the catalogue has no such feature.".into())
}

/// The only value of a header. Of two, one may be the client's.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    match value.to_str().map(str::trim) {
        Ok(text) if !text.is_empty() && values.next().is_none() => Ok(Some(text)),
        _ => Err(Problem::InvalidRequest(format!("`{name}` is there once, and isn't empty."))),
    }
}

fn value(name: &str) -> HeaderValue {
    HeaderValue::try_from(name).expect("ids and slugs are header values")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_there_once() {
        let read = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(FEATURE, HeaderValue::from_bytes(value).unwrap());
            }
            feature_in(&headers).map(|feature| feature.to_string())
        };
        assert_eq!(read(&[b" analytics "]).unwrap(), "analytics");
        for wrong in [&[][..], &[&b""[..]], &[b" "], &[b"a", b"a"], &[b"\xff"], &[b"a, b"]] {
            assert!(matches!(read(wrong), Err(Problem::InvalidRequest(_))), "{wrong:?}");
        }
    }
}
