//! `Idempotency-Key`: what makes a retry of a change safe.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::problem::Problem;

/// Longest key.
const KEY_BYTES_MAX: usize = 255;

/// The key of a request, if it brings one.
pub(super) struct IdempotencyKey(pub(super) Option<Box<str>>);

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        key_in(&parts.headers).map(Self)
    }
}

fn key_in(headers: &HeaderMap) -> Result<Option<Box<str>>, Problem> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next() else { return Ok(None) };
    let is_key = |text: &&str| {
        (1..=KEY_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    };
    // Blanks around a value aren't part of it (RFC 9110, section 5.5).
    match key.to_str().ok().map(str::trim).filter(is_key) {
        Some(text) if keys.next().is_none() => Ok(Some(text.into())),
        _ => Err(Problem::InvalidRequest(format!(
            "`Idempotency-Key` is one text of 1 to {KEY_BYTES_MAX} ASCII characters that can be \
             seen, or blanks between them."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_is_one_short_text() {
        let key = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("idempotency-key", HeaderValue::from_bytes(value).unwrap());
            }
            key_in(&headers).ok()
        };
        assert_eq!(key(&[]), Some(None));
        assert_eq!(key(&[b"evt_1"]), Some(Some("evt_1".into())));
        assert_eq!(key(&[&[b'x'; 255]]).flatten().map(|key| key.len()), Some(255));
        assert_eq!(key(&[b" two words\t"]), Some(Some("two words".into())));
        for wrong in [&b""[..], b"  ", &[b'x'; 256], b"\xff", b"a\tb"] {
            assert_eq!(key(&[wrong]), None, "{wrong:?}");
        }
        assert_eq!(key(&[b"a", b"a"]), None);
    }
}
