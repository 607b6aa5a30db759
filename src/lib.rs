//! The service around the ledger: HTTP, configuration, and the wiring of log and read models.

pub mod clock;
pub mod config;
mod errors;
mod ids;
mod roles;
mod ticks;

pub use roles::Role;
