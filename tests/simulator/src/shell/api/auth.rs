//! Secret keys.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::failure::Failure;

/// How keys of test mode begin, restricted ones too.
const TEST_PREFIXES: [&str; 2] = ["sk_test_", "rk_test_"];

/// Checks the key of a request: a bearer's token, or the user's name of basic authentication.
pub(crate) fn check(allowed: &[String], headers: &HeaderMap) -> Result<(), Failure> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = given.and_then(key_of).filter(|key| !key.is_empty()).ok_or_else(Failure::no_key)?;
    let is_allowed = if allowed.is_empty() {
        TEST_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
    } else {
        allowed.contains(&key)
    };
    if is_allowed { Ok(()) } else { Err(Failure::wrong_key(&key)) }
}

fn key_of(authorization: &str) -> Option<String> {
    let (scheme, credentials) = authorization.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credentials.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    Some(decoded.split(':').next().unwrap_or_default().to_owned())
}
