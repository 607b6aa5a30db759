//! Facts that are read from the log again: those that waited, those of customers that lost an
//! object, those of parked units. There may be very many, so they are read by few statements, and
//! beyond a limit they are read once more when they are folded: until then no more is kept of each
//! than its position and the ids in it.

use ledger_domain::event::Entry;
use ledger_domain::id::Tenant;
use ledger_log::EventLog;

use super::page::{Read, read};
use super::trouble::{Halt, Trouble};

/// How many events one statement reads, and one step of a long fold takes in.
pub(super) const READ_AT_ONCE: usize = 128;

/// How many facts that were read again a page keeps in memory.
pub(super) const HELD_MAX: usize = 4_096;

/// A fact that a unit is to take in.
pub(super) enum Given {
    /// It is in memory.
    Held(Box<Entry>),
    /// It stands in the log at this position.
    InLog(i64),
}

impl Given {
    pub(super) fn position(&self) -> i64 {
        match self {
            Self::Held(entry) => entry.position,
            Self::InLog(position) => *position,
        }
    }

    /// The facts, if all of them are in memory.
    pub(super) fn all_held(given: Vec<Self>) -> Result<Vec<Entry>, Vec<Self>> {
        if given.iter().any(|fact| matches!(fact, Self::InLog(_))) {
            return Err(given);
        }
        let entry = |fact| match fact {
            Self::Held(entry) => Some(*entry),
            Self::InLog(_) => None,
        };
        Ok(given.into_iter().filter_map(entry).collect())
    }
}

/// The events at some positions, which are few enough for one statement. They were there before, so
/// that one that is missing now means another log.
pub(super) async fn read_at(
    log: &dyn EventLog,
    tenant: &Tenant,
    positions: &[i64],
) -> Result<Vec<Read>, Trouble> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let recorded = log.read_at(tenant, positions).await?;
    let mut there: Vec<i64> = recorded.iter().map(|event| event.position).collect();
    there.sort_unstable();
    let missing = positions.iter().find(|position| there.binary_search(position).is_err());
    if let Some(&position) = missing {
        return Err(Halt::Diverged { position }.into());
    }
    Ok(recorded.into_iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use ledger_log::{MemoryLog, system_clock};

    use super::*;

    #[tokio::test]
    async fn a_fact_that_is_there_no_more_means_another_log() {
        let (log, tenant) = (MemoryLog::new(system_clock()), Tenant::try_new("default").unwrap());
        let read = read_at(&log, &tenant, &[7]).await;
        let Err(Trouble::Halt(Halt::Diverged { position: 7 })) = read else {
            panic!("it goes on in silence")
        };
        assert!(read_at(&log, &tenant, &[]).await.is_ok());
    }
}
