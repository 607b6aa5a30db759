//! Which trainer a customer is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::anomaly::FactAnomaly;
use super::compared::{Earlier, earlier};
use super::fact::{Fact, Prior};
use super::facts::Facts;
use super::landmarks::Mark;
use super::sessions::session_trainer;
use super::snapshots::trainer_in;
use super::view::LinkView;
use crate::event::stripe::{CheckoutSession, Customer, Reported};
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

/// How much a claim says. More of it outweighs what is later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Weight {
    /// A page was opened for the trainer, and nobody paid at it.
    Unpaid,
    /// It is said still; nobody knows since when.
    Still,
    /// It is said anew.
    Anew,
}

/// What says which trainer a customer is. Of one instant, the last kind counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ClaimKind {
    Session,
    Customer,
    Administrator,
}

/// One event that says which trainer a customer is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Claim {
    weight: Weight,
    at: Timestamp,
    kind: ClaimKind,
    key: EventKey,
    position: i64,
}

impl Claim {
    /// What a session says, and of whom. Who completes a session says who they are, once: that
    /// event may come twice, the second time with a later instant.
    pub(super) fn of_session(facts: &Facts<CheckoutSession>) -> Option<(TrainerId, Self)> {
        let weights = [
            (Mark::Completed, Weight::Anew),
            // What became of a delayed payment: it was completed before.
            (Mark::Bought, Weight::Still),
            (Mark::Named, Weight::Unpaid),
        ];
        let said = |(mark, weight)| Some((facts.first(mark)?, weight));
        let (place, weight) = weights.into_iter().find_map(said)?;
        let fact = &facts.all()[place];
        Some((fact.brief.trainer.clone()?, Self::of(fact, ClaimKind::Session, weight)))
    }

    fn of<B>(fact: &Fact<B>, kind: ClaimKind, weight: Weight) -> Self {
        let (at, key) = (Timestamp::from_unix(fact.at), fact.key.clone());
        Self { weight, at, kind, key, position: fact.position }
    }

    fn of_act(entry: &Entry) -> Self {
        let (at, key, position) = (entry.occurred_at, entry.key.clone(), entry.position);
        Self { weight: Weight::Anew, at, kind: ClaimKind::Administrator, key, position }
    }

    /// What tells which claim a trainer's history begins with: that of the earliest event.
    const fn by_age(&self) -> (Timestamp, ClaimKind, &EventKey) {
        (self.at, self.kind, &self.key)
    }
}

/// What sessions say, one claim each, by trainer and weight. It follows from the sessions' own
/// parts and is never stored.
#[derive(Debug, Clone, Default)]
pub(super) struct Sessions(BTreeMap<TrainerId, BTreeMap<Weight, BTreeSet<Claim>>>);

impl Sessions {
    pub(super) fn add(&mut self, (trainer, claim): &(TrainerId, Claim)) {
        let said = self.0.entry(trainer.clone()).or_default();
        said.entry(claim.weight).or_default().insert(claim.clone());
    }

    pub(super) fn remove(&mut self, (trainer, claim): &(TrainerId, Claim)) {
        let Some(said) = self.0.get_mut(trainer) else { return };
        if let Some(claims) = said.get_mut(&claim.weight) {
            claims.remove(claim);
        }
        said.retain(|_, claims| !claims.is_empty());
        if said.is_empty() {
            self.0.remove(trainer);
        }
    }

    /// The first claim and the last one of each weight.
    fn claims(&self, trainer: &TrainerId) -> impl Iterator<Item = &Claim> {
        let said = self.0.get(trainer).into_iter().flat_map(BTreeMap::values);
        said.flat_map(|claims| claims.first().into_iter().chain(claims.last()))
    }
}

/// What is remembered of a fact about the customer itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CustomerBrief {
    /// The trainer that its metadata name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trainer: Option<TrainerId>,
    /// Whether they named somebody else before. Stripe tells a customer's metadata with whatever
    /// else changes, and with its deletion.
    begins: bool,
}

impl CustomerBrief {
    pub(super) fn of(reported: &Reported<Customer>) -> Self {
        let trainer = trainer_in(&reported.snapshot.metadata);
        let was_named = |was: &Customer| trainer_in(&was.metadata) == trainer;
        let restates = reported.cause == "deleted"
            || matches!(earlier(reported), Earlier::Object(was) if was_named(&was));
        Self { trainer, begins: !restates }
    }
}

