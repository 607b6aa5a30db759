//! What whoever runs the ledger asks: which webhooks could not be read, and how far the read models
//! are.

use ledger_domain::event::Metadata;
use ledger_domain::event::StripeOrigin;
use ledger_domain::id::{EventId, Tenant};
use ledger_domain::time::Timestamp;
use ledger_projections::as_reader;
use ledger_replay::Status;
use ledger_replay::status::{StatusError, status};

use super::{Reads, ReadsError};

/// A webhook that could not be read.
pub(crate) struct DeadLetter {
    pub(crate) event: EventId,
    pub(crate) position: i64,
    /// The path in the body of what is missing or not as it should be.
    pub(crate) lacks: Box<str>,
    pub(crate) occurred_at: Option<Timestamp>,
    /// What its envelope said.
    pub(crate) origin: Option<StripeOrigin>,
}

/// Some of the webhooks that could not be read.
pub(crate) struct DeadLetters {
    pub(crate) letters: Vec<DeadLetter>,
    /// The position after which the next page begins; none = that was all.
    pub(crate) next: Option<i64>,
    pub(crate) position: i64,
}

impl Reads {
    /// At most `limit` webhooks that could not be read, after a position, in order.
    pub(crate) async fn dead_letters(
        &self,
        tenant: &Tenant,
        after: i64,
        limit: usize,
    ) -> Result<DeadLetters, ReadsError> {
        let mut reader = as_reader(&self.pools.api, tenant, None).await?;
        let position = reader.position().await?;
        let mut views = reader.dead_letters(after, limit + 1).await?;
        reader.finish().await?;
        let has_more = views.len() > limit;
        views.truncate(limit);
        let next = views.last().filter(|_| has_more).map(|last| last.position);
        let mut letters = Vec::with_capacity(views.len());
        for view in views {
            let recorded = self.log.find(tenant, &view.event).await?;
            let metadata = recorded.as_ref().and_then(|it| Metadata::from_bytes(&it.metadata).ok());
            letters.push(DeadLetter {
                event: view.event.id,
                position: view.position,
                lacks: view.lacks,
                occurred_at: recorded.map(|recorded| recorded.occurred_at),
                origin: metadata.and_then(|metadata| metadata.stripe),
            });
        }
        Ok(DeadLetters { letters, next, position })
    }

    /// Where a tenant's log and read models are, and what they could not take in.
    pub(crate) async fn status(&self, tenant: &Tenant) -> Result<Status, ReadsError> {
        let told = status(&self.pools, &*self.log, tenant).await;
        told.map_err(|error| match error {
            StatusError::ReadModels(error) => ReadsError::Query(error),
            StatusError::Log(error) => ReadsError::Log(error),
        })
    }
}
