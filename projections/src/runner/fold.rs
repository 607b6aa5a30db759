//! Folding on a thread of its own, behind two walls: a panic costs the unit that it happened in,
//! and so does a fold that doesn't end in time. The lease is renewed beside it. Its page waits,
//! with one of the few turns that all tenants share, for as long as one fold may take.
//!
//! A fold that doesn't end keeps its thread, and nothing can take that back. So there may only be a
//! few of them: then the read models stand still, and say that the process must be restarted.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledger_domain::account::{CustomerUnit, TenantUnit, TrainerUnit, UnitKey};
use ledger_domain::event::Entry;
use ledger_domain::id::{StripeId, Tenant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::panics::caught;
use super::shown::Shown;
use super::trouble::Trouble;
use super::units::{Changes, Unit};
use crate::catalog::TenantChanges;

/// A unit with facts that it is to take in.
pub(super) struct Task {
    pub(super) key: UnitKey,
    pub(super) begin: Begin,
    pub(super) entries: Vec<Entry>,
    pub(super) how: How,
    /// Whether no more facts follow; of units other than customers none ever do.
    pub(super) is_last: bool,
}

/// How facts are taken in; units other than customers only ever go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// They come to those that were taken in before.
    On,
    /// The same, and everything that the unit shows is told again.
    ShownAgain,
    /// They are all that there are.
    Afresh,
}

/// What a unit is folded on from.
pub(super) enum Begin {
    Cached(Unit),
    Stored(Parts),
    Midway(Midway),
}

/// The stored parts of a unit: their names and states.
pub(super) type Parts = Vec<(String, Vec<u8>)>;

/// A customer between two steps of a long fold.
pub(super) struct Midway {
    unit: Box<CustomerUnit>,
    shown: Box<Shown>,
    /// The state that is stored, if this one is made afresh.
    before: Option<Box<CustomerUnit>>,
}

/// What a step of a fold comes to.
pub(super) enum Step {
    Midway(Midway),
    Done(Unit, Changes),
}

/// Folds of all tenants that outlast their time, each on a thread that can't be ended.
pub(super) type Stuck = Arc<Mutex<HashMap<(Tenant, UnitKey), JoinHandle<()>>>>;

/// How many folds may outlast their time at once.
const STUCK_MAX: usize = 16;

/// How units are folded.
pub(super) struct Folds {
    /// How long one task may take.
    limit: Duration,
    stuck: Stuck,
    #[cfg(feature = "failpoints")]
    before_fold: Option<fn(&Entry)>,
}

/// The tasks that a thread works on.
struct Queue {
    tasks: VecDeque<Task>,
    /// Which unit it is at, and since when.
    at: Option<(UnitKey, Instant)>,
}

/// What became of a task.
type Outcome = (UnitKey, Result<Step, String>);

impl Folds {
    pub(super) fn new(config: &super::Config, stuck: Stuck) -> Self {
        Self {
            limit: config.fold_time,
            stuck,
            #[cfg(feature = "failpoints")]
            before_fold: config.before_fold,
        }
    }

    /// Works on all tasks. A unit that takes too long is given up, and those after it go on.
    pub(super) async fn run(
        &self,
        tenant: &Tenant,
        tasks: Vec<Task>,
    ) -> Result<Vec<Outcome>, Trouble> {
        let mut outcomes = Vec::with_capacity(tasks.len());
        let mut queue = VecDeque::with_capacity(tasks.len());
        for task in tasks {
            if self.is_stuck(tenant, &task.key) {
                outcomes.push((task.key, Err("its last fold hasn't ended yet".to_owned())));
            } else {
                queue.push_back(task);
            }
        }
        while !queue.is_empty() {
            if lock(&self.stuck).len() >= STUCK_MAX {
                return Err(Trouble::Stuck(STUCK_MAX));
            }
            queue = self.run_until_stuck(tenant, queue, &mut outcomes).await;
        }
        Ok(outcomes)
    }

    /// Works on tasks until all are done or one takes too long, and hands back those after it.
    async fn run_until_stuck(
        &self,
        tenant: &Tenant,
        tasks: VecDeque<Task>,
        outcomes: &mut Vec<Outcome>,
    ) -> VecDeque<Task> {
        let queue = Arc::new(Mutex::new(Queue { tasks, at: None }));
        let (told, mut outcome) = mpsc::unbounded_channel();
        let thread = {
            let queue = Arc::clone(&queue);
            #[cfg(feature = "failpoints")]
            let before_fold = self.before_fold;
            tokio::task::spawn_blocking(move || {
                while let Some(task) = next(&queue) {
                    #[cfg(feature = "failpoints")]
                    let done = guarded(task, before_fold);
                    #[cfg(not(feature = "failpoints"))]
                    let done = guarded(task, None);
                    if told.send(done).is_err() {
                        return;
                    }
                }
            })
        };
        loop {
            match tokio::time::timeout(self.limit, outcome.recv()).await {
                Ok(Some(done)) => outcomes.push(done),
                Ok(None) => return VecDeque::new(),
                Err(_) => {
                    let mut queue = lock(&queue);
                    if let Ok(done) = outcome.try_recv() {
                        outcomes.push(done);
                        continue;
                    }
                    // The thread may have had to wait for a processor before it began.
                    let is_late =
                        |(_, since): &mut (UnitKey, Instant)| since.elapsed() >= self.limit;
                    let Some((unit, _)) = queue.at.take_if(is_late) else { continue };
                    let reason = format!("its fold took longer than {:?}", self.limit);
                    outcomes.push((unit.clone(), Err(reason)));
                    lock(&self.stuck).insert((tenant.clone(), unit), thread);
                    return std::mem::take(&mut queue.tasks);
                }
            }
        }
    }

