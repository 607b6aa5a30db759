//! What could be known of a trainer at a past instant: from the log, not from what is known now.

use ledger_domain::effective::explain::Explanation;
use ledger_domain::id::{FeatureSlug, Tenant, TrainerId};
use ledger_projections::WaitError;
use ledger_replay::{AsOfError, Explained, Moment, Then};
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
        let billing = self.tenants.billing(tenant.as_str());
        let mut asked = self.as_of.ask((tenant, billing), trainer, moment).await;
        if let Err(AsOfError::Behind { wanted, .. }) = asked {
            self.catch_up(tenant, wanted).await?;
            asked = self.as_of.ask((tenant, billing), trainer, moment).await;
        }
        let Then { answer, used, catalog, outcome, position, lacks, .. } = asked?;
        let reached = Reached::new(position, lacks);
        Ok(Standing { answer, used, catalog, outcome, now: moment.as_of(), reached })
    }

    /// Why a feature is answered as it is; none if the catalogue has no such feature.
    pub(crate) async fn explain_feature(
        &self,
        tenant: &Tenant,
        (trainer, feature): (&TrainerId, &FeatureSlug),
        moment: Moment,
    ) -> Result<Option<(Explanation, Reached)>, ReadsError> {
        let billing = self.tenants.billing(tenant.as_str());
        let mut asked = self.as_of.explain((tenant, billing), trainer, moment, feature).await;
        if let Err(AsOfError::Behind { wanted, .. }) = asked {
            self.catch_up(tenant, wanted).await?;
            asked = self.as_of.explain((tenant, billing), trainer, moment, feature).await;
        }
        let Explained { explanation, position, lacks } = asked?;
        Ok(explanation.map(|explanation| (explanation, Reached::new(position, lacks))))
    }

    /// Waits for the read models, where they have yet to take in what was known then; not for long.
    async fn catch_up(&self, tenant: &Tenant, wanted: i64) -> Result<(), ReadsError> {
        self.positions.wait_for(tenant, wanted, Instant::now() + WAIT_MAX).await?;
        Ok(())
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
