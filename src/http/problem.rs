//! Everything that can go wrong in a request, as `application/problem+json` (RFC 9457).
//!
//! To add a code: a variant, its line in [`Problem::parts`], and one in [`EXPLANATIONS`].

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ledger_log::{AppendError, ReadError};
use ledger_projections::{QueryError, WaitError};
use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::NotFound;
use super::openapi::schema::{ProblemCode, WayOut};
use super::params::Segment;
use crate::commands::facts::ActError;
use crate::errors::chain;
use crate::reads::{PastError, ReadsError};
use crate::seldom;

/// Where the codes are explained; a type is this with the code behind it.
const TYPE_BASE: &str = "/problems/";

/// What each code means and what to do, in a sentence or two.
const EXPLANATIONS: [(&str, &str); 20] = [
    ("invalid_request", "The request can't be understood. The detail says what to change."),
    ("unauthenticated", "The token is missing, expired or not signed as it should be."),
    ("forbidden", "The token is good, and its roles or its `sub` don't allow this."),
    ("not_found", "There is nothing under this name."),
    ("method_not_allowed", "The path exists and doesn't take this method."),
    ("too_large", "The body is larger than this path takes."),
    ("uri_too_long", "The path with its query is longer than any of ours."),
    ("headers_too_large", "The request's headers are too many, or too large."),
    ("rate_limited", "More calls than are allowed. Go on after the seconds in Retry-After."),
    ("unavailable", "The ledger can't answer now. Try again after the seconds in Retry-After."),
    (
        "parked",
        "An event behind this answer could not be taken in and waits. The ledger goes on trying; an \
         operator finds the reason at /api/v1/admin/projections, under `parked`. Without \
         min_position the answer is what was known before that event.",
    ),
    ("conflict", "What stands in the ledger doesn't allow it. The detail says what does."),
    ("idempotency_key_reused", "The key belongs to another request. Send this one with its own."),
    ("internal", "The ledger made a mistake. Its log has more under the id in x-request-id."),
    ("feature_not_available", "Nothing that the trainer holds grants the feature."),
    ("limit_reached", "As many are in use as the plan allows."),
    ("quota_exhausted", "All of the period's quota is used up."),
    ("subscription_inactive", "The subscription that grants the feature can't be used."),
    ("trial_expired", "The trial that granted the feature has ended."),
    ("account_suspended", "An administrator has locked the trainer out."),
];

/// Every code.
pub(super) fn codes() -> impl Iterator<Item = &'static str> {
    EXPLANATIONS.iter().map(|(code, _)| *code)
}

/// Seconds after which a client may try again what was unavailable.
const RETRY_AFTER_S: u32 = 2;
/// The same where an operator may have to do something first.
const RETRY_PARKED_AFTER_S: u32 = 30;

/// Why a request has no better answer.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The request can't be understood; the text says what to change.
    InvalidRequest(String),
    /// Who asks isn't known.
    Unauthenticated(&'static str),
    /// Who asks may not; the text must not tell anything about the object.
    Forbidden(&'static str),
    /// There is nothing under this name.
    NotFound(&'static str),
    /// The path exists, but not with this method.
    MethodNotAllowed,
    /// The body is larger than allowed.
    TooLarge,
    /// The path with its query is longer than allowed.
    UriTooLong,
    /// The headers are too many or too large.
    HeadersTooLarge,
    /// The request can be read, and asks for what can't be; the text says what to change.
    Unprocessable(String),
    /// What stands in the ledger doesn't allow it; the text says what does.
    Conflict(String),
    /// The `Idempotency-Key` came before, with another content.
    KeyReused,
    /// A feature is not granted: what a caller needs to explain it to its user.
    Denied(Box<Denial>),
    /// Who asks has called too often.
    RateLimited {
        /// Seconds until the next call is allowed.
        retry_after_s: u32,
    },
    /// The ledger can't answer now; trying again later makes sense.
    Unavailable,
    /// The service can't be asked at all; the text says why, and nothing of any tenant.
    NotReady(&'static str),
    /// The answer ends before the position that was asked for, and stays so until an event that
    /// could not be taken in is taken in; the text says where it ends.
    Parked(String),
    /// The ledger made a mistake. What it was is in the log, never in the answer.
    Internal,
}

/// Why a feature is not granted, and the way out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Denial {
    /// One of the codes of decisions: `limit_reached`, `subscription_inactive`, ...
    #[serde(skip)]
    pub(crate) code: &'static str,
    #[serde(skip)]
    pub(crate) detail: String,
    pub(crate) feature: String,
    pub(crate) current_tier: Option<String>,
    pub(crate) subscription_status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) used: Option<u64>,
    /// What reservations hold besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) held: Option<u64>,
    pub(crate) required_tier: Option<String>,
    /// The add-on that grants what no tier does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) required_add_on: Option<String>,
    pub(crate) upgrade_url: String,
    pub(crate) position: i64,
}

struct Parts<'a> {
    status: StatusCode,
    code: &'a str,
    title: &'a str,
    detail: &'a str,
}

