//! ledger-log
