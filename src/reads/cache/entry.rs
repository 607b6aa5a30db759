//! What is remembered of one trainer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ledger_domain::catalog::{Catalog, Catalogs, FeatureKind};
use ledger_domain::effective::{Billing, Effective, Holdings, Setting, effective};
use ledger_domain::event::Enforcement;
use ledger_domain::id::FeatureSlug;
use ledger_domain::time::{Interval, Timestamp};
use ledger_projections::{Cursor, Mark};

use super::weight;
use crate::http::Used;
use crate::reads::{Reached, ReadsError};

/// What was used of a feature within a window; without a window, the standing count.
pub(in crate::reads) type Sum = (FeatureSlug, Option<Interval>, u64);

/// What is known of a trainer as of one change of the feed.
pub(in crate::reads) struct Entry {
    pub(in crate::reads) holdings: Holdings,
    /// Everything that was counted when it was read, in the order of the names.
    pub(in crate::reads) used: Vec<Sum>,
    pub(in crate::reads) catalogs: Arc<Catalogs>,
    pub(in crate::reads) mode: Arc<Enforcement>,
    /// By what those two are known.
    pub(in crate::reads) mark: Mark,
    /// The first event that waits behind the answer.
    pub(in crate::reads) parked: Option<i64>,
    /// Where the read models were.
    pub(in crate::reads) position: i64,
    /// The last change that it contains.
    pub(in crate::reads) heard: Option<Cursor>,
    /// When it was read.
    pub(in crate::reads) read_at: Timestamp,
    /// In which era of the feed; 0 = in none, and it can't be kept.
    pub(in crate::reads) era: u64,
    /// The last change of usage that was told of since.
    pub(in crate::reads) usage_change: AtomicI64,
}

/// An entry, and what it is good for.
#[derive(Clone)]
pub(in crate::reads) struct Found {
    pub(in crate::reads) entry: Arc<Entry>,
    /// Where the read models were when nothing in it had changed yet.
    pub(in crate::reads) position: i64,
}

impl Entry {
    pub(super) fn number(&self) -> i64 {
        self.heard.map_or(i64::MIN, |heard| heard.number)
    }

    /// Usage has changed with this change.
    pub(super) fn lacks_usage(&self, number: i64) {
        self.usage_change.fetch_max(number, Ordering::Relaxed);
    }

    pub(super) fn weight(&self) -> u64 {
        weight::of(self)
    }
}

impl Found {
    /// Of an entry that was just read.
    pub(in crate::reads) fn just_read(entry: Arc<Entry>) -> Self {
        let position = entry.position;
        Self { entry, position }
    }

    /// Up to where all of it is there.
    pub(in crate::reads) fn reached(&self) -> Reached {
        Reached::new(self.position, self.entry.parked)
    }

    /// What was used of everything that is counted; none if another window has begun, or usage has
    /// changed since.
    pub(in crate::reads) fn used(&self, answer: &Effective) -> Option<Used> {
        let entry = &*self.entry;
        if entry.usage_change.load(Ordering::Relaxed) > entry.number() {
            return None;
        }
        let mut sums = entry.used.iter();
        let sum = |(feature, window): (&FeatureSlug, Option<Interval>)| {
            let (of, within, used) = sums.next()?;
            ((of, *within) == (feature, window)).then(|| (feature.clone(), *used))
        };
        counted(answer).map(sum).collect()
    }
}

/// What is counted, and within which window; without one, the standing count.
pub(in crate::reads) fn counted(
    answer: &Effective,
) -> impl Iterator<Item = (&FeatureSlug, Option<Interval>)> {
    let counted = answer.features.iter().filter(|(_, has)| has.kind != FeatureKind::Flag);
    counted.map(|(feature, has)| (feature, has.window))
}

/// What a trainer may do at an instant, and by which catalogue.
pub(in crate::reads) fn judged(
    holdings: &Holdings,
    catalogs: &Catalogs,
    billing: Billing,
    now: Timestamp,
) -> Result<(Effective, Arc<Catalog>), ReadsError> {
    let catalog = catalogs.in_force(now.micros()).cloned().ok_or(ReadsError::NoCatalog)?;
    let setting = Setting {
        catalog: &catalog,
        catalog_until: catalogs.next_change_after(now.micros()).map(Timestamp::from_micros),
        billing,
        now,
    };
    Ok((effective(holdings, &setting), catalog))
}
