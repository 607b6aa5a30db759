//! Errors as Stripe puts them.

use serde_json::{Value, json};

use crate::shell::JournalError;
use crate::world::ApiError;

/// A request that failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Failure {
    error: Box<ApiError>,
    headers: Vec<(&'static str, &'static str)>,
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self { error: Box::new(error), headers: Vec::new() }
    }
}

/// A request that can't be meant.
pub(crate) fn bad_request(code: Option<&str>, param: Option<&str>, message: String) -> Failure {
    let error = ApiError {
        status: 400,
        kind: "invalid_request_error",
        code: code.map(str::to_owned),
        decline_code: None,
        message,
        param: param.map(str::to_owned),
        payment_intent: None,
    };
    error.into()
}

/// A parameter that this request doesn't have.
pub(crate) fn unknown_parameter(name: &str) -> Failure {
    let message = format!("Received unknown parameter: {name}");
    bad_request(Some("parameter_unknown"), Some(name), message)
}

/// No such object; 404 where the address names it, 400 where a parameter does.
pub(crate) fn missing(status: u16, noun: &str, id: &str, param: &str) -> Failure {
    let message = format!("No such {noun}: '{id}'");
    bad_request(Some("resource_missing"), Some(param), message).with_status(status)
}

impl Failure {
    fn plain(status: u16, message: &str) -> Self {
        bad_request(None, None, message.to_owned()).with_status(status)
    }

    fn with_status(mut self, status: u16) -> Self {
        self.error.status = status;
        self
    }

    fn with_code(mut self, code: &str) -> Self {
        self.error.code = Some(code.to_owned());
        self
    }

    fn with_kind(mut self, kind: &'static str) -> Self {
        self.error.kind = kind;
        self
    }

    fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn no_key() -> Self {
        let message = "You did not provide an API key. You need to provide your API key in the \
            Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').";
        Self::plain(401, message).with_header("www-authenticate", "Basic realm=\"Stripe\"")
    }

    /// A wrong key is shown in part only.
    pub(crate) fn wrong_key(key: &str) -> Self {
        let shown = key.char_indices().rev().nth(3).map_or("", |(at, _)| &key[at..]);
        Self::plain(401, &format!("Invalid API Key provided: ****{shown}"))
    }

    pub(crate) fn too_large() -> Self {
        Self::plain(413, "Request body is too large")
    }

    pub(crate) fn not_a_form() -> Self {
        let message = "Invalid request: the content type of requests to API v1 must be \
            application/x-www-form-urlencoded";
        Self::plain(400, message)
    }

    pub(crate) fn unknown_url(method: &str, path: &str) -> Self {
        Self::plain(404, &format!("Unrecognized request URL ({method}: {path})."))
    }

    pub(crate) fn rate_limited() -> Self {
        Self::plain(429, "Request rate limit exceeded.")
            .with_code("rate_limit")
            .with_header("stripe-rate-limited-reason", "global-rate")
    }

    pub(crate) fn key_in_use() -> Self {
        let message = "There is currently another in-progress request using this Stripe \
            Idempotent Key (that probably means you submitted twice, and the other request is still \
            going through). If it's a problem, retry in a moment.";
        Self::plain(409, message)
            .with_kind("idempotency_error")
            .with_code("idempotency_key_in_use")
            .with_header("stripe-should-retry", "true")
    }

    pub(crate) fn key_reused(key: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first \
             used with. Try using a key other than '{key}' if you meant to execute a different \
             request."
        );
        Self::plain(400, &message).with_kind("idempotency_error")
    }

    /// The journal can't be written, so nothing may happen.
    pub(crate) fn unwritten(error: &JournalError) -> Self {
        Self::plain(500, &format!("The simulator carries nothing out: {error}."))
            .with_kind("api_error")
    }

    /// Stripe's own fault.
    pub(crate) fn api(status: u16) -> Self {
        let message = "An unexpected error occurred, and Stripe has been notified.";
        Self::plain(status, message).with_kind("api_error")
    }

    /// Puts the payment that it's about into another shape.
    pub(crate) fn map_payment_intent(mut self, shape: impl FnOnce(&Value) -> Value) -> Self {
        self.error.payment_intent = self.error.payment_intent.as_ref().map(shape);
        self
    }

    pub(crate) const fn status(&self) -> u16 {
        self.error.status
    }

    pub(crate) fn headers(&self) -> &[(&'static str, &'static str)] {
        &self.headers
    }

    /// Whether it came before anything was carried out, so that nothing is kept under its key: an
    /// address nobody knows, or parameters that nobody could carry out.
    pub(crate) fn is_premature(&self) -> bool {
        let code = self.error.code.as_deref();
        match self.error.status {
            400 => code.is_some_and(|code| code.starts_with("parameter_")),
            404 => code.is_none(),
            401 | 409 | 413 | 429 => true,
            _ => false,
        }
    }

    pub(crate) fn body(&self) -> Value {
        let error = &self.error;
        let mut body = json!({ "message": error.message, "type": error.kind });
        let optional =
            [("code", &error.code), ("decline_code", &error.decline_code), ("param", &error.param)];
        for (name, value) in optional {
            if let Some(value) = value {
                body[name] = json!(value);
            }
        }
        if let Some(code) = &error.code {
            let page = code.replace('_', "-");
            body["doc_url"] = json!(format!("https://stripe.com/docs/error-codes/{page}"));
        }
        if let Some(intent) = &error.payment_intent {
            body["payment_intent"] = intent.clone();
        }
        json!({ "error": body })
    }
}
