//! `GET /api/v1/admin/dead-letters`: webhooks that could not be read.

use axum::Json;
use axum::extract::State;
use ledger_domain::event::Code;
use ledger_domain::id::{EventId, StripeId};
use ledger_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::Principal;
use super::openapi::{Refused, schema};
use super::params::{Params, Position, limit};
use super::problem::Problem;
use super::{AppState, cursor};
use crate::reads::DeadLetter;
use crate::roles::Role;

/// Which part of the list is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// How many, 50 unless said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// Where the last page ended.
    #[param(value_type = Option<schema::Cursor>)]
    cursor: Option<String>,
    /// The position that the answer must not be older than.
    #[param(value_type = Option<i64>, minimum = 0)]
    min_position: Option<Position>,
}

/// A page of dead letters.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetters)]
pub(crate) struct Page {
    dead_letters: Vec<Letter>,
    /// Where the next page begins; null = there is no more.
    #[schema(value_type = Option<schema::Cursor>)]
    cursor: Option<String>,
    position: i64,
}

/// A webhook whose object could not be read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
struct Letter {
    #[schema(value_type = schema::EventId)]
    event_id: EventId,
    position: i64,
    /// The path in the body of what is missing or not as it should be.
    lacks: Box<str>,
    #[schema(value_type = Option<schema::Timestamp>)]
    occurred_at: Option<Timestamp>,
    /// As Stripe names it.
    #[serde(rename = "type")]
    #[schema(value_type = Option<String>)]
    event_type: Option<Code>,
    #[schema(value_type = Option<String>)]
    api_version: Option<Code>,
    #[schema(value_type = Option<schema::StripeId>)]
    object_id: Option<StripeId>,
}

/// Webhooks whose object could not be read
///
/// In the order of the log.
#[utoipa::path(
    get,
    path = "/api/v1/admin/dead-letters",
    operation_id = "dead_letters",
    tag = "admin",
    params(Wanted),
    responses((status = 200, description = "A page of dead letters", body = Page), Refused),
    security(("token" = ["operator"])),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    principal: Principal,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Page>, Problem> {
    principal.require(&[Role::Operator])?;
    let limit = limit(wanted.limit)?;
    let after = wanted.cursor.as_deref().map(cursor::decode_position).transpose()?.unwrap_or(0);
    let tenant = &principal.tenant;
    state.reads.wait_for(tenant, wanted.min_position.map(|at| at.0)).await?;
    let found = state.reads.dead_letters(tenant, after, limit).await?;
    Ok(Json(Page {
        dead_letters: found.letters.into_iter().map(Letter::from).collect(),
        cursor: found.next.map(|next| cursor::encode(&next)),
        position: found.position,
    }))
}

impl From<DeadLetter> for Letter {
    fn from(letter: DeadLetter) -> Self {
        let origin = letter.origin.unwrap_or_default();
        Self {
            event_id: letter.event,
            position: letter.position,
            lacks: letter.lacks,
            occurred_at: letter.occurred_at,
            event_type: Some(origin.event_type).filter(|it| *it != ""),
            api_version: origin.api_version,
            object_id: origin.object_id,
        }
    }
}
