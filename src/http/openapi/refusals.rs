//! How requests are refused, in groups that operations share.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::header::HeaderBuilder;
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

fn refusal(status: u16, description: &str) -> (String, RefOr<Response>) {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let mut response = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", problem);
    if matches!(status, 429 | 503) {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let header = HeaderBuilder::new()
            .schema(Some(seconds.build()))
            .description(Some("Seconds after which to try again"));
        response = response.header("Retry-After", header.build());
    }
    (status.to_string(), response.build().into())
}
