//! Posting what is due.

use std::sync::Arc;

use futures::StreamExt;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;

use super::outbox::Stage;
use super::signature;
use crate::shell::config::Time;
use crate::shell::journal::Entry;
use crate::shell::state::{Shared, State};

/// A pass ends after so many rounds, should every delivery make new events.
const ROUNDS_MAX: usize = 1_000;

/// One signed body.
struct Parcel {
    at: usize,
    url: String,
    body: String,
    signature: String,
}

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Passed {
    attempted: usize,
    succeeded: usize,
    failed: usize,
    /// How many are left for a later pass.
    outstanding: usize,
}

/// Delivers until the simulator stops: when there's something new, and when time has passed.
pub(crate) async fn work(shared: Arc<Shared>) {
    loop {
        let is_automatic = shared.sending.automatic;
        if is_automatic {
            pass(&shared, false).await;
        }
        let time = async {
            match shared.time {
                Time::Following(each) => drop(tokio::time::timeout(each, never()).await),
                Time::Stepped => never().await,
            }
        };
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = shared.wake.notified() => {}
            () = time => drop(shared.lock_now()),
        }
    }
}

async fn never() {
    std::future::pending::<()>().await;
}

/// Tries what is due, or, at once, all that is outstanding. Each is tried once, also what came up
/// meanwhile; what fails is for a later pass.
pub(crate) async fn pass(shared: &Shared, all: bool) -> Passed {
    let _turn = shared.passing.lock().await;
    let mut passed = Passed::default();
    let mut tried = std::collections::HashSet::new();
    for _ in 0..ROUNDS_MAX {
        let round = {
            let mut state = shared.lock_now();
            let now = state.world.now();
            let State { world, outbox, .. } = &mut *state;
            outbox.schedule(world.events(), now);
            let mut open = outbox.open((!all).then_some(now));
            open.retain(|at| tried.insert(*at));
            open
        };
        if round.is_empty() || shared.stop.is_cancelled() {
            break;
        }
        let mut results = futures::stream::iter(round)
            .map(|at| deliver(shared, at))
            .buffer_unordered(shared.sending.concurrency.max(1));
        while let Some(result) = results.next().await {
            passed.attempted += usize::from(result.is_some());
            passed.succeeded += usize::from(result == Some(true));
            passed.failed += usize::from(result == Some(false));
        }
    }
    passed.outstanding = shared.lock().outbox.outstanding();
    passed
}

/// Makes one attempt. `None` when there was none to make.
async fn deliver(shared: &Shared, at: usize) -> Option<bool> {
    let parcel = wrap(shared, at)?;
    let request = shared
        .client
        .post(&parcel.url)
        .header(CONTENT_TYPE, "application/json; charset=utf-8")
        .header("stripe-signature", parcel.signature)
        .header("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)")
        .body(parcel.body);
    let sent = tokio::select! {
        sent = request.send() => sent,
        () = shared.stop.cancelled() => {
            shared.lock().outbox.put_off(parcel.at);
            return None;
        }
    };
    let result = sent.map(|answer| answer.status().as_u16()).map_err(|error| {
        if error.is_timeout() { "timed out".to_owned() } else { format!("failed: {error}") }
    });
    let mut state = shared.lock_now();
    let now = state.world.now();
    let succeeded = state.outbox.finish(at, result, now, &shared.sending.retry_after);
    if succeeded && state.journal.is_some() {
        let delivery = state.outbox.delivery(at);
        let (event, endpoint) = (delivery.event_id.clone(), delivery.hook.clone());
        // What can't be written down is delivered once more after a restart, as may always happen.
        if let Err(error) = state.write(&Entry::Arrived { event, endpoint }) {
            tracing::warn!(error = %error, "a delivery can't be written down");
        }
    }
    Some(succeeded)
}

/// Renders and signs a delivery as of now: its count of endpoints that lack the event is live.
fn wrap(shared: &Shared, at: usize) -> Option<Parcel> {
    let mut state = shared.lock();
    let delivery = state.outbox.delivery(at);
    if delivery.state != Stage::Pending {
        return None;
    }
    let hook = state.outbox.hook(&delivery.hook)?;
    let version = delivery.version.as_ref().or(hook.version.as_ref());
    let version = version.unwrap_or(&state.outbox.account);
    let known = &state.world.events()[delivery.index];
    let event = delivery.altered.as_ref().unwrap_or(known);
    let body = state.render_event(delivery.index, event, version).to_string();
    let now = state.world.now();
    let signature = signature::header(shared.clock.now(), &body, hook.secrets(now));
    let url = hook.url.clone();
    state.outbox.begin(at);
    Some(Parcel { at, url, body, signature })
}
