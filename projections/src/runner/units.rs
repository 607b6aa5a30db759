//! Units of the fold in memory: cached within a bound, restored from the tables.

use std::collections::{HashMap, HashSet};

use ledger_domain::account::{CustomerUnit, TenantUnit, TrainerChanges, TrainerUnit, UnitKey};
use ledger_domain::event::Entry;
use ledger_domain::id::Tenant;
use ledger_log::EventLog;

use super::cache::{Cache, Weigh};
use super::fold::{Begin, Folds, How, Parts, Step, Stuck, Task};
use super::given::{Given, READ_AT_ONCE, read_at};
use super::looks::Looks;
use super::page::Read;
use super::shown::{News, Shown};
use super::trouble::{Halt, Trouble};
use crate::catalog::TenantChanges;
use crate::rows::PartRow;
use crate::{catalog, grants, subscriptions};

/// A unit's state.
pub(super) enum Unit {
    Customer(Box<CustomerUnit>, Box<Shown>),
    Trainer(Box<TrainerUnit>),
    Tenant(Box<TenantUnit>),
}

/// What a page changes in one unit.
pub(super) enum Changes {
    Customer(Box<News>),
    Trainer(Box<TrainerChanges>),
    Tenant(Box<TenantChanges>),
}

/// A unit that took in its events of a page.
pub(super) struct Folded {
    pub(super) key: UnitKey,
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) changes: Changes,
    pub(super) positions: Vec<i64>,
}

/// A unit that could not.
pub(super) struct Failed {
    pub(super) key: UnitKey,
    pub(super) reason: String,
    pub(super) positions: Vec<i64>,
}

/// Units that are as the tables have them.
pub(super) struct Units {
    cached: Cache<Unit>,
    folds: Folds,
}

/// A unit whose facts aren't all in memory.
struct Long {
    key: UnitKey,
    begin: Begin,
    given: Vec<Given>,
    how: How,
}

impl Weigh for Unit {
    fn weight(&self) -> usize {
        match self {
            Self::Customer(unit, shown) => unit.weight() + shown.weight(),
            Self::Trainer(unit) => unit.weight(),
            // There is one: it isn't worth counting.
            Self::Tenant(_) => 0,
        }
    }
}

impl Units {
    pub(super) fn new(config: &super::Config, stuck: Stuck) -> Self {
        Self { cached: Cache::new(config.cache_bytes), folds: Folds::new(config, stuck) }
    }

    /// Puts units back that are committed.
    pub(super) fn put_back(&mut self, folded: Vec<Folded>) {
        for Folded { key, unit, .. } in folded {
            self.cached.put(key, unit);
        }
    }

    /// Folds the facts of a page; of some units, all facts from the first one on, and of some what
    /// all their facts show is to be written again. Units leave the cache: they come back once what
    /// they say is in the tables, and are restored from there if it never gets there.
    pub(super) async fn fold(
        &mut self,
        looks: &mut Looks<'_>,
        (log, tenant): (&dyn EventLog, &Tenant),
        facts: HashMap<UnitKey, Vec<Given>>,
        (afresh, again): (&HashSet<UnitKey>, &HashSet<UnitKey>),
    ) -> Result<(Vec<Folded>, Vec<Failed>), Trouble> {
        let missing: Vec<&UnitKey> =
            facts.keys().filter(|key| !self.cached.contains(key)).collect();
        metrics::counter!("ledger_projection_restored_total").increment(missing.len() as u64);
        let mut stored = load(looks, tenant, &missing).await?;
        looks.end().await?;
        let (mut positions, mut tasks, mut long) = (HashMap::new(), Vec::new(), Vec::new());
        for (key, given) in facts {
            let begin = match self.cached.take(&key) {
                Some(unit) => Begin::Cached(unit),
                None => Begin::Stored(stored.remove(&key.to_string()).unwrap_or_default()),
            };
            positions.insert(key.clone(), given.iter().map(Given::position).collect());
            let how = match () {
                () if afresh.contains(&key) => How::Afresh,
                () if again.contains(&key) => How::ShownAgain,
                () => How::On,
            };
            match Given::all_held(given) {
                Ok(entries) => tasks.push(Task { key, begin, entries, how, is_last: true }),
                Err(given) => long.push(Long { key, begin, given, how }),
            }
        }
        let mut outcomes = self.folds.run(tenant, tasks).await?;
        for unit in long {
            outcomes.push(self.fold_long((log, tenant), unit).await?);
        }
        let (mut folded, mut failed) = (Vec::with_capacity(outcomes.len()), Vec::new());
        for (key, outcome) in outcomes {
            let positions = positions.remove(&key).unwrap_or_default();
            match outcome {
                Ok(Step::Done(unit, changes)) => {
                    let name = key.to_string();
                    folded.push(Folded { key, name, unit, changes, positions });
                }
                Ok(Step::Midway(_)) => unreachable!("the last step of a fold ends it"),
                Err(reason) => failed.push(Failed { key, reason, positions }),
            }
        }
        // The same page gives the same statements, so that a refusal can be searched for.
        folded.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((folded, failed))
    }

