//! What is known of a trainer now: from memory where that is certain to be right, or from what
//! another node left in Redis, else from the tables, by one query for all who ask at the same time.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use ledger_domain::effective::Effective;
use ledger_domain::id::{FeatureSlug, Tenant, TrainerId};
use ledger_domain::time::{Interval, Timestamp};
use ledger_projections::{Committed, Held, Reader, UsageDays, UsageSum, as_reader};
use metrics::counter;
use tokio::time::Instant;

use super::cache::{Entry, Found, Last, Sum, counted, judged};
use super::{Reads, ReadsError, Refusal, parked};

impl Reads {
    /// Judges what is known of a trainer: as of a position that is wanted, or later, where the read
    /// models have come that far, and with everything that this process knows to be committed.
    ///
    /// None from `judge` = that doesn't do; what was just read always does, at its own instant.
    pub(super) async fn judge<T>(
        &self,
        (tenant, trainer): (&Tenant, &TrainerId),
        wanted: Option<i64>,
        judge: impl Fn(&Found, Timestamp) -> Result<Option<T>, ReadsError>,
    ) -> Result<T, ReadsError> {
        let known = self.positions.committed(tenant);
        let need = Committed { position: known.position.max(wanted.unwrap_or(0)), ..known };
        let now = || self.clock.now();
        if let Some(found) = self.cache.find(tenant, trainer, need).await
            && let Some(judged) = judge(&found, now())?
        {
            self.cache.hits.increment(1);
            return Ok(judged);
        }
        self.cache.misses.increment(1);
        let just_read = |entry: &Arc<Entry>| -> Result<T, ReadsError> {
            let judged = judge(&Found::just_read(Arc::clone(entry)), entry.read_at)?;
            // Nobody else has it yet who could have found it wanting.
            Ok(judged.expect("an entry has the sums of the instant at which it was read"))
        };
        let arrived = Instant::now();
        let joined = self.cache.join(tenant, trainer);
        let mut last = joined.turn().await;
        if last.failed_since(arrived) {
            // All who waited try at the same time: one after the other would take for ever.
            drop(last);
            return just_read(&self.read(tenant, trainer, 0).await?);
        }
        // What others did while this one waited for its turn.
        let found = match last.read_since(arrived, need) {
            Some(found) => Some(found),
            None => self.cache.find(tenant, trainer, need).await,
        };
        if let Some(found) = found
            && let Some(judged) = judge(&found, now())?
        {
            return Ok(judged);
        }
        if let Some(found) = self.left_by_another((tenant, trainer), need).await
            && let Some(shared) = &self.shared
        {
            if let Some(judged) = judge(&found, now())? {
                shared.hits.increment(1);
                return Ok(judged);
            }
            shared.refused(Refusal::OtherUsage);
        }
        *last = Last::None;
        let (began, era) = (Instant::now(), joined.begin());
        match self.read(tenant, trainer, era).await {
            Ok(entry) => {
                let judged = just_read(&entry);
                if let (Some(following), Some(shared)) = (joined.keep(&entry), &self.shared) {
                    shared.leave((tenant, trainer), following, &entry);
                }
                *last = Last::Read { began, entry };
                judged
            }
            Err(error) => {
                *last = Last::Failed { ended: Instant::now() };
                Err(error)
            }
        }
    }

    /// What another node read of a trainer and left in Redis, once it is in this node's memory and
    /// as certain to be right as anything there.
    async fn left_by_another(
        &self,
        (tenant, trainer): (&Tenant, &TrainerId),
        need: Committed,
    ) -> Option<Found> {
        let shared = self.shared.as_ref()?;
        let following = self.cache.following(tenant, need)?;
        let stored = shared.fetch(tenant, trainer, following).await?;
        let known = self.catalogs.known(tenant, stored.mark).ok_or(Refusal::OtherCatalog);
        let adopted = known.and_then(|catalogs| {
            let entry = stored.into_entry(following.feed, catalogs);
            Ok(self.cache.adopt((tenant, trainer), entry)?)
        });
        if let Err(refusal) = adopted {
            shared.refused(refusal);
            return None;
        }
        self.cache.find(tenant, trainer, need).await
    }

    /// Reads all that an answer is made from: in one query, but where catalogue or enforcement have
    /// just changed, something is parked, or a window has an edge that no subscription tells.
    async fn read(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        era: u64,
    ) -> Result<Arc<Entry>, ReadsError> {
        let mut reader = as_reader(&self.pools.api, tenant, Some(trainer)).await?;
        let read_at = self.clock.now();
        let held = reader.held(trainer, read_at).await?;
        let Held { holdings, usage, position, heard, is_parked, mark } = held;
        let (catalogs, mode) = self.catalogs.marked(tenant, mark, &mut reader).await?;
        let billing = self.tenants.billing(tenant.as_str());
        let (answer, _) = judged(&holdings, &catalogs, billing, read_at)?;
        let sums = sums(&mut reader, trainer, &usage, &answer).await?;
        let used = self.settled((tenant, trainer), sums, position).await?;
        let parked = match is_parked {
            true => parked::store::first_parked(&mut reader, tenant, Some(trainer)).await?,
            false => None,
        };
        reader.finish().await?;
        let usage_change = AtomicI64::new(i64::MIN);
        Ok(Arc::new(Entry {
            holdings,
            used,
            catalogs,
            mode,
            mark,
            parked,
            position,
            heard,
            read_at,
            era,
            usage_change,
        }))
    }

    /// Adds what the log has to be asked for: pieces of days that didn't come with the rest, since
    /// a window began or ended at an instant that no subscription tells.
    async fn settled(
        &self,
        (tenant, trainer): (&Tenant, &TrainerId),
        sums: Vec<(FeatureSlug, Option<Interval>, UsageSum)>,
        position: i64,
    ) -> Result<Vec<Sum>, ReadsError> {
        let mut used = Vec::with_capacity(sums.len());
        for (feature, window, sum) in sums {
            let mut total = sum.used;
            for within in sum.unsettled {
                further_query();
                let pieces = self.log.usage(tenant, trainer, &feature, within, position).await?;
                total += pieces.iter().map(|(_, quantity)| quantity).sum::<i64>();
            }
            used.push((feature, window, u64::try_from(total).unwrap_or(0)));
        }
        Ok(used)
    }
}

/// What was used of everything that is counted.
async fn sums(
    reader: &mut Reader,
    trainer: &TrainerId,
    usage: &UsageDays,
    answer: &Effective,
) -> Result<Vec<(FeatureSlug, Option<Interval>, UsageSum)>, ReadsError> {
    let windows: Vec<(FeatureSlug, Option<Interval>)> =
        counted(answer).map(|(feature, window)| (feature.clone(), window)).collect();
    let known = windows.iter().map(|(feature, window)| usage.sum(feature, *window));
    let sums = match known.collect::<Option<Vec<_>>>() {
        Some(sums) => sums,
        // A window began before the days that were read, which no subscription tells.
        None => {
            further_query();
            reader.usage(trainer, &windows).await?
        }
    };
    let of = |((feature, window), sum)| (feature, window, sum);
    Ok(windows.into_iter().zip(sums).map(of).collect())
}

/// Counts a query that the first one was to make needless.
fn further_query() {
    counter!("ledger_entitlement_usage_queries_total").increment(1);
}
