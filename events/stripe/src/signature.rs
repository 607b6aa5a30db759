//! Who sent a webhook: the `Stripe-Signature` header, checked over the raw bytes of the body.
//!
//! Source of the rules: Stripe's documentation, `/webhooks/signature` ("Verify webhook
//! signatures manually") and `/webhooks#roll-endpoint-secrets`.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

/// The longest header that is looked at. Stripe's has about 100 bytes per signature.
pub const HEADER_BYTES_MAX: usize = 4096;
/// The most `v1` signatures that are tried. Stripe sends one per secret in force.
pub const SIGNATURES_MAX: usize = 16;
/// The most signing secrets that a list may hold.
pub const SECRETS_MAX: usize = 16;
/// How far Stripe's timestamp may lie from the receiver's clock, as Stripe's libraries have it.
pub const TOLERANCE_S: i64 = 300;

/// Why a body's sender could not be established. Each says what to look at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// No header, or an empty one.
    #[error(
        "the Stripe-Signature header is missing: check that Stripe sent this request and that no proxy drops the header"
    )]
    MissingHeader,
    /// The header is longer than [`HEADER_BYTES_MAX`] or has more than [`SIGNATURES_MAX`]
    /// signatures.
    #[error("the Stripe-Signature header is too long: check that Stripe sent this request")]
    TooLong,
    /// The header isn't `t=<seconds>,v1=<hex>[,...]`.
    #[error("the Stripe-Signature header is malformed ({0}): check that no proxy rewrites it")]
    Malformed(&'static str),
    /// There is no `v1` signature; other schemes don't count.
    #[error("the Stripe-Signature header has no v1 signature: check that Stripe sent this request")]
    NoSignature,
    /// Signed too long ago.
    #[error(
        "the signature is {age_s} s old, {tolerance_s} s are tolerated: check the server's clock, and that nobody sends a recorded request again"
    )]
    TooOld {
        /// Seconds since Stripe signed it, by the receiver's clock.
        age_s: i64,
        /// The most that is tolerated.
        tolerance_s: i64,
    },
    /// Signed in the future.
    #[error(
        "the signature lies {ahead_s} s in the future, {tolerance_s} s are tolerated: check the server's clock"
    )]
    TooNew {
        /// Seconds from the receiver's clock to Stripe's timestamp.
        ahead_s: i64,
        /// The most that is tolerated.
        tolerance_s: i64,
    },
    /// No signature fits the body under any secret.
    #[error(
        "no signature matches: check that the signing secret is this endpoint's (whsec_...), and that nothing changes the body on its way"
    )]
    NoMatch,
    /// There is nothing to verify with.
    #[error("no signing secret is configured: set the endpoint's whsec_... secret")]
    NoSecret,
}

/// Why a text is not a list of signing secrets. Never holds the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Nothing between the commas.
    #[error(
        "the list of signing secrets is empty: it is a comma-separated list of whsec_... texts"
    )]
    Empty,
    /// More than [`SECRETS_MAX`].
    #[error("more than {SECRETS_MAX} signing secrets: keep those that Stripe still signs with")]
    TooMany,
    /// An API key instead of a signing secret.
    #[error(
        "signing secret {number} is an API key: an endpoint's signing secret starts with whsec_"
    )]
    ApiKey {
        /// Which one, counted from 1.
        number: usize,
    },
}

/// One secret that Stripe signs an endpoint's webhooks with. The key is the whole text, `whsec_`
/// included; it is never printed.
#[derive(Clone)]
pub struct SigningSecret(Hmac<Sha256>);

impl SigningSecret {
    /// A secret from its text.
    ///
    /// # Panics
    /// Never: HMAC takes keys of every length.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Hmac::new_from_slice(text.as_bytes()).expect("HMAC takes keys of every length"))
    }

    /// Secrets from a comma-separated list. While a secret is being rolled there are two.
    ///
    /// # Errors
    /// When the list is empty or too long, or holds an API key.
    pub fn parse_list(list: &str) -> Result<Vec<Self>, SecretError> {
        let texts: Vec<&str> = list.split(',').map(str::trim).filter(|t| !t.is_empty()).collect();
        if texts.is_empty() {
            return Err(SecretError::Empty);
        }
        if texts.len() > SECRETS_MAX {
            return Err(SecretError::TooMany);
        }
        let is_api_key = |t: &&str| ["sk_", "rk_", "pk_"].iter().any(|p| t.starts_with(p));
        if let Some(index) = texts.iter().position(is_api_key) {
            return Err(SecretError::ApiKey { number: index + 1 });
        }
        Ok(texts.into_iter().map(Self::new).collect())
    }

    fn mac(&self, timestamp: &str, body: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The bytes of a body whose sender is known. Only [`verify`] and [`Verified::from_api`] make one.
#[derive(Clone, Copy)]
pub struct Verified<'a>(&'a [u8]);

