//! How requests are refused, in groups that operations share.

use std::collections::BTreeMap;

use ledger_domain::effective::Denial;
use serde_json::Value;
use utoipa::IntoResponses;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident: $(($status:literal, $description:literal)),+;)*) => {
        $(
            $(#[$doc])*
            pub(crate) enum $name {}

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    BTreeMap::from([$(refusal($status, $description)),+])
                }
            }
        )*
    };
}

refusals! {
    /// By which every operation that takes a token can be refused.
    Refused:
        (400, "`invalid_request`: the request can't be understood"),
        (401, "`unauthenticated`: the token is missing, expired or not signed as it should be"),
        (403, "`forbidden`: the token's roles or its `sub` don't allow this"),
        (429, "`rate_limited`: more calls than are allowed"),
        (500, "`internal`: the ledger made a mistake"),
        (503, "`unavailable` or `parked`: not now");
    NotFound: (404, "`not_found`: there is nothing under this name");
    Conflict: (409, "`conflict`: what stands in the ledger doesn't allow it");
    TooLarge: (413, "`too_large`: the body is larger than this path takes");
    Unprocessable:
        (422, "`invalid_request` or `idempotency_key_reused`: it can be read, and not be done");
}

/// By which an operation is refused that also denies features. It stands behind [`Refused`], whose
/// 403 it replaces.
pub(crate) enum MayDeny {}

impl IntoResponses for MayDeny {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let codes = Denial::ALL.map(|denial| format!("`{}`", denial.code())).join(", ");
        let description = format!(
            "`forbidden`: the token's roles or its `sub` don't allow this. Or the feature is \
             denied, and the problem tells the way out: {codes}"
        );
        BTreeMap::from([refusal_with(403, &description, denials())])
    }
}

/// What denials look like, by their codes.
const DENIALS: &str = include_str!("denials.json");

fn denials() -> BTreeMap<String, Example> {
    let denials: BTreeMap<String, Value> = serde_json::from_str(DENIALS).expect("a JSON object");
    let example = |value| ExampleBuilder::new().value(Some(value)).build();
    denials.into_iter().map(|(code, value)| (code, example(value))).collect()
}

/// How a status of ours is answered.
pub(super) fn refusal(status: u16, description: &str) -> (String, RefOr<Response>) {
    refusal_with(status, description, BTreeMap::new())
}

fn refusal_with(
    status: u16,
    description: &str,
    examples: BTreeMap<String, Example>,
) -> (String, RefOr<Response>) {
    let problem = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples);
    let response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", problem.build());
    let response = match status {
        401 => response.header("WWW-Authenticate", header(Type::String, "`Bearer`")),
        405 => response.header("Allow", header(Type::String, "The methods that it takes")),
        429 | 503 => {
            let seconds = header(Type::Integer, "Seconds after which to try again");
            response.header("Retry-After", seconds)
        }
        _ => response,
    };
    (status.to_string(), response.build().into())
}

fn header(kind: Type, description: &str) -> Header {
    let schema = ObjectBuilder::new().schema_type(kind).build();
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}
