//! The log on a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test, and says so")]

mod access;
mod support;

mod contract {
    ledger_log::contract_tests!(crate::support::empty());
}
