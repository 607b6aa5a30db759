//! Which trainer a customer is, and which of its objects belong together.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::anomaly::FactAnomaly;
use super::compared::{Earlier, earlier};
use super::facts::Facts;
use super::landmarks::Mark;
use super::sessions::session_trainer;
use super::snapshots::trainer_in;
use super::view::LinkView;
use crate::event::stripe::{
    Charge, CheckoutSession, Customer, Invoice, InvoicePayment, PaidBy, PaymentIntent, Reported,
};
use crate::event::{Entry, Event, of_nobody, of_tenant, of_trainer, of_usage};
use crate::id::{EventKey, StripeId, TrainerId};
use crate::time::Timestamp;

/// The trainer that an event says its customer is, if it is an event that links customers.
#[must_use]
pub fn linked_trainer(event: &Event) -> Option<TrainerId> {
    match event {
        Event::CustomerLinked(e) => Some(e.trainer.clone()),
        Event::CheckoutSessionReported(e) => session_trainer(&e.snapshot),
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

/// One event that says which trainer a customer is. What is said anew weighs more than what only
/// says so still, and then what is later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Claim {
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
    /// What an administrator's act says, or a fact about the customer.
    fn new(entry: &Entry) -> Self {
        let (kind, is_anew) = match &entry.event {
            Event::CustomerReported(e) => (ClaimKind::Customer, !restates(e)),
            _ => (ClaimKind::Administrator, true),
        };
        let (at, key) = (entry.occurred_at, entry.key.clone());
        Self { is_anew, at, kind, key, position: entry.position }
    }

    /// What a session says, and of whom. Who completes a session says who they are, once: that
    /// event may come twice, the second time with a later instant. A delayed payment of it succeeds
    /// or fails afterwards, and nobody says anything when it runs out.
    pub(super) fn of_session(facts: &Facts<CheckoutSession>) -> Option<(TrainerId, Self)> {
        let completed = facts.first(Mark::Completed);
        let fact = &facts.all()[completed.or_else(|| facts.first(Mark::Names))?];
        let (at, key) = (Timestamp::from_unix(fact.at), fact.key.clone());
        let is_anew = completed.is_some();
        let claim = Self { is_anew, at, kind: ClaimKind::Session, key, position: fact.position };
        Some((fact.brief.trainer.clone()?, claim))
    }

    /// What tells which claim a trainer's history begins with: that of the earliest event.
    const fn by_age(&self) -> (Timestamp, ClaimKind, &EventKey) {
        (self.at, self.kind, &self.key)
    }

    fn came_before(&self, other: &Self) -> bool {
        self.by_age() < other.by_age()
    }
}

/// What administrators' acts and facts about the customer say of one trainer: those that count.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Said {
    /// The earliest of all.
    first: Claim,
    /// The last act.
    act: Option<Claim>,
    /// The last fact about the customer that says so anew.
    began: Option<Claim>,
    /// The last fact about the customer that says so.
    repeated: Option<Claim>,
}

impl Said {
    const fn new(first: Claim) -> Self {
        Self { first, act: None, began: None, repeated: None }
    }

    /// Takes a claim in, and tells whether that changed anything.
    fn take_in(&mut self, claim: &Claim) -> bool {
        let is_first = claim.came_before(&self.first);
        if is_first {
            self.first.clone_from(claim);
        }
        if claim.kind != ClaimKind::Customer {
            return keep(&mut self.act, claim, Claim::lt) || is_first;
        }
        let begins = claim.is_anew && keep(&mut self.began, claim, Claim::came_before);
        keep(&mut self.repeated, claim, Claim::came_before) || begins || is_first
    }

    fn claims(&self) -> impl Iterator<Item = &Claim> {
        let kept = [&self.act, &self.began, &self.repeated];
        kept.into_iter().flatten().chain([&self.first])
    }
}

/// Keeps a claim in the place of one that it outdoes, and tells whether it does.
fn keep(kept: &mut Option<Claim>, claim: &Claim, is_outdone: fn(&Claim, &Claim) -> bool) -> bool {
    let is_news = kept.as_ref().is_none_or(|kept| is_outdone(kept, claim));
    if is_news {
        *kept = Some(claim.clone());
    }
    is_news
}

/// What sessions say, one claim each, by trainer: what is only said still, and what is said anew.
/// It follows from the sessions' own parts and is never stored.
#[derive(Debug, Clone, Default)]
pub(super) struct Sessions(BTreeMap<TrainerId, [BTreeSet<Claim>; 2]>);

impl Sessions {
    pub(super) fn add(&mut self, (trainer, claim): &(TrainerId, Claim)) {
        let said = self.0.entry(trainer.clone()).or_default();
        said[usize::from(claim.is_anew)].insert(claim.clone());
    }

    pub(super) fn remove(&mut self, (trainer, claim): &(TrainerId, Claim)) {
        if let Some(said) = self.0.get_mut(trainer) {
            said[usize::from(claim.is_anew)].remove(claim);
            if said.iter().all(BTreeSet::is_empty) {
                self.0.remove(trainer);
            }
        }
    }

    /// The first claim and the last one, of what is said still and of what is said anew.
    fn ends(&self, trainer: &TrainerId) -> impl Iterator<Item = &Claim> {
        let said = self.0.get(trainer).into_iter().flatten();
        said.flat_map(|claims| claims.first().into_iter().chain(claims.last()))
    }
}

