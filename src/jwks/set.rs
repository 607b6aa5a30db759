//! A set of public keys ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)), as far as the ledger
//! can use them: RS256, ES256, and EdDSA with Ed25519. Anything else in the set is passed over, so
//! that it may hold keys for other purposes.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Most keys in a set.
const KEYS_MAX: usize = 64;
/// Bytes of an RSA key's modulus: 2,048 bits at least (RFC 7518, 3.3), and no more than a check in
/// reasonable time takes.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;

/// The keys that tokens may be signed with. Equal sets hold the same keys in the same order.
#[derive(Clone, PartialEq)]
pub(crate) struct KeySet(Vec<PublicKey>);

#[derive(Clone)]
struct PublicKey {
    told: Told,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// A key as a set tells of it, private parts left out.
#[derive(Clone, PartialEq, Deserialize)]
struct Told {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// Why a text is no set of keys that is of any use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeySetError {
    /// It isn't JSON, or isn't a set.
    #[error("it is not a JWK set: a JSON object with a list `keys` (RFC 7517)")]
    NotASet,
    /// There are more keys than anybody needs.
    #[error("it has more than {KEYS_MAX} keys")]
    TooMany,
    /// None of them will do.
    #[error("none of its keys is a public key for RS256, ES256 or EdDSA (Ed25519)")]
    NoneFits,
}

impl KeySet {
    /// Reads a set.
    ///
    /// # Errors
    /// When it is none, or holds no key that is of use.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        let set: Value = serde_json::from_slice(json).map_err(|_| KeySetError::NotASet)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(KeySetError::NotASet)?;
        if keys.len() > KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let keys = keys.iter().filter_map(|key| PublicKey::of(Told::deserialize(key).ok()?));
        let keys: Vec<PublicKey> = keys.collect();
        if keys.is_empty() { Err(KeySetError::NoneFits) } else { Ok(Self(keys)) }
    }

    /// The keys that a token may be signed with, by the algorithm and the key's id in its header.
    /// Without an id there must be no choice.
    pub(crate) fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Vec<&DecodingKey> {
        let fit = self.0.iter().filter(|key| key.algorithm == algorithm);
        let found: Vec<&DecodingKey> = match id {
            Some(id) => fit.filter(|key| key.told.kid.as_deref() == Some(id)).map(key_of).collect(),
            None => fit.map(key_of).collect(),
        };
        if id.is_none() && found.len() > 1 { Vec::new() } else { found }
    }

    /// How many keys there are.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }
}

const fn key_of(key: &PublicKey) -> &DecodingKey {
    &key.key
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.0.iter().map(|key| key.told.kid.as_deref()).collect();
        f.debug_tuple("KeySet").field(&ids).finish()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.told == other.told
    }
}

impl PublicKey {
    /// The key, if it is one for checking signatures by an algorithm of ours. Which algorithm it is
    /// for follows from the kind of key, never from the token: so nobody has an HMAC checked with
    /// what is public.
    fn of(told: Told) -> Option<Self> {
        let is_for_signatures = told.used_for.as_deref().is_none_or(|used_for| used_for == "sig");
        let may_verify =
            told.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let (algorithm, names, key) = match (told.kty.as_str(), told.crv.as_deref()) {
            ("RSA", _) => (Algorithm::RS256, ["RS256", "RS256"], rsa(&told)?),
            ("EC", Some("P-256")) => (Algorithm::ES256, ["ES256", "ES256"], p256(&told)?),
            ("OKP", Some("Ed25519")) => {
                // The second name is that of RFC 9864.
                (Algorithm::EdDSA, ["EdDSA", "Ed25519"], ed25519(&told)?)
            }
            _ => return None,
        };
        let is_for_ours = told.alg.as_deref().is_none_or(|alg| names.contains(&alg));
        (is_for_signatures && may_verify && is_for_ours).then_some(Self { told, algorithm, key })
    }
}

fn rsa(told: &Told) -> Option<DecodingKey> {
    let (n, e) = (bytes(told.n.as_ref())?, bytes(told.e.as_ref())?);
    // Some makers put zeros in front.
    let leading = n.iter().take_while(|byte| **byte == 0).count();
    let modulus = &n[leading..];
    RSA_BYTES.contains(&modulus.len()).then(|| DecodingKey::from_rsa_raw_components(modulus, &e))
}

