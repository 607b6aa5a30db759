//! The ledger against the simulator of Stripe, through HTTP and PostgreSQL: what really happened
//! there, however it was delivered, is what the API answers.
//!
//! `stage` calls the simulator's world and delivers what it tells; in `over_http` the simulator is
//! called and delivers by itself. `truth` compares answers with what the
//! simulator knows to be so. The same by the thousand, without I/O, is `tests/convergence`.

mod over_http;
mod pains;
mod read_models;
mod stage;
mod storms;
mod time_travel;
mod truth;
mod waiting;

#[path = "../../convergence/oracle.rs"]
mod oracle;

#[path = "../../convergence/positions.rs"]
mod positions;
