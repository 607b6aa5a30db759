//! What happened to a trainer: what events tell, and between it what time did.

use std::cmp::Reverse;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ledger_domain::account::ChangeView;
use ledger_domain::catalog::Catalogs;
use ledger_domain::id::{Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_projections::as_reader;
use ledger_projections::queries::{HistoryPage, PaymentPage, Place};

use super::lapses::{Lapse, lapses};
use super::{Reached, Reads, ReadsError, parked};

/// What happened to a trainer, the latest first.
pub(crate) struct Past {
    pub(crate) steps: StepPage,
    pub(crate) payments: PaymentPage,
    pub(crate) catalogs: Arc<Catalogs>,
    /// The instant up to which time has done what it did.
    pub(crate) now: Timestamp,
    pub(crate) reached: Reached,
}

/// A page of steps.
pub(crate) struct StepPage {
    pub(crate) steps: Vec<PastStep>,
    /// Where the next page goes on; none = that was all.
    pub(crate) next: Option<Place>,
}

/// A step of a trainer's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PastStep {
    /// An event tells of it.
    Told(ChangeView),
    /// Time took it.
    Lapsed(Lapse),
}

/// Where a list is to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum From {
    Start,
    After(Place),
    /// All of it was shown.
    End,
}

impl Reads {
    /// What happened to a trainer.
    pub(crate) async fn past(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        (changes, payments): (From, From),
        limit: usize,
    ) -> Result<Past, ReadsError> {
        let mut reader = as_reader(&self.pools.api, tenant, Some(trainer)).await?;
        let (holdings, position) = reader.holdings(trainer).await?;
        let (catalogs, _) = self.catalogs.of(tenant, &mut reader).await?;
        let now = self.clock.now();
        let steps = match changes.place() {
            Some(after) => {
                let told = reader.history(trainer, after, limit).await?;
                let catalog = catalogs.in_force(now.micros()).ok_or(ReadsError::NoCatalog)?;
                StepPage::new(told, lapses(&holdings, catalog.policies(), now), after, limit)
            }
            None => StepPage { steps: Vec::new(), next: None },
        };
        let payments = match payments.place() {
            Some(after) => reader.payments(trainer, after, limit).await?,
            None => PaymentPage { payments: Vec::new(), next: None },
        };
        let parked = parked::store::first_parked(&mut reader, tenant, Some(trainer)).await?;
        reader.finish().await?;
        let reached = Reached::new(position, parked);
        Ok(Past { steps, payments, catalogs, now, reached })
    }
}

impl StepPage {
    /// Puts what time did in its place among a page of what events tell.
    fn new(told: HistoryPage, lapses: Vec<Lapse>, after: Option<&Place>, limit: usize) -> Self {
        // Whatever lies beyond the page's last step comes on a later page.
        let is_left =
            |lapse: &Lapse| after.is_none_or(|after| order(&lapse.place()) < order(after));
        let mut steps: Vec<PastStep> = told.changes.into_iter().map(PastStep::Told).collect();
        steps.extend(lapses.into_iter().filter(is_left).map(PastStep::Lapsed));
        steps.sort_by_cached_key(|step| Reverse(owned_order(step.place())));
        let has_more = told.next.is_some() || steps.len() > limit;
        steps.truncate(limit);
        let next = steps.last().filter(|_| has_more).map(PastStep::place);
        Self { steps, next }
    }
}

/// The order in which a history is told, backwards.
fn order(place: &Place) -> (DateTime<Utc>, &str, i32) {
    (place.at, &place.subject, place.ordinal)
}

fn owned_order(place: Place) -> (DateTime<Utc>, String, i32) {
    (place.at, place.subject, place.ordinal)
}

impl PastStep {
    fn place(&self) -> Place {
        match self {
            Self::Told(change) => Place {
                at: change.at.to_datetime(),
                subject: change.subject.to_string(),
                ordinal: change.ordinal,
            },
            Self::Lapsed(lapse) => lapse.place(),
        }
    }
}

impl From {
    /// The place to go on from; none if there is nothing left to show.
    #[expect(clippy::option_option, reason = "the outer one says whether to look at all")]
    const fn place(&self) -> Option<Option<&Place>> {
        match self {
            Self::Start => Some(None),
            Self::After(place) => Some(Some(place)),
            Self::End => None,
        }
    }
}

#[cfg(test)]
#[path = "past_tests.rs"]
mod tests;
