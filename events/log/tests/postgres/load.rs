//! Callers that append for as long as they are let, and try again until they are answered.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use ledger_domain::id::Tenant;
use ledger_log::testing::{consume, opening, own, shared, tenant};
use ledger_log::{AppendError, Decided, EventLog, Expected, NewEvent};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::check::Ack;

/// The longest wait for anything that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// What the load may consume; it asks for more.
pub(crate) const LIMIT: i64 = 150;

/// Callers on one or several logs over the same database.
pub(crate) struct Load {
    state: Arc<State>,
    callers: JoinSet<()>,
}

struct State {
    logs: Vec<Arc<dyn EventLog>>,
    tenant: Tenant,
    clock: AtomicU64,
    acks: Mutex<Vec<Ack>>,
    acked: watch::Sender<usize>,
    in_flight: AtomicUsize,
    retries: AtomicUsize,
    granted: AtomicU64,
    ends: AtomicBool,
}

/// What the callers were told.
pub(crate) struct Told {
    pub(crate) acks: Vec<Ack>,
    pub(crate) retries: usize,
    pub(crate) granted: u64,
}

impl Load {
    /// Opens a log for `name` and lets so many callers append to it.
    pub(crate) async fn start(logs: Vec<Arc<dyn EventLog>>, name: &str, callers: usize) -> Self {
        let tenant = tenant(name);
        logs[0].open(&tenant, opening()).await.unwrap();
        let state = Arc::new(State {
            logs,
            tenant,
            clock: AtomicU64::new(0),
            acks: Mutex::default(),
            acked: watch::Sender::new(0),
            in_flight: AtomicUsize::new(0),
            retries: AtomicUsize::new(0),
            granted: AtomicU64::new(0),
            ends: AtomicBool::new(false),
        });
        let mut set = JoinSet::new();
        for caller in 0..callers {
            set.spawn(Arc::clone(&state).call(caller));
        }
        Self { state, callers: set }
    }

    /// Waits until so many more appends were acknowledged.
    pub(crate) async fn more(&self, count: usize) {
        let mut acked = self.state.acked.subscribe();
        let target = *acked.borrow() + count;
        timeout(PATIENCE, acked.wait_for(|acked| *acked >= target)).await.unwrap().unwrap();
    }

    /// How many calls wait for their answer.
    pub(crate) fn in_flight(&self) -> usize {
        self.state.in_flight.load(Ordering::SeqCst)
    }

    /// Lets every caller finish what it is at.
    pub(crate) async fn finish(mut self) -> Told {
        self.state.ends.store(true, Ordering::SeqCst);
        let all = async {
            while let Some(ended) = self.callers.join_next().await {
                ended.unwrap();
            }
        };
        timeout(PATIENCE, all).await.unwrap();
        Told {
            acks: std::mem::take(&mut *self.state.acks.lock().await),
            retries: self.state.retries.load(Ordering::SeqCst),
            granted: self.state.granted.load(Ordering::SeqCst),
        }
    }
}

impl State {
    async fn call(self: Arc<Self>, caller: usize) {
        let mut revisions = HashMap::new();
        for number in 0.. {
            if self.ends.load(Ordering::SeqCst) {
                return;
            }
            let log = &self.logs[(caller + number) % self.logs.len()];
            let id = format!("c{caller}n{number}");
            match number % 8 {
                // An append of several, and one of what is known.
                3 => {
                    let events = vec![own(&format!("{id}a")), own(&format!("{id}b"))];
                    self.append(&**log, events).await;
                }
                4 => self.append(&**log, vec![own(&format!("c{caller}n{}", number - 2))]).await,
                5 => self.write_shared(&**log, &id, caller, &mut revisions).await,
                6 => self.consume(&**log, &id).await,
                // Ids that several callers have in common.
                7 => self.append(&**log, vec![own(&format!("common{}", number / 8))]).await,
                _ => self.append(&**log, vec![own(&id)]).await,
            }
        }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// Tries until there is an answer other than that there is none.
    async fn insist<T, F>(&self, mut attempt: impl FnMut() -> F) -> (u64, Result<T, AppendError>)
    where
        F: Future<Output = Result<T, AppendError>>,
    {
        let began = self.tick();
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let answer = loop {
            match attempt().await {
                Err(AppendError::Unavailable(_)) => {
                    self.retries.fetch_add(1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
                answer => break answer,
            }
        };
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        (began, answer)
    }

    async fn append(&self, log: &dyn EventLog, events: Vec<NewEvent>) {
        let (began, answer) = self.insist(|| log.append(&self.tenant, events.clone())).await;
        let ended = self.tick();
        let outcomes = answer.unwrap();
        let acks = events.iter().zip(outcomes).map(|(event, outcome)| {
            let position = outcome.position();
            Ack { id: id_of(event), position, began, ended }
        });
        self.note(acks.collect()).await;
    }

    /// Appends to a stream that three callers share, after whatever is there.
    async fn write_shared(
        &self,
        log: &dyn EventLog,
        id: &str,
        caller: usize,
        revisions: &mut HashMap<usize, Expected>,
    ) {
        let stream = caller / 3;
        loop {
            let expected = *revisions.get(&stream).unwrap_or(&Expected::NoStream);
            let event = shared(id, &format!("trainer-t{stream}"), expected);
            let attempt = || log.append(&self.tenant, vec![event.clone()]);
            let (began, answer) = self.insist(attempt).await;
            let ended = self.tick();
            match answer {
                Ok(outcomes) => {
                    let position = outcomes[0].position();
                    let ack = Ack { id: id_of(&event), position, began, ended };
                    return self.note(vec![ack]).await;
                }
                Err(AppendError::WrongExpectedRevision { actual, .. }) => {
                    let actual = actual.map_or(Expected::NoStream, Expected::Revision);
                    assert_ne!(actual, expected, "refused although it was right");
                    revisions.insert(stream, actual);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn consume(&self, log: &dyn EventLog, id: &str) {
        let decision = consume(id, "hot", 1, LIMIT);
        let attempt = || log.append_decided(&self.tenant, decision.clone());
        let (began, answer) = self.insist(attempt).await;
        let ended = self.tick();
        if let Decided::Granted(outcome, counter) = answer.unwrap() {
            assert!(counter.used <= LIMIT);
            self.granted.fetch_add(1, Ordering::SeqCst);
            let ack = Ack { id: format!("api/{id}"), position: outcome.position(), began, ended };
            self.note(vec![ack]).await;
        }
    }

    async fn note(&self, acks: Vec<Ack>) {
        let count = acks.len();
        self.acks.lock().await.extend(acks);
        self.acked.send_modify(|acked| *acked += count);
    }
}

fn id_of(event: &NewEvent) -> String {
    format!("{}/{}", event.key.namespace, event.key.id)
}
