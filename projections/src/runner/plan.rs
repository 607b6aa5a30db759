//! Whose each fact of a page is: units with their facts in order, facts that wait, facts that are
//! waited for no longer.

use std::collections::{BTreeSet, HashMap, HashSet};

use ledger_domain::account::{CustomerUnit, LogIdentity, Route, UnitKey, route};
use ledger_domain::event::stripe::Unread;
use ledger_domain::event::{Entry, Event};
use ledger_domain::id::{StripeId, Tenant};
use ledger_log::EventLog;
use sqlx::PgConnection;

use super::page::{Read, Unreadable, read};
use super::ties::{PageTies, Tied, Ties};
use super::trouble::Trouble;
use crate::ReadModel;
use crate::control::{ParkColumns, ParkRow, ParkedEventColumns, ParkedEventRow};
use crate::rows::key_text;
use crate::subscriptions::{AnomalyRow, DeadLetterRow, Noted, WaitingColumns, WaitingRow, store};

/// What a plan is made from.
pub(super) struct Known<'a> {
    pub(super) log: &'a dyn EventLog,
    pub(super) tenant: &'a Tenant,
    pub(super) config: &'a super::Config,
    pub(super) identity: &'a LogIdentity,
    pub(super) ties: &'a Ties,
    pub(super) parked: &'a HashSet<String>,
    /// The parked unit that is being tried again.
    pub(super) retried: Option<&'a str>,
    /// Whether any fact waits.
    pub(super) anything_waits: bool,
}

/// What is to be done with a page.
#[derive(Default)]
pub(super) struct Plan {
    /// The facts of each unit, in the order of the log.
    pub(super) units: HashMap<UnitKey, Vec<Entry>>,
    /// Facts about usage, in the order of the log.
    pub(super) usage: Vec<Entry>,
    /// Events that belong to no unit.
    pub(super) noted: Noted,
    /// Units that lost facts to others, and are folded from their first fact again.
    pub(super) afresh: HashSet<UnitKey>,
    pub(super) ties: PageTies,
    /// Facts that begin to wait.
    pub(super) waits: WaitingColumns,
    /// Facts that wait no longer.
    pub(super) released: WaitingColumns,
    /// Units that can't take in an event of this page.
    pub(super) parks: ParkColumns,
    /// Events that queue up behind a parked unit.
    pub(super) parked_events: ParkedEventColumns,
    /// Units that were parked by this page, and why.
    pub(super) newly_parked: HashMap<String, String>,
}

/// A fact about a customer.
struct Fact {
    entry: Entry,
    /// The customer that it names.
    named: Option<StripeId>,
    ties: Vec<StripeId>,
    waits_for: Vec<StripeId>,
    /// The customer that it is given to, as far as is known.
    customer: Option<StripeId>,
    /// Whether it has been waiting since an earlier page.
    is_stored: bool,
}

impl Fact {
    fn new(
        entry: Entry,
        named: Option<StripeId>,
        ties: Vec<StripeId>,
        waits_for: Vec<StripeId>,
    ) -> Self {
        Self { entry, named, ties, waits_for, customer: None, is_stored: false }
    }
}

impl Plan {
    pub(super) async fn make(
        conn: &mut PgConnection,
        known: &Known<'_>,
        events: Vec<Read>,
    ) -> Result<Self, Trouble> {
        let mut plan = Self::default();
        let mut facts = Vec::new();
        for event in events {
            match event {
                Read::Entry(entry) => facts.extend(plan.assign(known, *entry)),
                Read::Unreadable(unreadable) => plan.park_unreadable(known, unreadable),
            }
        }
        if known.config.models.contains(&ReadModel::Subscriptions) {
            plan.settle(conn, known, facts).await?;
        }
        for entries in plan.units.values_mut() {
            entries.sort_by_key(|entry| entry.position);
        }
        Ok(plan)
    }

    /// Gives a fact to its unit, or hands it back if that is a customer.
    fn assign(&mut self, known: &Known<'_>, entry: Entry) -> Option<Fact> {
        match route(&entry, known.identity) {
            Route::Tenant => self.give(known, UnitKey::Tenant, entry),
            Route::Trainer(trainer) => self.give(known, UnitKey::Trainer(trainer), entry),
            Route::Usage(..) => {
                if known.config.models.contains(&ReadModel::Usage) {
                    self.usage.push(entry);
                }
            }
            Route::Customer { customer, ties, waits_for } => {
                return Some(Fact::new(entry, customer, ties, waits_for));
            }
            // Both lists are kept beside subscriptions; another runner may be the one that does.
            Route::Foreign | Route::Nowhere
                if !known.config.models.contains(&ReadModel::Subscriptions) => {}
            Route::Foreign => {
                self.noted.odd.push(AnomalyRow::of_event("foreign", &entry, None));
            }
            Route::Nowhere => self.note(&entry),
        }
        None
    }

