//! What must be true of a log and its read models, looked up with plain SQL.

mod dump;
mod seal;

pub(crate) use dump::{Dump, search};
pub(crate) use seal::verify_log;
