//! What the ledger itself and its operators state: load, decide, append with what was seen.

pub(crate) mod catalog;
pub(crate) mod facts;
pub(crate) mod settings;
pub(crate) mod tenant;