    /// Remembers a webhook that could not be read, and an id that came with another content.
    fn note(&mut self, entry: &Entry) {
        if let Event::StripeEventRecorded(event) = &entry.event
            && let Unread::Unusable(lacks) = &event.reason
        {
            let (event_id, position) = (key_text(&entry.key), entry.position);
            let lacks = lacks.as_ref().to_owned();
            self.noted.dead_letters.push(DeadLetterRow { event_id, position, lacks });
        }
        if let Event::IdReuseSeen(seen) = &entry.event {
            self.noted.odd.push(AnomalyRow::of_event("id_reused", entry, Some(&seen.key)));
        }
    }

    /// Finds whose each fact is: of the smallest customer that it or anybody else names for one of
    /// its objects. A fact that finds its customer ties its objects, for which others may have been
    /// waiting, or which were another's until now: go on until nothing changes.
    async fn settle(
        &mut self,
        conn: &mut PgConnection,
        known: &Known<'_>,
        mut facts: Vec<Fact>,
    ) -> Result<(), Trouble> {
        self.look_up(conn, known, &facts).await?;
        let (mut woken, mut looked) = (HashSet::new(), 0);
        loop {
            let mut news = Vec::new();
            let mut losers = BTreeSet::new();
            for fact in facts.iter_mut().skip(looked) {
                self.find(known, fact, &mut news, &mut losers);
            }
            if news.is_empty() && losers.is_empty() {
                break;
            }
            // Only where facts disagree does one that has its customer have to be asked again.
            looked = if losers.is_empty() { settled(&mut facts) } else { 0 };
            let mut more = self.wake(conn, known, news, &mut woken).await?;
            more.extend(self.recall(conn, known, losers).await?);
            self.look_up(conn, known, &more).await?;
            facts.extend(more);
        }
        for fact in facts {
            match fact.customer.clone() {
                Some(customer) => {
                    if fact.is_stored {
                        push_waits(&mut self.released, &fact);
                    }
                    self.give(known, UnitKey::Customer(customer), fact.entry);
                }
                None if fact.is_stored => {}
                None => push_waits(&mut self.waits, &fact),
            }
        }
        Ok(())
    }

    async fn look_up(
        &mut self,
        conn: &mut PgConnection,
        known: &Known<'_>,
        facts: &[Fact],
    ) -> sqlx::Result<()> {
        let objects = facts.iter().flat_map(|fact| fact.ties.iter().chain(&fact.waits_for));
        let unknown = self.ties.unknown(known.ties, objects);
        self.ties.look_up(conn, known.tenant, &unknown).await
    }

    /// Finds a fact's customer and ties its objects. Tells of objects that were nobody's before,
    /// and of customers that lost one.
    fn find(
        &mut self,
        known: &Known<'_>,
        fact: &mut Fact,
        news: &mut Vec<StripeId>,
        losers: &mut BTreeSet<StripeId>,
    ) {
        let objects = fact.ties.iter().chain(&fact.waits_for);
        let customers = objects.filter_map(|object| self.ties.known(known.ties, object));
        let Some(customer) = customers.chain(&fact.named).min().cloned() else { return };
        for object in &fact.ties {
            match self.ties.tie(known.ties, object, &customer) {
                Tied::Before => {}
                Tied::New => news.push(object.clone()),
                Tied::From(loser) => {
                    tracing::warn!(%object, %customer, %loser, "two customers have one object");
                    losers.insert(loser);
                }
            }
        }
        fact.customer = Some(customer);
    }

    /// All facts of customers that lost an object, read from the log again: some of them are
    /// another customer's now, and what is left is folded afresh.
    async fn recall(
        &mut self,
        conn: &mut PgConnection,
        known: &Known<'_>,
        losers: BTreeSet<StripeId>,
    ) -> Result<Vec<Fact>, Trouble> {
        let mut facts = Vec::new();
        for loser in losers {
            let unit = UnitKey::Customer(loser.clone());
            if !self.afresh.insert(unit.clone()) {
                continue;
            }
            self.units.entry(unit.clone()).or_default();
            let unit = [unit.to_string()];
            let parts = store::parts(conn, known.tenant, &unit).await?;
            let parts = parts.into_iter().map(|row| (row.part, row.state));
            let Ok(state) = CustomerUnit::restore(loser, parts) else {
                // Whoever folds it finds the same and parks it.
                continue;
            };
            let mut positions: Vec<i64> = state.positions().collect();
            positions.sort_unstable();
            positions.dedup();
            for position in positions {
                facts.extend(self.read_fact(known, position).await?);
            }
        }
        Ok(facts)
    }

