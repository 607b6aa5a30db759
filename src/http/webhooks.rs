//! `POST /api/v1/webhooks/stripe` and `/{tenant}`: what Stripe sends.
//!
//! The busiest path, so nothing runs here that it doesn't need: no layer, no token, one look-up.

use std::fmt::Write;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::AppState;
use super::body;
use super::params::Segment;
use super::problem::Problem;
use crate::config::DEFAULT_TENANT;
use crate::ingest::{Receipt, Rejected};

/// Largest body. The largest webhooks seen are about 20 KB.
const BODY_BYTES_MAX: usize = 1 << 20;

pub(crate) async fn receive_default(state: State<AppState>, request: Request) -> Response {
    receive(&state, DEFAULT_TENANT, request).await
}

pub(crate) async fn receive_for_tenant(
    state: State<AppState>,
    Segment(tenant): Segment,
    request: Request,
) -> Response {
    receive(&state, &tenant, request).await
}

async fn receive(state: &AppState, tenant: &str, request: Request) -> Response {
    let started = Instant::now();
    let meters = &state.ingest.meters;
    meters.received.increment(1);
    let answer = match answer(state, tenant, request).await {
        Ok(receipt) => accepted(&receipt),
        Err(problem) => problem.into_response(),
    };
    meters.seconds.record(started.elapsed().as_secs_f64());
    answer
}

async fn answer(state: &AppState, tenant: &str, request: Request) -> Result<Receipt, Problem> {
    let Some(served) = state.tenants.get(tenant) else {
        state.ingest.meters.rejected("unknown_tenant");
        return Err(Problem::NotFound("There is no such tenant."));
    };
    let (parts, body) = request.into_parts();
    let body = body::read(&parts.headers, body, BODY_BYTES_MAX, body::TIMEOUT).await.inspect_err(
        |_| {
            state.ingest.meters.rejected("body_not_read");
        },
    )?;
    let signature = parts.headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let taken = state.ingest.webhook(&served, signature.unwrap_or_default(), &body).await;
    taken.map_err(|rejected| {
        let reason = rejected.reason();
        state.ingest.meters.rejected(reason);
        let (tenant, bytes) = (&served.tenant, body.len());
        if matches!(rejected, Rejected::Unavailable(_)) {
            // The log of events tells of its outages itself, once and not for each webhook.
            tracing::debug!(%tenant, reason, bytes, "a webhook was not taken in");
        } else {
            tracing::warn!(%tenant, reason, bytes, "a webhook was not taken in");
        }
        problem(rejected, state)
    })
}

/// Ids hold no character that JSON would escape.
fn accepted(receipt: &Receipt) -> Response {
    let status = if receipt.appended { "appended" } else { "already_appended" };
    let mut body = String::with_capacity(128);
    let Receipt { event_id, position, .. } = receipt;
    write!(body, r#"{{"status":"{status}","event_id":"{event_id}","position":{position}}}"#)
        .expect("writing to a string can't fail");
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], body).into_response()
}

fn problem(rejected: Rejected, state: &AppState) -> Problem {
    match rejected {
        Rejected::Signature(error) => Problem::InvalidRequest(sentence(&error)),
        Rejected::Body(error) => Problem::InvalidRequest(sentence(&error)),
        Rejected::Refused(why) => Problem::InvalidRequest(format!("The log refused it: {why}.")),
        Rejected::Unavailable(_) => {
            state.ingest.meters.unavailable.increment(1);
            Problem::Unavailable
        }
    }
}

/// The errors of signatures and bodies hold nothing of what was sent.
fn sentence(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => text,
    }
}
