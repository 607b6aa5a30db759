//! The simulator's own interface, below `/simulator`: what Stripe has a dashboard, a clock and bad
//! luck for.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::Fault;
use super::render::Version;
use super::state::Shared;
use super::webhooks::{Passed, pass};
use crate::adversary::Plan;

/// Ten years, in seconds: all that falls due until then has to be played.
const ADVANCE_SECONDS_MAX: i64 = 10 * 366 * 24 * 60 * 60;

type At = State<Arc<Shared>>;

/// An error, in plain words.
type Refused = (StatusCode, String);

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/advance", post(advance))
        .route("/deliver", post(deliver))
        .route("/deliveries", get(deliveries))
        .route("/events/{id}/resend", post(resend))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/release", post(release_faults))
        .route("/webhook_endpoints/{id}/adversary", post(set_adversary))
        .route("/webhook_endpoints/{id}/roll_secret", post(roll_secret))
}

/// To when the world's time is to move; one of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    now: Option<i64>,
    seconds: Option<i64>,
}

/// Moves the world's time; what falls due until then happens in order.
async fn advance(
    State(shared): At,
    Json(Advance { now, seconds }): Json<Advance>,
) -> Result<Json<Value>, Refused> {
    let now = {
        let mut state = shared.lock();
        let present = state.world.now();
        let to = match (now, seconds) {
            (Some(now), None) => now,
            (None, Some(seconds)) => present.saturating_add(seconds),
            _ => return Err(refuse("give either now or seconds")),
        };
        if to < present {
            return Err(refuse("time doesn't go back"));
        }
        if to > present.saturating_add(ADVANCE_SECONDS_MAX) {
            return Err(refuse("time moves at most ten years at once"));
        }
        state.advance_to(to);
        state.world.now()
    };
    shared.wake.notify_one();
    Ok(Json(json!({ "now": now })))
}

/// Tries everything outstanding once, due or not, and answers when all have answered.
async fn deliver(State(shared): At) -> Json<Passed> {
    Json(pass(&shared, true).await)
}

/// The log of deliveries.
async fn deliveries(State(shared): At) -> Json<Value> {
    Json(json!({ "data": shared.lock().outbox.log() }))
}

/// Has an event delivered once more.
async fn resend(State(shared): At, Path(id): Path<String>) -> Result<Json<Value>, Refused> {
    let count = {
        let mut state = shared.lock();
        let ((index, _), event) = state.event(&id).ok_or_else(not_found)?;
        let (event, now) = (event.into_owned(), state.world.now());
        state.outbox.resend(index, &event, now)
    };
    shared.wake.notify_one();
    Ok(Json(json!({ "endpoints": count })))
}

/// The faults to come, and how many requests are held by some.
async fn faults(State(shared): At) -> Json<Value> {
    Json(json!({ "data": shared.faults.list(), "held": shared.faults.held() }))
}

async fn add_fault(State(shared): At, Json(fault): Json<Fault>) -> StatusCode {
    shared.faults.add(fault);
    StatusCode::NO_CONTENT
}

async fn clear_faults(State(shared): At) -> StatusCode {
    shared.faults.clear();
    StatusCode::NO_CONTENT
}

/// Lets the held requests go on, or end.
async fn release_faults(State(shared): At) -> StatusCode {
    shared.faults.release();
    StatusCode::NO_CONTENT
}

/// Has deliveries to an endpoint go wrong from now on.
async fn set_adversary(
    State(shared): At,
    Path(id): Path<String>,
    Json(plan): Json<Plan>,
) -> Result<StatusCode, Refused> {
    if let Some(name) = plan.api_versions.iter().find(|name| Version::parse(name).is_none()) {
        return Err(refuse(&format!("{name} is no API version")));
    }
    let mut state = shared.lock();
    state.outbox.hook_mut(&id).ok_or_else(not_found)?.plan = Some(plan);
    Ok(StatusCode::NO_CONTENT)
}

/// For how long the old secret goes on signing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Roll {
    #[serde(default)]
    overlap_seconds: u32,
}

/// Gives an endpoint a new secret and answers with it.
async fn roll_secret(
    State(shared): At,
    Path(id): Path<String>,
    Json(Roll { overlap_seconds }): Json<Roll>,
) -> Result<Json<Value>, Refused> {
    let mut state = shared.lock_now();
    let now = state.world.now();
    state.outbox.hook(&id).ok_or_else(not_found)?;
    let secret = state.next_secret();
    if let Some(hook) = state.outbox.hook_mut(&id) {
        hook.roll(secret.clone(), now, i64::from(overlap_seconds));
    }
    Ok(Json(json!({ "secret": secret })))
}

fn refuse(why: &str) -> Refused {
    (StatusCode::BAD_REQUEST, why.to_owned())
}

fn not_found() -> Refused {
    (StatusCode::NOT_FOUND, "no such object".to_owned())
}