    /// Folds a unit in steps, of which each reads its facts from the log: they are never in memory
    /// all at once.
    async fn fold_long(
        &self,
        (log, tenant): (&dyn EventLog, &Tenant),
        unit: Long,
    ) -> Result<(UnitKey, Result<Step, String>), Trouble> {
        let Long { key, mut begin, given, how } = unit;
        let mut given = given.into_iter();
        loop {
            let step: Vec<Given> = given.by_ref().take(READ_AT_ONCE).collect();
            let entries = entries(log, tenant, step).await?;
            let is_last = given.len() == 0;
            let task = Task { key: key.clone(), begin, entries, how, is_last };
            let outcome = self.folds.run(tenant, vec![task]).await?.pop();
            match outcome.expect("a task has an outcome") {
                (_, Ok(Step::Midway(midway))) => begin = Begin::Midway(midway),
                ended => return Ok(ended),
            }
        }
    }
}

/// Facts in memory, in the order of the log.
async fn entries(
    log: &dyn EventLog,
    tenant: &Tenant,
    given: Vec<Given>,
) -> Result<Vec<Entry>, Trouble> {
    let (mut entries, mut positions) = (Vec::with_capacity(given.len()), Vec::new());
    for given in given {
        match given {
            Given::Held(entry) => entries.push(*entry),
            Given::InLog(position) => positions.push(position),
        }
    }
    for event in read_at(log, tenant, &positions).await? {
        match event {
            Read::Entry(entry) => entries.push(*entry),
            // It could be read when its customer was found.
            Read::Unreadable(event) => {
                return Err(Halt::Diverged { position: event.position }.into());
            }
        }
    }
    entries.sort_unstable_by_key(|entry| entry.position);
    Ok(entries)
}

async fn load(
    looks: &mut Looks<'_>,
    tenant: &Tenant,
    keys: &[&UnitKey],
) -> sqlx::Result<HashMap<String, Parts>> {
    let names = |is_meant: fn(&UnitKey) -> bool| -> Vec<String> {
        keys.iter().filter(|key| is_meant(key)).map(ToString::to_string).collect()
    };
    let mut rows: Vec<PartRow> = Vec::new();
    let customers = names(|key| matches!(key, UnitKey::Customer(_)));
    if !customers.is_empty() {
        rows.extend(subscriptions::store::parts(looks.conn().await?, tenant, &customers).await?);
    }
    let trainers = names(|key| matches!(key, UnitKey::Trainer(_)));
    if !trainers.is_empty() {
        rows.extend(grants::store::parts(looks.conn().await?, tenant, &trainers).await?);
    }
    let tenants = names(|key| matches!(key, UnitKey::Tenant));
    if !tenants.is_empty() {
        rows.extend(catalog::store::parts(looks.conn().await?, tenant, &tenants).await?);
    }
    let mut parts: HashMap<String, Parts> = HashMap::new();
    for row in rows {
        parts.entry(row.unit).or_default().push((row.part, row.state));
    }
    Ok(parts)
}
