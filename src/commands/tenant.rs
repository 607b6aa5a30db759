//! Opening a tenant's log, and what it was opened with.

use ledger_domain::codec;
use ledger_domain::event::{Event, LogOpened};
use ledger_domain::id::StripeId;
use ledger_log::{AppendError, EventLog, Expected, OpenLog, ReadError};

use super::facts::{self, Fact};
use crate::clock::Clock;
use crate::config::TenantConfig;
use crate::ids;

/// Why a log was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("its first event can't be read by this version")]
    Unreadable,
}

/// The settings contradict what the log was opened with, which nothing can change.
#[derive(Debug, thiserror::Error)]
#[error(
    "the log was opened with {opened}, for good, but the settings say {configured}: set \
     STRIPE_LIVEMODE and STRIPE_ACCOUNT to what the log says; another mode or account needs a \
     tenant of its own, or another database"
)]
pub(crate) struct Contradiction {
    opened: String,
    configured: String,
}

/// Opens a tenant's log, unless it is open; tells what it was opened with, now or back then.
///
/// # Errors
/// When the log can't be reached.
pub(crate) async fn open(
    log: &dyn EventLog,
    clock: &Clock,
    config: &TenantConfig,
) -> Result<LogOpened, OpenError> {
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
    log.open(&config.tenant, OpenLog { log_id, event }).await?;
    let first = log.read(&config.tenant, 0, 1).await?.pop().ok_or(OpenError::Unreadable)?;
    match codec::decode(&first.event_type, first.schema_version, &first.data) {
        Ok(Event::LogOpened(opened)) => Ok(opened),
        _ => Err(OpenError::Unreadable),
    }
}

/// Compares what a log was opened with to what the settings say now. Where no setting tells the
/// mode, `default` is in test mode, and the log of another tenant keeps the mode that it has.
///
/// # Errors
/// When they differ.
pub(crate) fn compare(opened: &LogOpened, config: &TenantConfig) -> Result<(), Contradiction> {
    let is_mode_said = config.is_mode_told || config.is_default();
    let is_mode_kept = !is_mode_said || opened.livemode == config.livemode;
    if is_mode_kept && opened.account == config.account {
        return Ok(());
    }
    let mode = if config.is_mode_told { "" } else { " (by default)" };
    let mode = format!("STRIPE_LIVEMODE={}{mode}", config.livemode);
    Err(Contradiction {
        opened: identity(&format!("STRIPE_LIVEMODE={}", opened.livemode), opened.account.as_ref()),
        configured: identity(&mode, config.account.as_ref()),
    })
}

fn identity(mode: &str, account: Option<&StripeId>) -> String {
    match account {
        Some(account) => format!("{mode} and STRIPE_ACCOUNT={account}"),
        None => format!("{mode} and no STRIPE_ACCOUNT"),
    }
}
