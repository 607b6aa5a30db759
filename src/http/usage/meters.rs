//! Every limit and quota of one trainer.

use axum::Json;
use axum::extract::State;
use ledger_domain::catalog::FeatureKind;
use ledger_domain::id::{Tenant, TrainerId};

use super::super::AppState;
use super::super::auth::Principal;
use super::super::openapi::{Refused, schema};
use super::super::params::{AboutTenant, AboutTrainer, Params, Segment};
use super::super::problem::Problem;
use super::super::shapes::used_of;
use super::acts::named;
use super::shapes::{FeatureMeter, Metered, Meters};
use crate::roles::Role;
use crate::service::Service;

/// Every limit and quota of a trainer
#[utoipa::path(
    get,
    path = "/api/v1/tiers/usage",
    operation_id = "usage",
    tag = "tiers",
    params(AboutTrainer),
    responses((status = 200, description = "What was used of each", body = Meters), Refused),
    security(("token" = ["trainer"]), ("token" = ["service"])),
)]
pub(crate) async fn of_trainer(
    State(state): State<AppState>,
    principal: Principal,
    Params(query): Params<AboutTrainer>,
) -> Result<Json<Meters>, Problem> {
    let trainer = principal.trainer_in_question(query.trainer.as_deref())?;
    meters(&state, &principal.tenant, trainer, query.min_position.map(|at| at.0)).await
}

/// Every limit and quota of a trainer, for services
#[utoipa::path(
    get,
    path = "/api/v1/usage/{trainer}/limits",
    operation_id = "usage_limits",
    tag = "usage",
    params(("trainer" = schema::TrainerId, Path, description = "Who uses them"), AboutTenant),
    responses((status = 200, description = "What was used of each", body = Meters), Refused),
    security(("token" = ["service"])),
)]
pub(crate) async fn limits(
    State(state): State<AppState>,
    principal: Principal,
    Segment(trainer): Segment,
    Params(query): Params<AboutTenant>,
) -> Result<Json<Meters>, Problem> {
    principal.require(&[Role::Service])?;
    let trainer = named(&trainer)?;
    meters(&state, &principal.tenant, trainer, query.min_position.map(|at| at.0)).await
}

async fn meters(
    state: &Service,
    tenant: &Tenant,
    trainer: TrainerId,
    min_position: Option<i64>,
) -> Result<Json<Meters>, Problem> {
    state.reads.wait_for(tenant, min_position).await?;
    let standing = state.reads.standing(tenant, &trainer, min_position).await?;
    standing.reached.require(min_position)?;
    let counted = standing.answer.features.iter().filter(|(_, has)| has.kind != FeatureKind::Flag);
    let usage = counted.map(|(slug, has)| {
        let meter = Metered::new(Some(has), used_of(&standing.used, slug), None, has.window);
        (slug.clone(), FeatureMeter { kind: has.kind.as_str(), granted: has.granted(), meter })
    });
    Ok(Json(Meters {
        trainer_id: trainer,
        evaluated_at: standing.now,
        position: standing.reached.position,
        usage: usage.collect(),
    }))
}
