//! Decisions about usage: what a request to count, hold or give back comes to.
//!
//! Each act has a function that is told what the trainer holds ([`Terms`]), what stands counted
//! ([`Tally`]) and what is asked for, and answers with the event that states it, or with why not.
//! The functions are pure: whoever runs one inside the log, next to the counter, may run it as
//! often as needed.
//!
//! To add an act: a function in a file of its own, and its table of cases in `tests`.

mod consume;
mod holds;
#[cfg(test)]
mod properties;
mod record;
mod release;
#[cfg(test)]
mod tests;

pub use consume::{decide_consume, decide_reserve};
pub use holds::{decide_commit, decide_give_up};
pub use record::{REACH_AHEAD, REACH_BACK, decide_record};
pub use release::decide_release;

use crate::catalog::FeatureKind;
use crate::effective::{Check, Denial, Entitlement, Outcome, check};
use crate::event::Judgement;
use crate::id::{FeatureSlug, TrainerId};
use crate::time::Timestamp;

/// What a request for usage is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Whose usage.
    pub trainer: TrainerId,
    /// Of what.
    pub feature: FeatureSlug,
    /// What the trainer has of it; none if the catalogue has no such feature.
    pub entitlement: Option<Entitlement>,
    /// Whether denials are carried out for the trainer.
    pub outcome: Outcome,
    /// Where the catalogue in force was published.
    pub catalog_position: i64,
    /// The position of the log that all this was computed from.
    pub position: i64,
    /// Whether every fact about the trainer up to there is in it.
    pub is_whole: bool,
    /// The position that is new enough; none = that of the last fact when the decision is made.
    pub new_enough: Option<i64>,
    /// The instant that this was computed for.
    pub from: Timestamp,
    /// The first instant at which time alone may have changed it; none = never.
    pub until: Option<Timestamp>,
}

/// What stands counted when a decision is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// What counts in the window.
    pub used: i64,
    /// What running holds keep besides.
    pub held: i64,
    /// What the hold keeps that the request is about; none if it doesn't run.
    pub hold: Option<i64>,
    /// The last fact in the log: the last event that isn't usage.
    pub facts: i64,
    /// The time.
    pub now: Timestamp,
}

/// Why nothing is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A fact has come since the terms were computed: compute them anew, and ask again.
    Outdated,
    /// Facts about the trainer could not be taken in: nobody knows what they change.
    Incomplete,
    /// The terms are those of another time: compute them for the tally's, and ask again.
    Outrun,
    /// The catalogue has no such feature.
    UnknownFeature,
    /// The feature is a flag, of which nothing is counted.
    NotCounted,
    /// What the trainer holds doesn't allow it.
    Denied(Denial),
    /// It happened too long ago, or will only happen.
    OutOfReach,
    /// The hold doesn't run any more: it has expired, or was settled before.
    HoldEnded,
    /// Less is held than was used.
    MoreThanHeld {
        /// How much is held.
        held: i64,
    },
    /// Usage of a quota can't be taken back.
    NotStanding,
    /// Less is counted than is to be given back.
    MoreThanUsed {
        /// How much is counted.
        used: i64,
    },
}

impl Refusal {
    /// Whether to compute the terms anew and ask again.
    #[must_use]
    pub const fn asks_again(self) -> bool {
        matches!(self, Self::Outdated | Self::Outrun)
    }
}

impl Terms {
    /// Whether a verdict may rest on these terms.
    ///
    /// As new as the last fact is always new enough. Where the facts never pause, that may never
    /// be reached. But who asks a second time knows where the facts were at the first look, which
    /// came after the request: whatever was acknowledged before the request lies at or before
    /// that position, and terms that have reached it are all that the caller can ask for.
    fn stand(&self, tally: &Tally) -> Result<(), Refusal> {
        if self.position < self.new_enough.unwrap_or(tally.facts) {
            return Err(Refusal::Outdated);
        }
        if !self.is_whole {
            return Err(Refusal::Incomplete);
        }
        if tally.now < self.from || self.until.is_some_and(|until| until <= tally.now) {
            return Err(Refusal::Outrun);
        }
        Ok(())
    }

    /// What the trainer has of a feature that can be counted. That there is no such thing is a
    /// verdict too, and rests on terms that stand.
    fn countable(&self, tally: &Tally) -> Result<&Entitlement, Refusal> {
        match &self.entitlement {
            Some(has) if has.kind != FeatureKind::Flag => Ok(has),
            Some(_) => Err(self.stand(tally).err().unwrap_or(Refusal::NotCounted)),
            None => Err(self.stand(tally).err().unwrap_or(Refusal::UnknownFeature)),
        }
    }

    /// Judges a quantity that is to be used or held.
    fn judge(&self, tally: &Tally, quantity: i64) -> Result<(Judgement, &Entitlement), Refusal> {
        self.stand(tally)?;
        let has = self.countable(tally)?;
        let Check { allowed, denial, .. } =
            check(has, tally.in_use(), count(quantity), self.outcome);
        match denial {
            Some(why) if !allowed => Err(Refusal::Denied(why)),
            denial => {
                let judgement = Judgement {
                    catalog_position: self.catalog_position,
                    limit: has.limit(),
                    mode: self.outcome.mode.into(),
                    would_deny: denial.is_some(),
                };
                Ok((judgement, has))
            }
        }
    }
}

impl Tally {
    /// What isn't there for others: used or held.
    #[must_use]
    pub fn in_use(&self) -> u64 {
        count(self.used).saturating_add(count(self.held))
    }
}

/// A count, as limits are compared with it; less than nothing is nothing.
fn count(quantity: i64) -> u64 {
    u64::try_from(quantity).unwrap_or(0)
}
