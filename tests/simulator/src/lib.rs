//! A stateful stand-in for the part of Stripe that a billing ledger uses. It shares no code with
//! the ledger, so that a misunderstanding on one side isn't repeated on the other.
//!
//! `world` is what Stripe knows and does, `shell` is its HTTP and its webhooks, `adversary` makes
//! deliveries go wrong. `docs/simulator.md` tells how to use it.

pub mod adversary;
pub mod shell;
pub mod world;