impl Problem {
    /// The one place that says which status and code a problem has.
    fn parts(&self) -> Parts<'_> {
        let (status, code, title, detail) = match self {
            Self::InvalidRequest(detail) => {
                (StatusCode::BAD_REQUEST, "invalid_request", "Invalid request", detail.as_str())
            }
            Self::Unauthenticated(detail) => {
                (StatusCode::UNAUTHORIZED, "unauthenticated", "Not authenticated", *detail)
            }
            Self::Forbidden(detail) => (StatusCode::FORBIDDEN, "forbidden", "Forbidden", *detail),
            Self::NotFound(detail) => (StatusCode::NOT_FOUND, "not_found", "Not found", *detail),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Method not allowed",
                "This path doesn't take this method.",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "Too large",
                "The body is larger than this path takes.",
            ),
            Self::UriTooLong => (
                StatusCode::URI_TOO_LONG,
                "uri_too_long",
                "URI too long",
                "The path with its query is too long.",
            ),
            Self::HeadersTooLarge => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "headers_too_large",
                "Headers too large",
                "The headers are too many, or too large.",
            ),
            Self::Unprocessable(detail) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_request",
                "Invalid request",
                detail.as_str(),
            ),
            Self::Conflict(detail) => {
                (StatusCode::CONFLICT, "conflict", "Conflict", detail.as_str())
            }
            Self::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "Idempotency key reused",
                "The Idempotency-Key came before, with another content.",
            ),
            Self::Denied(denial) => {
                (StatusCode::FORBIDDEN, denial.code, title_of(denial.code), denial.detail.as_str())
            }
            Self::RateLimited { .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "Rate limited",
                "There were more calls than are allowed in a minute. Wait for the seconds in \
                 Retry-After.",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Unavailable",
                "The ledger can't answer this now. Try again in a moment.",
            ),
            Self::NotReady(reason) => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable", *reason)
            }
            Self::Parked(detail) => {
                (StatusCode::SERVICE_UNAVAILABLE, "parked", "Parked", detail.as_str())
            }
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Internal error",
                "The ledger made a mistake. The request id helps its operator to find it.",
            ),
        };
        Parts { status, code, title, detail }
    }

    /// The body of the answer.
    fn to_json(&self) -> String {
        let Parts { status, code, title, detail } = self.parts();
        let denial = match self {
            Self::Denied(denial) => Some(&**denial),
            _ => None,
        };
        let type_ = format!("{TYPE_BASE}{code}");
        let status = status.as_u16();
        let body = Body { type_, title, status, code, detail, denial };
        serde_json::to_string(&body).expect("problems have text keys and no floats")
    }
}

/// What is wrong, as RFC 9457 has it. Where a feature is denied, it tells the way out.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct Body<'a> {
    /// Where the code is explained.
    #[serde(rename = "type")]
    type_: String,
    title: &'a str,
    status: u16,
    #[schema(value_type = ProblemCode)]
    code: &'a str,
    /// For people; its words may change.
    detail: &'a str,
    #[serde(flatten)]
    #[schema(value_type = WayOut)]
    denial: Option<&'a Denial>,
}

impl From<ActError> for Problem {
    fn from(error: ActError) -> Self {
        match error {
            // The log tells of its outages itself, once and not for each request.
            ActError::Append(
                AppendError::Unavailable(_) | AppendError::WrongExpectedRevision { .. },
            )
            | ActError::Read(ReadError::Unavailable(_)) => Self::Unavailable,
            ActError::Append(AppendError::IdReused { .. }) => Self::KeyReused,
            error => {
                tracing::error!(error = %chain(&error), "an act could not be appended");
                Self::Internal
            }
        }
    }
}

