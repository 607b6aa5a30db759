//! Whose each fact of a page is: units with their facts in order, facts that wait, facts that are
//! waited for no longer.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;

use ledger_domain::account::{LogIdentity, Route, UnitKey, route};
use ledger_domain::event::stripe::Unread;
use ledger_domain::event::{Entry, Event};
use ledger_domain::id::{StripeId, Tenant, TrainerId};
use ledger_log::EventLog;

use super::failpoint::{Point, reach};
use super::fold::positions_of;
use super::given::{Given, HELD_MAX, READ_AT_ONCE, read_at};
use super::looks::Looks;
use super::page::{Read, Unreadable};
use super::panics::caught;
use super::retry::Retried;
use super::ties::{PageTies, Tied, Ties};
use super::trouble::Trouble;
use crate::ReadModel;
use crate::control::{ParkColumns, ParkRow, ParkedEventColumns, ParkedEventRow};
use crate::rows::key_text;
use crate::subscriptions::{
    AnomalyRow, DeadLetterRow, Noted, TrainerEventColumns, TrainerEventRow, WaitingColumns,
    WaitingRow, store,
};

/// What a plan is made from.
pub(super) struct Known<'a> {
    pub(super) log: &'a dyn EventLog,
    pub(super) tenant: &'a Tenant,
    pub(super) config: &'a super::Config,
    pub(super) identity: &'a LogIdentity,
    pub(super) ties: &'a Ties,
    pub(super) parked: &'a HashSet<String>,
    /// The parked unit that is being tried again.
    pub(super) retried: Option<Retried<'a>>,
    /// Whether any fact waits.
    pub(super) anything_waits: bool,
}

impl Known<'_> {
    /// Whether a unit is parked and isn't being tried again.
    fn is_parked(&self, unit: &str) -> bool {
        self.parked.contains(unit) && self.retried.is_none_or(|retried| retried.unit != unit)
    }
}

/// What is to be done with a page.
#[derive(Default)]
pub(super) struct Plan {
    /// The facts of each unit, in the order of the log.
    pub(super) units: HashMap<UnitKey, Vec<Given>>,
    /// Facts about usage, in the order of the log.
    pub(super) usage: Vec<Entry>,
    /// Events that belong to no unit.
    pub(super) noted: Noted,
    /// Units that lost facts to others, and are folded from their first fact again.
    pub(super) afresh: HashSet<UnitKey>,
    /// Units whose rows are all written again: a unit that showed some of them may take them away.
    pub(super) again: HashSet<UnitKey>,
    /// The positions of the facts that units folded afresh are made from already.
    taken_in: HashMap<String, HashSet<i64>>,
    /// The trainers that events of the page, and facts that were read again, name themselves.
    named: BTreeMap<i64, Vec<TrainerId>>,
    /// How many facts that were read again are in memory.
    held: usize,
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
    given: Given,
    /// The customer that it names.
    named: Option<StripeId>,
    ties: Vec<StripeId>,
    waits_for: Vec<StripeId>,
    /// The customer that it is given to, as far as is known.
    customer: Option<StripeId>,
    /// Whether it has been waiting since an earlier page.
    is_stored: bool,
    /// Whether a customer that lost an object had taken it in.
    is_recalled: bool,
}

impl Fact {
    fn new(
        given: Given,
        named: Option<StripeId>,
        ties: Vec<StripeId>,
        waits_for: Vec<StripeId>,
    ) -> Self {
        Self { given, named, ties, waits_for, customer: None, is_stored: false, is_recalled: false }
    }
}

impl Plan {
    /// What belongs to whom. An event that nobody can be found for by reason of a panic is parked;
    /// a panic after that ends the session, since facts that tie objects change each other's place.
    pub(super) async fn make(
        looks: &mut Looks<'_>,
        known: &Known<'_>,
        events: Vec<Read>,
    ) -> Result<Self, Trouble> {
        let mut plan = Self::default();
        let mut facts = Vec::new();
        for event in events {
            plan.name(&event);
            match event {
                Read::Entry(entry) => facts.extend(plan.assign(known, entry)),
                Read::Unreadable(unreadable) => plan.park_unreadable(known, unreadable),
            }
        }
        if known.config.models.contains(&ReadModel::Subscriptions) {
            plan.settle(looks, known, facts).await?;
        }
        for given in plan.units.values_mut() {
            // What is read again may be in the page, too.
            given.sort_by_key(Given::position);
            given.dedup_by_key(|fact| fact.position());
        }
        Ok(plan)
    }

    fn name(&mut self, event: &Read) {
        let trainers = event.trainers();
        if !trainers.is_empty() {
            self.named.insert(event.position(), trainers);
        }
    }

