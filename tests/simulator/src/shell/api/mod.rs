//! A request's way: key, rate, version, form, idempotency, world, shape.

mod auth;
mod events;
mod execute;
mod expand;
mod failure;
mod form;
mod idempotency;
mod limits;
mod page;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method as HttpMethod, StatusCode, header};
use axum::response::Response;
use serde_json::Value;

pub(crate) use self::execute::repeat;
pub(crate) use self::failure::{Failure, bad_request, missing, unknown_parameter};
pub(crate) use self::idempotency::Keys;
use self::idempotency::{Begun, Ticket};
pub(crate) use self::limits::Rate;
use super::faults::When;
use super::render::Version;
use super::state::Shared;
use crate::world::{Method, Request as Call};

/// A form is never nearly as long.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The length of a request's id after its prefix.
pub(crate) const REQUEST_ID_LENGTH: usize = 14;

/// An answer, as it's kept under an idempotency key.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    body: Bytes,
    /// Whether its error came before anything was carried out.
    is_premature: bool,
}

impl Reply {
    fn object(value: &Value) -> Self {
        Self { status: 200, body: pretty(value), is_premature: false }
    }

    fn failure(failure: &Failure) -> Self {
        Self {
            status: failure.status(),
            body: pretty(&failure.body()),
            is_premature: failure.is_premature(),
        }
    }

    fn response(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

/// Stripe's answers are indented.
fn pretty(value: &Value) -> Bytes {
    Bytes::from(format!("{value:#}\n"))
}

/// An error as an answer.
pub(crate) fn respond(failure: &Failure) -> Response {
    let mut response = Reply::failure(failure).response();
    for (name, value) in failure.headers() {
        insert(&mut response, name, value);
    }
    response
}

/// Answers every request to Stripe's API.
pub(crate) async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let id = shared.lock().ids.next("req_", REQUEST_ID_LENGTH);
    let (parts, body) = request.into_parts();
    let handled = match to_bytes(body, BODY_BYTES_MAX).await {
        Ok(body) => {
            let query = parts.uri.query().unwrap_or_default();
            let at = At { method: &parts.method, path: parts.uri.path(), query, id: &id };
            handle(&shared, &at, &parts.headers, &body).await
        }
        Err(_) => Err(Failure::too_large()),
    };
    let mut response = handled.unwrap_or_else(|failure| respond(&failure));
    insert(&mut response, "request-id", &id);
    insert(&mut response, "date", &date(shared.lock_now().world.now()));
    response
}

/// A time as HTTP writes it. The header tells the world's time, as Stripe's tells that of its
/// events.
fn date(now: i64) -> String {
    const YEAR_9999: u64 = 253_370_764_800;
    let since = Duration::from_secs(u64::try_from(now).unwrap_or_default().min(YEAR_9999));
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since)
}

/// Where a request goes.
struct At<'a> {
    method: &'a HttpMethod,
    path: &'a str,
    query: &'a str,
    id: &'a str,
}

async fn handle(
    shared: &Arc<Shared>,
    at: &At<'_>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Failure> {
    auth::check(&shared.secret_keys, headers)?;
    shared.lock().rate.take(shared.clock.now())?;
    let version = version(shared, headers)?;
    let key = idempotency::key(at.method, headers)?;
    let call = call(at, key, headers, body)?;
    let fault = shared.faults.hit(at.method.as_str(), at.path);

    let ticket = match Ticket::begin(shared, &call)? {
        Begun::Replay(reply, original) => {
            let mut response = reply.response();
            insert(&mut response, "idempotent-replayed", "true");
            insert(&mut response, "original-request", &original);
            return Ok(respond_as(response, &call, &version));
        }
        Begun::Fresh(ticket) => ticket,
    };
    let when = fault.as_ref().map(|fault| fault.when);
    if let Some(fault) = fault.as_ref().filter(|fault| fault.when == When::Before)
        && let Some(response) = fault.happen(shared).await
    {
        return Ok(response);
    }
    let reply = match fault.as_ref().filter(|_| when == Some(When::Instead)) {
        Some(fault) => Reply::failure(&fault.failure()),
        None => execute::execute(shared, &call, &version),
    };
    ticket.finish(&reply);
    shared.wake.notify_one();
    if let Some(fault) = fault.filter(|fault| fault.when == When::After)
        && let Some(response) = fault.happen(shared).await
    {
        return Ok(response);
    }
    Ok(respond_as(reply.response(), &call, &version))
}

fn respond_as(mut response: Response, call: &Call, version: &Version) -> Response {
    insert(&mut response, "stripe-version", version.name());
    if let Some(key) = &call.idempotency_key {
        insert(&mut response, "idempotency-key", key);
    }
    response
}

fn insert(response: &mut Response, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(HeaderName::from_static(name), value);
    }
}

fn version(shared: &Shared, headers: &HeaderMap) -> Result<Version, Failure> {
    let Some(name) = headers.get("stripe-version") else {
        return Ok(shared.account_version.clone());
    };
    let name = name.to_str().unwrap_or_default();
    Version::parse(name)
        .ok_or_else(|| bad_request(None, None, format!("Invalid Stripe API version: {name}")))
}

/// Reads the form: that of a `GET` stands in the query, others may have both.
fn call(
    at: &At<'_>,
    key: Option<String>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Call, Failure> {
    let method = match *at.method {
        HttpMethod::GET => Method::Get,
        HttpMethod::POST => Method::Post,
        HttpMethod::DELETE => Method::Delete,
        _ => return Err(Failure::unknown_url(at.method.as_str(), at.path)),
    };
    let content = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form =
        content.is_none_or(|content| content.starts_with("application/x-www-form-urlencoded"));
    if !is_form && !body.is_empty() {
        return Err(Failure::not_a_form());
    }
    let params = form::decode(&[at.query.as_bytes(), body])?;
    Ok(Call {
        method,
        path: at.path.to_owned(),
        params,
        id: Some(at.id.to_owned()),
        idempotency_key: key,
    })
}
