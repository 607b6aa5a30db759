//! The read models on a real PostgreSQL, fed from a real log.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test, and says so")]

mod access;
mod attention;
mod converge;
mod feed;
mod forms;
mod given;
mod indexes;
mod lease;
mod panics;
mod parking;
mod recalled;
mod restored;
mod rests;
mod resume;
mod scenario;
mod stalls;
mod world;

#[path = "../../../tests/convergence/positions.rs"]
mod positions;
