//! Replaying the log: what operators do with the fact that everything else follows from it.
//!
//! Whatever is replayed goes through the runner, the fold and the stores that keep the live read
//! models. There is no second way of making a row, so what a replay shows is what the ledger does.
//!
//! - [`verify`]: are the read models what the log says? It builds them anew beside the live ones
//!   and names every row that differs, also of the counters of usage, which are the log's own.
//! - [`as_of`]: what could a trainer do at a past instant, by what is known now or was known then?
//! - [`readable`]: can this program read every event of a log?
//! - [`mod@status`]: how far are the read models, and what could they not take in?
//!
//! # Adding a replay
//!
//! 1. A folder with `mod.rs` (what it answers, and why the answer can be trusted) and `store.rs`
//!    with all of its statements.
//! 2. If it builds read models, [`ledger_projections::Version::Next`] is where. Those schemas exist
//!    once in a database: `schema.rs` says who has them, and takes them away afterwards. A runner
//!    of its own lease writes them, over a log that ends where it should stop (`capped.rs`).
//! 3. Progress goes out through a watch channel, which never makes the work wait for whoever looks
//!    on; an end is asked for by a cancellation token, and what was made is removed first.

pub mod as_of;
mod capped;
pub mod readable;
mod schema;
pub mod status;
pub mod verify;

pub use as_of::{AsOf, AsOfError, Explained, Moment, Then};
pub use schema::DatabaseError;
pub use status::{State, Status, status};
pub use verify::{Progress, Report, Verifier, VerifyConfig, VerifyError};
