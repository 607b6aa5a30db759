//! The ledger as its users meet it: the program `ledger`, its HTTP API, and webhooks signed as
//! Stripe signs them. Nothing in here uses the program's own code; what was stored is looked up
//! with plain SQL by the owner of the database.
//!
//! To add a test: start a [`harness::TestApp`], tell it what Stripe would ([`bodies`]), and ask it
//! as one of its callers. Each test has a database and a service process of its own. Waiting is
//! for a condition and has a limit; nothing sleeps for a guessed time.
//!
//! `LEDGER_SOAK=1` makes the randomised tests long.

#![cfg(test)]

mod access;
mod attention;
mod audit;
mod bodies;
mod canary;
mod check;
mod cli;
mod connections;
mod convergence;
mod crash;
mod enforcement;
mod entitlement_cache;
mod entitlement_cost;
mod entitlement_tokens;
mod explain;
mod gateway;
mod harness;
mod injection;
mod jwks;
mod lag;
mod lists;
mod matrix;
mod metrics;
mod openapi;
mod past;
mod poison;
mod positions;
mod problems;
mod rate_limits;
mod rotation;
mod scenarios;
#[path = "../schemas.rs"]
mod schemas;
mod seals;
mod shared_cache;
mod tenants;
mod trainers;
mod usage;
mod webhooks;
