//! What must be true of a log and its read models, looked up with plain SQL.

mod dump;
mod refold;
mod seal;
mod tampering;

pub(crate) use dump::{Dump, search};
pub(crate) use refold::{expect_equal_to_a_fold, make_anew, wait_until_folded};
pub(crate) use seal::{leaf_of, root_of, salted, verify_log};
