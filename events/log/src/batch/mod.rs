//! Planning a batch: which of its commands are appended, where, and what each caller is told.
//! Pure: the plan depends on the commands, the remembered state and the clock's reading alone.
//!
//! The plan takes every key that isn't remembered for new. Whoever carries it out must find out
//! whether one of `rows` or `probes` is in the log after all, and must write nothing unless each
//! slot's log still ends at `before`; then every answer, refusals included, is true at the moment
//! of writing.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ledger_domain::id::{EventKey, StreamName, Tenant};
use ledger_domain::time::Timestamp;
use uuid::Uuid;

use crate::command::{Act, Answer, Answers, Command};
use crate::map::{HashMap, HashSet};
use crate::port::{
    AppendError, Counter, CounterKey, Decided, Decision, Expected, Outcome, Verdict,
};
use crate::prepare::Prepared;
use crate::seal::Leaf;
use crate::state::{Known, LogState, Logs, Subject, Tip, Usage};

/// What must be looked up before the batch can be planned.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) tips: HashSet<Tenant>,
    /// Logs to be made, so that they can be opened.
    pub(crate) opens: HashMap<Tenant, Uuid>,
    pub(crate) streams: HashSet<(Tenant, StreamName)>,
    pub(crate) counters: HashSet<(Tenant, CounterKey)>,
}

impl Missing {
    fn is_empty(&self) -> bool {
        self.tips.is_empty()
            && self.opens.is_empty()
            && self.streams.is_empty()
            && self.counters.is_empty()
    }
}

/// An event with its place.
#[derive(Debug)]
pub(crate) struct Row<'b> {
    /// The index of its tenant's slot.
    pub(crate) slot: usize,
    pub(crate) position: i64,
    pub(crate) revision: i64,
    pub(crate) event: EventRef<'b>,
}

/// An event of a command, or one that a decision made.
#[derive(Debug)]
pub(crate) enum EventRef<'b> {
    Given(&'b Prepared),
    Made(Box<Prepared>),
}

impl Deref for EventRef<'_> {
    type Target = Prepared;
    fn deref(&self) -> &Prepared {
        match self {
            Self::Given(event) => event,
            Self::Made(event) => event,
        }
    }
}

/// What the batch does to one tenant's log.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) tenant: Tenant,
    /// Where the log must end for the plan to hold.
    pub(crate) before: Tip,
    /// Where it ends afterwards; the same if nothing is written to it.
    pub(crate) after: Tip,
    /// Whether an answer rests on `before` though nothing is written.
    pub(crate) relied_on: bool,
    /// The leaves of what is written to it, one after another.
    pub(crate) leaves: Vec<u8>,
    streams: HashMap<StreamName, Option<i64>>,
    counters: HashMap<Subject, Usage>,
    ids: HashMap<EventKey, Known>,
}

impl Slot {
    pub(crate) const fn writes(&self) -> bool {
        self.after.position > self.before.position
    }
}

/// What becomes true once the batch is durable; owns all that it needs.
#[derive(Debug)]
pub(crate) struct Effects {
    pub(crate) slots: Vec<Slot>,
    /// One for each command, in their order.
    pub(crate) answers: Answers,
    pub(crate) duplicates: u64,
    pub(crate) conflicts: u64,
}

impl Effects {
    /// Brings the remembered state up to the end of the batch.
    pub(crate) fn apply(self, logs: &mut Logs) -> Answers {
        for slot in self.slots {
            let log = logs.entry(slot.tenant).or_default();
            log.tip = Some(Some(slot.after));
            slot.streams.into_iter().for_each(|(name, last)| log.streams.insert(name, last));
            for (subject, mut usage) in slot.counters {
                usage.trim();
                log.counters.insert(subject, usage);
            }
            slot.ids.into_iter().for_each(|(key, known)| log.remember(key, known));
        }
        self.answers
    }
}

#[derive(Debug)]
pub(crate) struct Plan<'b> {
    pub(crate) rows: Vec<Row<'b>>,
    /// Keys that aren't appended, and whose absence from the log an answer rests on.
    pub(crate) probes: Vec<(usize, &'b EventKey)>,
    pub(crate) effects: Effects,
}

