//! Keys of callers, made when a test runs.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// A private key, and the public half as a set of keys tells of it.
pub(crate) struct Pair {
    pub(crate) public: Value,
    algorithm: Algorithm,
    id: String,
    private: EncodingKey,
}

impl Pair {
    /// A fresh one.
    pub(crate) fn new(algorithm: Algorithm, id: &str) -> Self {
        let (private, mut public) = match algorithm {
            Algorithm::RS256 => rsa(),
            Algorithm::ES256 => p256(),
            Algorithm::EdDSA => ed25519(),
            other => panic!("nobody signs with {other:?}"),
        };
        public["kid"] = json!(id);
        Self { public, algorithm, id: id.to_owned(), private }
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(self.algorithm) };
        self.sign_as(&header, claims)
    }

    /// A token with this header.
    pub(crate) fn sign_as(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.private).unwrap()
    }
}

/// A set of the public halves.
pub(crate) fn set_of(pairs: &[&Pair]) -> String {
    let keys: Vec<&Value> = pairs.iter().map(|pair| &pair.public).collect();
    json!({ "keys": keys }).to_string()
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn rsa() -> (EncodingKey, Value) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let public = pair.public_key();
    let n = text(public.modulus().big_endian_without_leading_zero());
    let e = text(public.exponent().big_endian_without_leading_zero());
    // What PKCS #8 wraps, as PKCS #1 has it: for 2,048 bits, 26 bytes come before.
    let private = EncodingKey::from_rsa_der(&der.as_ref()[26..]);
    (private, json!({ "kty": "RSA", "n": n, "e": e }))
}

fn p256() -> (EncodingKey, Value) {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let der = pair.to_pkcs8v1().unwrap();
    // Uncompressed: a byte that says so, then both coordinates.
    let point = pair.public_key().as_ref();
    let (x, y) = (text(&point[1..33]), text(&point[33..]));
    let public = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
    (EncodingKey::from_ec_der(der.as_ref()), public)
}

fn ed25519() -> (EncodingKey, Value) {
    let pair = Ed25519KeyPair::generate().unwrap();
    let der = pair.to_pkcs8v1().unwrap();
    let x = text(pair.public_key().as_ref());
    (EncodingKey::from_ed_der(der.as_ref()), json!({ "kty": "OKP", "crv": "Ed25519", "x": x }))
}