    async fn read_fact(&self, known: &Known<'_>, position: i64) -> Result<Option<Fact>, Trouble> {
        let Some(Read::Entry(entry)) = read_at(known.log, known.tenant, position).await? else {
            return Ok(None);
        };
        Ok(match route(&entry, known.identity) {
            Route::Customer { customer, ties, waits_for } => {
                Some(Fact::new(*entry, customer, ties, waits_for))
            }
            _ => None,
        })
    }

    /// The facts that have been waiting for newly tied objects, read from the log again.
    async fn wake(
        &mut self,
        conn: &mut PgConnection,
        known: &Known<'_>,
        news: Vec<StripeId>,
        woken: &mut HashSet<i64>,
    ) -> Result<Vec<Fact>, Trouble> {
        if news.is_empty() || !known.anything_waits {
            return Ok(Vec::new());
        }
        let objects: Vec<String> = news.iter().map(|id| id.as_str().to_owned()).collect();
        let mut facts = Vec::new();
        for position in store::waiting_for(conn, known.tenant, &objects).await? {
            if woken.insert(position) {
                let fact = self.read_fact(known, position).await?;
                facts.extend(fact.map(|fact| Fact { is_stored: true, ..fact }));
            }
        }
        Ok(facts)
    }

    /// Gives a fact to its unit, or queues it where that is parked.
    fn give(&mut self, known: &Known<'_>, unit: UnitKey, entry: Entry) {
        let model = model_of(&unit);
        if !known.config.models.contains(&model) {
            return;
        }
        let name = unit.to_string();
        let is_parked = known.parked.contains(&name)
            && known.retried != Some(&name)
            && !self.afresh.contains(&unit);
        if is_parked || self.newly_parked.contains_key(&name) {
            self.queue(known, model, name, entry.position);
        } else {
            self.units.entry(unit).or_default().push(entry);
        }
    }

    fn queue(&mut self, known: &Known<'_>, model: ReadModel, unit: String, position: i64) {
        let read_model = known.config.schemas.schema(model);
        self.parked_events.push(ParkedEventRow { read_model, unit, position });
    }

    fn park_unreadable(&mut self, known: &Known<'_>, event: Unreadable) {
        let model = event.model.filter(|model| known.config.models.contains(model));
        let model = match (model, event.model) {
            (Some(model), _) => model,
            // Another runner writes its read model, and parks it.
            (None, Some(_)) => return,
            (None, None) => known.config.models.first().copied().unwrap_or(ReadModel::Catalog),
        };
        self.park(known, model, event.unit, &event.reason, [event.position]);
    }

    /// Parks a unit, with events of this page that it can't take in.
    pub(super) fn park(
        &mut self,
        known: &Known<'_>,
        model: ReadModel,
        unit: String,
        reason: &str,
        positions: impl IntoIterator<Item = i64>,
    ) {
        for position in positions {
            self.queue(known, model, unit.clone(), position);
        }
        let is_waiting = known.parked.contains(&unit) && known.retried != Some(&unit);
        if !is_waiting && !self.newly_parked.contains_key(&unit) {
            let read_model = known.config.schemas.schema(model);
            let told = reason.chars().filter(|c| *c != '\0').take(REASON_CHARS_MAX);
            let reason: String = told.collect();
            self.newly_parked.insert(unit.clone(), reason.clone());
            self.parks.push(ParkRow { read_model, unit, reason });
        }
    }
}

const REASON_CHARS_MAX: usize = 500;

/// The read model that a unit's state belongs to.
pub(super) const fn model_of(unit: &UnitKey) -> ReadModel {
    match unit {
        UnitKey::Tenant => ReadModel::Catalog,
        UnitKey::Trainer(_) => ReadModel::Grants,
        UnitKey::Customer(_) => ReadModel::Subscriptions,
    }
}

/// One event, read again.
pub(super) async fn read_at(
    log: &dyn EventLog,
    tenant: &Tenant,
    position: i64,
) -> Result<Option<Read>, Trouble> {
    let recorded = log.read(tenant, position - 1, 1).await?;
    Ok(recorded.into_iter().next().filter(|event| event.position == position).map(read))
}

/// Brings the facts that have their customer to the front, and tells how many they are.
fn settled(facts: &mut [Fact]) -> usize {
    facts.sort_by_key(|fact| fact.customer.is_none());
    facts.partition_point(|fact| fact.customer.is_some())
}

fn push_waits(rows: &mut WaitingColumns, fact: &Fact) {
    for object in &fact.waits_for {
        let (waits_for, position) = (object.as_str().to_owned(), fact.entry.position);
        rows.push(WaitingRow { waits_for, position });
    }
}
