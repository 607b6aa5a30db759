//! Changing how far denials are enforced.

use ledger_domain::event::{Enforcement, EnforcementChanged, Event, Metadata};
use ledger_domain::id::Tenant;
use ledger_domain::time::Timestamp;
use ledger_log::{EventLog, Outcome};
use uuid::Uuid;

use super::facts::{self, Act, ActError};

/// A change: how far from now on, and why, in somebody's words.
pub(crate) struct Change<'a> {
    /// The same for a retry.
    pub(crate) id: Uuid,
    pub(crate) mode: Enforcement,
    pub(crate) reason: &'a str,
}

/// Changes how far denials are enforced, whatever it was: who switches off in an emergency shall
/// not lose a race.
pub(crate) async fn change(
    log: &dyn EventLog,
    tenant: &Tenant,
    Change { id, mode, reason }: Change<'_>,
    at: Timestamp,
    metadata: &Metadata,
) -> Result<Outcome, ActError> {
    let event = Event::EnforcementChanged(EnforcementChanged { mode });
    let (stream, reason) = (facts::tenant_stream(), Some(reason));
    facts::act(log, tenant, &Act { id, stream, event, reason, metadata, at }).await
}
