//! A limited number of connections. Where all slots are taken, the one that has waited longest for
//! its client, for a request or for more of a body, makes room: to say nothing, or to stop within
//! what one says, keeps nobody else out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::counter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::seldom;

/// How long a connection that was dismissed may take to go until the next one is, or one that
/// answered a request meanwhile is looked for.
const GOING: Duration = Duration::from_millis(50);
/// Not since any turn: the connection has something to do.
const BUSY: u64 = 0;

/// The slots of a server.
#[derive(Debug)]
pub(super) struct Slots {
    room: Arc<Semaphore>,
    turns: Arc<AtomicU64>,
    taken: Mutex<BTreeMap<u64, Phase>>,
}

/// A slot that a connection has taken; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    number: u64,
    phase: Phase,
    _permit: OwnedSemaphorePermit,
}

/// What a connection does at the moment; shared by whoever moves it on and whoever looks at it.
#[derive(Debug, Clone)]
pub(super) struct Phase(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// How many heads were read and how many requests answered, in turn: while the number is odd,
    /// a request is being answered, and what is read belongs to its body.
    count: AtomicU64,
    /// The turn since which nothing is under way but perhaps a head, or the next piece of a body.
    waits_since: AtomicU64,
    turns: Arc<AtomicU64>,
    dismissed: CancellationToken,
}

impl Slots {
    pub(super) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            room: Arc::new(Semaphore::new(count)),
            turns: Arc::new(AtomicU64::new(BUSY + 1)),
            taken: Mutex::default(),
        })
    }

    /// A slot, as soon as there is one. Only where every connection has a whole request to answer
    /// has this to wait for one of them.
    pub(super) async fn take(self: Arc<Self>) -> Slot {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() {
                break permit;
            }
            self.dismiss_one();
            let freed = timeout(GOING, Arc::clone(&self.room).acquire_owned()).await;
            if let Ok(permit) = freed {
                break permit.expect("it is never closed");
            }
        };
        let phase = Phase::new(Arc::clone(&self.turns));
        let number = phase.0.waits_since.load(Ordering::Relaxed);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.insert(number, phase.clone());
        drop(taken);
        Slot { slots: self, number, phase, _permit: permit }
    }

    /// Sends the connection away that has waited longest.
    fn dismiss_one(&self) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = taken.values().filter(|phase| !phase.0.dismissed.is_cancelled());
        let waiting = waiting.filter_map(|phase| Some((phase.waits_since()?, phase)));
        let Some((_, longest)) = waiting.min_by_key(|(since, _)| *since) else { return };
        longest.0.dismissed.cancel();
        counter!("ledger_http_connections_dismissed_total").increment(1);
        if let Some(left_out) = seldom::tell("dismissed") {
            tracing::warn!(
                left_out,
                "a connection whose client said nothing was closed to make room for another"
            );
        }
    }
}

impl Slot {
    pub(super) fn phase(&self) -> Phase {
        self.phase.clone()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.number);
    }
}

impl Phase {
    /// Of a connection that is new, and waits for its first request.
    fn new(turns: Arc<AtomicU64>) -> Self {
        let waits_since = AtomicU64::new(turns.fetch_add(1, Ordering::Relaxed));
        let (count, dismissed) = (AtomicU64::new(0), CancellationToken::new());
        Self(Arc::new(Shared { count, waits_since, turns, dismissed }))
    }

    /// A head was read.
    pub(super) fn begin(&self) {
        self.0.waits_since.store(BUSY, Ordering::Relaxed);
        self.0.count.fetch_add(1, Ordering::Release);
    }

    /// The client has to send more of the body before anything can go on.
    pub(super) fn awaits_body(&self) {
        if self.waits_since().is_none() {
            self.renew();
        }
    }

    /// Some of the body has come, or all of it.
    pub(super) fn has_body(&self) {
        self.0.waits_since.store(BUSY, Ordering::Relaxed);
    }

