//! What the API says of itself: an OpenAPI 3.1 document at `/api/openapi.json`, and pages to read
//! and try it at `/docs`.
//!
//! Each handler is described where it stands, by `#[utoipa::path]`, and `router.rs` makes the
//! routes and the document from the same lines, so a path can't be in one of them alone. The shapes
//! are those that are answered. What types of the pure core look like in JSON is in `schema.rs`,
//! since the core knows nothing of HTTP; how requests are refused is in `refusals.rs`, and what all
//! operations have in common in `everywhere.rs`.

mod everywhere;
mod page;
mod refusals;
pub(super) mod schema;

use axum::body::Bytes;
use axum::http::header;
use axum::routing::{MethodRouter, get};
use serde_json::{Map, Value};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi};

pub(super) use page::page;
pub(super) use refusals::{Conflict, MayDeny, NotFound, Refused, TooLarge, Unprocessable};

/// Where the document is.
pub(super) const DOCUMENT: &str = "/api/openapi.json";

/// What the document begins with; the router adds the paths.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Billing ledger",
        description = include_str!("introduction.md"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    modifiers(&Scheme),
    servers((url = "/", description = "This service")),
    tags(
        (name = "tiers", description = "What trainers have, and had"),
        (name = "entitlements", description = "What trainers may do, and why"),
        (name = "usage", description = "Counting what is used, for services"),
        (name = "admin", description = "What operators and administrators look at"),
        (name = "audit", description = "The log, for auditors"),
        (name = "webhooks", description = "What Stripe sends"),
        (name = "service", description = "How the service is"),
    ),
    // It is asked with any method, which no line of the router's that describes can say.
    paths(super::authorize::authorize),
    // A parameter alone refers to it.
    components(schemas(schema::IdempotencyKey))
)]
struct Beginning;

/// How callers show who they are.
struct Scheme;

impl utoipa::Modify for Scheme {
    fn modify(&self, document: &mut OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("A token with one of the roles that an operation names."));
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("token", SecurityScheme::Http(bearer.build()));
    }
}

/// The document before the router adds to it.
pub(super) fn beginning() -> OpenApi {
    <Beginning as utoipa::OpenApi>::openapi()
}

/// What requests and answers look like, by the names of their schemas.
const EXAMPLES: &str = include_str!("examples.json");

/// The document with its examples, and with what all operations have in common.
pub(super) fn written(document: &OpenApi) -> Value {
    let mut document = serde_json::to_value(document).expect("a document has text keys");
    let examples: Map<String, Value> = serde_json::from_str(EXAMPLES).expect("a JSON object");
    let schemas = &mut document["components"]["schemas"];
    for (name, example) in examples {
        schemas[&name]["examples"] = Value::Array(vec![example]);
    }
    everywhere::complete(&mut document);
    document
}

/// Answers with the document, which is written once.
pub(super) fn document<S: Clone + Send + Sync + 'static>(document: &OpenApi) -> MethodRouter<S> {
    let json = Bytes::from(written(document).to_string());
    get(async move || ([(header::CONTENT_TYPE, "application/json")], json))
}
