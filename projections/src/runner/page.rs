//! A page of the log: what was read, checked against the checkpoint, and decoded once.

use ledger_domain::account::linked_trainer;
use ledger_domain::codec;
use ledger_domain::event::{Entry, Metadata};
use ledger_domain::id::TrainerId;
use ledger_domain::time::Timestamp;
use ledger_log::Recorded;

use super::trouble::Halt;
use crate::ReadModel;
use crate::control::Checkpoint;

/// Events that follow a checkpoint, and the checkpoint after them.
pub(super) struct Page {
    pub(super) events: Vec<Read>,
    pub(super) end: Checkpoint,
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

/// An event that this program can't read. What it says of itself in its metadata tells whose other
/// events have to wait for it.
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
    let metadata = match Metadata::from_bytes(&recorded.metadata) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Read::Unreadable(Unreadable {
                position: recorded.position,
                unit: format!("event/{}", recorded.position),
                model: None,
                trainer: None,
                reason: format!("its metadata can't be read: {error}"),
            });
        }
    };
    match codec::decode(&recorded.event_type, recorded.schema_version, &recorded.data) {
        Ok(event) => Read::Entry(Box::new(Entry {
            key: recorded.key,
            position: recorded.position,
            occurred_at: recorded.occurred_at,
            recorded_at: recorded.recorded_at,
            metadata,
            event,
        })),
        Err(error) => {
            let (unit, model) = whose(&metadata, recorded.position);
            let (position, trainer) = (recorded.position, metadata.subject.trainer);
            let reason = super::chain(&error);
            Read::Unreadable(Unreadable { position, unit, model, trainer, reason })
        }
    }
}

/// Whose events have to wait for one that can't be read, as far as its metadata tells.
fn whose(metadata: &Metadata, position: i64) -> (String, Option<ReadModel>) {
    use ledger_domain::account::UnitKey;
    let subject = &metadata.subject;
    if let Some(customer) = &subject.customer {
        (UnitKey::Customer(customer.clone()).to_string(), Some(ReadModel::Subscriptions))
    } else if let Some(trainer) = &subject.trainer {
        (UnitKey::Trainer(trainer.clone()).to_string(), Some(ReadModel::Grants))
    } else {
        (format!("event/{position}"), None)
    }
}
