//! `POST /api/v1/trainers`: trainers who are known before any purchase.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use ledger_domain::event::{Metadata, Source, Subject};
use ledger_domain::id::TrainerId;
use ledger_log::Outcome;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::auth::Principal;
use super::body::JsonBody;
use super::idempotency::IdempotencyKey;
use super::openapi::{Refused, TooLarge, schema};
use super::params::{NoQuery, Params};
use super::problem::Problem;
use super::track::RequestId;
use crate::commands::trainer;
use crate::roles::Role;

/// Who is to be registered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToRegister {
    #[schema(value_type = schema::TrainerId)]
    trainer: TrainerId,
}

/// Who is registered, and since which event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Registered {
    #[schema(value_type = schema::TrainerId)]
    trainer_id: TrainerId,
    position: i64,
}

/// Make a trainer known before any purchase
///
/// It grants nothing, and may be asked again, with an `Idempotency-Key` or without one.
#[utoipa::path(
    post,
    path = "/api/v1/trainers",
    operation_id = "register_trainer",
    tag = "tiers",
    params(
        ("Idempotency-Key" = Option<schema::IdempotencyKey>, Header, description = "Its own for each request"),
    ),
    request_body = ToRegister,
    responses(
        (status = 201, description = "It is known now", body = Registered),
        (status = 200, description = "It was known before", body = Registered),
        Refused, TooLarge,
    ),
    security(("token" = ["service"])),
)]
pub(crate) async fn register(
    State(state): State<AppState>,
    principal: Principal,
    Extension(request): Extension<RequestId>,
    // A key is for one trainer, of whom there is but one registration: it makes the same of a retry
    // as there is without it.
    IdempotencyKey(_): IdempotencyKey,
    Params(NoQuery {}): Params<NoQuery>,
    JsonBody(ToRegister { trainer }): JsonBody<ToRegister>,
) -> Result<(StatusCode, Json<Registered>), Problem> {
    principal.require(&[Role::Service])?;
    principal.actor()?;
    let subject = Subject { trainer: Some(trainer.clone()), ..Subject::default() };
    let metadata = Metadata { subject, ..principal.metadata(Some(request), Source::Api) };
    let (log, at) = (&*state.ingest.log, state.clock.now());
    let outcome = trainer::register(log, &principal.tenant, trainer.clone(), at, &metadata).await;
    let outcome = outcome?;
    let status = match outcome {
        Outcome::Appended { .. } => StatusCode::CREATED,
        Outcome::AlreadyAppended { .. } => StatusCode::OK,
    };
    Ok((status, Json(Registered { trainer_id: trainer, position: outcome.position() })))
}
