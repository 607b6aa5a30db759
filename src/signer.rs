//! Signing entitlement tokens, and publishing the keys that they are checked with.
//!
//! Ed25519 by [RFC 8037](https://www.rfc-editor.org/rfc/rfc8037). A key's id is the thumbprint of
//! its public half ([RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)), so that nobody has to name
//! keys, and the same key has the same id on every node.

use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::config::{TokenConfig, TokenKey};

/// The type of the tokens, so that nobody takes one for another kind of token (RFC 8725, 3.11).
pub(crate) const TOKEN_TYPE: &str = "entitlements+jwt";

/// Signs with the first key, and publishes all of them.
pub(crate) struct Signer(ArcSwap<Vec<Key>>);

struct Key {
    id: String,
    private: EncodingKey,
    public: Jwk,
}

/// A set of public keys ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)).
#[derive(Debug, Serialize)]
pub(crate) struct JwkSet {
    keys: Vec<Jwk>,
}

/// A public key.
#[derive(Debug, Clone, Serialize)]
struct Jwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    kid: String,
    alg: &'static str,
    #[serde(rename = "use")]
    used_for: &'static str,
}

impl Signer {
    pub(crate) fn new(config: Option<&TokenConfig>) -> Self {
        Self(ArcSwap::from_pointee(keys(config)))
    }

    /// From now on these keys count.
    pub(crate) fn replace_keys(&self, config: &TokenConfig) {
        self.0.store(Arc::new(keys(Some(config))));
    }

    /// A token that says this; none without a key.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> Option<String> {
        let keys = self.0.load();
        let key = keys.first()?;
        let header = Header {
            typ: Some(TOKEN_TYPE.to_owned()),
            kid: Some(key.id.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        let token = jsonwebtoken::encode(&header, claims, &key.private);
        Some(token.expect("claims have text keys, and the key is one of Ed25519"))
    }

    /// What tokens are checked with.
    pub(crate) fn published(&self) -> JwkSet {
        JwkSet { keys: self.0.load().iter().map(|key| key.public.clone()).collect() }
    }
}

fn keys(config: Option<&TokenConfig>) -> Vec<Key> {
    config.map(TokenConfig::keys).unwrap_or_default().iter().map(Key::new).collect()
}

impl Key {
    fn new(key: &TokenKey) -> Self {
        let key = SigningKey::from_bytes(key.reveal());
        let x = URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
        // The members that a thumbprint is made of, in their order (RFC 8037, appendix A.3).
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(Sha256::digest(members));
        let private = key.to_pkcs8_der().expect("32 bytes are a key");
        Self {
            private: EncodingKey::from_ed_der(private.as_bytes()),
            public: Jwk {
                kty: "OKP",
                crv: "Ed25519",
                x,
                kid: id.clone(),
                alg: "EdDSA",
                used_for: "sig",
            },
            id,
        }
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::JwkSet as Published;
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Environment;

    fn config(keys: &str) -> TokenConfig {
        let environment = Environment::default().with("LEDGER_TOKEN_KEY", keys);
        TokenConfig::read(&environment).unwrap().unwrap()
    }

    fn published(signer: &Signer) -> Published {
        serde_json::from_value(serde_json::to_value(signer.published()).unwrap()).unwrap()
    }

    /// Checks a token as a service would that has nothing but the published keys.
    fn check(token: &str, published: &Published) -> Option<Value> {
        let header = jsonwebtoken::decode_header(token).unwrap();
        assert_eq!(header.typ.as_deref(), Some(TOKEN_TYPE));
        let jwk = published.find(&header.kid.unwrap())?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.validate_exp = false;
        validation.set_required_spec_claims::<&str>(&[]);
        let key = DecodingKey::from_jwk(jwk).unwrap();
        Some(jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims)
    }

    /// The key of RFC 8037, appendix A: its public half and its thumbprint stand there.
    #[test]
    fn a_key_is_published_as_the_rfc_has_it() {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let set = serde_json::to_value(Signer::new(Some(&config(seed))).published()).unwrap();
        assert_eq!(set["keys"][0]["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(set["keys"][0]["kid"], "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(set["keys"].as_array().unwrap().len(), 1);
        assert!(!set.to_string().contains("\"d\""), "{set}");
    }

    #[test]
    fn tokens_outlive_the_turn_of_keys_while_both_are_published() {
        let (old, new) = ("11".repeat(32), "22".repeat(32));
        let signer = Signer::new(Some(&config(&old)));
        let first = signer.sign(&json!({"n": 1})).unwrap();
        signer.replace_keys(&config(&format!("{new}\n{old}")));
        let second = signer.sign(&json!({"n": 2})).unwrap();
        let both = published(&signer);
        assert_eq!(check(&first, &both), Some(json!({"n": 1})));
        assert_eq!(check(&second, &both), Some(json!({"n": 2})));
        signer.replace_keys(&config(&new));
        assert_eq!(check(&first, &published(&signer)), None);
        assert!(check(&second, &published(&signer)).is_some());
    }

    #[test]
    fn without_a_key_nothing_is_signed() {
        let signer = Signer::new(None);
        assert!(signer.sign(&json!({})).is_none());
        assert!(published(&signer).keys.is_empty());
    }
}
