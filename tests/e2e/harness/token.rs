//! Bearer tokens, made as an application would make them.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Map, Value, json};

use super::settings::JWT_SECRET;
use super::wait::now;

/// What a token says.
#[derive(Debug, Clone)]
pub(crate) struct Claims(Map<String, Value>);

impl Claims {
    /// A token of an hour for somebody in a role.
    pub(crate) fn of(role: &str, subject: &str) -> Self {
        let claims = json!({ "sub": subject, "roles": [role], "exp": now() + 3600 });
        Self(claims.as_object().expect("an object").clone())
    }

    /// The same with one claim more, which wins.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// The same without a claim.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// The claims as JSON.
    pub(crate) fn to_json(&self) -> String {
        Value::Object(self.0.clone()).to_string()
    }

    /// Signed with another key than the service's.
    pub(crate) fn signed_with(&self, secret: &str) -> String {
        let key = EncodingKey::from_secret(secret.as_bytes());
        encode(&Header::new(Algorithm::HS256), &self.0, &key).expect("claims can be signed")
    }
}

/// A token that the service accepts, if it accepts the claims.
pub(crate) fn token(claims: &Claims) -> String {
    claims.signed_with(JWT_SECRET)
}
