//! What readers ask: always inside a transaction that sees one tenant, and one trainer or all.

mod attention;
mod held;
mod reader;

pub(crate) use attention::FoundRow;
pub use attention::{
    AnomalyFilter, AnomalyPage, AnomalyPlace, AnomalyView, DeadLetterView, HolderPlace, Holders,
};
pub use held::{Held, Mark};
pub use reader::{HistoryPage, PaymentPage, Place, Reader, as_reader};

use crate::rows::InvalidRow;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The database can't be reached, or refused.
    #[error("the read models can't be read")]
    Database(#[from] sqlx::Error),
    /// A row can't have been written by this program.
    #[error("the read models are corrupt")]
    Row(#[from] InvalidRow),
    /// The stored state of a unit can't have been written by this program.
    #[error("the stored state of {unit} can't be read")]
    State {
        /// Which unit.
        unit: String,
        /// What the reader stumbled over.
        #[source]
        source: serde_json::Error,
    },
}
