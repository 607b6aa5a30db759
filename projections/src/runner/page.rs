//! A page of the log: what was read, checked against the checkpoint, and decoded once.

use std::sync::atomic::{AtomicUsize, Ordering};

use ledger_domain::account::{UnitKey, linked_trainer};
use ledger_domain::codec;
use ledger_domain::event::{Entry, Metadata};
use ledger_domain::id::TrainerId;
use ledger_domain::time::Timestamp;
use ledger_log::Recorded;

use super::failpoint::{Point, reach};
use super::panics::caught;
use super::trouble::Halt;
use crate::ReadModel;
use crate::control::Checkpoint;

/// Events that follow a checkpoint, and the checkpoint after them.
pub(super) struct Page {
    pub(super) events: Vec<Read>,
    pub(super) end: Checkpoint,
}

/// How many events a page has at most. It outlasts sessions: one that the server broke off would
/// else begin with the same page again, and never get through it.
pub(super) struct PageSize {
    now: AtomicUsize,
    most: usize,
}

/// The smallest page that slowness leads to.
const EVENTS_MIN: usize = 64;

impl PageSize {
    pub(super) const fn new(most: usize) -> Self {
        Self { now: AtomicUsize::new(most), most }
    }

    pub(super) fn get(&self) -> usize {
        self.now.load(Ordering::Relaxed)
    }

    pub(super) fn shrink(&self) {
        let smaller = (self.get() / 2).max(EVENTS_MIN.min(self.most));
        self.now.store(smaller, Ordering::Relaxed);
    }

    pub(super) fn grow(&self) {
        self.now.store((self.get() * 2).min(self.most), Ordering::Relaxed);
    }
}

/// An event as far as it could be read.
pub(super) enum Read {
    Entry(Box<Entry>),
    Unreadable(Unreadable),
}

impl Read {
    pub(super) fn position(&self) -> i64 {
        match self {
            Self::Entry(entry) => entry.position,
            Self::Unreadable(event) => event.position,
        }
    }

    /// The trainers that it names itself: its subject, and whom it says its customer is.
    pub(super) fn trainers(&self) -> Vec<TrainerId> {
        match self {
            Self::Entry(entry) => {
                let subject = entry.metadata.subject.trainer.clone();
                let linked = linked_trainer(&entry.event).filter(|id| subject.as_ref() != Some(id));
                subject.into_iter().chain(linked).collect()
            }
            Self::Unreadable(event) => event.trainer.clone().into_iter().collect(),
        }
    }
}

/// An event that this program can't read, or make anything of. What it says of itself in its
/// metadata tells whose other events have to wait for it.
pub(super) struct Unreadable {
    pub(super) position: i64,
    pub(super) unit: String,
    pub(super) model: Option<ReadModel>,
    pub(super) trainer: Option<TrainerId>,
    pub(super) reason: String,
}

impl Page {
    /// Checks what was read from the checkpoint's own event on; none = nothing follows it.
    pub(super) fn after(
        checkpoint: &Checkpoint,
        mut recorded: Vec<Recorded>,
    ) -> Result<Option<Self>, Halt> {
        if let Some(seal) = &checkpoint.seal {
            let is_there = recorded.first().is_some_and(|first| {
                first.position == checkpoint.position && first.leaf().as_slice() == seal
            });
            if !is_there {
                return Err(Halt::Diverged { position: checkpoint.position });
            }
            recorded.remove(0);
        }
        let Some(last) = recorded.last() else { return Ok(None) };
        let end = Checkpoint {
            position: last.position,
            seal: Some(last.leaf().to_vec()),
            recorded_at: Some(last.recorded_at),
            ..checkpoint.clone()
        };
        check_order(checkpoint, &recorded)?;
        let events = recorded.into_iter().map(read).collect();
        Ok(Some(Self { events, end }))
    }
}

fn check_order(checkpoint: &Checkpoint, recorded: &[Recorded]) -> Result<(), Halt> {
    let mut before = (checkpoint.position, checkpoint.recorded_at.unwrap_or(Timestamp::MIN));
    for event in recorded {
        if event.log_id != checkpoint.log_id {
            return Err(Halt::OtherLog { expected: checkpoint.log_id, found: event.log_id });
        }
        let corrupt = |what: &str| Halt::Corrupt { position: event.position, what: what.into() };
        if event.position <= before.0 {
            return Err(corrupt("positions don't rise"));
        }
        if event.recorded_at < before.1 {
            return Err(corrupt("recorded_at runs backwards"));
        }
        before = (event.position, event.recorded_at);
    }
    Ok(())
}

/// Decodes an event.
pub(super) fn read(recorded: Recorded) -> Read {
    let position = recorded.position;
    let decoded = caught("reading its metadata", || {
        let metadata = Metadata::from_bytes(&recorded.metadata);
        metadata.map_err(|error| format!("its metadata can't be read: {error}"))
    });
    let metadata = match decoded {
        Ok(metadata) => metadata,
        Err(reason) => {
            let unit = format!("event/{position}");
            let event = Unreadable { position, unit, model: None, trainer: None, reason };
            return Read::Unreadable(event);
        }
    };
    let decoded = caught("decoding it", || {
        reach(Point::Decode(&recorded.key));
        codec::decode(&recorded.event_type, recorded.schema_version, &recorded.data)
            .map_err(|error| super::chain(&error))
    });
    match decoded {
        Ok(event) => Read::Entry(Box::new(Entry {
            key: recorded.key,
            position,
            occurred_at: recorded.occurred_at,
            recorded_at: recorded.recorded_at,
            metadata,
            event,
        })),
        Err(reason) => Read::Unreadable(Unreadable::new(position, &metadata, reason)),
    }
}

impl Unreadable {
    /// Those whose events have to wait for it are told by its metadata, as far as these tell.
    pub(super) fn new(position: i64, metadata: &Metadata, reason: String) -> Self {
        let subject = &metadata.subject;
        let (unit, model) = if let Some(customer) = &subject.customer {
            (UnitKey::Customer(customer.clone()).to_string(), Some(ReadModel::Subscriptions))
        } else if let Some(trainer) = &subject.trainer {
            (UnitKey::Trainer(trainer.clone()).to_string(), Some(ReadModel::Grants))
        } else {
            (format!("event/{position}"), None)
        };
        Self { position, unit, model, trainer: subject.trainer.clone(), reason }
    }
}
