//! What callers want from a log, and what they are told.

use ledger_domain::id::{EventKey, Tenant};
use uuid::Uuid;

use crate::port::{AppendError, Decided, Decision, Head, Outcome};
use crate::prepare::Prepared;

/// What a caller wants from one tenant's log.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) tenant: Tenant,
    pub(crate) act: Act,
}

#[derive(Debug)]
pub(crate) enum Act {
    Append(Vec<Prepared>),
    Decide(Decision),
    Open { log_id: Uuid, event: Box<Prepared> },
}

impl Command {
    pub(crate) fn events(&self) -> usize {
        match &self.act {
            Act::Append(events) => events.len(),
            Act::Decide(_) | Act::Open { .. } => 1,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match &self.act {
            Act::Append(events) => events.iter().map(Prepared::bytes).sum(),
            Act::Open { event, .. } => event.bytes(),
            // Not known before it is decided; about what such an event takes.
            Act::Decide(_) => 512,
        }
    }

    /// The keys under which it may be in the log already.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &EventKey> {
        let (many, one) = match &self.act {
            Act::Append(events) => (events.as_slice(), None),
            Act::Decide(decision) => (Default::default(), Some(&decision.key)),
            Act::Open { event, .. } => (Default::default(), Some(&event.event.key)),
        };
        many.iter().map(|event| &event.event.key).chain(one)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Appended(Vec<Outcome>),
    Decided(Decided),
    Opened(Head),
}

pub(crate) type Answers = Vec<Result<Answer, AppendError>>;
