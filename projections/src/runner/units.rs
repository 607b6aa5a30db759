//! Units of the fold in memory: cached within a bound, restored from the tables, folded behind a
//! wall that a panic doesn't pass.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use ledger_domain::account::{CustomerUnit, TenantUnit, TrainerChanges, TrainerUnit, UnitKey};
use ledger_domain::event::Entry;
use ledger_domain::id::Tenant;
use quick_cache::Weighter;
use quick_cache::unsync::Cache;
use sqlx::PgConnection;

use super::shown::{News, Shown};
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
    cached: Cache<UnitKey, Unit, ByWeight>,
    #[cfg(feature = "failpoints")]
    before_fold: Option<fn(&Entry)>,
}

#[derive(Clone)]
struct ByWeight;

impl Weighter<UnitKey, Unit> for ByWeight {
    fn weight(&self, _key: &UnitKey, unit: &Unit) -> u64 {
        let bytes = match unit {
            Unit::Customer(unit, shown) => unit.weight() + shown.weight(),
            Unit::Trainer(unit) => unit.weight(),
            // There is one, and it is always wanted.
            Unit::Tenant(_) => 1,
        };
        u64::try_from(bytes.max(1)).unwrap_or(u64::MAX)
    }
}

/// About how many bytes a unit takes, to size the cache's index.
const TYPICAL_WEIGHT: u64 = 8_192;

/// After how many units other tasks of the thread get their turn.
const UNITS_PER_TURN: usize = 32;

impl Units {
    pub(super) fn new(config: &super::Config) -> Self {
        let bytes = config.cache_bytes;
        let items = usize::try_from(bytes / TYPICAL_WEIGHT).unwrap_or(usize::MAX);
        Self {
            cached: Cache::with_weighter(items, bytes, ByWeight),
            #[cfg(feature = "failpoints")]
            before_fold: config.before_fold,
        }
    }

    /// Puts units back that are committed.
    pub(super) fn put_back(&mut self, folded: Vec<Folded>) {
        for Folded { key, unit, .. } in folded {
            self.cached.insert(key, unit);
        }
    }

    /// Folds the facts of a page; of some units, all facts from the first one on. Units leave the
    /// cache: they come back once what they say is in the tables, and are restored from there if it
    /// never gets there.
    pub(super) async fn fold(
        &mut self,
        conn: &mut PgConnection,
        tenant: &Tenant,
        facts: HashMap<UnitKey, Vec<Entry>>,
        afresh: &HashSet<UnitKey>,
    ) -> sqlx::Result<(Vec<Folded>, Vec<Failed>)> {
        let missing: Vec<&UnitKey> =
            facts.keys().filter(|key| self.cached.get(*key).is_none()).collect();
        let mut stored = load(conn, tenant, &missing).await?;
        let (mut folded, mut failed) = (Vec::with_capacity(facts.len()), Vec::new());
        for (done, (key, entries)) in facts.into_iter().enumerate() {
            if done % UNITS_PER_TURN == UNITS_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
            let cached = self.cached.remove(&key).map(|(_, unit)| unit);
            let name = key.to_string();
            let parts = stored.remove(&name).unwrap_or_default();
            let positions = entries.iter().map(|entry| entry.position).collect();
            match self.fold_one(&key, cached, parts, &entries, afresh.contains(&key)) {
                Ok((unit, changes)) => {
                    folded.push(Folded { key, name, unit, changes, positions });
                }
                Err(reason) => failed.push(Failed { key, reason, positions }),
            }
        }
        // The same page gives the same statements, so that a refusal can be searched for.
        folded.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((folded, failed))
    }

    /// Restores a unit where it wasn't cached and folds its facts. Folding promises to be total;
    /// where it breaks the promise, the unit is lost and the reason told.
    fn fold_one(
        &self,
        key: &UnitKey,
        cached: Option<Unit>,
        parts: Parts,
        entries: &[Entry],
        is_afresh: bool,
    ) -> Result<(Unit, Changes), String> {
        let work = || -> Result<_, String> {
            let unit = match cached {
                Some(unit) => unit,
                None => restore(key, parts).map_err(|e| format!("its state can't be read: {e}"))?,
            };
            #[cfg(feature = "failpoints")]
            entries.iter().for_each(self.before_fold.unwrap_or(|_| ()));
            match unit {
                Unit::Customer(before, _) if is_afresh => Ok(fold_afresh(&before, entries)),
                unit => evolve(unit, entries),
            }
        };
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(message(&*panic)))
    }
}

type Parts = Vec<(String, Vec<u8>)>;

async fn load(
    conn: &mut PgConnection,
    tenant: &Tenant,
    keys: &[&UnitKey],
) -> sqlx::Result<HashMap<String, Parts>> {
    let names = |is_meant: fn(&UnitKey) -> bool| -> Vec<String> {
        keys.iter().filter(|key| is_meant(key)).map(ToString::to_string).collect()
    };
    let mut rows: Vec<PartRow> = Vec::new();
    let customers = names(|key| matches!(key, UnitKey::Customer(_)));
    if !customers.is_empty() {
        rows.extend(subscriptions::store::parts(conn, tenant, &customers).await?);
    }
    let trainers = names(|key| matches!(key, UnitKey::Trainer(_)));
    if !trainers.is_empty() {
        rows.extend(grants::store::parts(conn, tenant, &trainers).await?);
    }
    let tenants = names(|key| matches!(key, UnitKey::Tenant));
    if !tenants.is_empty() {
        rows.extend(catalog::store::parts(conn, tenant, &tenants).await?);
    }
    let mut parts: HashMap<String, Parts> = HashMap::new();
    for row in rows {
        parts.entry(row.unit).or_default().push((row.part, row.state));
    }
    Ok(parts)
}

fn restore(key: &UnitKey, parts: Parts) -> serde_json::Result<Unit> {
    Ok(match key {
        UnitKey::Customer(customer) => {
            let unit = CustomerUnit::restore(customer.clone(), parts)?;
            Unit::Customer(Box::new(unit), Box::default())
        }
        UnitKey::Trainer(trainer) => Unit::Trainer(Box::new(match parts.first() {
            Some((_, state)) => TrainerUnit::restore(state)?,
            None => TrainerUnit::new(trainer.clone()),
        })),
        UnitKey::Tenant => Unit::Tenant(Box::new(TenantUnit::restore(parts)?)),
    })
}

/// Folds a customer that lost facts to another one.
fn fold_afresh(before: &CustomerUnit, entries: &[Entry]) -> (Unit, Changes) {
    let mut unit = CustomerUnit::new(before.customer().clone());
    entries.iter().for_each(|entry| unit.evolve(entry));
    let mut shown = Box::new(Shown::default());
    let news = shown.news(unit.take_changes_since(before));
    (Unit::Customer(Box::new(unit), shown), Changes::Customer(Box::new(news)))
}

fn evolve(mut unit: Unit, entries: &[Entry]) -> Result<(Unit, Changes), String> {
    let changes = match &mut unit {
        Unit::Customer(unit, shown) => {
            entries.iter().for_each(|entry| unit.evolve(entry));
            Changes::Customer(Box::new(shown.news(unit.take_changes())))
        }
        Unit::Trainer(unit) => {
            entries.iter().for_each(|entry| unit.evolve(entry));
            Changes::Trainer(Box::new(unit.changes()))
        }
        Unit::Tenant(unit) => Changes::Tenant(Box::new(TenantChanges::fold(unit, entries)?)),
    };
    Ok((unit, changes))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the fold panicked: {}", text.unwrap_or("without a message"))
}
