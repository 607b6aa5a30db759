//! What administrators gave and did to trainers.

mod rows;
pub(crate) mod store;

use ledger_domain::account::TrainerChanges;

use crate::history::ChangeRow;
use crate::rows::PartRow;
pub(crate) use rows::{GrantRow, TrainerRow};
pub(crate) use store::Batch;

/// Makes the tables.
pub(crate) const SCHEMA: &str = include_str!("schema.sql");

impl Batch {
    /// Adds what changed for one trainer.
    pub(crate) fn add(&mut self, unit: &str, changes: &TrainerChanges) {
        let (unit, state) = (unit.to_owned(), changes.state.clone());
        self.parts.push(PartRow { unit, part: String::new(), state });
        self.trainers.push(TrainerRow::from(&changes.trainer));
        for view in &changes.grants {
            self.grants.push(GrantRow::from(view));
        }
        for step in &changes.history {
            self.history.push(ChangeRow::from(step));
        }
    }
}
