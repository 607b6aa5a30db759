//! What operations answer whatever they are about: refusals of a request's head, and how many
//! calls are left.

use serde_json::{Map, Value, json};

use super::super::rate_limit::COUNTED;
use super::refusals::refusal;

/// Refusals that come before anything else of a request is looked at.
const OF_HEADS: [(u16, &str, &str); 2] = [
    (414, "UriTooLong", "`uri_too_long`: the path with its query is longer than any of ours"),
    (431, "HeadersTooLarge", "`headers_too_large`: the headers are too many, or too large"),
];

/// Of the methods that a path doesn't take, so no operation has it.
const OF_METHODS: (u16, &str, &str) =
    (405, "MethodNotAllowed", "`method_not_allowed`: the path doesn't take this method");

/// What tells how many calls are left: each header with its meaning and an example.
const OF_LIMITS: [(&str, &str, &str); 2] = [
    (
        "RateLimit",
        "The calls that are left (`r`), and after how many seconds there is one more (`t`), where \
         the caller's calls are limited",
        "\"starter\";r=99;t=1",
    ),
    (
        "RateLimit-Policy",
        "How many calls (`q`) are allowed within how many seconds (`w`), where the caller's calls \
         are limited",
        "\"starter\";q=100;w=60",
    ),
];

/// Adds to each operation what it has in common with the others.
pub(super) fn complete(document: &mut Value) {
    document["components"]["headers"] = OF_LIMITS
        .iter()
        .map(|(name, meaning, example)| ((*name).to_owned(), header(meaning, example)))
        .collect::<Map<String, Value>>()
        .into();
    document["components"]["responses"] = OF_HEADS
        .iter()
        .chain([&OF_METHODS])
        .map(|(status, name, description)| ((*name).to_owned(), response(*status, description)))
        .collect::<Map<String, Value>>()
        .into();
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for (path, operations) in paths {
        for operation in operations.as_object_mut().into_iter().flat_map(Map::values_mut) {
            let is_counted = path.starts_with(COUNTED) && operation.get("security").is_some();
            let Some(responses) = operation["responses"].as_object_mut() else { continue };
            if is_counted {
                responses.iter_mut().for_each(tell_limits);
            }
            for (status, name, _) in OF_HEADS {
                let reference = json!({ "$ref": format!("#/components/responses/{name}") });
                responses.insert(status.to_string(), reference);
            }
        }
    }
}

/// Who isn't known has no calls that could be counted.
fn tell_limits((status, response): (&String, &mut Value)) {
    if status != "401" {
        for (name, ..) in OF_LIMITS {
            let reference = json!({ "$ref": format!("#/components/headers/{name}") });
            response["headers"][name] = reference;
        }
    }
}

fn header(meaning: &str, example: &str) -> Value {
    json!({ "description": meaning, "schema": { "type": "string", "examples": [example] } })
}

fn response(status: u16, description: &str) -> Value {
    let (_, response) = refusal(status, description);
    serde_json::to_value(response).expect("a response has text keys")
}
