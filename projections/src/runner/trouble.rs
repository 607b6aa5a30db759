//! Why a runner can't go on: now, or ever.

use ledger_log::ReadError;
use uuid::Uuid;

use crate::QueryError;

/// Why the read models of a tenant stay as they are until somebody has looked. All but the first
/// mean that the log isn't the one that they were made from, or that somebody has changed them.
/// Each says what to do; where that is to make them anew from the log that is there, the steps are
/// in `docs/metrics.md`.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// Another version of the program made the read models, and this one would write them wrongly.
    #[error(
        "the read models have another version's form: run this version's `ledger migrate`, or run \
         the version that made them"
    )]
    OtherForm,
    /// The tenant has another log now.
    #[error(
        "the read models were made from log {expected}, and the tenant's log is {found} now: name \
         the right database, or make the read models anew (docs/metrics.md, Halted read models)"
    )]
    OtherLog {
        /// The log that they were made from.
        expected: Uuid,
        /// The log that is there.
        found: Uuid,
    },
    /// The log was restored from a backup since.
    #[error(
        "the read models were made from epoch {expected} of the log, and it is in epoch {found} \
         now, since it was restored from a backup: make the read models anew (docs/metrics.md, \
         Halted read models)"
    )]
    OtherEpoch {
        /// The epoch that they were made in.
        expected: i32,
        /// The log's epoch.
        found: i32,
    },
    /// The log ends before the place that the read models have reached.
    #[error(
        "the read models are at position {position}, and the log ends at {head}, so it has lost \
         events: restore a log that has them, or make the read models anew from the one that is \
         there (docs/metrics.md, Halted read models)"
    )]
    Behind {
        /// Where they are.
        position: i64,
        /// Where the log ends.
        head: i64,
    },
    /// Another event stands where the read models have read on.
    #[error(
        "the event at position {position} isn't the one that the read models have taken in: \
         compare the log with a backup, then make the read models anew (docs/metrics.md, Halted \
         read models)"
    )]
    Diverged {
        /// Where.
        position: i64,
    },
    /// The log can't be what this program wrote.
    #[error(
        "the event log is corrupt at position {position}, {what}: restore it from a backup \
         (docs/metrics.md, Halted read models)"
    )]
    Corrupt {
        /// Where.
        position: i64,
        /// What is wrong there.
        what: String,
    },
    /// The read models that are to advance together are at different positions.
    #[error(
        "{0}: they are to be at one position, and somebody has changed that; make the read models \
         anew (docs/metrics.md, Halted read models)"
    )]
    Uneven(String),
}

/// Why a session ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// Going on would make the read models wrong.
    #[error(transparent)]
    Halt(#[from] Halt),
    /// Somebody else holds the lease, or the read models have changed places.
    #[error("the lease is lost")]
    Fenced,
    /// So many folds don't end.
    #[error("{0} folds don't end, and keep their threads: restart this process")]
    Stuck(usize),
    /// A mistake of this program's that couldn't be traced to a unit. Where it was is in the log,
    /// by the hook that tells panics.
    #[error("a panic broke off the projection: {0}")]
    Panicked(&'static str),
    /// The database can't be reached, or refused something that no unit is to blame for.
    #[error("the read models can't be written")]
    Database(#[from] sqlx::Error),
    /// What the read models hold can't be read.
    #[error("the read models can't be read")]
    Query(#[source] QueryError),
    /// The log can't be reached.
    #[error("the log can't be read")]
    Log(#[source] ReadError),
}

impl From<QueryError> for Trouble {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Database(error) => Self::Database(error),
            error => Self::Query(error),
        }
    }
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Corrupt { position, what } => Halt::Corrupt { position, what }.into(),
            error @ ReadError::Unavailable(_) => Self::Log(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has no remedy in its words is a riddle at night.
    #[test]
    fn every_halt_says_what_to_do() {
        let (expected, found) = (Uuid::nil(), Uuid::max());
        for halt in [
            Halt::OtherForm,
            Halt::OtherLog { expected, found },
            Halt::OtherEpoch { expected: 1, found: 2 },
            Halt::Behind { position: 7, head: 5 },
            Halt::Diverged { position: 7 },
            Halt::Corrupt { position: 7, what: "its data is no JSON".into() },
            Halt::Uneven("rm_usage at 5, rm_grants at 7".into()),
        ] {
            let text = halt.to_string();
            let is_told = text.contains("`ledger migrate`") || text.contains("docs/metrics.md");
            assert!(is_told && !text.contains("rebuild"), "{text}");
        }
    }
}
