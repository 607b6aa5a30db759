//! Requests, ready to be sent: signing and formatting are done before the clock starts.

use std::ops::Range;
use std::time::SystemTime;

use ledger_stripe::signature::{SigningSecret, sign};

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
        let secrets = SigningSecret::parse_list(SIGNING_SECRET).expect("a list of one");
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
                sign(&secrets[0], now, &body),
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

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "signatures are made now, or they're stale")]
pub(crate) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("the clock is right").as_secs().cast_signed()
}