    /// The events after a position that name a trainer: those before it were written already.
    pub(super) fn named_after(&self, position: i64) -> TrainerEventColumns {
        let rows = |(position, trainers): (&i64, &Vec<TrainerId>)| {
            let position = *position;
            let row = move |trainer: &TrainerId| {
                let trainer_id = trainer.as_str().to_owned();
                TrainerEventRow { trainer_id, position }
            };
            trainers.iter().map(row).collect::<Vec<_>>()
        };
        self.named.range((Bound::Excluded(position), Bound::Unbounded)).flat_map(rows).collect()
    }

    /// Gives a fact to its unit, or hands it back if that is a customer.
    fn assign(&mut self, known: &Known<'_>, entry: Box<Entry>) -> Option<Fact> {
        let route = match routed(known, &entry) {
            Ok(route) => route,
            Err(unreadable) => {
                self.park_unreadable(known, unreadable);
                return None;
            }
        };
        match route {
            Route::Tenant => self.give(known, UnitKey::Tenant, Given::Held(entry)),
            Route::Trainer(trainer) => {
                self.give(known, UnitKey::Trainer(trainer), Given::Held(entry));
            }
            Route::Usage(..) => {
                if known.config.models.contains(&ReadModel::Usage) {
                    self.usage.push(*entry);
                }
            }
            Route::Customer { customer, ties, waits_for } => {
                return Some(Fact::new(Given::Held(entry), customer, ties, waits_for));
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
        looks: &mut Looks<'_>,
        known: &Known<'_>,
        mut facts: Vec<Fact>,
    ) -> Result<(), Trouble> {
        if let Some(customer) = known.retried.and_then(Retried::folded_afresh) {
            facts.extend(self.recall(looks, known, BTreeSet::from([customer])).await?);
        }
        self.look_up(looks, known, &facts).await?;
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
            let mut more = self.wake(looks, known, news, &mut woken).await?;
            more.extend(self.recall(looks, known, losers).await?);
            self.look_up(looks, known, &more).await?;
            facts.extend(more);
        }
        for fact in facts {
            match fact.customer.clone() {
                Some(customer) => {
                    if fact.is_stored {
                        push_waits(&mut self.released, &fact);
                    }
                    let unit = UnitKey::Customer(customer);
                    if fact.is_recalled && !self.afresh.contains(&unit) {
                        self.again.insert(unit.clone());
                    }
                    self.give(known, unit, fact.given);
                }
                None if fact.is_stored => {}
                None => push_waits(&mut self.waits, &fact),
            }
        }
        Ok(())
    }

    async fn look_up(
        &mut self,
        looks: &mut Looks<'_>,
        known: &Known<'_>,
        facts: &[Fact],
    ) -> sqlx::Result<()> {
        let objects = facts.iter().flat_map(|fact| fact.ties.iter().chain(&fact.waits_for));
        let unknown = self.ties.unknown(known.ties, objects);
        if unknown.is_empty() {
            return Ok(());
        }
        self.ties.look_up(looks.conn().await?, known.tenant, &unknown).await
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
        looks: &mut Looks<'_>,
        known: &Known<'_>,
        losers: BTreeSet<StripeId>,
    ) -> Result<Vec<Fact>, Trouble> {
        let mut facts = Vec::new();
        for loser in losers {
            let unit = UnitKey::Customer(loser.clone());
            let name = unit.to_string();
            if self.afresh.contains(&unit) || self.newly_parked.contains_key(&name) {
                continue;
            }
            let parts =
                store::parts(looks.conn().await?, known.tenant, std::slice::from_ref(&name))
                    .await?;
            let parts = parts.into_iter().map(|row| (row.part, row.state)).collect();
            looks.end().await?;
            let positions = match positions_of(loser, parts, known.config.fold_time).await {
                Ok(positions) => positions,
                Err(reason) => {
                    self.park(known, ReadModel::Subscriptions, name, &reason, []);
                    continue;
                }
            };
            let (recalled, unreadable) = self.read_facts(known, &positions).await?;
            if let Some(event) = unreadable.first() {
                let reason = format!("the event at {}: {}", event.position, event.reason);
                self.park(known, ReadModel::Subscriptions, name, &reason, []);
                continue;
            }
            self.units.entry(unit.clone()).or_default();
            self.afresh.insert(unit);
            facts.extend(recalled.into_iter().map(|fact| Fact { is_recalled: true, ..fact }));
            self.taken_in.insert(name, positions.into_iter().collect());
        }
        Ok(facts)
    }

    /// Reads facts about customers from the log again, and tells which can't be read by this
    /// program. The first ones stay in memory.
    async fn read_facts(
        &mut self,
        known: &Known<'_>,
        positions: &[i64],
    ) -> Result<(Vec<Fact>, Vec<Unreadable>), Trouble> {
        let (mut facts, mut unreadable) = (Vec::with_capacity(positions.len()), Vec::new());
        for positions in positions.chunks(READ_AT_ONCE) {
            for event in read_at(known.log, known.tenant, positions).await? {
                self.name(&event);
                let entry = match event {
                    Read::Entry(entry) => entry,
                    Read::Unreadable(event) => {
                        unreadable.push(event);
                        continue;
                    }
                };
                let (customer, ties, waits_for) = match routed(known, &entry) {
                    Ok(Route::Customer { customer, ties, waits_for }) => {
                        (customer, ties, waits_for)
                    }
                    Ok(_) => continue,
                    Err(event) => {
                        unreadable.push(event);
                        continue;
                    }
                };
                let given = if self.held < HELD_MAX {
                    self.held += 1;
                    Given::Held(entry)
                } else {
                    Given::InLog(entry.position)
                };
                facts.push(Fact::new(given, customer, ties, waits_for));
            }
        }
        Ok((facts, unreadable))
    }

    /// The facts that have been waiting for newly tied objects, read from the log again.
    async fn wake(
        &mut self,
        looks: &mut Looks<'_>,
        known: &Known<'_>,
        news: Vec<StripeId>,
        woken: &mut HashSet<i64>,
    ) -> Result<Vec<Fact>, Trouble> {
        if news.is_empty() || !known.anything_waits {
            return Ok(Vec::new());
        }
        let objects: Vec<String> = news.iter().map(|id| id.as_str().to_owned()).collect();
        let mut positions = store::waiting_for(looks.conn().await?, known.tenant, &objects).await?;
        looks.end().await?;
        positions.retain(|position| woken.insert(*position));
        let (facts, unreadable) = self.read_facts(known, &positions).await?;
        for event in unreadable {
            self.park_unreadable(known, event);
        }
        Ok(facts.into_iter().map(|fact| Fact { is_stored: true, ..fact }).collect())
    }

    /// Gives a fact to its unit, or queues it where that is parked.
    fn give(&mut self, known: &Known<'_>, unit: UnitKey, given: Given) {
        let model = model_of(&unit);
        if !known.config.models.contains(&model) {
            return;
        }
        let name = unit.to_string();
        let is_parked = known.is_parked(&name) && !self.afresh.contains(&unit);
        if is_parked || self.newly_parked.contains_key(&name) {
            self.queue(known, model, name, given.position());
        } else {
            self.units.entry(unit).or_default().push(given);
        }
    }

    fn queue(&mut self, known: &Known<'_>, model: ReadModel, unit: String, position: i64) {
        let read_model = known.config.schemas.schema(model);
        let named = self.named.get(&position).and_then(|trainers| trainers.first());
        let trainer_id = named.map(|trainer| trainer.as_str().to_owned());
        self.parked_events.push(ParkedEventRow { read_model, unit, position, trainer_id });
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

    /// Parks a unit, with events of this page that it can't take in. Of one that was to be folded
    /// afresh, what its state was made from already needn't wait, but for the first: all of it is
    /// read again when the unit is tried again.
    pub(super) fn park(
        &mut self,
        known: &Known<'_>,
        model: ReadModel,
        unit: String,
        reason: &str,
        positions: impl IntoIterator<Item = i64>,
    ) {
        let taken_in = self.taken_in.remove(&unit).unwrap_or_default();
        let first = taken_in.iter().min().copied();
        for position in positions {
            if !taken_in.contains(&position) || Some(position) == first {
                self.queue(known, model, unit.clone(), position);
            }
        }
        if !known.is_parked(&unit) && !self.newly_parked.contains_key(&unit) {
            let read_model = known.config.schemas.schema(model);
            let told = reason.chars().filter(|c| *c != '\0').take(REASON_CHARS_MAX);
            let reason: String = told.collect();
            self.newly_parked.insert(unit.clone(), reason.clone());
            self.parks.push(ParkRow { read_model, unit, reason });
        }
    }
}

/// Whose an event is.
fn routed(known: &Known<'_>, entry: &Entry) -> Result<Route, Unreadable> {
    let routed = caught("finding whose it is", || {
        reach(Point::Route(&entry.key));
        Ok(route(entry, known.identity))
    });
    routed.map_err(|reason| Unreadable::new(entry.position, &entry.metadata, reason))
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

/// Brings the facts that have their customer to the front, and tells how many they are.
fn settled(facts: &mut [Fact]) -> usize {
    facts.sort_by_key(|fact| fact.customer.is_none());
    facts.partition_point(|fact| fact.customer.is_some())
}

fn push_waits(rows: &mut WaitingColumns, fact: &Fact) {
    for object in &fact.waits_for {
        let (waits_for, position) = (object.as_str().to_owned(), fact.given.position());
        rows.push(WaitingRow { waits_for, position });
    }
}
