//! Bodies of webhooks: read whole, as far as they may go and no longer than they may take.
//!
//! Nobody is known yet to be Stripe while a body comes in, so all of them together have a limit,
//! too. Each may have [`FREE_BYTES_MAX`], which is more than nearly any webhook needs; what grows
//! beyond that shares one [`Budget`].

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, header};
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::problem::Problem;

/// Largest body. The largest webhooks seen are about 20 KB.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Largest body that takes nothing of the budget; as much is read ahead of a body anyway.
const FREE_BYTES_MAX: usize = 64 << 10;
/// What all larger bodies may have together, in KiB.
const BUDGET_KIB: usize = 64 << 10;
/// How much of the rest of a body that isn't taken is read for nothing, and for how long. A client
/// that is still sending when the connection ends may not get to see the answer.
const REST_MAX: (usize, Duration) = (4 * BODY_BYTES_MAX, Duration::from_secs(2));

/// Memory for the bodies that are under way.
#[derive(Debug)]
pub(crate) struct Budget {
    kib: Arc<Semaphore>,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of_kib(BUDGET_KIB)
    }
}

impl Budget {
    fn of_kib(kib: usize) -> Self {
        Self { kib: Arc::new(Semaphore::new(kib)) }
    }
}

/// A body, and what it takes of the budget until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Collected {
    bytes: Bytes,
    taken: Option<OwnedSemaphorePermit>,
}

impl Deref for Collected {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Collected {
    /// Takes what is missing for memory of this size. Waiting for it would keep what is there
    /// already, so whoever comes too late is sent away.
    fn afford(&mut self, capacity: usize, budget: &Budget) -> Result<(), Problem> {
        if capacity <= FREE_BYTES_MAX {
            return Ok(());
        }
        let has = self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = capacity.div_ceil(1 << 10).saturating_sub(has);
        let more = u32::try_from(more).map_err(|_| Problem::Unavailable)?;
        let more = Arc::clone(&budget.kib).try_acquire_many_owned(more);
        let more = more.map_err(|_| Problem::Unavailable)?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            None => self.taken = Some(more),
        }
        Ok(())
    }
}

/// The whole body, or [`Problem::Unavailable`] if the budget is used up. A length that is told is
/// believed only as far as it refuses.
pub(super) async fn collect(
    headers: &HeaderMap,
    body: Body,
    limit: Duration,
    budget: &Budget,
) -> Result<Collected, Problem> {
    let told = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let told = told.and_then(|told| told.parse::<usize>().ok());
    let mut chunks = body.into_data_stream();
    let read = if told.is_some_and(|told| told > BODY_BYTES_MAX) {
        Err(Problem::TooLarge)
    } else {
        let read = read(&mut chunks, told.unwrap_or_default(), budget);
        timeout(limit, read).await.unwrap_or_else(|_| {
            Err(Problem::InvalidRequest("The body did not arrive in time.".into()))
        })
    };
    // Who asks first sends nothing that isn't wanted.
    let is_unread = matches!(read, Err(Problem::TooLarge | Problem::Unavailable));
    if is_unread && !headers.contains_key(header::EXPECT) {
        // Whatever becomes of it, the answer is the same.
        let _ = timeout(REST_MAX.1, discard(&mut chunks)).await;
    }
    read
}

async fn read(
    chunks: &mut BodyDataStream,
    told: usize,
    budget: &Budget,
) -> Result<Collected, Problem> {
    let mut whole = Collected::default();
    let mut grown = Vec::new();
    while let Some(chunk) = chunks.next().await {
        // Its sender has gone, or sends no chunks where it said that it would.
        let chunk = chunk.map_err(|_| Problem::InvalidRequest("The body was cut off.".into()))?;
        let length = whole.bytes.len() + grown.len() + chunk.len();
        if length > BODY_BYTES_MAX {
            return Err(Problem::TooLarge);
        }
        if whole.bytes.is_empty() && grown.is_empty() {
            // Nearly always the only one.
            whole.afford(length, budget)?;
            whole.bytes = chunk;
            continue;
        }
        if length > grown.capacity() {
            let capacity = capacity(length, told);
            whole.afford(capacity, budget)?;
            grown.reserve_exact(capacity - grown.len());
            grown.extend_from_slice(&std::mem::take(&mut whole.bytes));
        }
        grown.extend_from_slice(&chunk);
    }
    if !grown.is_empty() {
        whole.bytes = grown.into();
    }
    Ok(whole)
}

/// How much memory a body gets that has come to this length: what it is told to have if that is
/// little or not far, else twice as much as it needs. Nobody gets more by saying so.
fn capacity(length: usize, told: usize) -> usize {
    let most = (2 * length).clamp(FREE_BYTES_MAX, BODY_BYTES_MAX);
    match told {
        told if (length..=most).contains(&told) => told,
        _ if length <= FREE_BYTES_MAX => (2 * length).min(FREE_BYTES_MAX),
        _ => most,
    }
}

/// Reads what is left of a body, up to a limit.
async fn discard(chunks: &mut BodyDataStream) {
    let mut discarded = 0;
    while discarded < REST_MAX.0 {
        let Some(Ok(chunk)) = chunks.next().await else { return };
        discarded += chunk.len();
    }
}

#[cfg(test)]
#[path = "collect_tests.rs"]
mod tests;