/// What the customer's metadata say of one trainer.
#[derive(Debug, Clone)]
struct Named {
    /// The first fact that says so, and the last.
    first: Claim,
    last: Claim,
    /// The facts that begin to say so, by the change of the customer that they tell of: several may
    /// tell of one.
    begun: BTreeMap<(Prior, u64), BTreeSet<Claim>>,
}

/// What the customer's metadata say. It follows from the customer's own part and is never stored.
#[derive(Debug, Clone, Default)]
pub(super) struct Metadata {
    by_trainer: BTreeMap<TrainerId, Named>,
    /// When they named nobody.
    of_nobody: BTreeSet<Timestamp>,
}

impl Metadata {
    /// Adds a fact about the customer itself. Tells whether somebody else may be meant by that.
    pub(super) fn add(&mut self, fact: &Fact<CustomerBrief>) -> bool {
        let Some(trainer) = &fact.brief.trainer else {
            self.of_nobody.insert(Timestamp::from_unix(fact.at));
            return !self.by_trainer.is_empty();
        };
        let weight = if fact.brief.begins { Weight::Anew } else { Weight::Still };
        let claim = Claim::of(fact, ClaimKind::Customer, weight);
        let new = || Named { first: claim.clone(), last: claim.clone(), begun: BTreeMap::new() };
        let named = self.by_trainer.entry(trainer.clone()).or_insert_with(new);
        if claim.by_age() < named.first.by_age() {
            named.first.clone_from(&claim);
        }
        if claim.by_age() > named.last.by_age() {
            named.last.clone_from(&claim);
        }
        if fact.brief.begins {
            named.begun.entry((fact.before, fact.after)).or_default().insert(claim);
        }
        true
    }

    fn claims(&self, trainer: &TrainerId) -> impl Iterator<Item = &Claim> {
        let named = self.by_trainer.get(trainer).into_iter();
        named.flat_map(|named| {
            let begun = named.begun.values().filter_map(BTreeSet::first);
            begun.chain([&named.first, &named.last])
        })
    }

    /// The trainer that the metadata name, and since when, if that is known.
    fn last<'a>(
        &'a self,
        named_last: impl FnOnce(Timestamp, &[&TrainerId]) -> Option<&'a TrainerId>,
    ) -> Option<(&'a TrainerId, Option<Timestamp>)> {
        let last = self.by_trainer.values().map(|named| named.last.at).max()?;
        let of_then = || self.by_trainer.iter().filter(|(_, named)| named.last.at == last);
        let begin_then = |named: &Named| {
            let mut ends = named.begun.values().filter_map(BTreeSet::last);
            ends.any(|claim| claim.at == last)
        };
        let mut among: Vec<&TrainerId> =
            of_then().filter(|(_, named)| begin_then(named)).map(|(it, _)| it).collect();
        if among.is_empty() {
            among = of_then().map(|(trainer, _)| trainer).collect();
        }
        let first = *among.first()?;
        let trainer =
            if among.len() > 1 { named_last(last, &among).unwrap_or(first) } else { first };
        let others = self.by_trainer.iter().filter(|(other, _)| *other != trainer);
        let of_nobody = self.of_nobody.range(..last).next_back().copied();
        let contradicted = others.map(|(_, named)| named.last.at).chain(of_nobody).max();
        // Of several facts that tell of one change since then, the first: others are told again.
        let since = contradicted.unwrap_or(Timestamp::MIN);
        let begun = self.by_trainer.get(trainer)?.begun.values();
        let begun = begun.filter_map(|told| told.iter().find(|claim| claim.at >= since));
        Some((trainer, begun.map(|claim| claim.at).max().or(contradicted)))
    }
}

/// What administrators say, who are few and rarely do.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Acts(BTreeMap<TrainerId, BTreeSet<Claim>>);

impl Acts {
    /// Adds an act, and tells whether it is new.
    pub(super) fn add(&mut self, trainer: &TrainerId, entry: &Entry) -> bool {
        self.0.entry(trainer.clone()).or_default().insert(Claim::of_act(entry))
    }

