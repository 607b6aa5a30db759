//! The log in memory, for tests that need a log and no database. It keeps the contract while the
//! process runs; it plans its batches with the same code as the others.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use ledger_domain::id::{EventKey, FeatureSlug, StreamName, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use tokio::sync::watch;

use crate::batch::{Missing, Plan, Row, plan};
use crate::clock::Clock;
use crate::command::{Act, Answer, Command};
use crate::port::{
    AppendError, CounterKey, Decided, Decision, EventLog, Head, NewEvent, OpenLog, Outcome,
    PAGE_BYTES_MAX, ReadError, Recorded, UsageChange, UsageEntry,
};
use crate::prepare::{Prepared, decompress, prepare};
use crate::seal::Frontier;
use crate::state::{LogState, Logs, Subject, Tip, Usage, Window};

/// A log in memory.
pub struct MemoryLog {
    clock: Clock,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    logs: Logs,
    stored: HashMap<Tenant, Stored>,
    watches: HashMap<Tenant, watch::Sender<i64>>,
}

#[derive(Default)]
struct Stored {
    events: Vec<Recorded>,
    bodies: HashMap<EventKey, Vec<u8>>,
    /// What events did to usage, each with its event's position.
    usage: Vec<(i64, UsageEntry)>,
}

impl MemoryLog {
    /// An empty log that tells the time by this clock.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, inner: Mutex::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // No caller's code runs under the lock but decisions, whose panics are caught.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, tenant: &Tenant, act: Act) -> Result<Answer, AppendError> {
        let commands = [Command { tenant: tenant.clone(), act }];
        let now = (self.clock)();
        let mut inner = self.inner();
        let Inner { logs, stored, watches } = &mut *inner;
        let Plan { rows, effects, .. } = loop {
            match plan(&commands, logs, now) {
                Ok(plan) => break plan,
                Err(missing) => fill(logs, stored, *missing),
            }
        };
        let log = stored.entry(tenant.clone()).or_default();
        for row in &rows {
            let slot = &effects.slots[row.slot];
            log.keep(recorded(row, &slot.after, tenant), row);
        }
        let mut answers = effects.apply(logs);
        logs.values_mut().for_each(LogState::settle);
        if let Some(last) = rows.last() {
            watch_of(watches, tenant, 0).send_replace(last.position);
        }
        answers.pop().expect("one answer for the one command")
    }

    fn log<T>(&self, tenant: &Tenant, read: impl FnOnce(&Stored) -> T) -> Option<T> {
        self.inner().stored.get(tenant).map(read)
    }
}

/// Nothing is ever forgotten here, so what isn't known doesn't exist; but for counters, which are
/// summed up when they are asked for.
fn fill(logs: &mut Logs, stored: &HashMap<Tenant, Stored>, missing: Missing) {
    for tenant in missing.tips {
        logs.entry(tenant).or_insert_with(LogState::unbounded).set_tip(None);
    }
    for (tenant, log_id) in missing.opens {
        let frontier = Frontier::default();
        let root = frontier.root();
        let recorded_at = Timestamp::MIN;
        let tip = Tip { log_id, epoch: 1, position: 0, facts: 0, frontier, root, recorded_at };
        logs.entry(tenant).or_insert_with(LogState::unbounded).set_tip(Some(tip));
    }
    for (tenant, stream) in missing.streams {
        logs.entry(tenant).or_default().streams.insert(stream, None);
    }
    for (tenant, key) in missing.counters {
        let subject = Subject::from(&key);
        let mut usage = Usage::default();
        usage.add_window(Window::new(key.window));
        let entries = stored.get(&tenant).map_or(&[][..], |log| &log.usage);
        let entries = entries.iter().map(|(_, entry)| entry);
        entries.filter(|e| Subject::from(*e) == subject).for_each(|e| usage.apply(e));
        logs.entry(tenant).or_default().counters.insert(subject, usage);
    }
}

fn recorded(row: &Row<'_>, tip: &Tip, tenant: &Tenant) -> Recorded {
    let event = &row.event.event;
    Recorded {
        log_id: tip.log_id,
        format: crate::FORMAT,
        tenant: tenant.clone(),
        position: row.position,
        key: event.key.clone(),
        stream: event.stream.clone(),
        revision: row.revision,
        event_type: event.event_type.clone(),
        schema_version: event.schema_version,
        occurred_at: event.occurred_at,
        recorded_at: tip.recorded_at,
        data: event.data.clone(),
        metadata: event.metadata.clone(),
        content_hash: event.content_hash,
        body_hash: row.event.body.as_ref().map(|body| body.hash),
        text_hash: row.event.text.as_ref().map(|text| text.hash),
    }
}

impl Stored {
    fn keep(&mut self, recorded: Recorded, row: &Row<'_>) {
        if let Some(body) = &row.event.body {
            self.bodies.insert(recorded.key.clone(), body.stored.clone());
        }
        let usage = row.event.event.usage.clone();
        self.usage.extend(usage.map(|entry| (recorded.position, entry)));
        self.events.push(recorded);
    }
}

