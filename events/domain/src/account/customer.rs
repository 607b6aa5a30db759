//! The state of one Stripe customer: its objects' facts, and which trainer it is.
//!
//! The state is a map of parts, one for each object, so that a fact touches (and a store rewrites)
//! its own object alone. Folding is total, forgets nothing, and gives the same state for every
//! order and repetition of the same facts.

use std::collections::{BTreeMap, BTreeSet};

use super::anomaly::FactAnomaly;
use super::chunks::group;
use super::facts::{ALWAYS, Facts, News, Snapshot};
use super::history::History;
use super::index::Index;
use super::links::{Acts, Words};
use super::part::{LINKS, Part, PartOf, part_name};
use super::view::{LinkView, PaymentView, SubscriptionView};
use crate::event::stripe::{CheckoutSession, Customer, Reported};
use crate::event::{Entry, Event, of_nobody, of_tenant, of_trainer, of_usage};
use crate::id::{StripeId, TrainerId};
use crate::time::Timestamp;

/// What became of a customer's read models since the last look.
#[derive(Debug, Default)]
pub struct CustomerChanges {
    /// Parts of the state to be stored: their names and bytes.
    pub parts: Vec<(String, Vec<u8>)>,
    /// Parts that are no more.
    pub gone_parts: Vec<String>,
    /// Subscriptions that may have changed.
    pub subscriptions: Vec<SubscriptionView>,
    /// Objects that money moves with that may have changed.
    pub payments: Vec<PaymentView>,
    /// Subscriptions that turned out to be another customer's.
    pub gone_subscriptions: Vec<StripeId>,
    /// Rows of payments that turned out to be part of another payment, or another customer's.
    pub gone_payments: Vec<StripeId>,
    /// What became of each subscription's history that may have changed.
    pub histories: Vec<History>,
    /// Which trainer it is, if that may have changed.
    pub link: Option<LinkView>,
    /// Whether nothing says any more which trainer it is.
    pub gone_link: bool,
    /// What a person should look at, for each object where something was or is; an empty list
    /// clears it.
    pub anomalies: Vec<(String, Vec<FactAnomaly>)>,
}

/// The state of one Stripe customer.
#[derive(Debug, Clone)]
pub struct CustomerUnit {
    pub(super) customer: StripeId,
    pub(super) parts: BTreeMap<String, Part>,
    pub(super) index: Index,
    touched: BTreeSet<String>,
    /// Payments whose rows depend on what was learnt of them.
    touched_payments: BTreeSet<StripeId>,
    /// Subscriptions that a schedule or an invoice was about and is no more.
    let_go: BTreeSet<StripeId>,
    /// Subscriptions that have another owner than at the last look.
    moved: BTreeSet<StripeId>,
    /// Whether everything that no subscription gives an owner has another one.
    all_moved: bool,
    /// The stored bytes of each part, and of all.
    sizes: BTreeMap<String, usize>,
    size: usize,
}

/// What its anomalies are about: the part named `customer` is another one.
const LINK_SUBJECT: &str = "customer_link";

/// Bytes that a unit without parts takes in memory, about.
const BARE_WEIGHT: usize = 512;

/// What names and looks up a part takes in memory, about.
const PART_WEIGHT: usize = 512;

/// How much more a part takes in memory than its stored bytes, about.
const PART_OVERHEAD: usize = 3;

impl CustomerUnit {
    /// The state before any fact.
    #[must_use]
    pub fn new(customer: StripeId) -> Self {
        Self {
            customer,
            parts: BTreeMap::new(),
            index: Index::default(),
            touched: BTreeSet::new(),
            touched_payments: BTreeSet::new(),
            let_go: BTreeSet::new(),
            moved: BTreeSet::new(),
            all_moved: false,
            sizes: BTreeMap::new(),
            size: 0,
        }
    }

