//! The state of one Stripe customer: its objects' facts, and which trainer it is.
//!
//! The state is a map of parts, one for each object, so that a fact touches (and a store rewrites)
//! its own object alone. Folding is total, forgets nothing, and gives the same state for every
//! order and repetition of the same facts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::facts::{Facts, OrderAnomaly, Snapshot};
use super::links::{Links, Ties};
use super::view::{ChangeView, LinkView, PaymentView, SubscriptionView};
use crate::event::stripe::{
    Charge, Customer, Dispute, Invoice, InvoicePayment, PaymentIntent, Refund, Reported, Schedule,
    Subscription,
};
use crate::event::{Entry, Event, of_nobody, of_tenant, of_trainer, of_usage};
use crate::id::{StripeId, TrainerId};

/// One object's share of a customer's state.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Part {
    Links(Links),
    Ties(Ties),
    Customer(Facts<Customer>),
    Subscription(Facts<Subscription>),
    Schedule(Facts<Schedule>),
    Invoice(Facts<Invoice>),
    InvoicePayment(Facts<InvoicePayment>),
    PaymentIntent(Facts<PaymentIntent>),
    Charge(Facts<Charge>),
    Refund(Facts<Refund>),
    Dispute(Facts<Dispute>),
}

/// What became of a customer's read models since the last look.
#[derive(Debug, Default)]
pub struct CustomerChanges {
    /// Parts of the state to be stored: their names and bytes.
    pub parts: Vec<(String, Vec<u8>)>,
    /// Subscriptions that may have changed.
    pub subscriptions: Vec<SubscriptionView>,
    /// Objects that money moves with that may have changed.
    pub payments: Vec<PaymentView>,
    /// Rows of payments that turned out to be part of another payment.
    pub gone_payments: Vec<StripeId>,
    /// The whole history of each subscription that may have changed.
    pub histories: Vec<(StripeId, Vec<ChangeView>)>,
    /// Which trainer it is, if that may have changed.
    pub link: Option<LinkView>,
    /// For each object that was touched, what a person should look at; an empty list clears it.
    pub anomalies: Vec<(String, Vec<OrderAnomaly>)>,
}

/// The state of one Stripe customer.
#[derive(Debug, Clone)]
pub struct CustomerUnit {
    pub(super) customer: StripeId,
    pub(super) parts: BTreeMap<String, Part>,
    touched: BTreeSet<String>,
    /// Payments whose rows depend on what was learnt of them.
    touched_payments: BTreeSet<StripeId>,
    owners_changed: bool,
    /// The stored bytes of each part.
    sizes: BTreeMap<String, usize>,
}

/// A part's name: the kind, and the object's id.
pub(super) fn part_name(kind: &str, id: &StripeId) -> String {
    format!("{kind}/{id}")
}

/// Bytes that a unit without parts takes in memory, about.
const BARE_WEIGHT: usize = 256;

/// How much more a part takes in memory than its stored bytes, about.
const PART_OVERHEAD: usize = 3;

