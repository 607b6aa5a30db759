//! Idempotency keys: a repeated request gets the answer that it got the first time.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::{HeaderMap, Method as HttpMethod};
use sha2::{Digest, Sha256};

use super::Reply;
use super::failure::{Failure, bad_request};
use crate::shell::state::Shared;
use crate::world::Request;

/// How long an answer is kept, in seconds of the world's time.
const KEPT_SECONDS: i64 = 24 * 60 * 60;

const KEY_LENGTH_MAX: usize = 255;

/// The keys in use.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    used: HashMap<String, Used>,
    /// Since when none has become too old.
    pruned: i64,
}

#[derive(Debug)]
struct Used {
    fingerprint: [u8; 32],
    since: i64,
    request: String,
    /// None while the first request is under way.
    reply: Option<Reply>,
}

/// What becomes of a request with a key.
pub(crate) enum Begun {
    /// It was answered before, to the request with this id.
    Replay(Reply, String),
    Fresh(Ticket),
}

/// A request's hold on its key. The key is free again when it ends without an answer, as when the
/// caller went away.
pub(crate) struct Ticket {
    shared: Arc<Shared>,
    key: Option<String>,
}

/// The key that a request bears. Only a `POST` has one that means anything.
pub(crate) fn key(method: &HttpMethod, headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(key) = headers.get("idempotency-key").filter(|_| method == HttpMethod::POST) else {
        return Ok(None);
    };
    match key.to_str() {
        Ok(key) if (1..=KEY_LENGTH_MAX).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => {
            let message = format!("Idempotency keys have 1 to {KEY_LENGTH_MAX} characters.");
            Err(bad_request(None, None, message))
        }
    }
}

impl Keys {
    /// Keeps the answer to a request that was carried out again after a restart.
    pub(crate) fn keep(&mut self, call: &Request, reply: Reply, now: i64) {
        if let Some(key) = call.idempotency_key.clone().filter(|_| !reply.is_premature) {
            let request = call.id.clone().unwrap_or_default();
            let fingerprint = fingerprint(call);
            self.used.insert(key, Used { fingerprint, since: now, request, reply: Some(reply) });
        }
    }

    /// Forgets what is too old. What is under way never is: whoever waits for it must find it.
    fn prune(&mut self, now: i64) {
        if self.pruned < now {
            self.used.retain(|_, used| used.reply.is_none() || now < used.since + KEPT_SECONDS);
            self.pruned = now;
        }
    }
}

impl Ticket {
    pub(crate) fn begin(shared: &Arc<Shared>, call: &Request) -> Result<Begun, Failure> {
        let ticket = |key| Begun::Fresh(Self { shared: Arc::clone(shared), key });
        let Some(key) = &call.idempotency_key else { return Ok(ticket(None)) };
        let mut state = shared.lock_now();
        let now = state.world.now();
        state.keys.prune(now);
        let used = &mut state.keys.used;
        let fingerprint = fingerprint(call);
        match used.get(key) {
            Some(used) if used.fingerprint != fingerprint => Err(Failure::key_reused(key)),
            Some(Used { reply: None, .. }) => Err(Failure::key_in_use()),
            Some(Used { reply: Some(reply), request, .. }) => {
                Ok(Begun::Replay(reply.clone(), request.clone()))
            }
            None => {
                let request = call.id.clone().unwrap_or_default();
                let fresh = Used { fingerprint, since: now, request, reply: None };
                used.insert(key.clone(), fresh);
                Ok(ticket(Some(key.clone())))
            }
        }
    }

    /// Keeps the answer, unless it came before anything was carried out.
    pub(crate) fn finish(mut self, reply: &Reply) {
        if reply.is_premature {
            return;
        }
        if let Some(key) = self.key.take()
            && let Some(used) = self.shared.lock().keys.used.get_mut(&key)
        {
            used.reply = Some(reply.clone());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.shared.lock().keys.used.remove(key);
        }
    }
}

/// What makes two requests the same.
fn fingerprint(call: &Request) -> [u8; 32] {
    let params = serde_json::Value::Object(call.params.clone());
    let text = format!("{}\n{params}", call.path);
    Sha256::digest(text).into()
}
