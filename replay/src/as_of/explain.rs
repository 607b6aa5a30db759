//! Why a feature was answered as it was, from the same fold as the answer.

use std::collections::HashMap;

use ledger_domain::account::{ChangeView, LinkView, PaymentView};
use ledger_domain::catalog::FeatureKind;
use ledger_domain::effective::explain::{Explanation, Grounds, Use, explain};
use ledger_domain::effective::{Billing, Setting};
use ledger_domain::id::{EventKey, FeatureSlug, Tenant, TrainerId};
use ledger_domain::time::Timestamp;
use ledger_projections::as_reader;

use super::{AsOf, AsOfError, Moment, Then, store};

/// How many of the events that counted are told, at most.
const USES_MAX: i64 = 20;

/// Why a feature was answered as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Why; none if the catalogue had no such feature.
    pub explanation: Option<Explanation>,
    /// The last position of the log that counts.
    pub position: i64,
    /// The first event that counts and could not be taken in.
    pub lacks: Option<i64>,
}

impl AsOf {
    /// Why a feature was answered as it was.
    ///
    /// # Errors
    /// As of [`ask`](Self::ask).
    ///
    /// # Panics
    /// Never: the semaphore isn't closed.
    #[tracing::instrument(skip_all, fields(%tenant))]
    pub async fn explain(
        &self,
        (tenant, billing): (&Tenant, Billing),
        trainer: &TrainerId,
        moment: Moment,
        feature: &FeatureSlug,
    ) -> Result<Explained, AsOfError> {
        // Until the end: what was known is kept in memory as long.
        let _turn = self.turn().await?;
        let then = self.answer((tenant, billing), trainer, moment).await?;
        let uses = self.uses(tenant, &then, feature).await?;
        let (position, lacks, feature) = (then.position, then.lacks, feature.clone());
        let tell = move || then.explain(&feature, &uses);
        let explanation = tokio::task::spawn_blocking(tell).await.map_err(|_| AsOfError::Fold)?;
        Ok(Explained { explanation, position, lacks })
    }

    /// The last events that counted, the latest first.
    async fn uses(
        &self,
        tenant: &Tenant,
        then: &Then,
        feature: &FeatureSlug,
    ) -> Result<Vec<Use>, AsOfError> {
        let counted = then.answer.features.get(feature);
        let Some(has) = counted.filter(|has| has.kind != FeatureKind::Flag) else {
            return Ok(Vec::new());
        };
        let within = (then.used_within(has.window), then.position);
        let mut reader = as_reader(&self.auditor, tenant, None).await?;
        let (conn, of) = (reader.connection(), (&then.trainer, feature));
        let rows = store::uses(conn, tenant, of, within, USES_MAX).await?;
        reader.finish().await?;
        let positions: Vec<i64> = rows.iter().map(|row| row.position).collect();
        let recorded = self.log.read_at(tenant, &positions).await?;
        let keys = recorded.into_iter().map(|event| (event.position, event.key));
        let keys: HashMap<i64, EventKey> = keys.collect();
        let told = rows.into_iter().filter_map(|row| {
            let event = keys.get(&row.position)?.clone();
            Some(Use { at: Timestamp::from(row.occurred_at), quantity: row.quantity, event })
        });
        Ok(told.collect())
    }
}

impl Then {
    fn explain(&self, feature: &FeatureSlug, uses: &[Use]) -> Option<Explanation> {
        let now = self.moment.as_of();
        let next = self.catalogs.next_change_after(now.micros()).map(Timestamp::from_micros);
        let (accounts, trainer) = (&self.accounts, &self.trainer);
        let lives: Vec<ChangeView> =
            accounts.histories().flat_map(|history| history.steps.iter().cloned()).collect();
        let payments: Vec<PaymentView> = accounts.payments_of(trainer).cloned().collect();
        let links: Vec<LinkView> = accounts.links_of(trainer).cloned().collect();
        let grounds = Grounds {
            holdings: &self.holdings,
            setting: Setting {
                catalog: &self.catalog,
                catalog_until: next,
                billing: self.billing,
                now,
            },
            catalogs: &self.catalogs,
            published: &self.published,
            enforced: self.enforced.as_ref().map(|enforced| (&enforced.mode, &enforced.said)),
            outcome: self.outcome,
            lives: &lives,
            acts: accounts.trainer(trainer).map_or(&[], |acts| &acts.history),
            links: &links,
            payments: &payments,
            used: self.used.get(feature).copied().unwrap_or_default(),
            uses,
        };
        explain(&grounds, feature)
    }
}
