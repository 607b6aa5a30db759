//! The event log: the port [`EventLog`], and the engines behind it.
//!
//! The way of an append: `prepare` checks an event in its caller's task; `batch` plans what many
//! callers want as one write, purely, over what `state` remembers; an engine carries the plan out.
//! `seal` is what makes the log provable. To add an engine, implement [`EventLog`] and run the
//! tests of `contract` on it.

mod batch;
mod clock;
mod command;
#[cfg(feature = "contract")]
pub mod contract;
mod entry;
mod map;
mod memory;
mod port;
pub mod postgres;
mod prepare;
pub mod seal;
mod state;
#[cfg(any(test, feature = "contract"))]
pub mod testing;

pub use clock::{Clock, system_clock};
pub use entry::UsageRow;
pub use memory::MemoryLog;
pub use port::*;
pub use prepare::{
    APPEND_BYTES_MAX, APPEND_EVENTS_MAX, BODY_BYTES_MAX, DATA_BYTES_MAX, METADATA_BYTES_MAX,
    QUANTITY_MAX, TEXT_BYTES_MAX, TYPE_BYTES_MAX,
};

/// The version of the envelope and of the leaf's encoding that this program writes.
pub const FORMAT: i16 = 1;
