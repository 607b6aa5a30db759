//! `/api/v1/admin/enforcement`: how far denials are carried out.

use axum::extract::State;
use axum::{Extension, Json};
use ledger_domain::event::{Enforcement, Source};
use ledger_domain::id::TrainerId;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

use super::AppState;
use super::auth::Principal;
use super::body::JsonBody;
use super::idempotency::IdempotencyKey;
use super::openapi::{Refused, TooLarge, Unprocessable, schema};
use super::params::{AboutTenant, NoQuery, Params};
use super::problem::Problem;
use super::track::RequestId;
use crate::commands::enforcement::{Change, change};
use crate::ids;
use crate::roles::Role;

const PATH: &str = "/api/v1/admin/enforcement";
/// Longest reason.
const REASON_CHARS_MAX: usize = 500;
/// Most trainers that a list names.
const INTERNAL_MAX: usize = 1_000;

/// How far denials are carried out.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Mode {
    /// Nobody is denied: the emergency switch.
    Off,
    /// Everybody's limits hold.
    On,
    /// Nobody is denied, and answers tell who would be.
    Shadow,
    /// The limits hold for the trainers on this list alone, 1,000 at most.
    #[schema(value_type = Vec<schema::TrainerId>)]
    Internal(Vec<TrainerId>),
    /// The limits hold for so many trainers of a hundred, 0 to 100, by a hash of their ids: always
    /// the same ones, and more of them with a higher share.
    Percent(u8),
}

/// What is to hold from now on, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EnforcementWanted)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    mode: Mode,
    /// Why, for those who look at it later: 1 to 500 characters, and no personal data.
    #[serde(deserialize_with = "reason")]
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// What holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EnforcementMode)]
pub(crate) struct Holding {
    mode: Mode,
    position: i64,
}

/// How far denials are carried out
#[utoipa::path(
    get,
    path = "/api/v1/admin/enforcement",
    operation_id = "enforcement",
    tag = "admin",
    params(AboutTenant),
    responses((status = 200, description = "What holds", body = Holding), Refused),
    security(("token" = ["admin"]), ("token" = ["operator"])),
)]
pub(crate) async fn current(
    State(state): State<AppState>,
    principal: Principal,
    Params(query): Params<AboutTenant>,
) -> Result<Json<Holding>, Problem> {
    principal.require(&[Role::Admin, Role::Operator])?;
    let wanted = query.min_position.map(|at| at.0);
    state.reads.wait_for(&principal.tenant, wanted).await?;
    let (mode, reached) = state.reads.enforcement(&principal.tenant).await?;
    reached.require(wanted)?;
    Ok(Json(Holding { mode: Mode::from(&*mode), position: reached.position }))
}

/// Change how far denials are carried out
///
/// It holds as soon as the read models know of it, on every node; `min_position` waits for that.
#[utoipa::path(
    put,
    path = "/api/v1/admin/enforcement",
    operation_id = "change_enforcement",
    tag = "admin",
    params(
        ("Idempotency-Key" = Option<schema::IdempotencyKey>, Header,
            description = "Its own for each request"),
    ),
    request_body = Wanted,
    responses(
        (status = 200, description = "What holds from now on", body = Holding),
        Refused, TooLarge, Unprocessable,
    ),
    security(("token" = ["admin"])),
)]
pub(crate) async fn set(
    State(state): State<AppState>,
    principal: Principal,
    Extension(request): Extension<RequestId>,
    key: IdempotencyKey,
    Params(NoQuery {}): Params<NoQuery>,
    JsonBody(Wanted { mode, reason }): JsonBody<Wanted>,
) -> Result<Json<Holding>, Problem> {
    principal.require(&[Role::Admin])?;
    let (tenant, actor) = (&principal.tenant, principal.actor()?);
    mode.check()?;
    let metadata = principal.metadata(Some(request), Source::Admin);
    let id = match &key.0 {
        Some(key) => ids::derived(&[tenant.as_str(), actor, "PUT", PATH, key]),
        None => ids::fresh(),
    };
    let wanted = Change { id, mode: mode.clone().into(), reason: &reason };
    let (log, at) = (&*state.ingest.log, state.clock.now());
    let outcome = change(log, tenant, wanted, at, &metadata).await?;
    Ok(Json(Holding { mode, position: outcome.position() }))
}

impl Mode {
    fn check(&self) -> Result<(), Problem> {
        let wrong = match self {
            Self::Internal(trainers) if trainers.len() > INTERNAL_MAX => {
                format!("`internal` names at most {INTERNAL_MAX} trainers.")
            }
            Self::Percent(101..) => "`percent` is 0 to 100.".to_owned(),
            _ => return Ok(()),
        };
        Err(Problem::Unprocessable(wrong))
    }
}

fn reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let text = text.trim();
    if (1..=REASON_CHARS_MAX).contains(&text.chars().count()) {
        return Ok(text.to_owned());
    }
    Err(de::Error::custom(format!("`reason` has 1 to {REASON_CHARS_MAX} characters")))
}

impl From<Mode> for Enforcement {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Off => Self::Off,
            Mode::On => Self::On,
            Mode::Shadow => Self::Shadow,
            Mode::Internal(trainers) => Self::Internal(trainers),
            Mode::Percent(share) => Self::Percent(share),
        }
    }
}

impl From<&Enforcement> for Mode {
    fn from(mode: &Enforcement) -> Self {
        match mode {
            Enforcement::Off => Self::Off,
            Enforcement::On => Self::On,
            Enforcement::Shadow => Self::Shadow,
            Enforcement::Internal(trainers) => Self::Internal(trainers.clone()),
            Enforcement::Percent(share) => Self::Percent(*share),
        }
    }
}
