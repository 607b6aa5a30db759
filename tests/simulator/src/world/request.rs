//! What goes into the world and what comes out of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// How a request asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Creates, changes or acts.
    Post,
    /// Deletes or cancels.
    Delete,
}

/// One API request, its form already decoded: nested maps for `a[b]`, arrays for `a[]` and `a[0]`;
/// leaves are strings, of which an empty one unsets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// How it asks.
    pub method: Method,
    /// Such as `/v1/subscriptions/sub_1`.
    pub path: String,
    /// The form or query.
    pub params: Map<String, Value>,
    /// `req_…`, shown in the events that the request causes; none when Stripe acts by itself.
    pub id: Option<String>,
    /// The key that the caller chose.
    pub idempotency_key: Option<String>,
}

/// What the API answers: objects in the newest API version's shape, references unexpanded.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// One object.
    Object(Value),
    /// All matches, newest first, already filtered by the request's own filters but not paged.
    List {
        /// The path that was listed.
        url: String,
        /// What was found.
        data: Vec<Value>,
    },
}

/// A refused request.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// `invalid_request_error`, `card_error`, `idempotency_error` or `api_error`.
    pub kind: &'static str,
    /// What a program tells it by.
    pub code: Option<String>,
    /// Why the card's issuer refused.
    pub decline_code: Option<String>,
    /// What a person reads.
    pub message: String,
    /// The parameter that is at fault.
    pub param: Option<String>,
    /// The payment that a card error is about.
    pub payment_intent: Option<Value>,
}

/// An event as the state made it, in the newest API version's shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// `evt_…`.
    pub id: String,
    /// Such as `customer.subscription.updated`.
    pub kind: String,
    /// Seconds since 1970, by the clock of the object's customer.
    pub created: i64,
    /// Whether real money moved.
    pub livemode: bool,
    /// The object right after the change.
    pub object: Value,
    /// The old values of what changed, for the kinds of event that have them.
    pub previous_attributes: Option<Map<String, Value>>,
    /// The request that caused it; none when time did.
    pub request_id: Option<String>,
    /// The key of that request.
    pub idempotency_key: Option<String>,
    /// The test clock that the object lives by.
    pub test_clock: Option<String>,
    /// The payment intent of an invoice. The newest shape tells of it in events of invoice payments
    /// only; older ones named it in the invoice.
    pub intent: Option<String>,
}

/// The API version of everything that the world renders.
pub const API_VERSION: &str = "2026-10-28.endive";

impl Event {
    /// The event as `GET /v1/events` answers it, delivered to everybody.
    #[must_use]
    pub fn render(&self) -> Value {
        let mut data = json!({ "object": self.object });
        if let Some(previous) = &self.previous_attributes {
            data["previous_attributes"] = Value::Object(previous.clone());
        }
        json!({
            "id": self.id,
            "object": "event",
            "api_version": API_VERSION,
            "created": self.created,
            "data": data,
            "livemode": self.livemode,
            "pending_webhooks": 0,
            "request": { "id": self.request_id, "idempotency_key": self.idempotency_key },
            "type": self.kind,
        })
    }
}