/// Plans the batch, or says what must be looked up first.
pub(crate) fn plan<'b>(
    commands: &'b [Command],
    logs: &mut Logs,
    now: Timestamp,
) -> Result<Plan<'b>, Box<Missing>> {
    let mut planner = Planner::new(logs, now);
    let mut answers = Answers::with_capacity(commands.len());
    for command in commands {
        let answer = planner.command(command, answers.len());
        answers.push(answer);
    }
    if !planner.missing.is_empty() {
        return Err(Box::new(planner.missing));
    }
    Ok(planner.finish(answers))
}

struct Planner<'l, 'b> {
    logs: &'l mut Logs,
    now: Timestamp,
    missing: Missing,
    slots: Vec<Slot>,
    by_tenant: HashMap<Tenant, usize>,
    rows: Vec<Row<'b>>,
    probes: Vec<(usize, &'b EventKey)>,
    /// Answers that tell a head, which is known once all is sealed: the answer and the slot.
    heads: Vec<(usize, usize)>,
    duplicates: u64,
    conflicts: u64,
}

/// Stands in for an answer while something is missing; such a plan is thrown away.
const NOT_YET: AppendError = AppendError::Unavailable("not looked up yet");

/// What a look at one event of an append found.
enum Look {
    Known(Known),
    New { revision: i64 },
}

impl<'l, 'b> Planner<'l, 'b> {
    fn new(logs: &'l mut Logs, now: Timestamp) -> Self {
        Self {
            logs,
            now,
            missing: Missing::default(),
            slots: Vec::new(),
            by_tenant: HashMap::default(),
            rows: Vec::new(),
            probes: Vec::new(),
            heads: Vec::new(),
            duplicates: 0,
            conflicts: 0,
        }
    }

    fn command(&mut self, command: &'b Command, index: usize) -> Result<Answer, AppendError> {
        let slot = self.slot(command)?;
        if let Act::Open { event, .. } = &command.act {
            self.heads.push((index, slot));
            return Ok(self.open(slot, event));
        }
        if self.slots[slot].after.position == 0 {
            return Err(AppendError::UnknownTenant(command.tenant.clone()));
        }
        match &command.act {
            Act::Append(events) => self.append(slot, events).map(Answer::Appended),
            Act::Decide(decision) => self.decide(slot, decision).map(Answer::Decided),
            Act::Open { .. } => unreachable!("answered above"),
        }
    }

    /// The slot of the command's tenant.
    fn slot(&mut self, command: &Command) -> Result<usize, AppendError> {
        if let Some(&slot) = self.by_tenant.get(&command.tenant) {
            return Ok(slot);
        }
        let log = self.logs.entry(command.tenant.clone()).or_default();
        let tip = match (&log.tip, &command.act) {
            (Some(Some(tip)), _) => tip.clone(),
            (Some(None), Act::Open { log_id, .. }) => {
                self.missing.opens.insert(command.tenant.clone(), *log_id);
                return Err(NOT_YET);
            }
            (Some(None), _) => return Err(AppendError::UnknownTenant(command.tenant.clone())),
            (None, _) => {
                self.missing.tips.insert(command.tenant.clone());
                return Err(NOT_YET);
            }
        };
        let mut after = tip.clone();
        after.recorded_at = after.recorded_at.max(self.now);
        self.slots.push(Slot {
            tenant: command.tenant.clone(),
            before: tip,
            after,
            relied_on: false,
            leaves: Vec::new(),
            streams: HashMap::default(),
            counters: HashMap::default(),
            ids: HashMap::default(),
        });
        self.by_tenant.insert(command.tenant.clone(), self.slots.len() - 1);
        Ok(self.slots.len() - 1)
    }

    fn open(&mut self, slot: usize, event: &'b Prepared) -> Answer {
        if self.slots[slot].after.position == 0 {
            self.take(slot, EventRef::Given(event), 0);
        }
        self.slots[slot].relied_on = true;
        Answer::Opened(self.slots[slot].after.head())
    }

    /// All or none: first every event is looked at, then all are taken.
    fn append(&mut self, slot: usize, events: &'b [Prepared]) -> Result<Vec<Outcome>, AppendError> {
        let mut looks = Vec::with_capacity(events.len());
        let mut ahead = Ahead::new(events.len() > 1, self.slots[slot].after.position);
        let mut failure = None;
        for event in events {
            match self.look(slot, event, &mut ahead) {
                Ok(look) => looks.push(look),
                Err(error) => {
                    failure.get_or_insert(error);
                }
            }
        }
        if let Some(error) = failure {
            match error {
                AppendError::WrongExpectedRevision { .. } => {
                    self.conflicts += 1;
                    self.slots[slot].relied_on = true;
                    self.probes.extend(ahead.unknown.iter().map(|key| (slot, *key)));
                }
                AppendError::IdReused { .. } => self.slots[slot].relied_on = true,
                _ => {}
            }
            return Err(error);
        }
        let outcomes = events.iter().zip(looks).map(|(event, look)| match look {
            Look::Known(Known { position, revision, .. }) => {
                self.duplicates += 1;
                // What is remembered must still be there: a failover may have lost it.
                self.slots[slot].relied_on = true;
                Outcome::AlreadyAppended { position, revision }
            }
            Look::New { revision } => self.take(slot, EventRef::Given(event), revision),
        });
        Ok(outcomes.collect())
    }

