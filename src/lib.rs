//! The service around the ledger: HTTP, configuration, and the wiring of log and read models.
//!
//! [`app::start`] runs it inside another program, as the end-to-end tests do; the binary `ledger`
//! is [`cli::run`]. ARCHITECTURE.md tells what lies where.

pub mod app;
pub mod cli;
pub mod clock;
mod commands;
pub mod config;
mod dev;
mod errors;
mod handles;
mod http;
mod ids;
mod ingest;
mod jwks;
mod keyrings;
mod lag;
mod meters;
mod panics;
mod readiness;
mod reads;
mod roles;
mod rotation;
mod seals;
mod seldom;
mod service;
mod signals;
mod signer;
mod tenants;
mod throttle;
mod ticks;

pub use roles::Role;
