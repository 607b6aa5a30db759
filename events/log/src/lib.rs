//! The event log: the port [`EventLog`], and the engines behind it.

mod port;

pub use port::*;
