//! Which events may concern a trainer: those that name the trainer, and all of every customer that
//! one of them, or an object of theirs, leads to.
//!
//! Whatever ever linked a customer to the trainer names the trainer, so every customer that was the
//! trainer's by any prefix of the log is found, also one that is another's by now. Who a customer
//! is depends on what was said of other trainers, too: units keep the positions of all that. Which
//! of it counts is for the fold to say.

use std::collections::{BTreeMap, BTreeSet};

use ledger_domain::account::{LogIdentity, Route, route};
use ledger_domain::event::Entry;
use ledger_domain::id::{StripeId, Tenant, TrainerId};
use ledger_log::EventLog;
use sqlx::PgConnection;

use super::decode::{Decoded, decode};
use super::{AsOfError, store};

/// How many events one statement reads.
const READ_AT_ONCE: usize = 128;

/// What is asked of whom.
pub(super) struct Search<'a> {
    pub(super) log: &'a dyn EventLog,
    pub(super) tenant: &'a Tenant,
    pub(super) trainer: &'a TrainerId,
    pub(super) identity: &'a LogIdentity,
    /// The last position that counts.
    pub(super) until: i64,
    /// How many events are read at most.
    pub(super) limit: usize,
}

/// What was found.
#[derive(Default)]
pub(super) struct Gathered {
    /// By position.
    entries: BTreeMap<i64, Entry>,
    seen: BTreeSet<i64>,
    customers: BTreeSet<StripeId>,
    objects: BTreeSet<StripeId>,
    /// The first event that could not be taken in.
    pub(super) lacks: Option<i64>,
}

impl Search<'_> {
    pub(super) async fn gather(&self, conn: &mut PgConnection) -> Result<Gathered, AsOfError> {
        let mut found = Gathered::default();
        let more = self.rows_max().saturating_add(1);
        let named = store::naming(conn, self.tenant, self.trainer, self.until, more).await?;
        let mut news = self.read(&mut found, named).await?;
        while !news.is_empty() {
            let mut positions = BTreeSet::new();
            for customer in self.customers(conn, &mut found, &news).await? {
                let behind = store::behind(conn, self.tenant, &customer).await?.into_iter();
                let counts = |at: &i64| *at <= self.until && !found.seen.contains(at);
                positions.extend(behind.filter(counts));
                self.limited(found.seen.len() + positions.len())?;
            }
            let positions = positions.into_iter().collect();
            news = self.read(&mut found, positions).await?;
        }
        self.leave_out_parked(conn, &mut found).await?;
        Ok(found)
    }

    const fn limited(&self, count: usize) -> Result<(), AsOfError> {
        if count > self.limit { Err(AsOfError::TooMany { limit: self.limit }) } else { Ok(()) }
    }

    fn rows_max(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX)
    }

    /// Reads events that weren't read yet, and tells the positions of those that count.
    async fn read(
        &self,
        found: &mut Gathered,
        mut positions: Vec<i64>,
    ) -> Result<Vec<i64>, AsOfError> {
        positions.retain(|at| *at <= self.until && found.seen.insert(*at));
        positions.sort_unstable();
        self.limited(found.seen.len())?;
        let mut news = Vec::new();
        for positions in positions.chunks(READ_AT_ONCE) {
            for recorded in self.log.read_at(self.tenant, positions).await? {
                match decode(recorded) {
                    Decoded::Unreadable(position) => found.lack(position),
                    Decoded::Entry(entry) if self.counts(&entry) => {
                        news.push(entry.position);
                        found.entries.insert(entry.position, *entry);
                    }
                    Decoded::Entry(_) => {}
                }
            }
        }
        Ok(news)
    }

    fn counts(&self, entry: &Entry) -> bool {
        match route(entry, self.identity) {
            Route::Trainer(trainer) => trainer == *self.trainer,
            Route::Customer { .. } => true,
            Route::Tenant | Route::Usage(..) | Route::Foreign | Route::Nowhere => false,
        }
    }

    /// The customers that new events lead to, and that weren't known before.
    async fn customers(
        &self,
        conn: &mut PgConnection,
        found: &mut Gathered,
        news: &[i64],
    ) -> Result<Vec<StripeId>, AsOfError> {
        let (mut named, mut objects) = (BTreeSet::new(), BTreeSet::new());
        for entry in news.iter().map(|at| &found.entries[at]) {
            let route = route(entry, self.identity);
            let Route::Customer { customer, ties, waits_for } = route else { continue };
            named.extend(customer);
            let unknown = ties.into_iter().chain(waits_for);
            objects.extend(unknown.filter(|object| !found.objects.contains(object)));
        }
        if !objects.is_empty() {
            named.extend(store::customers(conn, self.tenant, &objects).await?);
            found.objects.extend(objects);
        }
        Ok(named.into_iter().filter(|id| found.customers.insert(id.clone())).collect())
    }

    /// What could not be taken in isn't folded here either: the answer ends before it.
    async fn leave_out_parked(
        &self,
        conn: &mut PgConnection,
        found: &mut Gathered,
    ) -> Result<(), AsOfError> {
        let (trainer, customers) = (self.trainer, &found.customers);
        let within = (self.until, self.rows_max());
        let parked = store::parked(conn, self.tenant, trainer, customers, within).await?;
        for position in parked {
            found.entries.remove(&position);
            found.lack(position);
        }
        Ok(())
    }
}

impl Gathered {
    /// The events in the order of the log.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    fn lack(&mut self, position: i64) {
        self.lacks = Some(self.lacks.map_or(position, |first| first.min(position)));
    }
}
