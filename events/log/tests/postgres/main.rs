//! The log on a real PostgreSQL.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test, and says so")]

mod access;
mod check;
mod cut;
mod fence;
mod gate;
mod kill;
mod load;
mod outage;
mod processes;
mod proxy;
mod support;
mod trouble;
mod turns;

mod contract {
    ledger_log::contract_tests!(crate::support::empty());
}
