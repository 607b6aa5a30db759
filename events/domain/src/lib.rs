//! The pure core of the ledger: what events say, what they add up to, and what follows from it.
//!
//! Nothing in here knows a clock, a database, a network or a source of randomness: time and ids
//! are arguments.

pub mod account;
pub mod catalog;
pub mod codec;
pub mod effective;
pub mod event;
pub mod id;
pub mod money;
#[cfg(feature = "schema")]
pub mod schema;
pub mod time;
pub mod usage;
