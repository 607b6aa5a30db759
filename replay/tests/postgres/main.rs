//! Replays on a real PostgreSQL, from a real log.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test, and says so")]

mod as_of;
#[path = "../../../events/log/tests/postgres/check.rs"]
mod check;
mod counters;
mod differences;
mod failpoints;
mod given;
mod leftovers;
mod memory;
mod status;
mod traffic;
mod verify;
mod world;
