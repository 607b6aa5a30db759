//! Stripe's side: signed webhooks.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::client::Answer;
use super::wait::{now, turns};

/// A webhook endpoint, as Stripe knows it.
#[derive(Clone)]
pub(crate) struct Stripe {
    pub(crate) http: reqwest::Client,
    pub(crate) url: String,
    pub(crate) secret: String,
}

/// The value of one `v1`: HMAC-SHA256 over the time, a dot and the body, by the whole secret.
fn v1(secret: &str, time: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any key will do");
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// The header `Stripe-Signature`, with a `v1` for each secret.
pub(crate) fn signature(secrets: &[&str], time: i64, body: &[u8]) -> String {
    let each = secrets.iter().map(|secret| format!(",v1={}", v1(secret, time, body)));
    format!("t={time}{}", each.collect::<String>())
}

impl Stripe {
    /// Another secret for the same endpoint.
    pub(crate) fn with_secret(&self, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..self.clone() }
    }

    /// Sends an event once.
    pub(crate) async fn post(&self, event: &Value) -> Answer {
        self.post_bytes(event.to_string().into_bytes()).await
    }

    /// Sends bytes once, signed.
    pub(crate) async fn post_bytes(&self, body: Vec<u8>) -> Answer {
        self.try_post_bytes(body).await.expect("the webhook is answered")
    }

    /// The same, where an answer may fail to come.
    pub(crate) async fn try_post_bytes(&self, body: Vec<u8>) -> reqwest::Result<Answer> {
        let signature = signature(&[&self.secret], now(), &body);
        self.post_signed(body, Some(&signature)).await
    }

    /// Sends bytes with this header.
    pub(crate) async fn post_signed(
        &self,
        body: Vec<u8>,
        signature: Option<&str>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.http.post(&self.url).header("content-type", "application/json");
        if let Some(signature) = signature {
            request = request.header("stripe-signature", signature);
        }
        Answer::read(request.body(body).send().await?).await
    }

    /// Sends an event until it is accepted, as Stripe does, and tells its position.
    pub(crate) async fn deliver(&self, event: &Value) -> i64 {
        let mut turns = turns(&format!("{} is accepted", event["id"]));
        loop {
            let answer = self.post(event).await;
            if answer.status != 503 {
                return accepted(event, &answer);
            }
            turns.next().await;
        }
    }

    /// Delivers events one after the other and tells the last position.
    pub(crate) async fn deliver_all(&self, events: &[Value]) -> i64 {
        let mut last = 0;
        for event in events {
            last = self.deliver(event).await.max(last);
        }
        last
    }
}

/// Checks the answer to an accepted webhook; gives the position.
pub(crate) fn accepted(event: &Value, answer: &Answer) -> i64 {
    let json = answer.expect(200);
    let status = json["status"].as_str().unwrap_or_default();
    assert!(["appended", "already_appended"].contains(&status), "{json}");
    assert_eq!(json["event_id"], event["id"]);
    json["position"].as_i64().filter(|position| *position > 0).expect("a position")
}