    /// Whether an earlier fold of a unit is still under way: another one would only take a second
    /// thread.
    fn is_stuck(&self, tenant: &Tenant, unit: &UnitKey) -> bool {
        let mut stuck = lock(&self.stuck);
        if stuck.is_empty() {
            return false;
        }
        stuck.retain(|_, thread| !thread.is_finished());
        stuck.contains_key(&(tenant.clone(), unit.clone()))
    }
}

/// The positions of all facts that a customer's stored state was made from, in order.
///
/// # Errors
/// Why they can't be told. Without them the customer can't be folded afresh: what it showed would
/// be taken for gone.
pub(super) async fn positions_of(
    customer: StripeId,
    parts: Parts,
    limit: Duration,
) -> Result<Vec<i64>, String> {
    let restored = tokio::task::spawn_blocking(move || {
        let unit = CustomerUnit::restore(customer, parts).map_err(|error| unreadable(&error))?;
        let mut positions: Vec<i64> = unit.positions().collect();
        positions.sort_unstable();
        positions.dedup();
        Ok(positions)
    });
    match tokio::time::timeout(limit, restored).await {
        Ok(Ok(positions)) => positions,
        Ok(Err(_)) => Err("reading its state panicked".to_owned()),
        Err(_) => Err(format!("reading its state took longer than {limit:?}")),
    }
}

fn unreadable(error: &serde_json::Error) -> String {
    format!("its state can't be read: {error}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn next(queue: &Mutex<Queue>) -> Option<Task> {
    let mut queue = lock(queue);
    let task = queue.tasks.pop_front();
    queue.at = task.as_ref().map(|task| (task.key.clone(), Instant::now()));
    task
}

/// Folding promises to be total; where it breaks the promise, the unit is lost and the reason told.
fn guarded(task: Task, before_fold: Option<fn(&Entry)>) -> Outcome {
    let key = task.key.clone();
    let work = || {
        task.entries.iter().for_each(before_fold.unwrap_or(|_| ()));
        step(task)
    };
    (key, caught("the fold", work))
}

fn step(task: Task) -> Result<Step, String> {
    let Task { key, begin, entries, how, is_last } = task;
    let unit = match begin {
        Begin::Midway(midway) => return Ok(evolve_customer(midway, &entries, is_last)),
        Begin::Cached(unit) => unit,
        Begin::Stored(parts) => restore(&key, parts).map_err(|error| unreadable(&error))?,
    };
    Ok(match unit {
        Unit::Customer(before, _) if how == How::Afresh => {
            let unit = Box::new(CustomerUnit::new(before.customer().clone()));
            let midway = Midway { unit, shown: Box::default(), before: Some(before) };
            evolve_customer(midway, &entries, is_last)
        }
        Unit::Customer(mut unit, mut shown) => {
            if how == How::ShownAgain {
                unit.show_again();
                shown = Box::default();
            }
            evolve_customer(Midway { unit, shown, before: None }, &entries, is_last)
        }
        Unit::Trainer(mut unit) => {
            entries.iter().for_each(|entry| unit.evolve(entry));
            let changes = Changes::Trainer(Box::new(unit.changes()));
            Step::Done(Unit::Trainer(unit), changes)
        }
        Unit::Tenant(mut unit) => {
            let changes = Changes::Tenant(Box::new(TenantChanges::fold(&mut unit, &entries)?));
            Step::Done(Unit::Tenant(unit), changes)
        }
    })
}

fn evolve_customer(midway: Midway, entries: &[Entry], is_last: bool) -> Step {
    let Midway { mut unit, mut shown, before } = midway;
    entries.iter().for_each(|entry| unit.evolve(entry));
    if !is_last {
        return Step::Midway(Midway { unit, shown, before });
    }
    let changes = match before {
        Some(before) => unit.take_changes_since(&before),
        None => unit.take_changes(),
    };
    let news = Box::new(shown.news(changes));
    Step::Done(Unit::Customer(unit, shown), Changes::Customer(news))
}

fn restore(key: &UnitKey, parts: Parts) -> serde_json::Result<Unit> {
    Ok(match key {
        UnitKey::Customer(customer) => {
            let unit = CustomerUnit::restore(customer.clone(), parts)?;
            Unit::Customer(Box::new(unit), Box::default())
        }
        UnitKey::Trainer(trainer) => Unit::Trainer(Box::new(match parts.first() {
            Some((_, state)) => TrainerUnit::restore(state)?,
            None => TrainerUnit::new(trainer.clone()),
        })),
        UnitKey::Tenant => Unit::Tenant(Box::new(TenantUnit::restore(parts)?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn where_too_many_folds_do_not_end_nothing_is_begun() {
        let (stuck, tenant) = (Stuck::default(), Tenant::try_new("default").unwrap());
        let config = super::super::Config::live("test");
        let folds = Folds::new(&config, Arc::clone(&stuck));
        let task = || Task {
            key: UnitKey::Tenant,
            begin: Begin::Stored(Vec::new()),
            entries: Vec::new(),
            how: How::On,
            is_last: true,
        };
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        for n in 0..STUCK_MAX {
            assert_eq!(folds.run(&tenant, vec![task()]).await.unwrap().len(), 1);
            let released = Arc::clone(&released);
            let thread = tokio::task::spawn_blocking(move || {
                let _ = lock(&released).recv();
            });
            let unit = UnitKey::Customer(StripeId::try_new(&format!("cus_{n}")).unwrap());
            lock(&stuck).insert((tenant.clone(), unit), thread);
        }
        let refused = folds.run(&tenant, vec![task()]).await;
        assert!(matches!(refused, Err(Trouble::Stuck(STUCK_MAX))));
        drop(release);
    }
}
