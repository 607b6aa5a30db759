//! The contract on the log in memory.

use std::sync::Arc;

use ledger_log::{EventLog, MemoryLog, system_clock};

async fn empty() -> (Arc<dyn EventLog>, ()) {
    (Arc::new(MemoryLog::new(system_clock())), ())
}

ledger_log::contract_tests!(empty());