/// Which trainer a customer is, by what events say.
///
/// There are sessions and administrators, each of which is a word of its own, and there are the
/// customer's metadata, which are told again with everything that happens to the customer. The
/// word of the metadata is the last one, as old as the fact that began to say so. If that one is
/// missing, they began after the last fact that names somebody else; if there is none either, then
/// nobody knows when, and any session's or administrator's word counts more. The latest word
/// counts; of a second's facts about the customer, the one that is last in their own order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Links {
    said: BTreeMap<TrainerId, Said>,
    /// The positions of administrators' acts, which are few. Facts about the customer are a part of
    /// their own, as sessions are; of an act that was the last word, and becomes it again because
    /// a session turns out to be another customer's, nothing else is left.
    acts: BTreeSet<i64>,
}

impl Links {
    /// Adds an administrator's act or a fact about the customer, and tells whether that changed
    /// anything.
    pub(super) fn claim(&mut self, trainer: &TrainerId, entry: &Entry) -> bool {
        let claim = Claim::new(entry);
        let is_act = claim.kind == ClaimKind::Administrator && self.acts.insert(claim.position);
        let is_new = !self.said.contains_key(trainer);
        let said = self.said.entry(trainer.clone()).or_insert_with(|| Said::new(claim.clone()));
        said.take_in(&claim) || is_act || is_new
    }

    /// The trainer that the customer is. `named` tells which one of some the last fact about the
    /// customer in a second names.
    pub(super) fn trainer<'a>(
        &'a self,
        sessions: &'a Sessions,
        named: impl FnOnce(Timestamp, &[&TrainerId]) -> Option<&'a TrainerId>,
    ) -> Option<&'a TrainerId> {
        let acts =
            self.said.iter().filter_map(|(trainer, said)| Some((trainer, said.act.as_ref()?)));
        let of_sessions = sessions
            .0
            .keys()
            .flat_map(|trainer| sessions.ends(trainer).map(move |it| (trainer, it)));
        let others = acts.chain(of_sessions).map(|(trainer, claim)| {
            ((claim.is_anew, claim.at, claim.kind, Some(&claim.key)), trainer)
        });
        let of_metadata = self.of_metadata(named).map(|(trainer, since)| {
            ((since.is_some(), since.unwrap_or_default(), ClaimKind::Customer, None), trainer)
        });
        others.chain(of_metadata).max().map(|(_, trainer)| trainer)
    }

    /// The trainer that the customer's metadata name, and since when, if that is known.
    fn of_metadata<'a>(
        &'a self,
        named: impl FnOnce(Timestamp, &[&TrainerId]) -> Option<&'a TrainerId>,
    ) -> Option<(&'a TrainerId, Option<Timestamp>)> {
        let at = |claim: &Option<Claim>| claim.as_ref().map(|claim| claim.at);
        let last = self.said.values().filter_map(|said| at(&said.repeated)).max()?;
        let of_then = || self.said.iter().filter(|(_, said)| at(&said.repeated) == Some(last));
        let mut among: Vec<&TrainerId> =
            of_then().filter(|(_, said)| at(&said.began) == Some(last)).map(|(it, _)| it).collect();
        if among.is_empty() {
            among = of_then().map(|(trainer, _)| trainer).collect();
        }
        let first = *among.first()?;
        let trainer = if among.len() > 1 { named(last, &among).unwrap_or(first) } else { first };
        let others = self.said.iter().filter(|(other, _)| *other != trainer);
        let contradicted = others.filter_map(|(_, said)| at(&said.repeated)).max();
        Some((trainer, at(&self.said.get(trainer)?.began).max(contradicted)))
    }

    /// What is said of one trainer, by the claims that count.
    fn claims<'a>(
        &'a self,
        sessions: &'a Sessions,
        trainer: &TrainerId,
    ) -> impl Iterator<Item = &'a Claim> {
        let said = self.said.get(trainer).into_iter().flat_map(Said::claims);
        said.chain(sessions.ends(trainer))
    }

    /// Everybody that something is said of.
    fn trainers<'a>(&'a self, sessions: &'a Sessions) -> BTreeSet<&'a TrainerId> {
        self.said.keys().chain(sessions.0.keys()).collect()
    }

    pub(super) fn view(
        &self,
        sessions: &Sessions,
        customer: &StripeId,
        trainer: &TrainerId,
    ) -> Option<LinkView> {
        let first = self.claims(sessions, trainer).min_by(|a, b| a.by_age().cmp(&b.by_age()))?;
        let trainers = self.trainers(sessions);
        let claims = trainers.iter().flat_map(|trainer| self.claims(sessions, trainer));
        let position = claims.map(|claim| claim.position).chain(self.acts.iter().copied()).max();
        Some(LinkView {
            customer: customer.clone(),
            trainer: trainer.clone(),
            since: first.at,
            event: first.key.clone(),
            conflicting: trainers.len() > 1,
            position: position.unwrap_or(0),
        })
    }

    /// Whether events disagree, by the word of another trainer that counts most and the first that
    /// overrules it.
    pub(super) fn anomalies(
        &self,
        sessions: &Sessions,
        winner: Option<&TrainerId>,
    ) -> Option<Vec<FactAnomaly>> {
        let winner = winner?;
        let mut others = self.trainers(sessions);
        others.remove(winner);
        let others = others.iter().flat_map(|trainer| self.claims(sessions, trainer));
        let overruled = others.max()?;
        let own = || self.claims(sessions, winner);
        let first = own().min_by(|a, b| a.by_age().cmp(&b.by_age()))?;
        let event = if first > overruled { first } else { own().max()? };
        Some(vec![FactAnomaly::ConflictingLink(event.key.clone(), overruled.key.clone())])
    }

    /// The positions of the events that it rests on, but for sessions.
    pub(super) fn claimed(&self) -> impl Iterator<Item = i64> {
        let positions = self.said.values().flat_map(Said::claims).map(|claim| claim.position);
        positions.chain(self.acts.iter().copied())
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
