//! `GET /api/v1/entitlements` and `/entitlements/{feature}`, now or at a past moment.

use axum::Json;
use axum::extract::State;
use ledger_domain::catalog::Catalog;
use ledger_domain::effective::{
    Denial as Why, Effective, Entitlement, because, check, required_add_on, required_tier,
};
use ledger_domain::id::{FeatureSlug, TrainerId};
use ledger_replay::Moment;

use super::AppState;
use super::auth::Principal;
use super::openapi::{MayDeny, NotFound, Refused, Unprocessable, schema};
use super::params::{AboutThen, Params, Segment};
use super::problem::{Denial, Problem};
use super::shapes::{Entitlements, Feature, used_of};
use crate::meters::outcome;
use crate::reads::Standing;

/// Where the way out of a denial is shown.
const UPGRADE_URL: &str = "/api/v1/tiers";

/// Every feature of the catalogue, as a trainer has it
///
/// Also the ones that are not granted. With `as_of` or `known_at`, as it was.
#[utoipa::path(
    get,
    path = "/api/v1/entitlements",
    operation_id = "entitlements",
    tag = "entitlements",
    params(AboutThen),
    responses(
        (status = 200, description = "The features by their names", body = Entitlements),
        Refused, Unprocessable,
    ),
    security(("token" = ["trainer"]), ("token" = ["service"])),
)]
pub(crate) async fn all(
    State(state): State<AppState>,
    principal: Principal,
    Params(query): Params<AboutThen>,
) -> Result<Json<Entitlements>, Problem> {
    let trainer = principal.trainer_in_question(query.trainer.as_deref())?;
    let moment = query.moment(state.clock.now())?;
    let standing = standing(&state, &principal, &trainer, (moment, &query)).await?;
    let Standing { answer, used, now, reached, .. } = standing;
    Ok(Json(Entitlements::new(trainer, &answer, &used, now, reached.position)))
}

/// Whether a trainer may use one more of a feature
///
/// The answer to act on is the status: 200, or 403 with the way out. Where denials aren't carried
/// out, 200 tells by `would_deny` and `code` what full enforcement would answer. With `as_of` or
/// `known_at`, as it was.
#[utoipa::path(
    get,
    path = "/api/v1/entitlements/{feature}",
    operation_id = "entitlement",
    tag = "entitlements",
    params(("feature" = schema::FeatureSlug, Path, description = "What is to be used"), AboutThen),
    responses(
        (status = 200, description = "It may be used", body = Decided),
        Refused, MayDeny, NotFound, Unprocessable,
    ),
    security(("token" = ["trainer"]), ("token" = ["service"])),
)]
pub(crate) async fn one(
    State(state): State<AppState>,
    principal: Principal,
    Segment(feature): Segment,
    Params(query): Params<AboutThen>,
) -> Result<Json<Decided>, Problem> {
    let trainer = principal.trainer_in_question(query.trainer.as_deref())?;
    let moment = query.moment(state.clock.now())?;
    let standing = standing(&state, &principal, &trainer, (moment, &query)).await?;
    let unknown = Problem::NotFound("The catalogue has no such feature.");
    let Ok(feature) = FeatureSlug::try_new(&feature) else { return Err(unknown) };
    let decided = decide(&standing, &feature).ok_or(unknown)?;
    // Nobody acts on what would have been decided.
    if moment.is_none() {
        state.ingest.meters.checked(outcome(decided.is_ok(), denied_by(&decided)));
    }
    decided.map(Json).map_err(Problem::Denied)
}

/// What the trainer may do, now or at the moment asked about.
async fn standing(
    state: &AppState,
    principal: &Principal,
    trainer: &TrainerId,
    (moment, query): (Option<Moment>, &AboutThen),
) -> Result<Standing, Problem> {
    let (tenant, reads) = (&principal.tenant, &state.reads);
    let wanted = query.min_position.map(|at| at.0);
    reads.wait_for(tenant, wanted).await?;
    let standing = match moment {
        Some(moment) => reads.standing_then(tenant, trainer, moment).await?,
        None => reads.standing(tenant, trainer, wanted).await?,
    };
    standing.reached.require(wanted)?;
    Ok(standing)
}

