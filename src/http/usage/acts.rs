//! The acts: each loads, decides and appends through `commands::usage`.

use axum::Json;
use axum::extract::State;
use ledger_domain::event::{Metadata, UsageReserved};
use ledger_domain::id::TrainerId;
use ledger_domain::time::SECOND;
use ledger_domain::usage::Refusal;
use ledger_log::Outcome;
use uuid::Uuid;

use super::super::AppState;
use super::super::auth::Principal;
use super::super::body::JsonBody;
use super::super::openapi::{
    Conflict, MayDeny, NotFound, Refused, TooLarge, Unprocessable, schema,
};
use super::super::params::{Params, Segments};
use super::super::problem::Problem;
use super::asked::{Asked, feature_of};
use super::shapes::{
    Changed, Checked, ToCheck, ToCommit, ToConsume, ToRecord, ToRelease, ToReserve,
};
use super::verdict::{answer, metered, problem, would_be_denied_by, would_deny};
use crate::commands::usage::{
    Act, Books, Commit, Consume, GiveUp, Record, Release, Request, Reserve, Ruling, ask, carry_out,
    content_hash, hold_of,
};
use crate::ids;
use crate::meters::{GRANTED, WOULD_DENY, outcome};
use crate::roles::Role;
use crate::service::Service;

/// Ask and count in one step
///
/// Granted whole or not at all, and together never more than the limit, whatever the number of
/// callers and of processes.
#[utoipa::path(
    post,
    path = "/api/v1/usage/{feature}/consume",
    operation_id = "consume",
    tag = "usage",
    params(
        ("feature" = schema::FeatureSlug, Path, description = "What is counted"),
        ("Idempotency-Key" = Option<schema::IdempotencyKey>, Header, description = "Its own for each request"),
    ),
    request_body = ToConsume,
    responses(
        (status = 200, description = "What it left", body = Changed),
        Refused, MayDeny, NotFound, TooLarge, Unprocessable,
    ),
    security(("token" = ["service"])),
)]
pub(crate) async fn consume(
    State(state): State<AppState>,
    asked: Asked,
    JsonBody(body): JsonBody<ToConsume>,
) -> Result<Json<Changed>, Problem> {
    let request = asked.request("consume", body.trainer.clone(), &body);
    let quantity = body.quantity.0;
    let ruling = carry_out(books(&state), &request, Consume { quantity }).await?;
    note(&state, &ruling);
    answer(&request, &ruling, quantity).map(Json)
}

/// Count what happened, whatever the limit
///
/// It counts in the window in which it happened.
#[utoipa::path(
    post,
    path = "/api/v1/usage/{feature}/record",
    operation_id = "record",
    tag = "usage",
    params(
        ("feature" = schema::FeatureSlug, Path, description = "What is counted"),
        ("Idempotency-Key" = Option<schema::IdempotencyKey>, Header, description = "Its own for each request"),
    ),
    request_body = ToRecord,
    responses(
        (status = 200, description = "What it left", body = Changed),
        Refused, NotFound, TooLarge, Unprocessable,
    ),
    security(("token" = ["service"])),
)]
pub(crate) async fn record(
    State(state): State<AppState>,
    asked: Asked,
    JsonBody(body): JsonBody<ToRecord>,
) -> Result<Json<Changed>, Problem> {
    let request = asked.request("record", body.trainer.clone(), &body);
    let (quantity, occurred_at) = (body.quantity.0, body.occurred_at);
    settle(&state, &request, Record { quantity, occurred_at }, quantity).await
}

/// Hold a quantity for a while
///
/// What isn't committed or released frees itself after `ttl` seconds.
#[utoipa::path(
    post,
    path = "/api/v1/usage/{feature}/reserve",
    operation_id = "reserve",
    tag = "usage",
    params(
        ("feature" = schema::FeatureSlug, Path, description = "What is counted"),
        ("Idempotency-Key" = Option<schema::IdempotencyKey>, Header, description = "Its own for each request"),
    ),
    request_body = ToReserve,
    responses(
        (status = 200, description = "What it left", body = Changed),
        Refused, MayDeny, NotFound, TooLarge, Unprocessable,
    ),
    security(("token" = ["service"])),
)]
pub(crate) async fn reserve(
    State(state): State<AppState>,
    asked: Asked,
    JsonBody(body): JsonBody<ToReserve>,
) -> Result<Json<Changed>, Problem> {
    let request = asked.request("reserve", body.trainer.clone(), &body);
    let (quantity, lasts) = (body.quantity.0, body.ttl.0 * SECOND);
    let act = Reserve { quantity, hold: request.id, lasts };
    let ruling = carry_out(books(&state), &request, act).await?;
    note(&state, &ruling);
    answer(&request, &ruling, quantity).map(Json)
}

/// Count what was used of a hold, and end it
///
/// It counts in the window in which the hold was placed.
#[utoipa::path(
    post,
    path = "/api/v1/usage/{feature}/commit",
    operation_id = "commit",
    tag = "usage",
    params(
        ("feature" = schema::FeatureSlug, Path, description = "What is counted"),
        ("Idempotency-Key" = Option<schema::IdempotencyKey>, Header, description = "Its own for each request"),
    ),
    request_body = ToCommit,
    responses(
        (status = 200, description = "What it left", body = Changed),
        Refused, NotFound, Conflict, TooLarge, Unprocessable,
    ),
    security(("token" = ["service"])),
)]
pub(crate) async fn commit(
    State(state): State<AppState>,
    asked: Asked,
    JsonBody(body): JsonBody<ToCommit>,
) -> Result<Json<Changed>, Problem> {
    let request = asked.request("commit", body.trainer.clone(), &body);
    let hold = held(&state, &asked, &body.trainer, body.hold).await?;
    let quantity = body.quantity.map(|part| part.0);
    settle(&state, &request, Commit { hold, quantity }, 0).await
}