impl<'a> Verified<'a> {
    /// An event that Stripe's API answered to a request of our own (`GET /v1/events`): TLS vouches
    /// for it as the signature does for a webhook. Not for anything that came from outside.
    #[must_use]
    pub const fn from_api(answer: &'a [u8]) -> Self {
        Self(answer)
    }

    pub(crate) const fn bytes(self) -> &'a [u8] {
        self.0
    }
}

impl fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({} bytes)", self.0.len())
    }
}

/// Checks that Stripe signed `body`, under any of `secrets`, at most `tolerance_s` seconds from
/// `now_unix`.
///
/// Every `v1` signature is tried under every secret, in constant time; `v0` and unknown schemes
/// are ignored (`/webhooks/signature`: "ignore all schemes that aren't v1").
///
/// # Errors
/// The first reason why the sender can't be established.
pub fn verify<'a>(
    header: &str,
    body: &'a [u8],
    secrets: &[SigningSecret],
    now_unix: i64,
    tolerance_s: i64,
) -> Result<Verified<'a>, SignatureError> {
    if secrets.is_empty() {
        return Err(SignatureError::NoSecret);
    }
    let Parsed { timestamp, signed_at, signatures } = parse(header)?;
    let age_s = now_unix.saturating_sub(signed_at);
    if age_s > tolerance_s {
        return Err(SignatureError::TooOld { age_s, tolerance_s });
    }
    if age_s < -tolerance_s {
        return Err(SignatureError::TooNew { ahead_s: age_s.saturating_neg(), tolerance_s });
    }
    let mut matches = Choice::from(0);
    for secret in secrets {
        let expected = secret.mac(timestamp, body);
        for signature in &signatures {
            matches |= expected.ct_eq(signature);
        }
    }
    if bool::from(matches) { Ok(Verified(body)) } else { Err(SignatureError::NoMatch) }
}

/// The header that Stripe would send with `body`: for test senders and samples.
#[must_use]
pub fn sign(secret: &SigningSecret, timestamp: i64, body: &[u8]) -> String {
    format!("t={timestamp},v1={}", hex::encode(secret.mac(&timestamp.to_string(), body)))
}

struct Parsed<'h> {
    /// As it was sent: these characters are part of the signed message.
    timestamp: &'h str,
    signed_at: i64,
    signatures: Vec<[u8; 32]>,
}

fn parse(header: &str) -> Result<Parsed<'_>, SignatureError> {
    if header.trim().is_empty() {
        return Err(SignatureError::MissingHeader);
    }
    if header.len() > HEADER_BYTES_MAX {
        return Err(SignatureError::TooLong);
    }
    let mut timestamp = None;
    let mut signatures = Vec::new();
    let mut seen = 0;
    for part in header.split(',') {
        let Some((scheme, value)) = part.trim().split_once('=') else {
            return Err(SignatureError::Malformed("a part has no ="));
        };
        match scheme {
            "t" if timestamp.is_some() => {
                return Err(SignatureError::Malformed("two timestamps"));
            }
            "t" => timestamp = Some(value),
            "v1" => {
                seen += 1;
                // One that can't be a SHA-256 can't match; it must not spoil another that does.
                let mut bytes = [0; 32];
                if hex::decode_to_slice(value, &mut bytes).is_ok() {
                    signatures.push(bytes);
                }
            }
            _ => {}
        }
    }
    let timestamp = timestamp.ok_or(SignatureError::Malformed("no timestamp"))?;
    let signed_at = parse_seconds(timestamp)
        .ok_or(SignatureError::Malformed("the timestamp is not a number of seconds"))?;
    match seen {
        0 => Err(SignatureError::NoSignature),
        n if n > SIGNATURES_MAX => Err(SignatureError::TooLong),
        _ => Ok(Parsed { timestamp, signed_at, signatures }),
    }
}

/// Digits only: `parse` alone would take a sign, too.
fn parse_seconds(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}
