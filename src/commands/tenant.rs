//! Opening a tenant's log.

use ledger_domain::event::{Event, LogOpened};
use ledger_log::{AppendError, EventLog, Expected, Head, OpenLog};

use super::facts::{self, Fact};
use crate::clock::Clock;
use crate::config::TenantConfig;
use crate::ids;

/// Opens a tenant's log, unless it is open; tells where it stands.
///
/// # Errors
/// When the log can't be reached.
pub(crate) async fn open(
    log: &dyn EventLog,
    clock: &Clock,
    config: &TenantConfig,
) -> Result<Head, AppendError> {
    let log_id = ids::fresh();
    let opened = LogOpened {
        account: config.account.clone(),
        livemode: config.livemode,
        log_id,
        tenant: config.tenant.clone(),
    };
    let fact = Fact {
        key: facts::key_of(ids::derived(&[config.tenant.as_str(), "log_opened"])),
        stream: facts::tenant_stream(),
        expected: Expected::NoStream,
        at: clock.now(),
    };
    let event = fact.stating(&Event::LogOpened(opened), &facts::by_operator("ledger serve"));
    log.open(&config.tenant, OpenLog { log_id, event }).await
}
