//! The catalogues of each tenant, parsed once.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use ledger_domain::catalog::Catalogs;
use ledger_domain::event::Enforcement;
use ledger_domain::id::Tenant;
use ledger_projections::{Mark, Reader};

use super::{ReadsError, store};

/// What holds for a whole tenant, as of the last publication and the last change of enforcement.
#[derive(Debug, Clone)]
struct Known {
    mark: Mark,
    catalogs: Arc<Catalogs>,
    mode: Arc<Enforcement>,
}

/// Parsed catalogues. Whether they are still the ones is asked within each question's own
/// transaction, so that an answer is never made from another catalogue than its position has.
#[derive(Debug, Default)]
pub(super) struct CatalogCache(RwLock<HashMap<Tenant, Known>>);

impl CatalogCache {
    /// The catalogues that a reader's transaction sees, and how far denials are enforced.
    pub(super) async fn of(
        &self,
        tenant: &Tenant,
        reader: &mut Reader,
    ) -> Result<(Arc<Catalogs>, Arc<Enforcement>), ReadsError> {
        let mark = store::mark(reader, tenant).await?;
        self.marked(tenant, mark, reader).await
    }

    /// The same, where the mark that the transaction sees is known.
    pub(super) async fn marked(
        &self,
        tenant: &Tenant,
        mark: Mark,
        reader: &mut Reader,
    ) -> Result<(Arc<Catalogs>, Arc<Enforcement>), ReadsError> {
        if let Some(known) = self.known(tenant, mark) {
            return Ok(known);
        }
        let catalogs = Arc::new(reader.catalogs().await?);
        let last = reader.enforcement(1).await?.into_iter().next();
        let mode = Arc::new(last.map_or_else(Enforcement::default, |last| last.mode));
        let known = Known { mark, catalogs: Arc::clone(&catalogs), mode: Arc::clone(&mode) };
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(tenant.clone(), known);
        Ok((catalogs, mode))
    }

    /// Those of a mark, if they are the ones that were read last.
    pub(super) fn known(
        &self,
        tenant: &Tenant,
        mark: Mark,
    ) -> Option<(Arc<Catalogs>, Arc<Enforcement>)> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned();
        known.filter(|known| known.mark == mark).map(|known| (known.catalogs, known.mode))
    }
}