    fn claims(&self, trainer: &TrainerId) -> impl Iterator<Item = &Claim> {
        self.0.get(trainer).into_iter().flatten()
    }

    /// The positions of all of them.
    pub(super) fn positions(&self) -> impl Iterator<Item = i64> {
        self.0.values().flatten().map(|claim| claim.position)
    }
}

/// Which trainer a customer is, by what events say.
///
/// There are sessions and administrators, each of which is a word of its own, and there are the
/// customer's metadata, which are told again with everything that happens to the customer. The
/// word of the metadata is the last one, as old as the fact that began to say so. If that one is
/// missing, they began after the last fact that names somebody else, or nobody; if there is none
/// either, then nobody knows when, and any completed session's or administrator's word counts more.
/// The latest word counts; of a second's facts about the customer, the one that is last in their
/// own order.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub(super) acts: &'a Acts,
    pub(super) sessions: &'a Sessions,
    pub(super) metadata: &'a Metadata,
}

impl<'a> Words<'a> {
    /// The trainer that the customer is. `named_last` tells which one of some the last fact about
    /// the customer in a second names.
    pub(super) fn trainer(
        self,
        named_last: impl FnOnce(Timestamp, &[&TrainerId]) -> Option<&'a TrainerId>,
    ) -> Option<&'a TrainerId> {
        let acts = self.acts.0.keys();
        let acts = acts.flat_map(|it| self.acts.claims(it).map(move |claim| (claim, it)));
        let sessions = self.sessions.0.keys();
        let sessions =
            sessions.flat_map(|it| self.sessions.claims(it).map(move |claim| (claim, it)));
        let others = acts.chain(sessions).map(|(claim, trainer)| {
            ((claim.weight, claim.at, claim.kind, Some(&claim.key)), trainer)
        });
        let of_metadata = self.metadata.last(named_last).map(|(trainer, since)| {
            let weight = if since.is_some() { Weight::Anew } else { Weight::Still };
            let since = since.unwrap_or(Timestamp::MIN);
            ((weight, since, ClaimKind::Customer, None), trainer)
        });
        others.chain(of_metadata).max().map(|(_, trainer)| trainer)
    }

    /// What is said of one trainer, by the claims that count.
    fn claims(self, trainer: &TrainerId) -> impl Iterator<Item = &'a Claim> {
        let (sessions, metadata) = (self.sessions.claims(trainer), self.metadata.claims(trainer));
        self.acts.claims(trainer).chain(sessions).chain(metadata)
    }

    /// The earliest of them.
    fn first(self, trainer: &TrainerId) -> Option<&'a Claim> {
        self.claims(trainer).min_by(|a, b| a.by_age().cmp(&b.by_age()))
    }

    /// Everybody of whom something is said.
    fn trainers(self) -> BTreeSet<&'a TrainerId> {
        let Self { acts, sessions, metadata } = self;
        acts.0.keys().chain(sessions.0.keys()).chain(metadata.by_trainer.keys()).collect()
    }

    pub(super) fn view(self, customer: &StripeId, trainer: &TrainerId) -> Option<LinkView> {
        let first = self.first(trainer)?;
        let trainers = self.trainers();
        let claims = trainers.iter().flat_map(|trainer| self.claims(trainer));
        Some(LinkView {
            customer: customer.clone(),
            trainer: trainer.clone(),
            since: first.at,
            event: first.key.clone(),
            conflicting: trainers.len() > 1,
            position: claims.map(|claim| claim.position).max().unwrap_or(0),
        })
    }

    /// Whether events disagree, by the word of another trainer that counts most and the first that
    /// overrules it.
    pub(super) fn anomalies(self, winner: Option<&TrainerId>) -> Option<Vec<FactAnomaly>> {
        let winner = winner?;
        let mut others = self.trainers();
        others.remove(winner);
        let overruled = others.into_iter().flat_map(|trainer| self.claims(trainer)).max()?;
        let first = self.first(winner)?;
        let event = if first > overruled { first } else { self.claims(winner).max()? };
        Some(vec![FactAnomaly::ConflictingLink(event.key.clone(), overruled.key.clone())])
    }
}