impl From<ReadsError> for Problem {
    fn from(error: ReadsError) -> Self {
        match error {
            ReadsError::Wait(WaitError::Deadline { at }) => {
                tracing::debug!(at, "the read models did not get there in time");
                Self::Unavailable
            }
            ReadsError::Parked { at } => Self::Parked(format!(
                "What is known here ends at position {at}: an event after it could not be taken in \
                 and waits. Ask without min_position for what is known; an operator finds the \
                 reason under `parked` at /api/v1/admin/projections."
            )),
            ReadsError::Past(PastError::NothingKnown) => Self::Unprocessable(
                "By that time no catalogue had been published: the ledger knew nothing that it \
                 could have answered by."
                    .into(),
            ),
            ReadsError::Past(PastError::TooMany { limit }) => Self::Unprocessable(format!(
                "It would take more than {limit} events to answer. An operator can: `ledger replay \
                 as-of`."
            )),
            ReadsError::Fold
            | ReadsError::Query(QueryError::Row(_) | QueryError::State { .. })
            | ReadsError::Log(ReadError::Corrupt { .. }) => {
                tracing::error!(error = chain(&error), "what was stored can't be read");
                Self::Internal
            }
            ReadsError::Query(QueryError::Database(_))
            | ReadsError::Log(ReadError::Unavailable(_))
            | ReadsError::Wait(WaitError::Unavailable(_))
            | ReadsError::Busy
            | ReadsError::Shared
            | ReadsError::NoCatalog => {
                if let Some(left_out) = seldom::tell("question") {
                    let error = chain(&error);
                    tracing::warn!(error, left_out, "a question could not be answered");
                }
                Self::Unavailable
            }
        }
    }
}

/// A code's short name for people.
fn title_of(code: &str) -> &'static str {
    match code {
        "limit_reached" => "Limit reached",
        "quota_exhausted" => "Quota exhausted",
        "subscription_inactive" => "Subscription inactive",
        "trial_expired" => "Trial expired",
        "account_suspended" => "Account suspended",
        _ => "Feature not available",
    }
}

/// What a problem's `type` leads to
#[utoipa::path(
    get,
    path = "/problems/{code}",
    operation_id = "problem",
    tag = "service",
    params(("code" = ProblemCode, Path, description = "The code")),
    responses(
        (status = 200, description = "What it means, and what to do", body = String,
            content_type = "text/plain"),
        NotFound,
    ),
)]
pub(crate) async fn explain(Segment(code): Segment) -> Result<String, Problem> {
    let known = EXPLANATIONS.iter().find(|(known, _)| *known == code);
    let (code, text) = known.ok_or(Problem::NotFound("There is no problem of this name."))?;
    Ok(format!("{code}: {text}\n"))
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.parts().status;
        let retry_after = match self {
            Self::RateLimited { retry_after_s } => Some(retry_after_s),
            Self::Parked(_) => Some(RETRY_PARKED_AFTER_S),
            Self::Unavailable | Self::NotReady(_) => Some(RETRY_AFTER_S),
            _ => None,
        };
        let mut response = (status, self.to_json()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(retry_after) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use ledger_domain::effective::Denial as Why;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_denial_tells_the_way_out() {
        let denial = Denial {
            code: "limit_reached",
            detail: "All 9 customers are in use.".into(),
            feature: "customers".into(),
            current_tier: Some("starter".into()),
            subscription_status: "active".into(),
            limit: Some(9),
            used: Some(9),
            held: None,
            required_tier: Some("professional".into()),
            required_add_on: None,
            upgrade_url: "/api/v1/tiers/upgrade".into(),
            position: 7,
        };
        let body = Problem::Denied(Box::new(denial)).to_json();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["type"], "/problems/limit_reached");
        assert_eq!(body["title"], "Limit reached");
        assert_eq!((&body["status"], &body["limit"]), (&json!(403), &json!(9)));
        assert_eq!(body["required_tier"], "professional");
    }

    #[test]
    fn every_code_is_explained() {
        let problems = [
            Problem::InvalidRequest(String::new()),
            Problem::Unauthenticated(""),
            Problem::Forbidden(""),
            Problem::NotFound(""),
            Problem::MethodNotAllowed,
            Problem::TooLarge,
            Problem::UriTooLong,
            Problem::HeadersTooLarge,
            Problem::Unprocessable(String::new()),
            Problem::Conflict(String::new()),
            Problem::KeyReused,
            Problem::RateLimited { retry_after_s: 1 },
            Problem::Unavailable,
            Problem::Parked(String::new()),
            Problem::Internal,
        ];
        let mut codes: Vec<&str> = Why::ALL.into_iter().map(Why::code).collect();
        codes.extend(problems.iter().map(|problem| problem.parts().code));
        for code in codes {
            assert!(EXPLANATIONS.iter().any(|(known, _)| *known == code), "{code}");
        }
    }

    #[test]
    fn a_refusal_says_how_to_go_on() {
        let response = Problem::Unavailable.into_response();
        assert_eq!(response.status(), 503);
        assert!(response.headers().contains_key("retry-after"));
        let response = Problem::RateLimited { retry_after_s: 7 }.into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "7");
        let response = Problem::Unauthenticated("why").into_response();
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}
