//! Which path is answered by what.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::{self, Problem};
use super::{
    AppState, anomalies, audit, audit_event, authorize, dead_letters, enforcement, entitlements,
    explain, health, metrics, openapi, projections, rate_limit, tiers, token, track, trainers,
    usage, webhooks,
};

/// Largest body of a request to the API; webhooks have a limit of their own.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Paths that the document doesn't tell of: itself, its pages, and what lies below a path that it
/// does tell of.
const UNDESCRIBED: [&str; 6] = [
    "/api/v1/authorize/{*path}",
    "/api/v1/authorize/",
    openapi::DOCUMENT,
    "/docs",
    "/docs/",
    "/docs/{*rest}",
];

/// Every path of the service.
pub(crate) fn router(state: AppState) -> Router {
    let ((webhooks, received), (api, mut document)) = described();
    document.merge(received);
    let paths = document.paths.paths.keys().map(String::as_str);
    paths.chain(UNDESCRIBED).for_each(|path| state.ingest.meters.begin(path));
    let webhooks = webhooks.method_not_allowed_fallback(async || Problem::MethodNotAllowed);
    let api = api
        .route("/api/v1/authorize", any(authorize::authorize))
        // Envoy puts the path of its client behind it.
        .route("/api/v1/authorize/{*path}", any(authorize::authorize))
        .route("/api/v1/authorize/", any(authorize::authorize))
        .route(openapi::DOCUMENT, openapi::document(&document))
        .merge(openapi::page())
        .method_not_allowed_fallback(async || Problem::MethodNotAllowed)
        .fallback(async || Problem::NotFound("There is nothing at this path."))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(state.clone(), rate_limit::rate_limit))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(state.clone(), track::track));
    api.merge(webhooks).with_state(state)
}

type Described = (Router<AppState>, OpenApi);

/// What webhooks come in by, and everything else, each with what the document says of it.
fn described() -> (Described, Described) {
    // Without a layer: `webhooks` does itself what they need.
    let webhooks = OpenApiRouter::new()
        .routes(routes!(webhooks::receive_default))
        .routes(routes!(webhooks::receive_for_tenant));
    let api = OpenApiRouter::with_openapi(openapi::beginning())
        .routes(routes!(tiers::list))
        .routes(routes!(tiers::current))
        .routes(routes!(tiers::history))
        .routes(routes!(usage::meters::of_trainer))
        .routes(routes!(entitlements::all))
        .routes(routes!(token::issue))
        .routes(routes!(entitlements::one))
        .routes(routes!(explain::explain))
        .routes(routes!(trainers::register))
        .routes(routes!(usage::acts::consume))
        .routes(routes!(usage::acts::record))
        .routes(routes!(usage::acts::reserve))
        .routes(routes!(usage::acts::commit))
        .routes(routes!(usage::acts::release))
        .routes(routes!(usage::acts::check))
        .routes(routes!(usage::meters::limits))
        .routes(routes!(anomalies::list))
        .routes(routes!(dead_letters::list))
        .routes(routes!(projections::list))
        .routes(routes!(enforcement::current, enforcement::set))
        .routes(routes!(audit::list))
        .routes(routes!(audit_event::one))
        .routes(routes!(token::keys))
        .routes(routes!(problem::explain))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics));
    (webhooks.split_for_parts(), api.split_for_parts())
}

