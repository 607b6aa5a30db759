//! Why a verification ends without a report.

use ledger_log::ReadError;
use ledger_projections::Halt;

use crate::schema::DatabaseError;

/// Why a verification ends without a report.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The live read models hold nothing yet.
    #[error("there is nothing to verify: the read models have not begun")]
    NotBegun,
    /// The live read models that should stand together don't.
    #[error("the live read models are at different positions: {0}")]
    Uneven(String),
    /// The live read models were made from another log, or before the log was restored.
    #[error("the live read models were not made from the log that is there")]
    OtherLog,
    /// The log has lost events.
    #[error("the live read models are at position {position}, and the log ends at {head}")]
    Behind {
        /// Where the live read models are.
        position: i64,
        /// Where the log ends.
        head: i64,
    },
    /// Another event stands where the live read models have read on.
    #[error("the live read models have taken in another event at position {position}")]
    Diverged {
        /// Where.
        position: i64,
    },
    /// The log can't be replayed.
    #[error("the read models can't be built from the log")]
    Halted(#[source] Halt),
    /// A table can't be compared.
    #[error("table {table} of read model {schema} can't be compared: it has no {lacks}")]
    Table {
        /// The schema.
        schema: String,
        /// The table.
        table: String,
        /// What it lacks.
        lacks: &'static str,
    },
    /// Another verification is under way.
    #[error("another verification is under way")]
    Busy,
    /// Something else has the place where read models are built.
    #[error("schema {0} is there already, and it was not made by a verification")]
    Foreign(String),
    /// Somebody else has taken the schemas: this process was paused for longer than its lease.
    #[error("the verification was paused for too long, and another one has begun")]
    Lost,
    /// The building doesn't get on.
    #[error("building the read models stands still at position {position} of {target}")]
    Stalled {
        /// Where it stands.
        position: i64,
        /// Where it should get to.
        target: i64,
    },
    /// The live read models never stood still.
    #[error("the live read models move on too quickly to be compared")]
    Restless,
    /// The verification was told to end.
    #[error("the verification was interrupted")]
    Interrupted,
    /// The database can't be reached, or refused.
    #[error("the read models can't be compared")]
    Database(#[from] DatabaseError),
    /// The log can't be read.
    #[error("the log can't be read")]
    Log(#[from] ReadError),
}

impl VerifyError {
    /// Whether nothing is known to be wrong with the read models: something that is needed wasn't
    /// available, and the same verification may succeed later.
    #[must_use]
    pub const fn is_unavailable(&self) -> bool {
        match self {
            Self::NotBegun
            | Self::Busy
            | Self::Foreign(_)
            | Self::Lost
            | Self::Stalled { .. }
            | Self::Restless
            | Self::Interrupted
            | Self::Database(_)
            | Self::Log(ReadError::Unavailable(_)) => true,
            Self::Uneven(_)
            | Self::OtherLog
            | Self::Behind { .. }
            | Self::Diverged { .. }
            | Self::Halted(_)
            | Self::Table { .. }
            | Self::Log(ReadError::Corrupt { .. }) => false,
        }
    }
}