    /// The state from its stored parts.
    ///
    /// # Errors
    /// If a part wasn't stored by this version of the program.
    pub fn restore(
        customer: StripeId,
        parts: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> serde_json::Result<Self> {
        let mut unit = Self::new(customer);
        let parts = parts.into_iter().inspect(|(name, bytes)| unit.resize(name, bytes.len()));
        for (name, (head, earlier)) in group(parts) {
            let part = Part::restore(&name, &head, &earlier)?;
            unit.index.update(&name, &part);
            for tie in part.ties() {
                unit.index.ties.learn(tie);
            }
            if let Part::Customer(facts) = &part {
                for fact in facts.all() {
                    unit.index.metadata.add(fact);
                }
            }
            unit.parts.insert(name, part);
        }
        Ok(unit)
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        BARE_WEIGHT + PART_WEIGHT * self.sizes.len() + PART_OVERHEAD * self.size
    }

    fn resize(&mut self, part: &str, bytes: usize) {
        let before = self.sizes.insert(part.to_owned(), bytes).unwrap_or(0);
        self.size = self.size + bytes - before;
    }

    /// Adds a fact. Facts that don't concern a customer's state change nothing.
    pub fn evolve(&mut self, entry: &Entry) {
        let owners = (self.linked_trainer().cloned(), self.customers_trainer().cloned());
        match &entry.event {
            Event::CheckoutSessionReported(e) => self.insert_session(entry, e),
            Event::CustomerLinked(e) => self.claim(&e.trainer, entry),
            Event::CustomerReported(e) => self.insert_customer(entry, e),
            Event::SubscriptionReported(e) => {
                let id = &e.snapshot.id;
                let owner = self.owner_of(id);
                self.insert("subscription", id, entry, e, Part::Subscription);
                if self.owner_of(id) != owner {
                    self.moved.insert(id.clone());
                }
            }
            Event::ScheduleReported(e) => {
                self.insert("schedule", &e.snapshot.id, entry, e, Part::Schedule);
            }
            Event::InvoiceReported(e) => {
                // The preview of an upcoming invoice is of no object yet.
                if let Some(id) = &e.snapshot.id {
                    self.insert("invoice", id, entry, e, Part::Invoice);
                }
            }
            Event::InvoicePaymentReported(e) => {
                self.insert("invoice_payment", &e.snapshot.id, entry, e, Part::InvoicePayment);
            }
            Event::PaymentIntentReported(e) => {
                self.insert("payment_intent", &e.snapshot.id, entry, e, Part::PaymentIntent);
            }
            Event::ChargeReported(e) => {
                self.insert("charge", &e.snapshot.id, entry, e, Part::Charge);
            }
            Event::RefundReported(e) => {
                self.insert("refund", &e.snapshot.id, entry, e, Part::Refund);
            }
            Event::DisputeReported(e) => {
                self.insert("dispute", &e.snapshot.id, entry, e, Part::Dispute);
            }
            of_tenant!() | of_trainer!() | of_usage!() | of_nobody!() => {}
        }
        let (linked, customers) = owners;
        if linked.as_ref() != self.linked_trainer() {
            // Also a fact that names nobody may have changed the order of those that do.
            self.touched.insert(LINKS.into());
            self.all_moved = true;
        }
        self.all_moved |= customers.as_ref() != self.customers_trainer();
    }

    /// The positions of all facts that made this state, in no particular order, some of them more
    /// than once.
    pub fn positions(&self) -> impl Iterator<Item = i64> {
        self.parts.values().flat_map(Part::positions)
    }

    /// Lets the next changes tell everything that is shown: another unit may have taken it away.
    pub const fn show_again(&mut self) {
        self.all_moved = true;
    }

    /// What is to be stored and shown since the last call.
    #[must_use]
    pub fn take_changes(&mut self) -> CustomerChanges {
        let touched = std::mem::take(&mut self.touched);
        let payments = std::mem::take(&mut self.touched_payments);
        let let_go = std::mem::take(&mut self.let_go);
        let moved = std::mem::take(&mut self.moved);
        let all_moved = std::mem::take(&mut self.all_moved);
        let mut changes = CustomerChanges::default();
        let mut changed = BTreeMap::new();
        let linked = self.linked_trainer().cloned();
        for name in &touched {
            let part = self.parts.get_mut(name).expect("what is touched is there");
            let parts = part.take_parts(name);
            let News { seconds, anomalies } = part.take_news(&self.index, linked.as_ref());
            for (part, bytes) in &parts {
                self.resize(part, bytes.len());
            }
            changes.parts.extend(parts);
            let subject = self.subject(name);
            changes.anomalies.extend(anomalies.map(|anomalies| (subject, anomalies)));
            changed.insert(name.as_str(), seconds);
        }
        self.add_missing_ends(&touched, &mut changes);
        changes.gone_payments = self.gone(&payments);
        let shown = if all_moved {
            self.parts.keys().cloned().collect()
        } else {
            self.affected(&touched, payments, (&let_go, &moved))
        };
        for name in &shown {
            if let Part::Subscription(facts) = &self.parts[name]
                && let Some((_, subscription)) = facts.current()
            {
                let is_moved = all_moved || moved.contains(&subscription.id);
                let seconds = if is_moved { Some(&ALWAYS) } else { changed.get(name.as_str()) };
                changes.histories.extend(seconds.and_then(|s| self.history(facts, s)));
            }
            self.show(name, &mut changes);
        }
        // A payment intent and its charge give one row.
        changes.payments.sort_by(|a, b| a.object.cmp(&b.object));
        changes.payments.dedup_by(|a, b| a.object == b.object);
        changes
    }

    /// What is to be stored and shown of a state that was folded from the first fact again, where
    /// another state is stored and shown.
    #[must_use]
    pub fn take_changes_since(&mut self, before: &Self) -> CustomerChanges {
        let mut changes = self.take_changes();
        for history in &mut changes.histories {
            // Facts that are no more may have lain outside what those that are left tell of.
            history.seconds = Timestamp::MIN..=Timestamp::MAX;
        }
        let is_gone = |part: &&String| !self.sizes.contains_key(*part);
        changes.gone_parts = before.sizes.keys().filter(is_gone).cloned().collect();
        let (shown, now) = (before.everything(), self.everything());
        for id in shown.subscriptions.iter().map(|view| &view.id) {
            if !now.subscriptions.iter().any(|view| view.id == *id) {
                changes.gone_subscriptions.push(id.clone());
            }
        }
        for object in shown.payments.iter().map(|view| &view.object) {
            if !now.payments.iter().any(|view| view.object == *object) {
                changes.gone_payments.push(object.clone());
            }
        }
        changes.gone_link = shown.link.is_some() && now.link.is_none();
        for subject in before.parts.keys().map(|name| before.subject(name)) {
            if !changes.anomalies.iter().any(|(known, _)| *known == subject) {
                changes.anomalies.push((subject, Vec::new()));
            }
        }
        changes
    }

    /// What the anomalies of a part are about.
    fn subject(&self, part: &str) -> String {
        match part {
            LINKS => part_name(LINK_SUBJECT, &self.customer),
            object => object.to_owned(),
        }
    }

    /// All that the state shows.
    fn everything(&self) -> CustomerChanges {
        let mut all = CustomerChanges::default();
        for name in self.parts.keys() {
            self.show(name, &mut all);
        }
        all
    }

    /// Whose state it is.
    #[must_use]
    pub const fn customer(&self) -> &StripeId {
        &self.customer
    }

    /// What a part shows.
    fn show(&self, name: &str, changes: &mut CustomerChanges) {
        match &self.parts[name] {
            Part::Subscription(facts) => {
                changes.subscriptions.extend(self.subscription_view(facts));
            }
            Part::Invoice(facts) => changes.payments.extend(self.invoice_view(facts)),
            Part::PaymentIntent(_) | Part::Charge(_) => {
                changes.payments.extend(self.payment_view(name));
            }
            Part::Refund(facts) => changes.payments.extend(self.refund_view(name, facts)),
            Part::Dispute(facts) => changes.payments.extend(self.dispute_view(name, facts)),
            Part::Links(acts) => {
                let view = |trainer| self.words(acts).view(&self.customer, trainer);
                changes.link = self.linked_trainer().and_then(view);
            }
            Part::Customer(_)
            | Part::Schedule(_)
            | Part::InvoicePayment(_)
            | Part::CheckoutSession(_) => {}
        }
    }

    /// The part that shows who the customer is, whoever says so.
    fn acts(&mut self) -> &mut Acts {
        let part = self.parts.entry(LINKS.into());
        match part.or_insert_with(|| Part::Links(Acts::default())) {
            Part::Links(acts) => acts,
            _ => unreachable!("the part named links holds links"),
        }
    }

    fn words<'a>(&'a self, acts: &'a Acts) -> Words<'a> {
        Words { acts, sessions: &self.index.sessions, metadata: &self.index.metadata }
    }

    fn claim(&mut self, trainer: &TrainerId, entry: &Entry) {
        if self.acts().add(trainer, entry) {
            self.touched.insert(LINKS.into());
        }
    }

    fn insert_session(&mut self, entry: &Entry, reported: &Reported<CheckoutSession>) {
        let id = &reported.snapshot.id;
        let name = part_name("checkout_session", id);
        let before = self.index.claim(&name).cloned();
        self.insert("checkout_session", id, entry, reported, Part::CheckoutSession);
        if self.index.claim(&name) != before.as_ref() {
            self.acts();
            self.touched.insert(LINKS.into());
        }
    }

    fn insert_customer(&mut self, entry: &Entry, reported: &Reported<Customer>) {
        let id = &reported.snapshot.id;
        self.insert("customer", id, entry, reported, Part::Customer);
        if let Some(Part::Customer(facts)) = self.parts.get(&part_name("customer", id)) {
            let mut second = facts.of_second(entry.occurred_at.unix()).iter();
            let fact = second.find(|fact| fact.key == entry.key);
            if fact.is_some_and(|fact| self.index.metadata.add(fact)) {
                self.acts();
                self.touched.insert(LINKS.into());
            }
        }
    }

    fn insert<S: Snapshot>(
        &mut self,
        kind: &str,
        id: &StripeId,
        entry: &Entry,
        reported: &Reported<S>,
        wrap: fn(Facts<S>) -> Part,
    ) where
        Facts<S>: PartOf,
    {
        let name = part_name(kind, id);
        let part = self.parts.entry(name.clone()).or_insert_with(|| wrap(Facts::default()));
        let facts = Facts::<S>::of(part).expect("a part's name tells its kind");
        let place = (entry.occurred_at.unix(), &entry.key, entry.position);
        if !facts.insert(Some(&self.customer), place, reported) {
            return;
        }
        let payment = self.index.payment_of(&name).cloned();
        if let Some(before) = self.index.update(&name, part) {
            self.let_go.extend(before.subscriptions);
            self.touched_payments.extend(payment);
        }
        for tie in reported.snapshot.ties() {
            self.touched_payments.extend(self.index.ties.learn(&tie));
        }
        self.touched.insert(name);
    }

    /// The trainer that the customer is linked to.
    pub(super) fn linked_trainer(&self) -> Option<&TrainerId> {
        match self.parts.get(LINKS) {
            Some(Part::Links(acts)) => {
                self.words(acts).trainer(|at, among| self.named_last(at, among))
            }
            _ => None,
        }
    }

    /// The trainer, one of some, that the last of a second's facts about the customer itself names.
    fn named_last(&self, at: Timestamp, among: &[&TrainerId]) -> Option<&TrainerId> {
        let Some(Part::Customer(facts)) = self.parts.get(&part_name("customer", &self.customer))
        else {
            return None;
        };
        let facts = facts.of_second(at.unix()).iter().rev();
        facts.filter_map(|fact| fact.brief.trainer.as_ref()).find(|named| among.contains(named))
    }
}
