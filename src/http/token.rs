//! `POST /api/v1/entitlements/token` and `GET /.well-known/jwks.json`: what a trainer may do,
//! signed for services that check it without asking.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use ledger_domain::effective::Effective;
use ledger_domain::id::{FeatureSlug, PlanSlug, Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::auth::Principal;
use super::body::JsonBody;
use super::openapi::{NotFound, Refused, TooLarge, schema};
use super::params::{NoQuery, Params, Position};
use super::problem::{Body, Problem};
use super::shapes::{Feature, Used, used_of};
use crate::ids;
use crate::reads::Standing;

/// Longest that a token may be trusted, in seconds: as long as what it says may have changed.
const SECONDS_MAX: i64 = 15 * 60;
/// How long the published keys may be kept, in seconds. A new key must be published for as long
/// before it signs.
const KEYS_FRESH_S: u32 = 300;
/// Who signs.
const ISSUER: &str = "billing-ledger";

/// Whose entitlements are wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = TokenWanted)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// A service names the trainer; a trainer may leave it out.
    #[serde(default)]
    #[schema(value_type = Option<schema::TrainerId>)]
    trainer: Option<String>,
    /// A position that the answer must reflect.
    #[serde(default)]
    #[schema(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Issued {
    token: String,
    token_type: &'static str,
    #[schema(value_type = schema::Timestamp)]
    expires_at: Timestamp,
    position: i64,
}

/// What a token says.
#[derive(Debug, Serialize)]
struct Claims<'a> {
    iss: &'static str,
    sub: &'a TrainerId,
    tenant: &'a Tenant,
    iat: i64,
    exp: i64,
    jti: String,
    tier_slug: Option<&'a PlanSlug>,
    tier_level: Option<u32>,
    subscription_status: &'a str,
    access: &'static str,
    /// Whether a denial is to be carried out; if not, what isn't granted is allowed all the same.
    enforced: bool,
    /// The granted ones.
    features: BTreeMap<&'a FeatureSlug, Feature>,
    position: i64,
}

/// What a trainer may do, signed
///
/// For services that check it without asking the ledger each time.
#[utoipa::path(
    post,
    path = "/api/v1/entitlements/token",
    operation_id = "entitlement_token",
    tag = "entitlements",
    request_body = Wanted,
    responses(
        (status = 200, description = "A token, for 15 minutes at most", body = Issued),
        Refused, NotFound, TooLarge,
    ),
    security(("token" = ["trainer"]), ("token" = ["service"])),
)]
pub(crate) async fn issue(
    State(state): State<AppState>,
    principal: Principal,
    Params(NoQuery {}): Params<NoQuery>,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<impl IntoResponse, Problem> {
    let trainer = principal.trainer_in_question(wanted.trainer.as_deref())?;
    let tenant = &principal.tenant;
    let min_position = wanted.min_position.map(|at| at.0);
    state.reads.wait_for(tenant, min_position).await?;
    let standing = state.reads.standing(tenant, &trainer, min_position).await?;
    standing.reached.require(min_position)?;
    let Standing { answer, used, outcome, now, reached, .. } = &standing;
    let issued_at = now.unix();
    let claims = Claims {
        iss: ISSUER,
        sub: &trainer,
        tenant,
        iat: issued_at,
        exp: expiry(issued_at, answer.valid_until),
        jti: ids::fresh().to_string(),
        tier_slug: answer.tier.as_ref().map(|tier| &tier.slug),
        tier_level: answer.tier.as_ref().map(|tier| tier.level),
        subscription_status: answer.status.as_str(),
        access: answer.access.as_str(),
        enforced: outcome.enforced,
        features: granted(answer, used),
        position: reached.position,
    };
    let token = state.signer.sign(&claims).ok_or(Problem::NotFound(
        "No tokens of entitlements are issued here: LEDGER_TOKEN_KEY is not set.",
    ))?;
    let expires_at = Timestamp::from_unix(claims.exp);
    let position = claims.position;
    let issued = Issued { token, token_type: "entitlements+jwt", expires_at, position };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(issued)))
}

/// The keys that tokens of entitlements are checked with
///
/// A JWK set (RFC 7517), which may be kept for five minutes.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "jwks",
    tag = "entitlements",
    responses(
        (
            status = 200,
            description = "The public half of every key",
            body = Object,
            content_type = "application/jwk-set+json",
        ),
        (status = 400, description = "It takes no query", body = Body,
            content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn keys(
    State(state): State<AppState>,
    Params(NoQuery {}): Params<NoQuery>,
) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, "application/jwk-set+json".to_owned()),
        (header::CACHE_CONTROL, format!("public, max-age={KEYS_FRESH_S}")),
    ];
    (headers, Json(state.signer.published()).into_response().into_body())
}

/// The first second at which a token must not be trusted any more: the answer may be another then.
fn expiry(issued_at: i64, valid_until: Option<Timestamp>) -> i64 {
    let longest = issued_at + SECONDS_MAX;
    valid_until.map_or(longest, |until| longest.min(until.unix()))
}

fn granted<'a>(answer: &'a Effective, used: &Used) -> BTreeMap<&'a FeatureSlug, Feature> {
    let granted = answer.features.iter().filter(|(_, has)| has.granted());
    granted.map(|(slug, has)| (slug, Feature::new(has, used_of(used, slug)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_outlives_what_it_says() {
        assert_eq!(expiry(1_000, None), 1_900);
        assert_eq!(expiry(1_000, Some(Timestamp::from_unix(5_000))), 1_900);
        assert_eq!(expiry(1_000, Some(Timestamp::from_unix(1_010))), 1_010);
    }
}