    fn look(
        &mut self,
        slot: usize,
        event: &'b Prepared,
        ahead: &mut Ahead<'b>,
    ) -> Result<Look, AppendError> {
        let new = &event.event;
        if let Some(known) = ahead.keys.get(&new.key) {
            let same = known.content_hash == new.content_hash;
            let twice = AppendError::Refused("one append uses a key twice, for different contents");
            return if same { Ok(Look::Known(*known)) } else { Err(twice) };
        }
        if let Some(known) = self.known(slot, &new.key) {
            if known.content_hash == new.content_hash {
                return Ok(Look::Known(known));
            }
            let Known { position, revision, .. } = known;
            return Err(AppendError::IdReused { position, revision });
        }
        ahead.unknown.push(&new.key);
        let actual = if event.shared {
            match ahead.streams.get(&new.stream) {
                Some(revision) => Some(*revision),
                None => self.last_revision(slot, &new.stream)?,
            }
        } else {
            None
        };
        let expected = match new.expected {
            Expected::NoStream => None,
            Expected::Revision(revision) => Some(revision),
        };
        if actual != expected {
            let stream = new.stream.clone();
            return Err(AppendError::WrongExpectedRevision { stream, actual });
        }
        let revision = actual.map_or(0, |last| last + 1);
        ahead.note(event, revision);
        Ok(Look::New { revision })
    }

    fn decide(&mut self, slot: usize, decision: &'b Decision) -> Result<Decided, AppendError> {
        let known = self.known(slot, &decision.key);
        if let Some(Known { position, revision, content_hash }) = known
            && content_hash != decision.content_hash
        {
            self.slots[slot].relied_on = true;
            return Err(AppendError::IdReused { position, revision });
        }
        let counter = self.counter(slot, decision)?;
        self.slots[slot].relied_on = true;
        if let Some(Known { position, revision, .. }) = known {
            self.duplicates += 1;
            return Ok(Decided::Granted(Outcome::AlreadyAppended { position, revision }, counter));
        }
        // A panic of the caller's closure must not end the task that serves everybody.
        let verdict = catch_unwind(AssertUnwindSafe(|| (decision.decide)(&counter)))
            .map_err(|_| AppendError::Refused("the decision panicked"))?;
        let Verdict::Append(event) = verdict else {
            self.probes.push((slot, &decision.key));
            return Ok(Decided::Refused(counter));
        };
        if event.key != decision.key || event.content_hash != decision.content_hash {
            return Err(AppendError::Refused("the decided event isn't the one that was asked for"));
        }
        let event = Box::new(Prepared::try_new(*event)?);
        let revision = if event.shared {
            self.last_revision(slot, &event.event.stream)?.map_or(0, |last| last + 1)
        } else {
            0
        };
        let outcome = self.take(slot, EventRef::Made(event), revision);
        Ok(Decided::Granted(outcome, self.counter(slot, decision)?))
    }

    /// Where the key stands, in this batch or in what is remembered.
    fn known(&self, slot: usize, key: &EventKey) -> Option<Known> {
        let slot = &self.slots[slot];
        slot.ids.get(key).copied().or_else(|| self.logs.get(&slot.tenant)?.known(key))
    }

    fn log(&mut self, slot: usize) -> &mut LogState {
        let tenant = &self.slots[slot].tenant;
        self.logs.get_mut(tenant).expect("a slot has a log")
    }

    /// The last revision of a shared stream.
    fn last_revision(
        &mut self,
        slot: usize,
        name: &StreamName,
    ) -> Result<Option<i64>, AppendError> {
        if let Some(last) = self.slots[slot].streams.get(name) {
            return Ok(*last);
        }
        if let Some(last) = self.log(slot).streams.get(name) {
            return Ok(*last);
        }
        self.missing.streams.insert((self.slots[slot].tenant.clone(), name.clone()));
        Err(NOT_YET)
    }