    /// The request was answered; the answer still has to be written.
    pub(super) fn end(&self) {
        // The answer may not have needed the whole body.
        self.0.waits_since.store(BUSY, Ordering::Relaxed);
        self.0.count.fetch_add(1, Ordering::Release);
    }

    /// Everything was written.
    pub(super) fn written(&self) {
        if !self.is_answering() && self.waits_since().is_none() {
            self.renew();
        }
    }

    /// The first byte of a request has come: who says something hasn't waited for long. Before the
    /// last answer is written that changes nothing.
    pub(super) fn speaks(&self) {
        if self.waits_since().is_some() {
            self.renew();
        }
    }

    fn renew(&self) {
        let turn = self.0.turns.fetch_add(1, Ordering::Relaxed);
        self.0.waits_since.store(turn, Ordering::Relaxed);
    }

    /// A number that differs once a head was read or a request answered.
    pub(super) fn count(&self) -> u64 {
        self.0.count.load(Ordering::Acquire)
    }

    /// Whether a request is being answered.
    pub(super) fn is_answering(&self) -> bool {
        self.count() % 2 == 1
    }

    /// The turn since which it waits for its client; none while it doesn't.
    pub(super) fn waits_since(&self) -> Option<u64> {
        Some(self.0.waits_since.load(Ordering::Relaxed)).filter(|since| *since != BUSY)
    }

    /// Returns when somebody else needs the slot.
    pub(super) async fn dismissed(&self) {
        self.0.dismissed.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn whoever_has_waited_longest_makes_room() {
        let slots = Slots::new(3);
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(Arc::clone(&slots).take().await);
        }
        let is_dismissed = |slot: &Slot| slot.phase.0.dismissed.is_cancelled();
        // The first one answers, and the second one has begun to say something.
        taken[0].phase.begin();
        taken[1].phase.speaks();
        let mut next = pin!(Arc::clone(&slots).take());
        assert!(poll!(next.as_mut()).is_pending(), "nobody has gone yet");
        assert_eq!(taken.iter().map(is_dismissed).collect::<Vec<_>>(), [false, false, true]);
        taken.pop();
        taken.push(next.await);
        // While an answer is on its way, nobody waits; also if the next request is, too.
        taken[0].phase.end();
        taken[0].phase.speaks();
        assert_eq!(taken[0].phase.waits_since(), None);
        taken[0].phase.written();
        assert!(taken[0].phase.waits_since() > taken[2].phase.waits_since());
    }

    #[tokio::test]
    async fn whoever_stops_within_a_body_waits_since_its_last_byte() {
        let slots = Slots::new(2);
        let [first, second] = [Arc::clone(&slots).take().await, Arc::clone(&slots).take().await];
        for phase in [&first.phase, &second.phase] {
            phase.begin();
            assert_eq!(phase.waits_since(), None, "it may have all that it needs");
            phase.awaits_body();
        }
        let since = first.phase.waits_since();
        first.phase.awaits_body();
        assert_eq!(first.phase.waits_since(), since, "to be looked at again is no news");
        first.phase.has_body();
        assert_eq!(first.phase.waits_since(), None);
        first.phase.awaits_body();
        assert!(first.phase.waits_since() > second.phase.waits_since());
        // What is answered without the rest of its body is under way until that is written.
        second.phase.end();
        assert_eq!(second.phase.waits_since(), None);
    }

    #[tokio::test]
    async fn where_one_does_not_go_the_next_one_has_to() {
        let slots = Slots::new(2);
        let [first, second] = [Arc::clone(&slots).take().await, Arc::clone(&slots).take().await];
        let goes = async {
            second.phase.dismissed().await;
            drop(second);
        };
        let third = Arc::clone(&slots).take();
        let both = async { tokio::join!(third, goes) };
        timeout(Duration::from_secs(60), both).await.expect("the second one goes");
        assert!(first.phase.0.dismissed.is_cancelled(), "it was asked before");
    }
}