/// A feature that may be used: it is granted, or its denial isn't carried out.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(crate) struct Decided {
    #[serde(flatten)]
    feature: Feature,
    /// Whether it would be denied, were denials carried out for everybody.
    would_deny: bool,
    /// Why it would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::DenialCode>)]
    code: Option<&'static str>,
    position: i64,
}

/// Whether the trainer may use one more; none if the catalogue has no such feature.
pub(super) fn decide(
    standing: &Standing,
    feature: &FeatureSlug,
) -> Option<Result<Decided, Box<Denial>>> {
    let has = standing.answer.features.get(feature)?;
    let used = used_of(&standing.used, feature);
    let checked = check(has, used, 1, standing.outcome);
    let position = standing.reached.position;
    match checked.denial {
        Some(why) if !checked.allowed => {
            let (answer, catalog) = (&standing.answer, &*standing.catalog);
            let (held, quantity) = (0, 1);
            let denied = Denied { answer, has, catalog, position, feature, used, held, quantity };
            Some(Err(Box::new(denial(&denied, why))))
        }
        denial => {
            let (feature, code) = (Feature::new(has, used), denial.map(Why::code));
            Some(Ok(Decided { feature, would_deny: code.is_some(), code, position }))
        }
    }
}

/// Why full enforcement denies the feature, whether that is carried out or not.
pub(super) fn denied_by(decided: &Result<Decided, Box<Denial>>) -> Option<&'static str> {
    match decided {
        Ok(decided) => decided.code,
        Err(denial) => Some(denial.code),
    }
}

/// What a denial rests on.
pub(super) struct Denied<'a> {
    pub(super) answer: &'a Effective,
    /// What of the feature the trainer has.
    pub(super) has: &'a Entitlement,
    pub(super) catalog: &'a Catalog,
    pub(super) position: i64,
    pub(super) feature: &'a FeatureSlug,
    pub(super) used: u64,
    pub(super) held: u64,
    /// How much more is asked for.
    pub(super) quantity: u64,
}

/// The denial with its way out.
pub(super) fn denial(denied: &Denied<'_>, why: Why) -> Denial {
    let &Denied { answer, has, catalog, position, feature, used, held, quantity } = denied;
    let limit = has.limit();
    let name = catalog.feature(feature).map_or(feature.as_str(), |found| found.name());
    let because = because(answer, has, why, used);
    let is_full = matches!(why, Why::LimitReached | Why::QuotaExhausted);
    let besides = match held {
        1.. if is_full => format!(", and {held} are held besides"),
        _ => String::new(),
    };
    let detail = format!("{name} is denied: {because}{besides}.");
    let need = used.saturating_add(held).saturating_add(quantity);
    // Another plan helps who lacks one; who doesn't pay for theirs has to do that, and a cap wins
    // over every plan.
    let lacks = is_full || why == Why::FeatureNotAvailable;
    let helps = lacks && has.cap.is_none_or(|cap| need <= cap);
    let tier = required_tier(catalog, feature, need).filter(|_| helps);
    let add_on = required_add_on(catalog, feature, need).filter(|_| helps);
    let is_counted = limit.is_some();
    Denial {
        code: why.code(),
        detail,
        feature: feature.to_string(),
        current_tier: answer.tier.as_ref().map(|tier| tier.slug.to_string()),
        subscription_status: answer.status_of(has).as_str().to_owned(),
        limit,
        used: is_counted.then_some(used),
        held: (is_counted && held > 0).then_some(held),
        required_tier: tier.map(|plan| plan.slug().to_string()),
        required_add_on: add_on.map(|plan| plan.slug().to_string()),
        upgrade_url: UPGRADE_URL.to_owned(),
        position,
    }
}

#[cfg(test)]
#[path = "entitlements_tests.rs"]
mod tests;
