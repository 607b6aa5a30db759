//! `POST /api/v1/webhooks/stripe` and `/{tenant}`: what Stripe sends.
//!
//! The busiest path, so nothing runs here that it doesn't need: no layer, no token, one look-up.

use std::fmt::Write;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use utoipa::ToSchema;

use super::AppState;
use super::collect::collect;
use super::openapi::{NotFound, TooLarge, schema};
use super::params::Segment;
use super::problem::{Body, Problem};
use crate::config::DEFAULT_TENANT;
use crate::errors::chain;
use crate::ingest::{Receipt, Rejected};
use crate::meters::Meters;
use crate::seldom;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// Says where an event is in the log.
#[derive(ToSchema)]
#[expect(dead_code, reason = "answers are written without it, for speed; it describes them")]
struct Accepted {
    #[schema(pattern = "^(appended|already_appended)$")]
    status: &'static str,
    #[schema(value_type = schema::EventId)]
    event_id: String,
    position: i64,
}

/// A webhook of Stripe's, for the tenant `default`
///
/// Answered once the event is durable. Whatever carries a good signature and is an event is
/// accepted, also types and shapes that the ledger doesn't know; the same event again is told its
/// first position.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/stripe",
    operation_id = "stripe_webhook",
    tag = "webhooks",
    params(("Stripe-Signature" = String, Header, description = "As Stripe signs it")),
    request_body(content = Object, description = "An event of Stripe's, 1 MiB at most"),
    responses(
        (status = 200, description = "The event is in the log", body = Accepted),
        (status = 400, description = "`invalid_request`: no good signature, or no event",
            body = Body, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not now; Stripe sends it again",
            body = Body, content_type = "application/problem+json",
            headers(("Retry-After" = i64, description = "Seconds after which to try again"))),
        NotFound, TooLarge,
    ),
)]
pub(crate) async fn receive_default(state: State<AppState>, request: Request) -> Response {
    receive(&state, DEFAULT_TENANT, request).await
}

/// A webhook of Stripe's, for a tenant
///
/// As for the tenant `default`.
#[utoipa::path(
    post,
    path = "/api/v1/webhooks/stripe/{tenant}",
    operation_id = "stripe_webhook_of_tenant",
    tag = "webhooks",
    params(
        ("tenant" = schema::Tenant, Path, description = "Whose it is"),
        ("Stripe-Signature" = String, Header, description = "As Stripe signs it"),
    ),
    request_body(content = Object, description = "An event of Stripe's, 1 MiB at most"),
    responses(
        (status = 200, description = "The event is in the log", body = Accepted),
        (status = 400, description = "`invalid_request`: no good signature, or no event",
            body = Body, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: not now; Stripe sends it again",
            body = Body, content_type = "application/problem+json",
            headers(("Retry-After" = i64, description = "Seconds after which to try again"))),
        NotFound, TooLarge,
    ),
)]
pub(crate) async fn receive_for_tenant(
    state: State<AppState>,
    Segment(tenant): Segment,
    request: Request,
) -> Response {
    receive(&state, &tenant, request).await
}

async fn receive(state: &AppState, tenant: &str, request: Request) -> Response {
    timed(&state.ingest.meters, answer(state, tenant, request)).await
}

/// Counts and times a webhook. One that panics is a mistake of the ledger's, of which whoever sent
/// it is told, too: Stripe sends it again.
async fn timed(meters: &Meters, taken: impl Future<Output = Result<Receipt, Problem>>) -> Response {
    let started = Instant::now();
    meters.received.increment(1);
    // What it was handling is dropped with it.
    let taken = AssertUnwindSafe(taken).catch_unwind().await.unwrap_or_else(|_| {
        meters.rejected("panic");
        if let Some(left_out) = seldom::tell("panic") {
            tracing::error!(reason = "panic", left_out, "a webhook was not taken in");
        }
        Err(Problem::Internal)
    });
    let answer = match taken {
        Ok(receipt) => accepted(&receipt),
        Err(problem) => problem.into_response(),
    };
    meters.seconds.record(started.elapsed().as_secs_f64());
    answer
}

async fn answer(state: &AppState, tenant: &str, request: Request) -> Result<Receipt, Problem> {
    let Some(served) = state.tenants.get(tenant) else {
        refused_unread("unknown_tenant", &state.ingest.meters);
        return Err(Problem::NotFound("There is no such tenant."));
    };
    let (parts, body) = request.into_parts();
    let body = collect(&parts.headers, body, BODY_TIMEOUT, &state.bodies).await;
    let body = body.inspect_err(|problem| unread(problem, &state.ingest.meters))?;
    let signature = parts.headers.get("stripe-signature").and_then(|value| value.to_str().ok());
    let taken = state.ingest.webhook(&served, signature.unwrap_or_default(), &body).await;
    taken.map_err(|rejected| {
        let reason = rejected.reason();
        state.ingest.meters.rejected(reason);
        let (tenant, bytes) = (&served.tenant, body.len());
        // The log of events tells of its outages itself, once and not for each webhook. All else
        // anybody can cause, and as often as they like.
        if matches!(rejected, Rejected::Unavailable(_)) {
            tracing::debug!(%tenant, reason, bytes, "a webhook was not taken in");
        } else if let Some(left_out) = seldom::tell(reason) {
            let error = chain(&rejected);
            tracing::warn!(%tenant, reason, error, bytes, left_out, "a webhook was not taken in");
        }
        problem(rejected, state)
    })
}

/// Counts a body that was not read to its end.
fn unread(problem: &Problem, meters: &Meters) {
    if !matches!(problem, Problem::Unavailable) {
        return refused_unread("body_not_read", meters);
    }
    meters.unavailable.increment(1);
    refused_unread("no_room", meters);
}

/// Counts and tells of a webhook of which nothing else is known.
fn refused_unread(reason: &'static str, meters: &Meters) {
    meters.rejected(reason);
    if let Some(left_out) = seldom::tell(reason) {
        tracing::warn!(reason, left_out, "a webhook was not taken in");
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(meters: &Meters, reason: &str) -> u64 {
        let text = meters.render();
        let name = format!("ledger_webhooks_rejected_total{{reason=\"{reason}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&name)).expect("a counter");
        value.parse().expect("a number")
    }

    #[tokio::test]
    async fn a_panic_is_answered_and_counted() {
        let meters = Meters::new();
        let before = rejected(&meters, "panic");
        let panics = async { panic!("a mistake") as Result<Receipt, Problem> };
        let answer = timed(&meters, panics).await;
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(rejected(&meters, "panic"), before + 1);
    }

    #[test]
    fn who_finds_no_room_comes_again() {
        let meters = Meters::new();
        let before = ["no_room", "body_not_read"].map(|reason| rejected(&meters, reason));
        unread(&Problem::Unavailable, &meters);
        unread(&Problem::TooLarge, &meters);
        let after = ["no_room", "body_not_read"].map(|reason| rejected(&meters, reason));
        assert_eq!(after, before.map(|count| count + 1));
        assert!(Problem::Unavailable.into_response().headers().contains_key("retry-after"));
    }
}
