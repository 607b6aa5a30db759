//! Refusals, worded and coded as Stripe's are.

use super::request::ApiError;

impl ApiError {
    fn new(status: u16, code: Option<&str>, message: String, param: Option<&str>) -> Self {
        Self {
            status,
            kind: "invalid_request_error",
            code: code.map(str::to_owned),
            decline_code: None,
            message,
            param: param.map(str::to_owned),
            payment_intent: None,
        }
    }

    pub(super) fn no_route(method: &str, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}).");
        Self::new(404, None, message, None)
    }

    pub(super) fn no_such(noun: &str, id: &str, param: &str) -> Self {
        let message = format!("No such {noun}: '{id}'");
        Self::new(404, Some("resource_missing"), message, Some(param))
    }

    pub(super) fn unknown(param: &str) -> Self {
        let message = format!("Received unknown parameter: {param}");
        Self::new(400, Some("parameter_unknown"), message, Some(param))
    }

    pub(super) fn missing(param: &str) -> Self {
        let message = format!("Missing required param: {param}.");
        Self::new(400, Some("parameter_missing"), message, Some(param))
    }

    pub(super) fn empty(param: &str) -> Self {
        let message = format!(
            "You passed an empty string for '{param}'. We assume empty values are an attempt to \
             unset a parameter; however '{param}' cannot be unset."
        );
        Self::new(400, Some("parameter_invalid_empty"), message, Some(param))
    }

    pub(super) fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self::new(400, None, message.into(), Some(param))
    }

    pub(super) fn state(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, Some(code), message.into(), None)
    }

    pub(super) fn declined(decline_code: &str) -> Self {
        let mut error =
            Self::new(402, Some("card_declined"), decline_message(decline_code).to_owned(), None);
        error.kind = "card_error";
        error.decline_code = Some(decline_code.to_owned());
        error
    }

    pub(super) fn needs_action() -> Self {
        let message = "Payment for this subscription requires additional user action before it \
                       can be completed successfully.";
        let code = Some("subscription_payment_intent_requires_action");
        let mut error = Self::new(402, code, message.to_owned(), None);
        error.kind = "card_error";
        error
    }
}

pub(super) fn decline_message(decline_code: &str) -> &'static str {
    match decline_code {
        "insufficient_funds" => "Your card has insufficient funds.",
        "authentication_required" => {
            "Your card was declined. This transaction requires authentication."
        }
        _ => "Your card was declined.",
    }
}
