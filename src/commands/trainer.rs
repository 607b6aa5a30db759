//! Registering trainers.

use ledger_domain::event::{Event, Metadata, TrainerRegistered};
use ledger_domain::id::{StreamName, Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_log::{EventLog, Outcome};

use super::facts::{self, Act, ActError};
use crate::ids;

/// Registers a trainer, once: whoever asks again is told where that stands.
pub(crate) async fn register(
    log: &dyn EventLog,
    tenant: &Tenant,
    trainer: TrainerId,
    at: Timestamp,
    metadata: &Metadata,
) -> Result<Outcome, ActError> {
    let id = ids::derived(&[tenant.as_str(), "trainer_registered", trainer.as_str()]);
    let stream = StreamName::try_new(&format!("trainer-{trainer}"));
    let stream = stream.expect("a trainer's id is the rest of a stream's name");
    let event = Event::TrainerRegistered(TrainerRegistered { trainer });
    facts::act(log, tenant, &Act { id, stream, event, reason: None, metadata, at }).await
}