/// The panic itself is in the log already, by the hook of `panics`.
fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    Problem::Internal.into_response()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ledger_domain::effective::Denial;
    use serde_json::Value;

    use super::*;

    fn document() -> Value {
        let ((_, received), (_, mut document)) = described();
        document.merge(received);
        openapi::written(&document)
    }

    /// Every value under a key, however deep.
    fn under<'a>(key: &str, value: &'a Value, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get(key));
                fields.values().for_each(|field| under(key, field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| under(key, item, found)),
            _ => {}
        }
    }

    #[test]
    fn what_the_document_refers_to_is_there() {
        let document = document();
        let mut references = Vec::new();
        under("$ref", &document, &mut references);
        assert!(references.len() > 100);
        for reference in references {
            let pointer = reference.as_str().unwrap().strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_is_explained() {
        let document = document();
        let operations = document["paths"].as_object().unwrap().values();
        let operations: Vec<&Value> =
            operations.flat_map(|it| it.as_object().unwrap().values()).collect();
        let names = operations.iter().map(|it| it["operationId"].as_str().unwrap());
        let names: BTreeSet<&str> = names.collect();
        assert_eq!(names.len(), operations.len());
        for operation in operations {
            for text in ["summary", "tags", "responses"] {
                assert!(!operation[text].is_null(), "{text} of {operation:#}");
            }
        }
    }

    /// The answers of every operation by their statuses, as far as they stand elsewhere looked up.
    fn answers(document: &Value) -> Vec<(String, &Value)> {
        let operations = document["paths"].as_object().unwrap().values();
        let operations = operations.flat_map(|it| it.as_object().unwrap().values());
        let answers = operations.flat_map(|it| it["responses"].as_object().unwrap());
        let found = answers.map(|(status, answer)| match answer["$ref"].as_str() {
            Some(reference) => (status.clone(), document.pointer(&reference[1..]).unwrap()),
            None => (status.clone(), answer),
        });
        found.collect()
    }

    #[test]
    fn every_code_is_among_the_answers_of_an_operation() {
        let document = document();
        let answers = answers(&document);
        // An operation is never answered so: that is what its path does for other methods.
        let of_methods = &document["components"]["responses"]["MethodNotAllowed"];
        for code in problem::codes() {
            let is_told = |answer: &Value| {
                let named = answer["description"].as_str().unwrap().contains(&format!("`{code}`"));
                named && answer["content"]["application/problem+json"].is_object()
            };
            let found = answers.iter().any(|(_, answer)| is_told(answer));
            assert!(found || (code == "method_not_allowed" && is_told(of_methods)), "{code}");
        }
    }

    #[test]
    fn what_denies_shows_each_denial_and_what_is_counted_tells_how_many_calls_are_left() {
        let document = document();
        for (path, method) in [
            ("/api/v1/entitlements/{feature}", "get"),
            ("/api/v1/authorize", "get"),
            ("/api/v1/usage/{feature}/consume", "post"),
            ("/api/v1/usage/{feature}/reserve", "post"),
        ] {
            let denied = &document["paths"][path][method]["responses"]["403"];
            let examples = &denied["content"]["application/problem+json"]["examples"];
            let examples = examples.as_object().unwrap();
            assert_eq!(examples.len(), Denial::ALL.len(), "{path}");
            for code in Denial::ALL.map(Denial::code) {
                let example = &examples[code]["value"];
                assert_eq!(example["code"], code, "{path}");
                assert_eq!(example["type"], format!("/problems/{code}"));
            }
        }
        for (status, answer) in answers(&document) {
            let has = |name: &str| answer["headers"][name].is_object();
            assert_eq!(has("Retry-After"), ["429", "503"].contains(&&*status), "{answer:#}");
        }
        for (path, is_counted) in [("/api/v1/tiers", true), ("/metrics", false)] {
            let answers = &document["paths"][path]["get"]["responses"];
            for header in ["RateLimit", "RateLimit-Policy"] {
                assert_eq!(answers["200"]["headers"][header].is_object(), is_counted, "{path}");
                assert!(answers["401"]["headers"][header].is_null(), "{path}");
            }
            assert!(answers["414"].is_object() && answers["431"].is_object(), "{path}");
        }
    }

    #[test]
    fn whatever_is_sent_and_answered_has_an_example() {
        let document = document();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        // Those alone that are there by an example have nothing else.
        assert!(schemas.values().all(|schema| schema.as_object().unwrap().len() > 1));
        let mut contents = Vec::new();
        under("content", &document["paths"], &mut contents);
        let bodies = contents.iter().flat_map(|content| content.as_object().unwrap().values());
        let named = bodies.filter_map(|body| body["schema"]["$ref"].as_str());
        let names: BTreeSet<&str> = named.filter_map(|name| name.rsplit('/').next()).collect();
        assert!(names.len() > 20);
        for name in names {
            assert!(schemas[name]["examples"].is_array(), "{name}");
        }
    }
}
