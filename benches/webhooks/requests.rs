//! Requests, ready to be sent: signing and formatting are done before the clock starts.

use std::ops::Range;
use std::time::SystemTime;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::story::{Bodies, Moment};

/// What the service is told to expect signatures of.
pub(crate) const SIGNING_SECRET: &str = "whsec_a_secret_for_one_bench_only";

/// Requests one after the other, in one piece of memory.
pub(crate) struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    body_bytes: usize,
}

impl Requests {
    /// Builds the requests for some webhooks.
    ///
    /// Signatures are valid for five minutes, so requests are built shortly before they're sent.
    pub(crate) fn build(moments: impl Iterator<Item = Moment>) -> Self {
        let now = unix_now();
        let signer = Signer::new(now);
        let bodies = Bodies::new(now);
        let mut requests = Self { bytes: Vec::new(), ends: Vec::new(), body_bytes: 0 };
        let mut body = Vec::new();
        for moment in moments {
            body.clear();
            bodies.write(moment, &mut body);
            let head = format!(
                "POST /api/v1/webhooks/stripe HTTP/1.1\r\nHost: 127.0.0.1\r\n\
                 User-Agent: Stripe/1.0 (+https://stripe.com/docs/webhooks)\r\n\
                 Accept: */*; q=0.5, application/xml\r\nCache-Control: no-cache\r\n\
                 Content-Type: application/json; charset=utf-8\r\nStripe-Signature: {}\r\n\
                 Content-Length: {}\r\n\r\n",
                signer.header(&body),
                body.len()
            );
            requests.bytes.extend_from_slice(head.as_bytes());
            requests.bytes.extend_from_slice(&body);
            requests.ends.push(requests.bytes.len());
            requests.body_bytes += body.len();
        }
        requests
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[Range { start, end: self.ends[index] }]
    }

    /// How long a body is on average.
    pub(crate) fn body_bytes_mean(&self) -> usize {
        self.body_bytes / self.len().max(1)
    }
}

/// Signs as Stripe does.
pub(crate) struct Signer {
    time: String,
    mac: Hmac<Sha256>,
}

impl Signer {
    pub(crate) fn new(now: i64) -> Self {
        let mac = Hmac::new_from_slice(SIGNING_SECRET.as_bytes()).expect("a key of any length");
        Self { time: now.to_string(), mac }
    }

    /// The value of `Stripe-Signature`.
    pub(crate) fn header(&self, body: &[u8]) -> String {
        let Self { time, mac } = self;
        let mac = mac.clone().chain_update(time).chain_update(".").chain_update(body);
        format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()))
    }
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "signatures are made now, or they're stale")]
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("the clock is right").as_secs().cast_signed()
}