/// End a hold unused, or count a standing count down
///
/// It names one of the two.
#[utoipa::path(
    post,
    path = "/api/v1/usage/{feature}/release",
    operation_id = "release",
    tag = "usage",
    params(
        ("feature" = schema::FeatureSlug, Path, description = "What is counted"),
        ("Idempotency-Key" = Option<schema::IdempotencyKey>, Header, description = "Its own for each request"),
    ),
    request_body = ToRelease,
    responses(
        (status = 200, description = "What it left", body = Changed),
        Refused, NotFound, Conflict, TooLarge, Unprocessable,
    ),
    security(("token" = ["service"])),
)]
pub(crate) async fn release(
    State(state): State<AppState>,
    asked: Asked,
    JsonBody(body): JsonBody<ToRelease>,
) -> Result<Json<Changed>, Problem> {
    let request = asked.request("release", body.trainer.clone(), &body);
    match (body.hold, body.quantity) {
        (Some(hold), None) => {
            let hold = held(&state, &asked, &body.trainer, hold).await?;
            settle(&state, &request, GiveUp { hold }, 0).await
        }
        (None, Some(quantity)) => {
            settle(&state, &request, Release { quantity: quantity.0 }, 0).await
        }
        _ => Err(Problem::InvalidRequest(
            "Name either the `hold`, or the `quantity` of a standing count.".into(),
        )),
    }
}

/// What `consume` would answer
///
/// It looks at the same counter, and counts nothing.
#[utoipa::path(
    get,
    path = "/api/v1/usage/{trainer}/check/{feature}",
    operation_id = "check",
    tag = "usage",
    params(
        ("trainer" = schema::TrainerId, Path, description = "Who would use it"),
        ("feature" = schema::FeatureSlug, Path, description = "What would be counted"),
        ToCheck,
    ),
    responses(
        (status = 200, description = "Whether it would be granted", body = Checked),
        Refused, NotFound, Unprocessable,
    ),
    security(("token" = ["service"])),
)]
pub(crate) async fn check(
    State(state): State<AppState>,
    principal: Principal,
    Segments(trainer, feature): Segments,
    Params(query): Params<ToCheck>,
) -> Result<Json<Checked>, Problem> {
    principal.require(&[Role::Service])?;
    let trainer = named(&trainer)?;
    state.reads.wait_for(&principal.tenant, query.min_position.map(|at| at.0)).await?;
    let request = Request {
        tenant: principal.tenant,
        trainer,
        feature: feature_of(&feature)?,
        id: ids::fresh(),
        content_hash: content_hash(&()),
        metadata: Metadata::default(),
    };
    let quantity = query.quantity.0;
    let ruling = ask(books(&state), &request, Consume { quantity }).await?;
    let (meter, position) = (metered(&request, &ruling), ruling.seen.reached.position);
    let (allowed, code) = match &ruling.ruled {
        Ok(_) => (true, would_be_denied_by(&request, &ruling, quantity)),
        Err(Refusal::Denied(why)) => (false, Some(why.code())),
        Err(refusal) => return Err(problem(*refusal, &request, &ruling, quantity)),
    };
    state.ingest.meters.checked(outcome(allowed, code));
    Ok(Json(Checked { allowed, code, meter, would_deny: code.is_some(), position }))
}

/// The trainer that a path names.
pub(super) fn named(trainer: &str) -> Result<TrainerId, Problem> {
    TrainerId::try_new(trainer)
        .map_err(|error| Problem::InvalidRequest(format!("The path's trainer: {error}.")))
}

async fn settle<A: Act>(
    state: &Service,
    request: &Request,
    act: A,
    quantity: i64,
) -> Result<Json<Changed>, Problem> {
    let ruling = carry_out(books(state), request, act).await?;
    answer(request, &ruling, quantity).map(Json)
}

async fn held(
    state: &Service,
    asked: &Asked,
    trainer: &TrainerId,
    hold: Uuid,
) -> Result<UsageReserved, Problem> {
    let whose = (&asked.principal.tenant, trainer, &asked.feature);
    let found = hold_of(books(state), whose, hold).await?;
    found.ok_or(Problem::NotFound("The trainer has no such hold of the feature."))
}

fn books(state: &Service) -> Books<'_> {
    Books { log: &*state.ingest.log, reads: &state.reads }
}

/// Counts what an act was decided to be. A retry that is answered with what was granted before is
/// no decision, and neither is a grant that the log didn't take.
fn note(state: &Service, ruling: &Ruling) {
    let outcome = match (&ruling.ruled, ruling.outcome) {
        (Ok(event), Some(Outcome::Appended { .. })) => match would_deny(event) {
            Some(true) => WOULD_DENY,
            _ => GRANTED,
        },
        (Err(Refusal::Denied(why)), _) => why.code(),
        _ => return,
    };
    state.ingest.meters.decided(outcome);
}
