//! A log that ends where we say, for a runner that is to stop there.

use std::sync::Arc;

use async_trait::async_trait;
use ledger_domain::id::{EventKey, FeatureSlug, StreamName, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use ledger_log::{
    AppendError, Decided, Decision, EventLog, Head, NewEvent, OpenLog, Outcome, ReadError, Recorded,
};
use tokio::sync::watch;

/// A log whose events after a position aren't there yet. It is for replaying one tenant: all others
/// are cut off at the same position.
///
/// The head stays the true one, since it is what tells a log that was restored from one that
/// wasn't.
pub(crate) struct CappedLog {
    log: Arc<dyn EventLog>,
    cap: watch::Sender<i64>,
}

impl CappedLog {
    /// A log that seems to hold nothing.
    pub(crate) fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, cap: watch::Sender::new(0) }
    }

    /// Shows everything up to a position; what was shown stays.
    pub(crate) fn raise(&self, position: i64) {
        self.cap.send_if_modified(|cap| {
            let is_news = position > *cap;
            *cap = position.max(*cap);
            is_news
        });
    }
}

#[async_trait]
impl EventLog for CappedLog {
    async fn read(
        &self,
        tenant: &Tenant,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let cap = *self.cap.borrow();
        // No two events share a position, so there are no more than this.
        let left = usize::try_from(cap.saturating_sub(after)).unwrap_or(0);
        if left == 0 {
            return Ok(Vec::new());
        }
        let mut events = self.log.read(tenant, after, limit.min(left)).await?;
        events.retain(|event| event.position <= cap);
        Ok(events)
    }

    async fn read_at(
        &self,
        tenant: &Tenant,
        positions: &[i64],
    ) -> Result<Vec<Recorded>, ReadError> {
        let cap = *self.cap.borrow();
        let shown: Vec<i64> = positions.iter().copied().filter(|at| *at <= cap).collect();
        self.log.read_at(tenant, &shown).await
    }

    fn watch(&self, _tenant: &Tenant) -> watch::Receiver<i64> {
        self.cap.subscribe()
    }

    async fn open(&self, _: &Tenant, _: OpenLog) -> Result<Head, AppendError> {
        Err(READ_ONLY)
    }

    async fn append(&self, _: &Tenant, _: Vec<NewEvent>) -> Result<Vec<Outcome>, AppendError> {
        Err(READ_ONLY)
    }

    async fn append_decided(&self, _: &Tenant, _: Decision) -> Result<Decided, AppendError> {
        Err(READ_ONLY)
    }

    async fn head(&self, tenant: &Tenant) -> Result<Option<Head>, ReadError> {
        self.log.head(tenant).await
    }

    async fn tenants(&self) -> Result<Vec<Tenant>, ReadError> {
        self.log.tenants().await
    }

    async fn read_stream(
        &self,
        tenant: &Tenant,
        stream: &StreamName,
        from_revision: i64,
        limit: usize,
    ) -> Result<Vec<Recorded>, ReadError> {
        let cap = *self.cap.borrow();
        let mut events = self.log.read_stream(tenant, stream, from_revision, limit).await?;
        events.retain(|event| event.position <= cap);
        Ok(events)
    }

    async fn find(&self, tenant: &Tenant, key: &EventKey) -> Result<Option<Recorded>, ReadError> {
        let cap = *self.cap.borrow();
        Ok(self.log.find(tenant, key).await?.filter(|event| event.position <= cap))
    }

    async fn body(&self, tenant: &Tenant, key: &EventKey) -> Result<Option<Vec<u8>>, ReadError> {
        self.log.body(tenant, key).await
    }

    async fn usage(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        feature: &FeatureSlug,
        within: Interval,
        up_to: i64,
    ) -> Result<Vec<(Timestamp, i64)>, ReadError> {
        let up_to = up_to.min(*self.cap.borrow());
        self.log.usage(tenant, trainer, feature, within, up_to).await
    }
}

const READ_ONLY: AppendError = AppendError::Refused("a replay doesn't append");