fn p256(told: &Told) -> Option<DecodingKey> {
    let is_coordinate = |text: Option<&String>| bytes(text).is_some_and(|bytes| bytes.len() == 32);
    if !is_coordinate(told.x.as_ref()) || !is_coordinate(told.y.as_ref()) {
        return None;
    }
    DecodingKey::from_ec_components(told.x.as_ref()?, told.y.as_ref()?).ok()
}

fn ed25519(told: &Told) -> Option<DecodingKey> {
    bytes(told.x.as_ref()).filter(|bytes| bytes.len() == 32)?;
    DecodingKey::from_ed_components(told.x.as_ref()?).ok()
}

fn bytes(text: Option<&String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwks::testing::Pair;

    fn parse(keys: &Value) -> Result<KeySet, KeySetError> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn keys_are_found_by_algorithm_and_id() {
        let all = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
        let pairs = all.map(|algorithm| Pair::new(algorithm, "one"));
        let set = parse(&json!(pairs.each_ref().map(|pair| pair.public.clone()))).unwrap();
        assert_eq!(set.len(), 3);
        for algorithm in all {
            assert_eq!(set.find(algorithm, Some("one")).len(), 1, "{algorithm:?}");
            assert_eq!(set.find(algorithm, None).len(), 1, "there is no choice");
            assert!(set.find(algorithm, Some("two")).is_empty());
        }
        for other in [Algorithm::HS256, Algorithm::RS512, Algorithm::PS256, Algorithm::ES384] {
            assert!(set.find(other, Some("one")).is_empty() && set.find(other, None).is_empty());
        }
    }

    #[test]
    fn without_an_id_there_must_be_no_choice() {
        let pairs = ["a", "b"].map(|id| Pair::new(Algorithm::EdDSA, id).public);
        let set = parse(&json!(pairs)).unwrap();
        assert!(set.find(Algorithm::EdDSA, None).is_empty());
        assert_eq!(set.find(Algorithm::EdDSA, Some("b")).len(), 1);
    }

    #[test]
    fn what_is_of_no_use_is_passed_over() {
        let good = Pair::new(Algorithm::ES256, "good").public;
        let with = |name: &str, value: Value| {
            let mut key = good.clone();
            key[name] = value;
            key
        };
        let unfit = [
            with("use", json!("enc")),
            with("key_ops", json!(["sign"])),
            with("alg", json!("ES384")),
            with("alg", json!("HS256")),
            with("crv", json!("P-384")),
            with("kty", json!("oct")),
            with("x", json!("AAAA")),
            with("y", json!(7)),
            json!({ "kty": "oct", "kid": "good", "k": URL_SAFE_NO_PAD.encode([1; 32]) }),
            json!({ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode([255; 128]), "e": "AQAB" }),
            json!("a key"),
            json!({}),
        ];
        for unfit in &unfit {
            assert_eq!(parse(&json!([unfit])), Err(KeySetError::NoneFits), "{unfit}");
        }
        let mut keys = unfit.to_vec();
        keys.push(with("alg", json!("ES256")));
        assert_eq!(parse(&json!(keys)).unwrap().len(), 1);
    }

    #[test]
    fn what_is_no_set_is_refused() {
        for wrong in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>", "\u{0}"] {
            assert_eq!(KeySet::parse(wrong.as_bytes()), Err(KeySetError::NotASet), "{wrong}");
        }
        assert_eq!(parse(&json!([])), Err(KeySetError::NoneFits));
        let key = Pair::new(Algorithm::EdDSA, "a").public;
        assert_eq!(parse(&json!(vec![key; KEYS_MAX + 1])), Err(KeySetError::TooMany));
    }

    #[test]
    fn equal_sets_are_equal() {
        let key = Pair::new(Algorithm::EdDSA, "a").public;
        let one = parse(&json!([key])).unwrap();
        assert!(one == parse(&json!([key])).unwrap());
        assert!(one != parse(&json!([key, key])).unwrap());
        assert!(one != parse(&json!([Pair::new(Algorithm::EdDSA, "a").public])).unwrap());
    }
}
