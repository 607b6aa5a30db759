//! Which trainer a customer is, and which of its objects belong together.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::anomaly::FactAnomaly;
use super::compared::{Earlier, earlier};
use super::snapshots::trainer_in;
use super::view::LinkView;
use crate::event::stripe::{
    Charge, Customer, Invoice, InvoicePayment, PaidBy, PaymentIntent, Reported,
};
use crate::event::{Entry, Event, of_nobody, of_tenant, of_trainer, of_usage};
use crate::id::{EventKey, StripeId, TrainerId};
use crate::time::Timestamp;

/// The trainer that an event says its customer is, if it is an event that links customers.
#[must_use]
pub fn linked_trainer(event: &Event) -> Option<TrainerId> {
    match event {
        Event::CustomerLinked(e) => Some(e.trainer.clone()),
        Event::CheckoutSessionReported(e) => {
            let session = &e.snapshot;
            session.client_reference_id.clone().or_else(|| trainer_in(&session.metadata))
        }
        Event::CustomerReported(e) => trainer_in(&e.snapshot.metadata),
        Event::SubscriptionReported(_)
        | Event::ScheduleReported(_)
        | Event::InvoiceReported(_)
        | Event::InvoicePaymentReported(_)
        | Event::PaymentIntentReported(_)
        | Event::ChargeReported(_)
        | Event::RefundReported(_)
        | Event::DisputeReported(_) => None,
        of_tenant!() | of_trainer!() | of_usage!() | of_nobody!() => None,
    }
}

/// What says which trainer a customer is. Of one instant, the last kind counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ClaimKind {
    Session,
    Customer,
    Administrator,
}

/// One event that says which trainer a customer is. The greatest claim of all counts: the latest of
/// those made anew, else the latest that restates one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Claim {
    /// Whether the event begins to say so, and doesn't only say it still.
    is_anew: bool,
    at: Timestamp,
    kind: ClaimKind,
    key: EventKey,
    position: i64,
}

/// Whether a fact about a customer says who it is as it was said before, and not anew. Stripe tells
/// a customer's metadata with whatever else changes, and with its deletion.
fn restates(reported: &Reported<Customer>) -> bool {
    let named = trainer_in(&reported.snapshot.metadata);
    reported.cause == "deleted"
        || matches!(earlier(reported), Earlier::Object(was) if trainer_in(&was.metadata) == named)
}

impl Claim {
    fn new(entry: &Entry) -> Self {
        let (kind, is_anew) = match &entry.event {
            // A session is completed before a delayed payment of it succeeds or fails.
            Event::CheckoutSessionReported(e) => {
                (ClaimKind::Session, !e.cause.as_str().starts_with("async_payment_"))
            }
            Event::CustomerReported(e) => (ClaimKind::Customer, !restates(e)),
            _ => (ClaimKind::Administrator, true),
        };
        let (at, key) = (entry.occurred_at, entry.key.clone());
        Self { is_anew, at, kind, key, position: entry.position }
    }

    /// What tells which claim a trainer's history begins with: that of the earliest event.
    fn came_before(&self, other: &Self) -> bool {
        (self.at, self.kind, &self.key) < (other.at, other.kind, &other.key)
    }

    /// Whether two claims are facts about the customer in one second, of equal weight: those have
    /// an order of their own.
    fn is_beside(&self, other: &Self) -> bool {
        let kinds = (self.kind, other.kind);
        kinds == (ClaimKind::Customer, ClaimKind::Customer)
            && (self.is_anew, self.at) == (other.is_anew, other.at)
    }
}

/// What events say of the trainer that a customer is: for each trainer, the earliest event that
/// says so and the one that counts most. The latest says who it is, but for what only says so
/// still; of a second's facts about the customer itself, the one that is last in their own order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Links {
    claims: BTreeMap<TrainerId, (Claim, Claim)>,
    /// The positions of administrators' acts, which are few. Sessions and facts about the customer
    /// are parts of their own; of an act that was the last word, and becomes it again because a
    /// session turns out to be another customer's, nothing else is left.
    acts: BTreeSet<i64>,
}

impl Links {
    /// Adds a claim, and tells whether that changed anything.
    pub(super) fn claim(&mut self, trainer: &TrainerId, entry: &Entry) -> bool {
        let claim = Claim::new(entry);
        let is_new = claim.kind == ClaimKind::Administrator && self.acts.insert(claim.position);
        let Some((first, last)) = self.claims.get_mut(trainer) else {
            self.claims.insert(trainer.clone(), (claim.clone(), claim));
            return true;
        };
        let (is_first, is_last) = (claim.came_before(first), claim > *last);
        if is_first {
            first.clone_from(&claim);
        }
        if is_last {
            *last = claim;
        }
        is_new || is_first || is_last
    }

