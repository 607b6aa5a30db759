//! What the handlers of requests share.

use std::sync::Arc;

use ledger_log::postgres::AuditReader;

use crate::clock::Clock;
use crate::http::{Authenticator, Budget};
use crate::ingest::Ingest;
use crate::readiness::Readiness;
use crate::reads::Reads;
use crate::signer::Signer;
use crate::tenants::Tenants;
use crate::throttle::Throttle;

/// The service, as a request sees it.
pub(crate) struct Service {
    pub(crate) clock: Clock,
    pub(crate) auth: Arc<Authenticator>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) throttle: Throttle,
    pub(crate) tenants: Arc<Tenants>,
    pub(crate) ingest: Ingest,
    /// What the bodies of webhooks may have together.
    pub(crate) bodies: Budget,
    pub(crate) reads: Reads,
    pub(crate) audit: AuditReader,
    pub(crate) readiness: Readiness,
}
