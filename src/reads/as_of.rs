//! What could be known of a trainer at a past instant: from the log, not from what is known now.

use ledger_domain::effective::explain::Explanation;
use ledger_domain::id::{FeatureSlug, Tenant, TrainerId};
use ledger_projections::WaitError;
use ledger_replay::{AsOfError, Moment, Then};
use tokio::time::Instant;

use super::{Reached, Reads, ReadsError, Standing, WAIT_MAX};

/// Why a question about the past can't be answered, where that is for whoever asks to know.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PastError {
    #[error("it would take more than {limit} events to answer")]
    TooMany { limit: usize },
    #[error("no catalogue had been published by then")]
    NothingKnown,
}

impl Reads {
    /// What a trainer could do at an instant.
    pub(crate) async fn standing_then(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        moment: Moment,
    ) -> Result<Standing, ReadsError> {
        let then = self.then(tenant, trainer, moment).await?;
        let reached = Reached::new(then.position, then.lacks);
        let Then { answer, used, catalog, outcome, .. } = then;
        Ok(Standing { answer, used, catalog, outcome, now: moment.as_of(), reached })
    }

    /// Why a feature of a trainer's is answered as it is; none if the catalogue has no such feature.
    pub(crate) async fn explain_feature(
        &self,
        tenant: &Tenant,
        (trainer, feature): (&TrainerId, &FeatureSlug),
        moment: Moment,
    ) -> Result<Option<(Explanation, Reached)>, ReadsError> {
        let then = self.then(tenant, trainer, moment).await?;
        let reached = Reached::new(then.position, then.lacks);
        let explained = self.as_of.explain(tenant, &then, feature).await?;
        Ok(explained.map(|explanation| (explanation, reached)))
    }

    /// What was known of a trainer at an instant, with all that it rests on. Where the read models
    /// have yet to take in what was known then, they are waited for, but not for long.
    async fn then(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        moment: Moment,
    ) -> Result<Then, ReadsError> {
        let asked = self.as_of.ask(tenant, trainer, moment).await;
        let Err(AsOfError::Behind { wanted, .. }) = asked else { return Ok(asked?) };
        self.positions.wait_for(tenant, wanted, Instant::now() + WAIT_MAX).await?;
        Ok(self.as_of.ask(tenant, trainer, moment).await?)
    }
}

impl From<AsOfError> for ReadsError {
    fn from(error: AsOfError) -> Self {
        match error {
            AsOfError::TooMany { limit } => Self::Past(PastError::TooMany { limit }),
            AsOfError::NothingKnown => Self::Past(PastError::NothingKnown),
            AsOfError::Behind { at, .. } => Self::Wait(WaitError::Deadline { at }),
            AsOfError::Busy => Self::Busy,
            AsOfError::Fold => Self::Fold,
            AsOfError::Query(error) => Self::Query(error),
            AsOfError::Log(error) => Self::Log(error),
        }
    }
}
