//! The catalogue that anybody may see: those who ask at the same time share one reading, since
//! nothing else limits how often somebody without a token asks.

use std::sync::Arc;

use ledger_domain::catalog::Catalog;
use ledger_domain::id::Tenant;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Reached, Reads, ReadsError};
use crate::config::DEFAULT_TENANT;

/// The last reading, held by the one who reads, for all others.
#[derive(Default)]
pub(super) struct Public(Mutex<Option<Reading>>);

struct Reading {
    began: Instant,
    /// None = it failed.
    found: Option<(Arc<Catalog>, Reached)>,
}

impl Reads {
    /// The catalogue of the tenant `default` in force now, and the position that this is of.
    pub(crate) async fn public_catalog(&self) -> Result<(Arc<Catalog>, Reached), ReadsError> {
        let arrived = Instant::now();
        let mut last = self.public.0.lock().await;
        if let Some(Reading { began, found }) = &*last
            && *began >= arrived
        {
            return found.clone().ok_or(ReadsError::Shared);
        }
        let began = Instant::now();
        let tenant = Tenant::try_new(DEFAULT_TENANT).expect("a constant name");
        let found = self.catalog(&tenant).await;
        *last = Some(Reading { began, found: found.as_ref().ok().cloned() });
        found
    }
}
