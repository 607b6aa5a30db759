//! Clients that post webhooks as Stripe does: several at a time, again until they're accepted.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
    in_flight: AtomicUsize,
    unanswered: AtomicUsize,
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
            in_flight: AtomicUsize::new(0),
            unanswered: AtomicUsize::new(0),
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

    /// How many requests wait for their answer.
    pub(crate) fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::SeqCst)
    }

    /// How many events are acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.shared.lock().len()
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
            acknowledged: self.shared.lock().clone(),
            unanswered: self.shared.unanswered.load(Ordering::SeqCst),
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, i64>> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner)
    }

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
            let target = &targets[self.attempts.fetch_add(1, Ordering::SeqCst) % targets.len()];
            self.in_flight.fetch_add(1, Ordering::SeqCst);
            let answer = target.try_post_bytes(webhook.to_string().into_bytes()).await;
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            match answer {
                // Asked to come again.
                Ok(answer) if answer.status == 503 => {}
                Ok(answer) => {
                    let position = accepted(webhook, &answer);
                    let id = webhook["id"].as_str().expect("an id").to_owned();
                    let before = self.lock().insert(id, position);
                    assert!(before.is_none_or(|before| before == position), "{webhook}");
                    return;
                }
                // Nobody listened: there was nothing to be answered.
                Err(error) if error.is_connect() => {}
                Err(_) => {
                    self.unanswered.fetch_add(1, Ordering::SeqCst);
                }
            }
            turns.next().await;
        }
    }
}
