//! Registering trainers.

use ledger_domain::event::{Event, Metadata, TrainerRegistered};
use ledger_domain::id::{StreamName, Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_log::{AppendError, EventLog, Expected, Outcome, ReadError};

use super::facts::{self, Fact};
use crate::ids;

/// How many acts on a trainer are read at once.
const PAGE: usize = 64;
/// How often registering is tried against others who act on the same trainer.
const TRIES_MAX: usize = 5;

/// Why a trainer was not registered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    #[error("the registration can't be appended")]
    Append(#[from] AppendError),
    #[error("what was done to the trainer can't be read")]
    Read(#[from] ReadError),
}

/// Registers a trainer, once: whoever asks again is told where that stands.
pub(crate) async fn register(
    log: &dyn EventLog,
    tenant: &Tenant,
    trainer: TrainerId,
    at: Timestamp,
    metadata: &Metadata,
) -> Result<Outcome, RegisterError> {
    let id = ids::derived(&[tenant.as_str(), "trainer_registered", trainer.as_str()]);
    let stream = StreamName::try_new(&format!("trainer-{trainer}"));
    let stream = stream.expect("a trainer's id is the rest of a stream's name");
    let event = Event::TrainerRegistered(TrainerRegistered { trainer });
    let mut tries = 0;
    loop {
        let fact = Fact {
            key: facts::key_of(id),
            stream: stream.clone(),
            expected: end(log, tenant, &stream).await?,
            at,
        };
        tries += 1;
        match log.append(tenant, vec![fact.stating(&event, metadata)]).await {
            Err(AppendError::WrongExpectedRevision { .. }) if tries < TRIES_MAX => {}
            appended => {
                let outcome = appended?.pop();
                return Ok(outcome.expect("one event has one outcome"));
            }
        }
    }
}

/// Where a stream ends.
async fn end(
    log: &dyn EventLog,
    tenant: &Tenant,
    stream: &StreamName,
) -> Result<Expected, ReadError> {
    let mut next = 0;
    loop {
        let page = log.read_stream(tenant, stream, next, PAGE).await?;
        let Some(last) = page.last() else { break };
        next = last.revision + 1;
    }
    Ok(if next == 0 { Expected::NoStream } else { Expected::Revision(next - 1) })
}