fn watch_of<'a>(
    watches: &'a mut HashMap<Tenant, watch::Sender<i64>>,
    tenant: &Tenant,
    position: i64,
) -> &'a watch::Sender<i64> {
    watches.entry(tenant.clone()).or_insert_with(|| watch::Sender::new(position))
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn open(&self, tenant: &Tenant, first: OpenLog) -> Result<Head, AppendError> {
        let event = Box::new(Prepared::try_new(first.event)?);
        match self.run(tenant, Act::Open { log_id: first.log_id, event })? {
            Answer::Opened(head) => Ok(head),
            _ => unreachable!("opening is answered with a head"),
        }
    }

    async fn append(
        &self,
        tenant: &Tenant,
        events: Vec<NewEvent>,
    ) -> Result<Vec<Outcome>, AppendError> {
        match self.run(tenant, Act::Append(prepare(events)?))? {
            Answer::Appended(outcomes) => Ok(outcomes),
            _ => unreachable!("an append is answered with outcomes"),
        }
    }

    async fn append_decided(
        &self,
        tenant: &Tenant,
        decision: Decision,
    ) -> Result<Decided, AppendError> {
        match self.run(tenant, Act::Decide(decision))? {
            Answer::Decided(decided) => Ok(decided),
            _ => unreachable!("a decision is answered with how it ended"),
        }
    }

    async fn head(&self, tenant: &Tenant) -> Result<Option<Head>, ReadError> {
        let inner = self.inner();
        let tip = inner.logs.get(tenant).and_then(|log| log.tip.as_ref()?.as_ref());
        Ok(tip.filter(|tip| tip.position > 0).map(Tip::head))
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, ReadError> {
        let inner = self.inner();
        let open = inner.stored.iter().filter(|(_, log)| !log.events.is_empty());
        let mut tenants: Vec<_> = open.map(|(tenant, _)| tenant.clone()).collect();
        tenants.sort();
        Ok(tenants)
    }

    async fn read(
        &self,
        tenant: &Tenant,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let skip = usize::try_from(after).unwrap_or(0);
        let page = |log: &Stored| {
            let mut bytes = 0;
            let fits = |event: &&Recorded| {
                let before = bytes;
                bytes += event.data.len() + event.metadata.len();
                before < PAGE_BYTES_MAX
            };
            log.events.iter().skip(skip).take(limit).take_while(fits).cloned().collect()
        };
        Ok(self.log(tenant, page).unwrap_or_default())
    }

    async fn read_at(
        &self,
        tenant: &Tenant,
        positions: &[i64],
    ) -> Result<Vec<Recorded>, ReadError> {
        let mut positions = positions.to_vec();
        positions.sort_unstable();
        positions.dedup();
        let place = |position: &i64| usize::try_from(position.checked_sub(1)?).ok();
        let events = |log: &Stored| {
            let found = positions.iter().filter_map(|position| log.events.get(place(position)?));
            found.cloned().collect()
        };
        Ok(self.log(tenant, events).unwrap_or_default())
    }

    async fn read_stream(
        &self,
        tenant: &Tenant,
        stream: &StreamName,
        from_revision: i64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let page = |log: &Stored| {
            let of_stream = log.events.iter().filter(|e| e.stream == *stream);
            of_stream.filter(|e| e.revision >= from_revision).take(limit).cloned().collect()
        };
        Ok(self.log(tenant, page).unwrap_or_default())
    }

    async fn find(&self, tenant: &Tenant, key: &EventKey) -> Result<Option<Recorded>, ReadError> {
        let find = |log: &Stored| log.events.iter().find(|e| e.key == *key).cloned();
        Ok(self.log(tenant, find).flatten())
    }

    async fn body(&self, tenant: &Tenant, key: &EventKey) -> Result<Option<Vec<u8>>, ReadError> {
        let stored = self.log(tenant, |log| log.bodies.get(key).cloned()).flatten();
        Ok(stored.and_then(|stored| decompress(&stored)))
    }

    async fn usage(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        feature: &FeatureSlug,
        within: Interval,
        up_to: i64,
    ) -> Result<Vec<(Timestamp, i64)>, ReadError> {
        let counter =
            CounterKey { trainer: trainer.clone(), feature: feature.clone(), window: None };
        let subject = Subject::from(&counter);
        let counted = |log: &Stored| {
            let known = log.usage.iter().filter(|(position, _)| *position <= up_to);
            let entries = known.map(|(_, entry)| entry).filter(|e| Subject::from(*e) == subject);
            let entries = entries.filter(|e| within.contains(e.occurred_at));
            entries.filter_map(|e| Some((e.occurred_at, counts(e.change)?))).collect()
        };
        Ok(self.log(tenant, counted).unwrap_or_default())
    }

    fn watch(&self, tenant: &Tenant) -> watch::Receiver<i64> {
        watch_of(&mut self.inner().watches, tenant, 0).subscribe()
    }
}

fn counts(change: UsageChange) -> Option<i64> {
    match change {
        UsageChange::Count(quantity) | UsageChange::Settle { quantity, .. } => {
            Some(quantity).filter(|quantity| *quantity != 0)
        }
        UsageChange::Hold { .. } => None,
    }
}
