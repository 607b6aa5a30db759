//! Everything that an answer about one trainer is made from, read at one instant.

pub(super) mod store;

use ledger_domain::effective::Holdings;

use crate::feed::Cursor;
use crate::usage::UsageDays;

/// The positions of the last catalogue and of the last change of enforcement.
pub type Mark = (Option<i64>, Option<i64>);

/// What is known of a trainer at one position.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// What the trainer holds.
    pub holdings: Holdings,
    /// What it used.
    pub usage: UsageDays,
    /// Where the read models are.
    pub position: i64,
    /// The last change of answers that all this contains; none if nobody has begun to tell.
    pub heard: Option<Cursor>,
    /// Whether any unit of the tenant may be parked: what waits for it is to be asked for.
    pub is_parked: bool,
    /// By what the tenant's catalogues and enforcement are known.
    pub mark: Mark,
}
