//! `GET /api/v1/admin/dead-letters`: webhooks that could not be read.

use axum::Json;
use axum::extract::State;
use ledger_domain::event::Code;
use ledger_domain::id::{EventId, StripeId};
use ledger_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::auth::Principal;
use super::params::{Params, Position, limit};
use super::problem::Problem;
use super::{AppState, cursor};
use crate::reads::DeadLetter;
use crate::roles::Role;

/// Which part of the list is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    limit: Option<usize>,
    cursor: Option<String>,
    min_position: Option<Position>,
}

/// A page of dead letters.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    dead_letters: Vec<Letter>,
    cursor: Option<String>,
    position: i64,
}

#[derive(Debug, Serialize)]
struct Letter {
    event_id: EventId,
    position: i64,
    lacks: Box<str>,
    occurred_at: Option<Timestamp>,
    /// As Stripe names it.
    #[serde(rename = "type")]
    event_type: Option<Code>,
    api_version: Option<Code>,
    object_id: Option<StripeId>,
}

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
