//! A ledger in memory: it routes, ties, lets wait and folds as the runner of read models does, and
//! remembers all that the units ever showed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ledger_domain::account::{
    ChangeView, CustomerChanges, CustomerUnit, FactAnomaly, LinkView, LogIdentity, PaymentView,
    Route, Sold, SoldChanges, SubscriptionView, TenantUnit, route,
};
use ledger_domain::event::Entry;
use ledger_domain::id::{EventKey, StripeId};
use ledger_domain::time::{SECOND, Timestamp};

/// Positions are numbers that nothing else looks like, so that they can be found in stored bytes.
const POSITIONS: i64 = 7_777_777_700_000_000;

/// Whose log it is.
pub(crate) const IDENTITY: LogIdentity = LogIdentity { livemode: false, account: None };

/// What a position begins with, and how long it is.
const LOOK: (&[u8], usize) = (b"77777777", 16);

/// Everything that is shown and stored, without positions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) subscriptions: BTreeMap<StripeId, SubscriptionView>,
    pub(crate) payments: BTreeMap<StripeId, PaymentView>,
    pub(crate) histories: BTreeMap<StripeId, Vec<ChangeView>>,
    pub(crate) links: BTreeMap<StripeId, LinkView>,
    /// By customer and part; no empty lists.
    pub(crate) anomalies: BTreeMap<(StripeId, String), Vec<FactAnomaly>>,
    /// The same of prices and products.
    pub(crate) odd_sold: BTreeMap<String, Vec<FactAnomaly>>,
    pub(crate) sold: BTreeMap<String, Sold>,
    /// Which customer an object is tied to.
    pub(crate) ties: BTreeMap<StripeId, StripeId>,
    /// Facts whose customer nobody has told yet.
    pub(crate) waiting: BTreeSet<EventKey>,
    /// The stored state, by unit and part.
    pub(crate) parts: BTreeMap<(Option<StripeId>, String), Vec<u8>>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) shown: Shown,
    /// The place of each event in the log.
    log: HashMap<EventKey, i64>,
    units: HashMap<StripeId, CustomerUnit>,
    tenant: TenantUnit,
    /// All facts about customers, in the order of their arrival.
    facts: Vec<Fact>,
    /// Those of them that wait.
    waiting: Vec<usize>,
    /// Whether a fact gave an object to a smaller customer than had it.
    disagree: bool,
    /// The stored state as it is, with positions, to restore units from.
    stored: HashMap<StripeId, BTreeMap<String, Vec<u8>>>,
    /// The same of what is sold.
    stored_sold: BTreeMap<String, Vec<u8>>,
}

/// A fact about a customer.
#[derive(Debug)]
struct Fact {
    entry: Entry,
    named: Option<StripeId>,
    ties: Vec<StripeId>,
    waits_for: Vec<StripeId>,
}

impl Fact {
    /// The smallest customer that it names, or that one of its objects is tied to.
    fn customer(&self, ties: &BTreeMap<StripeId, StripeId>) -> Option<StripeId> {
        let tied = self.ties.iter().chain(&self.waits_for).filter_map(|object| ties.get(object));
        tied.chain(&self.named).min().cloned()
    }
}

