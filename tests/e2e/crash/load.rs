//! Clients that post webhooks as Stripe does: several at a time, again until they're accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::bodies::{AI_STARTER, DAY, PROFESSIONAL, STARTER, Story, Version};
use crate::harness::{Stripe, accepted, eventually, now, turns};

/// How many webhooks are under way at once.
const CLIENTS: usize = 8;

/// One in so many is posted again although it was accepted.
const REPEATED_EVERY: usize = 5;

/// A load that runs until it's told to finish.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

struct Shared {
    /// Where to post; each attempt takes the next one.
    targets: watch::Sender<Vec<Stripe>>,
    acknowledged: Mutex<BTreeMap<String, i64>>,
    attempts: AtomicUsize,
    /// The attempts that wait for their answer.
    in_flight: Mutex<BTreeSet<usize>>,
    /// Those whose connection broke before an answer came; who never had one isn't among them.
    cut_off: Mutex<BTreeSet<usize>>,
    finish: AtomicBool,
}

/// What a load saw.
pub(crate) struct Seen {
    pub(crate) acknowledged: BTreeMap<String, i64>,
    /// Requests whose connection broke before an answer came.
    pub(crate) unanswered: usize,
}

/// Counts: there are thousands of events.
impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (acknowledged, unanswered) = (self.acknowledged.len(), self.unanswered);
        write!(f, "{acknowledged} acknowledged, {unanswered} unanswered")
    }
}

impl Load {
    /// Starts to post to these targets.
    pub(crate) fn start(targets: Vec<Stripe>) -> Self {
        let shared = Arc::new(Shared {
            targets: watch::channel(targets).0,
            acknowledged: Mutex::default(),
            attempts: AtomicUsize::new(0),
            in_flight: Mutex::default(),
            cut_off: Mutex::default(),
            finish: AtomicBool::new(false),
        });
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let shared = Arc::clone(&shared);
            clients.spawn(async move { shared.post_stories(client).await });
        }
        Self { shared, clients }
    }

    /// Posts to these from now on.
    pub(crate) fn aim_at(&self, targets: Vec<Stripe>) {
        self.shared.targets.send_replace(targets);
    }

    /// Waits until requests are under way, and tells which.
    pub(crate) async fn under_way(&self) -> BTreeSet<usize> {
        eventually("requests are under way", || async {
            Some(lock(&self.shared.in_flight).clone()).filter(|attempts| !attempts.is_empty())
        })
        .await
    }

    /// How many of these still wait for their answer.
    pub(crate) fn unfinished(&self, attempts: &BTreeSet<usize>) -> usize {
        lock(&self.shared.in_flight).intersection(attempts).count()
    }

    /// How many of these had reached a service that was killed before it answered. Waits until all
    /// of them have ended.
    pub(crate) async fn cut_off(&self, attempts: &BTreeSet<usize>) -> usize {
        eventually("what was under way has ended", || async {
            (self.unfinished(attempts) == 0).then_some(())
        })
        .await;
        lock(&self.shared.cut_off).intersection(attempts).count()
    }

    /// How many events are acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        lock(&self.shared.acknowledged).len()
    }

    /// Waits until so many events more are acknowledged: the service works again.
    pub(crate) async fn wait_for_more(&self, more: usize) {
        let goal = self.acknowledged() + more;
        eventually("the load is acknowledged", || async {
            (self.acknowledged() >= goal).then_some(())
        })
        .await;
    }

    /// Lets each client finish its webhook, and tells what they saw.
    pub(crate) async fn finish(self) -> Seen {
        self.shared.finish.store(true, Ordering::SeqCst);
        self.clients.join_all().await;
        Seen {
            acknowledged: lock(&self.shared.acknowledged).clone(),
            unanswered: lock(&self.shared.cut_off).len(),
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    async fn post_stories(&self, client: usize) {
        for nth in 0.. {
            let mut story =
                Story::new(&format!("c{client}-{nth}"), Version::Clover, now() - 50 * DAY);
            story.purchase(STARTER).add(AI_STARTER).pass(DAY).change_to(PROFESSIONAL);
            story.renewal_fails().pass(DAY).recover().pass(DAY).cancel_at_period_end(true);
            for (nth, webhook) in story.take().iter().enumerate() {
                self.post(webhook).await;
                if nth % REPEATED_EVERY == 0 {
                    self.post(webhook).await;
                }
                if self.finish.load(Ordering::SeqCst) {
                    return;
                }
            }
        }
    }

    /// Posts until it's accepted, and remembers where.
    async fn post(&self, webhook: &Value) {
        let mut turns = turns("a webhook is accepted");
        loop {
            let targets = self.targets.borrow().clone();
            let attempt = self.attempts.fetch_add(1, Ordering::SeqCst);
            let target = &targets[attempt % targets.len()];
            lock(&self.in_flight).insert(attempt);
            let answer = target.try_post_bytes(webhook.to_string().into_bytes()).await;
            if answer.as_ref().is_err_and(|error| !error.is_connect()) {
                lock(&self.cut_off).insert(attempt);
            }
            lock(&self.in_flight).remove(&attempt);
            match answer {
                // Asked to come again.
                Ok(answer) if answer.status == 503 => {}
                Ok(answer) => {
                    let position = accepted(webhook, &answer);
                    let id = webhook["id"].as_str().expect("an id").to_owned();
                    let before = lock(&self.acknowledged).insert(id, position);
                    assert!(before.is_none_or(|before| before == position), "{webhook}");
                    return;
                }
                Err(_) => {}
            }
            turns.next().await;
        }
    }
}