impl CustomerUnit {
    /// The state before any fact.
    #[must_use]
    pub fn new(customer: StripeId) -> Self {
        Self {
            customer,
            parts: BTreeMap::new(),
            touched: BTreeSet::new(),
            touched_payments: BTreeSet::new(),
            owners_changed: false,
            sizes: BTreeMap::new(),
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
        for (name, bytes) in parts {
            unit.sizes.insert(name.clone(), bytes.len());
            unit.parts.insert(name, serde_json::from_slice(&bytes)?);
        }
        Ok(unit)
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        BARE_WEIGHT + PART_OVERHEAD * self.sizes.values().sum::<usize>()
    }

    /// Adds a fact. Facts that don't concern a customer's state change nothing.
    pub fn evolve(&mut self, entry: &Entry) {
        let owners = self.owners();
        match &entry.event {
            Event::CustomerLinked(e) => {
                self.links().claim(&e.trainer, entry.occurred_at, &entry.key, entry.position);
            }
            Event::CheckoutSessionReported(e) => {
                let session = &e.snapshot;
                let named = session.client_reference_id.clone();
                self.claim(named.or_else(|| trainer_in(&session.metadata)), entry);
            }
            Event::CustomerReported(e) => {
                self.claim(trainer_in(&e.snapshot.metadata), entry);
                self.insert("customer", &e.snapshot.id, entry, e, Part::Customer);
            }
            Event::SubscriptionReported(e) => {
                self.insert("subscription", &e.snapshot.id, entry, e, Part::Subscription);
            }
            Event::ScheduleReported(e) => {
                self.insert("schedule", &e.snapshot.id, entry, e, Part::Schedule);
            }
            Event::InvoiceReported(e) => {
                // The preview of an upcoming invoice is of no object yet.
                if let Some(id) = &e.snapshot.id {
                    self.insert("invoice", id, entry, e, Part::Invoice);
                    self.learn(|ties| ties.learn_invoice(id, &e.snapshot));
                }
            }
            Event::InvoicePaymentReported(e) => {
                self.insert("invoice_payment", &e.snapshot.id, entry, e, Part::InvoicePayment);
                self.learn(|ties| ties.learn_invoice_payment(&e.snapshot));
            }
            Event::PaymentIntentReported(e) => {
                self.insert("payment_intent", &e.snapshot.id, entry, e, Part::PaymentIntent);
                self.learn(|ties| ties.learn_payment_intent(&e.snapshot));
            }
            Event::ChargeReported(e) => {
                self.insert("charge", &e.snapshot.id, entry, e, Part::Charge);
                self.learn(|ties| ties.learn_charge(&e.snapshot));
            }
            Event::RefundReported(e) => {
                self.insert("refund", &e.snapshot.id, entry, e, Part::Refund);
            }
            Event::DisputeReported(e) => {
                self.insert("dispute", &e.snapshot.id, entry, e, Part::Dispute);
            }
            of_tenant!() | of_trainer!() | of_usage!() | of_nobody!() => {}
        }
        self.owners_changed |= owners != self.owners();
    }

    /// The positions of all facts in this state, in no particular order.
    pub fn positions(&self) -> impl Iterator<Item = i64> {
        self.parts.values().flat_map(Part::positions)
    }

    /// What is to be stored and shown since the last call.
    #[must_use]
    pub fn take_changes(&mut self) -> CustomerChanges {
        let touched = std::mem::take(&mut self.touched);
        let mut changes = CustomerChanges::default();
        for name in &touched {
            let bytes = serde_json::to_vec(&self.parts[name]).expect("parts have text keys");
            self.sizes.insert(name.clone(), bytes.len());
            changes.parts.push((name.clone(), bytes));
            if let Some(anomalies) = self.parts[name].anomalies() {
                changes.anomalies.push((name.clone(), anomalies));
            }
        }
        let payments = std::mem::take(&mut self.touched_payments);
        changes.gone_payments = self.merged_charges(&payments);
        let shown = if std::mem::take(&mut self.owners_changed) {
            self.parts.keys().cloned().collect()
        } else {
            self.affected(touched, payments)
        };
        for name in &shown {
            match &self.parts[name] {
                Part::Subscription(facts) => {
                    changes.subscriptions.extend(self.subscription_view(facts));
                    changes.histories.extend(self.history(facts));
                }
                Part::Invoice(facts) => changes.payments.extend(self.invoice_view(facts)),
                Part::PaymentIntent(_) | Part::Charge(_) => {
                    changes.payments.extend(self.payment_view(name));
                }
                Part::Refund(facts) => changes.payments.extend(self.refund_view(facts)),
                Part::Dispute(facts) => changes.payments.extend(self.dispute_view(facts)),
                Part::Links(links) => changes.link = links.view(&self.customer),
                Part::Ties(_) | Part::Customer(_) | Part::Schedule(_) | Part::InvoicePayment(_) => {
                }
            }
        }
        // A payment intent and its charge give one row.
        changes.payments.sort_by(|a, b| a.object.cmp(&b.object));
        changes.payments.dedup_by(|a, b| a.object == b.object);
        changes
    }

    fn claim(&mut self, trainer: Option<TrainerId>, entry: &Entry) {
        if let Some(trainer) = trainer {
            self.links().claim(&trainer, entry.occurred_at, &entry.key, entry.position);
        }
    }

    fn links(&mut self) -> &mut Links {
        self.touched.insert("links".into());
        let part = self.parts.entry("links".into());
        let part = part.or_insert_with(|| Part::Links(Links::default()));
        let Part::Links(links) = part else {
            unreachable!("the part named links holds links");
        };
        links
    }

    fn learn(&mut self, learn: impl FnOnce(&mut Ties) -> Vec<StripeId>) {
        let part = self.parts.entry("ties".into());
        let part = part.or_insert_with(|| Part::Ties(Ties::default()));
        let Part::Ties(ties) = part else {
            unreachable!("the part named ties holds ties");
        };
        let news = learn(ties);
        if !news.is_empty() {
            self.touched.insert("ties".into());
            self.touched_payments.extend(news);
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
        let at = entry.occurred_at.unix();
        if facts.insert(at, &entry.key, entry.position, reported) {
            self.touched.insert(name);
        }
    }
}

/// The facts of one kind within a part.
pub(super) trait PartOf: Sized {
    fn of(part: &mut Part) -> Option<&mut Self>;
}

macro_rules! part_of {
    ($($kind:ident)*) => {
        $(impl PartOf for Facts<$kind> {
            fn of(part: &mut Part) -> Option<&mut Self> {
                match part { Part::$kind(facts) => Some(facts), _ => None }
            }
        })*

        impl Part {
            fn positions(&self) -> Vec<i64> {
                match self {
                    $(Self::$kind(facts) => facts.all().iter().map(|f| f.position).collect(),)*
                    Self::Links(links) => links.positions(),
                    Self::Ties(_) => Vec::new(),
                }
            }

            fn anomalies(&self) -> Option<Vec<OrderAnomaly>> {
                match self {
                    $(Self::$kind(facts) => Some(facts.anomalies()),)*
                    Self::Links(_) | Self::Ties(_) => None,
                }
            }
        }
    };
}

part_of! {
    Customer Subscription Schedule Invoice InvoicePayment PaymentIntent Charge Refund Dispute
}

/// The trainer that an object's metadata names.
pub(super) fn trainer_in(metadata: &crate::event::stripe::KeptMetadata) -> Option<TrainerId> {
    metadata.get("trainer_id").and_then(|id| TrainerId::try_new(id).ok())
}