impl Ledger {
    /// The ledger after all of these, taken in at once.
    pub(crate) fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut ledger = Self::default();
        ledger.take_in(entries);
        ledger
    }

    /// Takes in a page of deliveries, and shows what came of it.
    pub(crate) fn take_in<'a>(&mut self, page: impl IntoIterator<Item = &'a Entry>) {
        let mut touched = BTreeSet::new();
        for entry in page {
            match self.log.get(&entry.key).copied() {
                None => self.append(entry, &mut touched),
                // The log keeps repeats away from the units, which wouldn't mind them.
                Some(place) if place % 2 == 0 => self.repeat(at(entry, place), &mut touched),
                Some(_) => {}
            }
        }
        if std::mem::take(&mut self.disagree) {
            self.fold_afresh(&mut touched);
        }
        for customer in touched {
            let unit = self.units.get_mut(&customer).expect("what is touched is there");
            let changes = unit.take_changes();
            self.show(&customer, changes);
        }
        let SoldChanges { parts, anomalies } = self.tenant.take_changes();
        for (name, state) in parts {
            self.shown.parts.insert((None, name.clone()), without_positions(&state));
            self.stored_sold.insert(name, state);
        }
        for (name, anomalies) in anomalies {
            self.shown.odd_sold.remove(&name);
            if !anomalies.is_empty() {
                self.shown.odd_sold.insert(name, anomalies);
            }
        }
    }

    /// Forgets all that isn't stored, as a restart does. What waits is found among the facts, which
    /// the log has, by the ties.
    pub(crate) fn restart(&mut self) {
        let restore = |(customer, parts): (&StripeId, &BTreeMap<String, Vec<u8>>)| {
            let unit = CustomerUnit::restore(customer.clone(), parts.clone());
            (customer.clone(), unit.expect("a stored state"))
        };
        self.units = self.stored.iter().map(restore).collect();
        let sold = TenantUnit::restore(self.stored_sold.clone());
        self.tenant = sold.expect("a stored state");
        let waits = |at: &usize| self.facts[*at].customer(&self.shown.ties).is_none();
        self.waiting = (0..self.facts.len()).filter(waits).collect();
        let waiting = self.waiting.iter().map(|at| self.facts[*at].entry.key.clone());
        assert_eq!(waiting.collect::<BTreeSet<_>>(), self.shown.waiting, "what waits is shown");
    }

    fn append(&mut self, entry: &Entry, touched: &mut BTreeSet<StripeId>) {
        let place = i64::try_from(self.log.len() + 1).expect("few events");
        self.log.insert(entry.key.clone(), place);
        let entry = at(entry, place);
        match route(&entry, &IDENTITY) {
            Route::Tenant => self.sell(&entry),
            Route::Customer { customer, ties, waits_for } => {
                self.facts.push(Fact { entry, named: customer, ties, waits_for });
                self.take(self.facts.len() - 1, touched);
                self.wake(touched);
            }
            Route::Foreign | Route::Nowhere => {}
            other => panic!("{other:?} of a webhook"),
        }
    }

    /// Gives a fact once more to whom it was given.
    fn repeat(&mut self, entry: Entry, touched: &mut BTreeSet<StripeId>) {
        match route(&entry, &IDENTITY) {
            Route::Tenant => self.sell(&entry),
            Route::Customer { customer: named, ties, waits_for } => {
                let fact = Fact { entry, named, ties, waits_for };
                let Some(customer) = fact.customer(&self.shown.ties) else { return };
                let unit = self.units.get_mut(&customer).expect("it has the fact");
                unit.evolve(&fact.entry);
                touched.insert(customer);
            }
            _ => {}
        }
    }

    fn sell(&mut self, entry: &Entry) {
        self.tenant.evolve(entry).into_iter().for_each(|(sold, _)| {
            let name = match &sold {
                Sold::Price(price, _) => format!("price/{}", price.id),
                Sold::Product(product, _) => format!("product/{}", product.id),
            };
            self.shown.sold.insert(name, sold);
        });
    }

    /// Gives a fact to its customer, or lets it wait.
    fn take(&mut self, at: usize, touched: &mut BTreeSet<StripeId>) {
        let fact = &self.facts[at];
        let Some(customer) = fact.customer(&self.shown.ties) else {
            self.shown.waiting.insert(fact.entry.key.clone());
            self.waiting.push(at);
            return;
        };
        for object in &fact.ties {
            let before = self.shown.ties.insert(object.clone(), customer.clone());
            self.disagree |= before.is_some_and(|before| before != customer);
        }
        let unit = self.units.entry(customer.clone());
        unit.or_insert_with(|| CustomerUnit::new(customer.clone())).evolve(&fact.entry);
        touched.insert(customer);
    }

    /// Gives facts to customers that are known now. Each may tell of more objects.
    fn wake(&mut self, touched: &mut BTreeSet<StripeId>) {
        loop {
            let known = |at: &usize| self.facts[*at].customer(&self.shown.ties).is_some();
            let Some(i) = self.waiting.iter().position(known) else { return };
            let at = self.waiting.remove(i);
            self.shown.waiting.remove(&self.facts[at].entry.key);
            self.take(at, touched);
        }
    }

    /// Where facts disagree about whose an object is, it is the smallest customer's that anybody
    /// names, and who loses it never had its facts: everything is folded by who has what in the
    /// end.
    fn fold_afresh(&mut self, touched: &mut BTreeSet<StripeId>) {
        let ties = &mut self.shown.ties;
        loop {
            let mut is_settled = true;
            for fact in &self.facts {
                let Some(customer) = fact.customer(ties) else { continue };
                for object in &fact.ties {
                    let before = ties.insert(object.clone(), customer.clone());
                    is_settled &= before.is_some_and(|before| before == customer);
                }
            }
            if is_settled {
                break;
            }
        }
        let shown = std::mem::take(&mut self.shown);
        let parts = shown.parts.into_iter().filter(|((customer, _), _)| customer.is_none());
        let (parts, ties) = (parts.collect(), shown.ties);
        let (sold, odd_sold) = (shown.sold, shown.odd_sold);
        self.shown = Shown { parts, ties, sold, odd_sold, ..Shown::default() };
        self.units.clear();
        self.stored.clear();
        self.waiting.clear();
        touched.clear();
        for at in 0..self.facts.len() {
            self.take(at, touched);
        }
        self.wake(touched);
        assert!(!self.disagree, "what is settled stays so");
    }

    fn show(&mut self, customer: &StripeId, changes: CustomerChanges) {
        let shown = &mut self.shown;
        for (name, state) in changes.parts {
            let key = (Some(customer.clone()), name.clone());
            shown.parts.insert(key, without_positions(&state));
            self.stored.entry(customer.clone()).or_default().insert(name, state);
        }
        for view in changes.subscriptions {
            shown.subscriptions.insert(view.id.clone(), SubscriptionView { position: 0, ..view });
        }
        for gone in &changes.gone_payments {
            shown.payments.remove(gone);
        }
        for view in changes.payments {
            shown.payments.insert(view.object.clone(), PaymentView { position: 0, ..view });
        }
        for history in changes.histories {
            let steps = shown.histories.entry(history.subscription).or_default();
            steps.retain(|step| !history.seconds.contains(&step.at));
            steps.extend(history.steps.into_iter().map(|step| ChangeView { position: 0, ..step }));
            steps.sort_by_key(|step| (step.at, step.ordinal));
            let place = |step: &ChangeView| (step.at, step.ordinal);
            let follows = |pair: &[ChangeView]| match (place(&pair[0]), place(&pair[1])) {
                ((at, ordinal), (then, next)) if at == then => next == ordinal + 1,
                (_, (_, next)) => next == 0,
            };
            assert!(steps.windows(2).all(follows), "a hole in a history: {steps:?}");
        }
        if let Some(link) = changes.link {
            shown.links.insert(customer.clone(), LinkView { position: 0, ..link });
        }
        for (part, anomalies) in changes.anomalies {
            let key = (customer.clone(), part);
            if anomalies.is_empty() {
                shown.anomalies.remove(&key);
            } else {
                shown.anomalies.insert(key, anomalies);
            }
        }
    }
}

/// An entry as the log has it at a place.
fn at(entry: &Entry, place: i64) -> Entry {
    let (position, recorded_at) = (POSITIONS + place, Timestamp::from_micros(place * SECOND));
    Entry { position, recorded_at, ..entry.clone() }
}

/// Stored bytes with every position replaced.
fn without_positions(state: &[u8]) -> Vec<u8> {
    let (start, length) = LOOK;
    let mut masked = Vec::with_capacity(state.len());
    let mut rest = state;
    while let Some(at) = rest.windows(start.len()).position(|window| window == start) {
        masked.extend_from_slice(&rest[..at]);
        masked.push(b'P');
        rest = &rest[(at + length).min(rest.len())..];
    }
    masked.extend_from_slice(rest);
    masked
}
