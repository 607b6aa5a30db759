//! What the ledger itself, its operators and its callers state: load, decide, append with what was
//! seen.

pub(crate) mod catalog;
pub(crate) mod enforcement;
pub(crate) mod facts;
pub(crate) mod settings;
pub(crate) mod tenant;
pub(crate) mod trainer;
pub(crate) mod usage;