    /// The trainer that the customer is. `named` tells which one of some the last fact about the
    /// customer in a second names.
    pub(super) fn trainer<'a>(
        &'a self,
        named: impl FnOnce(Timestamp, &[&TrainerId]) -> Option<&'a TrainerId>,
    ) -> Option<&'a TrainerId> {
        let (trainer, (_, last)) = self.claims.iter().max_by_key(|(_, (_, last))| last)?;
        let beside = self.claims.iter().filter(|(_, (_, other))| other.is_beside(last));
        let beside: Vec<&TrainerId> = beside.map(|(trainer, _)| trainer).collect();
        if beside.len() > 1 {
            return named(last.at, &beside).or(Some(trainer));
        }
        Some(trainer)
    }

    pub(super) fn view(&self, customer: &StripeId, trainer: &TrainerId) -> Option<LinkView> {
        let (first, _) = self.claims.get(trainer)?;
        Some(LinkView {
            customer: customer.clone(),
            trainer: trainer.clone(),
            since: first.at,
            event: first.key.clone(),
            conflicting: self.claims.len() > 1,
            position: self.claimed().max().unwrap_or(0),
        })
    }

    /// Whether events disagree, by the word of another trainer that counts most and the first that
    /// overrules it.
    pub(super) fn anomalies(&self, winner: Option<&TrainerId>) -> Option<Vec<FactAnomaly>> {
        let winner = winner?;
        let others = self.claims.iter().filter(|(trainer, _)| *trainer != winner);
        let overruled = others.map(|(_, (_, last))| last).max()?;
        let (first, last) = self.claims.get(winner)?;
        let event = if first > overruled { first } else { last };
        Some(vec![FactAnomaly::ConflictingLink(event.key.clone(), overruled.key.clone())])
    }

    /// The positions of the events that it rests on.
    pub(super) fn claimed(&self) -> impl Iterator<Item = i64> {
        let ends = self.claims.values().flat_map(|(first, last)| [first.position, last.position]);
        ends.chain(self.acts.iter().copied())
    }
}

/// Which object belongs to which, as a fact tells it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tie {
    /// A payment (an intent, or a charge without one) pays an invoice.
    Pays(StripeId, StripeId),
    /// A charge belongs to a payment intent.
    ChargeOf(StripeId, StripeId),
}

impl Tie {
    /// What an invoice tells.
    pub(super) fn of_invoice(invoice: &Invoice) -> Vec<Self> {
        let pays = |paid: &PaidBy| {
            let payment = paid.payment_intent.as_ref().or(paid.charge.as_ref());
            let charge = charge_of(paid.charge.as_ref(), paid.payment_intent.as_ref());
            [pays(payment, invoice.id.as_ref()), charge]
        };
        invoice.payments.iter().flat_map(pays).flatten().collect()
    }

    /// What an invoice's payment tells.
    pub(super) fn of_invoice_payment(paid: &InvoicePayment) -> Vec<Self> {
        let payment = paid.payment_intent.as_ref().or(paid.charge.as_ref());
        let charge = charge_of(paid.charge.as_ref(), paid.payment_intent.as_ref());
        pays(payment, Some(&paid.invoice)).into_iter().chain(charge).collect()
    }

    /// What a payment intent tells.
    pub(super) fn of_payment_intent(payment: &PaymentIntent) -> Vec<Self> {
        let charge = charge_of(payment.latest_charge.as_ref(), Some(&payment.id));
        pays(Some(&payment.id), payment.invoice.as_ref()).into_iter().chain(charge).collect()
    }

    /// What a charge tells.
    pub(super) fn of_charge(charge: &Charge) -> Vec<Self> {
        let payment = charge.payment_intent.as_ref().unwrap_or(&charge.id);
        let of = charge_of(Some(&charge.id), charge.payment_intent.as_ref());
        pays(Some(payment), charge.invoice.as_ref()).into_iter().chain(of).collect()
    }
}

fn pays(payment: Option<&StripeId>, invoice: Option<&StripeId>) -> Option<Tie> {
    Some(Tie::Pays(payment?.clone(), invoice?.clone()))
}

fn charge_of(charge: Option<&StripeId>, payment: Option<&StripeId>) -> Option<Tie> {
    Some(Tie::ChargeOf(charge?.clone(), payment?.clone()))
}

/// Which payment pays which invoice, and which charge belongs to which payment. Several webhooks
/// tell of it, none of them reliably, so each adds what it knows. Where they disagree the smallest
/// id wins, so that the order of arrival doesn't.
#[derive(Debug, Clone, Default)]
pub(super) struct Ties {
    invoices: Belonging,
    intents: Belonging,
}

impl Ties {
    /// Learns a tie. Tells which payments are concerned if it was news.
    pub(super) fn learn(&mut self, tie: &Tie) -> Vec<StripeId> {
        match tie {
            Tie::Pays(payment, invoice) => match self.invoices.learn(payment, invoice) {
                Some(_) => vec![payment.clone()],
                None => Vec::new(),
            },
            Tie::ChargeOf(charge, payment) => match self.intents.learn(charge, payment) {
                Some(before) => before.into_iter().chain([payment.clone()]).collect(),
                None => Vec::new(),
            },
        }
    }

    pub(super) fn invoice_of(&self, payment: &StripeId) -> Option<&StripeId> {
        self.invoices.whole.get(payment)
    }

    pub(super) fn payments_of(&self, invoice: &StripeId) -> impl Iterator<Item = &StripeId> {
        self.invoices.pieces.get(invoice).into_iter().flatten()
    }

    pub(super) fn payment_of_charge(&self, charge: &StripeId) -> Option<&StripeId> {
        self.intents.whole.get(charge)
    }

    pub(super) fn charges_of(&self, payment: &StripeId) -> impl Iterator<Item = &StripeId> {
        self.intents.pieces.get(payment).into_iter().flatten()
    }
}

/// Pieces that belong to a whole each, looked up from both ends.
#[derive(Debug, Clone, Default)]
struct Belonging {
    whole: BTreeMap<StripeId, StripeId>,
    pieces: BTreeMap<StripeId, BTreeSet<StripeId>>,
}

impl Belonging {
    /// Some = it was news, with the whole that the piece belonged to before.
    fn learn(&mut self, piece: &StripeId, whole: &StripeId) -> Option<Option<StripeId>> {
        let before = self.whole.get(piece).cloned();
        if before.as_ref().is_some_and(|before| before <= whole) {
            return None;
        }
        if let Some(pieces) = before.as_ref().and_then(|before| self.pieces.get_mut(before)) {
            pieces.remove(piece);
        }
        self.whole.insert(piece.clone(), whole.clone());
        self.pieces.entry(whole.clone()).or_default().insert(piece.clone());
        Some(before)
    }
}
