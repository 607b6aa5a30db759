//! Whose each fact of a page is: units with their facts in order, facts that wait, facts that are
//! waited for no longer.

use std::collections::{HashMap, HashSet};

use ledger_domain::account::{LogIdentity, Route, UnitKey, route};
use ledger_domain::event::stripe::Unread;
use ledger_domain::event::{Entry, Event};
use ledger_domain::id::{StripeId, Tenant};
use ledger_log::EventLog;
use sqlx::PgConnection;

use super::page::{Read, Unreadable, read};
use super::ties::{PageTies, Ties};
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
    pub(super) ties: PageTies,
    /// Facts that begin to wait.
    pub(super) waits: WaitingColumns,
    /// Facts that wait no longer.
    pub(super) released: WaitingColumns,
    /// Units that can't take in an event of this page.
    pub(super) parks: ParkColumns,
    /// Events that queue up behind a parked unit.
    pub(super) parked_events: ParkedEventColumns,
    /// Units that were parked by this page.
    pub(super) newly_parked: HashSet<String>,
}

/// A fact that doesn't name its customer.
struct Pending {
    entry: Entry,
    ties: Vec<StripeId>,
    waits_for: Vec<StripeId>,
    /// Whether it has been waiting since an earlier page.
    is_stored: bool,
}

impl Plan {
    pub(super) async fn make(
        conn: &mut PgConnection,
        known: &Known<'_>,
        events: Vec<Read>,
    ) -> Result<Self, Trouble> {
        let mut plan = Self::default();
        let mut pending = Vec::new();
        let mut news = Vec::new();
        for event in events {
            match event {
                Read::Entry(entry) => {
                    pending.extend(plan.assign(known, *entry, &mut news));
                }
                Read::Unreadable(unreadable) => plan.park_unreadable(known, unreadable),
            }
        }
        plan.settle(conn, known, pending, news).await?;
        for entries in plan.units.values_mut() {
            entries.sort_by_key(|entry| entry.position);
        }
        Ok(plan)
    }

    /// Gives a fact to its unit, or hands it back if it doesn't tell which that is.
    fn assign(
        &mut self,
        known: &Known<'_>,
        entry: Entry,
        news: &mut Vec<StripeId>,
    ) -> Option<Pending> {
        match route(&entry, known.identity) {
            Route::Tenant => self.give(known, UnitKey::Tenant, entry),
            Route::Trainer(trainer) => self.give(known, UnitKey::Trainer(trainer), entry),
            Route::Usage(..) => {
                if known.config.models.contains(&ReadModel::Usage) {
                    self.usage.push(entry);
                }
            }
            Route::Customer { customer: Some(customer), ties, .. } => {
                self.tie(known, &customer, &ties, news);
                self.give(known, UnitKey::Customer(customer), entry);
            }
            Route::Customer { customer: None, ties, waits_for } => {
                return Some(Pending { entry, ties, waits_for, is_stored: false });
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

    fn tie(
        &mut self,
        known: &Known<'_>,
        customer: &StripeId,
        objects: &[StripeId],
        news: &mut Vec<StripeId>,
    ) {
        if !known.config.models.contains(&ReadModel::Subscriptions) {
            return;
        }
        for object in objects {
            if self.ties.tie(known.ties, object, customer) {
                news.push(object.clone());
            }
        }
    }

    /// Finds the customers of facts that don't name them. A fact that finds its customer ties
    /// more objects, for which others may have been waiting: go on until nothing changes.
    async fn settle(
        &mut self,
        conn: &mut PgConnection,
        known: &Known<'_>,
        mut pending: Vec<Pending>,
        mut news: Vec<StripeId>,
    ) -> Result<(), Trouble> {
        if !known.config.models.contains(&ReadModel::Subscriptions) {
            return Ok(());
        }
        let mut asked = HashSet::new();
        loop {
            let stored = self.wake(conn, known, std::mem::take(&mut news), &mut asked).await?;
            pending.extend(stored);
            let objects = pending.iter().flat_map(|fact| &fact.waits_for);
            self.ties.look_up(conn, known.tenant, known.ties, objects).await?;
            let mut still = Vec::new();
            for fact in pending {
                let customer = fact.waits_for.iter().find_map(|o| self.ties.known(known.ties, o));
                let Some(customer) = customer.cloned() else {
                    still.push(fact);
                    continue;
                };
                self.tie(known, &customer, &fact.ties, &mut news);
                if fact.is_stored {
                    push_waits(&mut self.released, &fact);
                }
                self.give(known, UnitKey::Customer(customer), fact.entry);
            }
            pending = still;
            if news.is_empty() {
                break;
            }
        }
        for fact in pending.iter().filter(|fact| !fact.is_stored) {
            push_waits(&mut self.waits, fact);
        }
        Ok(())
    }

    /// The facts that have been waiting for newly tied objects, read from the log again.
    async fn wake(
        &mut self,
        conn: &mut PgConnection,
        known: &Known<'_>,
        news: Vec<StripeId>,
        woken: &mut HashSet<i64>,
    ) -> Result<Vec<Pending>, Trouble> {
        if news.is_empty() || !known.anything_waits {
            return Ok(Vec::new());
        }
        let objects: Vec<String> = news.iter().map(|id| id.as_str().to_owned()).collect();
        let mut facts = Vec::new();
        for position in store::waiting_for(conn, known.tenant, &objects).await? {
            if !woken.insert(position) {
                continue;
            }
            let Some(Read::Entry(entry)) = read_at(known.log, known.tenant, position).await? else {
                continue;
            };
            if let Route::Customer { customer: None, ties, waits_for } =
                route(&entry, known.identity)
            {
                facts.push(Pending { entry: *entry, ties, waits_for, is_stored: true });
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
        let is_parked = known.parked.contains(&name) && known.retried != Some(&name);
        if is_parked || self.newly_parked.contains(&name) {
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
        if !is_waiting && self.newly_parked.insert(unit.clone()) {
            let read_model = known.config.schemas.schema(model);
            let reason = reason.chars().filter(|c| *c != '\0').take(REASON_CHARS_MAX).collect();
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

fn push_waits(rows: &mut WaitingColumns, fact: &Pending) {
    for object in &fact.waits_for {
        let (waits_for, position) = (object.as_str().to_owned(), fact.entry.position);
        rows.push(WaitingRow { waits_for, position });
    }
}
