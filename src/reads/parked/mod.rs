//! Up to where an answer is complete: no further than an event that could not be taken in.

pub(super) mod store;

use ledger_projections::WaitError;

use super::ReadsError;

/// Up to where an answer is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Everything up to this position in the log is in the answer.
    pub(crate) position: i64,
    /// Whether it ends there because an event could not be taken in.
    is_parked: bool,
}

impl Reached {
    /// Where the read models are, unless an event behind the answer has been waiting since earlier.
    pub(crate) fn new(read_models: i64, first_parked: Option<i64>) -> Self {
        let parked = first_parked.map(|first| first - 1).filter(|own| *own < read_models);
        Self { position: parked.unwrap_or(read_models), is_parked: parked.is_some() }
    }

    /// Refuses an answer that is older than was asked for.
    pub(crate) fn require(self, wanted: Option<i64>) -> Result<(), ReadsError> {
        let at = self.position;
        match wanted {
            Some(wanted) if wanted > at && self.is_parked => Err(ReadsError::Parked { at }),
            Some(wanted) if wanted > at => Err(WaitError::Deadline { at }.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_before_the_first_event_that_waits() {
        let reached = Reached::new(10, Some(7));
        assert_eq!(reached.position, 6);
        assert!(reached.require(None).is_ok() && reached.require(Some(6)).is_ok());
        assert!(matches!(reached.require(Some(7)), Err(ReadsError::Parked { at: 6 })));
    }

    #[test]
    fn without_one_it_ends_where_the_read_models_are() {
        for parked in [None, Some(11), Some(40)] {
            let reached = Reached::new(10, parked);
            assert_eq!(reached.position, 10);
            assert!(reached.require(Some(10)).is_ok());
            let late = reached.require(Some(11));
            assert!(matches!(late, Err(ReadsError::Wait(WaitError::Deadline { at: 10 }))));
        }
    }
}