    fn counter(&mut self, slot: usize, decision: &Decision) -> Result<Counter, AppendError> {
        let Decision { counter: key, hold, .. } = decision;
        let Tip { recorded_at: now, facts, .. } = self.slots[slot].after;
        let subject = Subject::from(key);
        let usage = match self.slots[slot].counters.get_mut(&subject) {
            Some(usage) => Some(usage),
            None => self.log(slot).counters.get(&subject),
        };
        let found = usage.and_then(|usage| usage.counter(key.window, *hold, now, facts));
        found.ok_or_else(|| {
            self.missing.counters.insert((self.slots[slot].tenant.clone(), key.clone()));
            NOT_YET
        })
    }

    /// Gives the event the next position.
    fn take(&mut self, slot: usize, event: EventRef<'b>, revision: i64) -> Outcome {
        let new = &event.event;
        if let Some(entry) = &new.usage {
            let subject = Subject::from(entry);
            if !self.slots[slot].counters.contains_key(&subject)
                && let Some(usage) = self.log(slot).counters.get(&subject).cloned()
            {
                self.slots[slot].counters.insert(subject.clone(), usage);
            }
            // What isn't remembered will be read from the database, this entry included.
            if let Some(usage) = self.slots[slot].counters.get_mut(&subject) {
                usage.apply(entry);
            }
        }
        let target = &mut self.slots[slot];
        target.after.position += 1;
        let position = target.after.position;
        let known = Known { position, revision, content_hash: new.content_hash };
        target.ids.insert(new.key.clone(), known);
        if new.usage.is_none() {
            target.after.facts = position;
        }
        if event.shared {
            target.streams.insert(new.stream.clone(), Some(revision));
        }
        self.rows.push(Row { slot, position, revision, event });
        Outcome::Appended { position, revision }
    }

    /// Seals the rows.
    fn finish(mut self, mut answers: Answers) -> Plan<'b> {
        for row in &self.rows {
            let slot = &mut self.slots[row.slot];
            let event = &row.event.event;
            let leaf = Leaf {
                log_id: slot.after.log_id,
                tenant: slot.tenant.as_str(),
                position: row.position,
                namespace: event.key.namespace.as_str(),
                event_id: event.key.id.as_str(),
                stream: event.stream.as_str(),
                revision: row.revision,
                event_type: &event.event_type,
                schema_version: event.schema_version,
                occurred_at: event.occurred_at.micros(),
                recorded_at: slot.after.recorded_at.micros(),
                metadata: &event.metadata,
                data: &event.data,
                body_hash: row.event.body.as_ref().map(|body| &body.hash[..]),
                text_hash: row.event.text.as_ref().map(|text| &text.hash[..]),
            };
            let leaf = leaf.hash();
            slot.leaves.extend_from_slice(&leaf);
            slot.after.frontier.append(leaf);
        }
        for slot in &mut self.slots {
            if slot.writes() {
                slot.after.root = slot.after.frontier.root();
            } else {
                slot.after.recorded_at = slot.before.recorded_at;
            }
        }
        for (answer, slot) in &self.heads {
            answers[*answer] = Ok(Answer::Opened(self.slots[*slot].after.head()));
        }
        let Self { slots, rows, probes, duplicates, conflicts, .. } = self;
        Plan { rows, probes, effects: Effects { slots, answers, duplicates, conflicts } }
    }
}

/// What the events of one append do to each other before any is taken.
struct Ahead<'b> {
    several: bool,
    position: i64,
    keys: HashMap<&'b EventKey, Known>,
    streams: HashMap<&'b StreamName, i64>,
    unknown: Vec<&'b EventKey>,
}

impl<'b> Ahead<'b> {
    fn new(several: bool, position: i64) -> Self {
        let (keys, streams) = (HashMap::default(), HashMap::default());
        Self { several, position, keys, streams, unknown: Vec::new() }
    }

    fn note(&mut self, event: &'b Prepared, revision: i64) {
        if !self.several {
            return;
        }
        self.position += 1;
        let Prepared { event, shared, .. } = event;
        let position = self.position;
        let known = Known { position, revision, content_hash: event.content_hash };
        self.keys.insert(&event.key, known);
        if *shared {
            self.streams.insert(&event.stream, revision);
        }
    }
}

#[cfg(test)]
mod tests;
