//! What is looked up among a customer's parts. It follows from the parts, is never stored, and
//! keeps one more fact from looking at all the others.

use std::collections::{BTreeMap, BTreeSet};

use super::links::{Claim, Metadata, Sessions};
use super::part::Part;
use super::snapshots::trainer_in;
use super::ties::Ties;
use crate::id::{StripeId, TrainerId};

/// What a part's object names, as the object is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mentions {
    /// The payment intent that it is or hangs on.
    intent: Option<StripeId>,
    /// The charge that it is or hangs on.
    charge: Option<StripeId>,
    /// The subscriptions that an invoice or a schedule is about.
    pub(super) subscriptions: Vec<StripeId>,
    /// Whether it is an invoice that isn't settled.
    is_open: bool,
    /// The trainer that a subscription names.
    trainer: Option<TrainerId>,
    /// What a checkout session says of which trainer.
    claim: Option<(TrainerId, Claim)>,
}

impl Mentions {
    pub(super) fn of(part: &Part) -> Option<Self> {
        let nothing = Self::default();
        Some(match part {
            Part::Subscription(facts) => {
                let (_, subscription) = facts.current()?;
                Self { trainer: trainer_in(&subscription.metadata), ..nothing }
            }
            Part::Schedule(facts) => {
                let (_, schedule) = facts.current()?;
                let about = schedule.subscription.iter().chain(&schedule.released_subscription);
                Self { subscriptions: about.cloned().collect(), ..nothing }
            }
            Part::Invoice(facts) => {
                let (_, invoice) = facts.current()?;
                Self {
                    subscriptions: invoice.subscription.iter().cloned().collect(),
                    is_open: invoice.status.as_ref().is_some_and(|status| *status == "open"),
                    ..nothing
                }
            }
            Part::PaymentIntent(facts) => {
                let (_, intent) = facts.current()?;
                Self { intent: Some(intent.id.clone()), ..nothing }
            }
            Part::Charge(facts) => {
                let (_, charge) = facts.current()?;
                let intent = charge.payment_intent.clone();
                Self { intent, charge: Some(charge.id.clone()), ..nothing }
            }
            Part::Refund(facts) => {
                let (_, refund) = facts.current()?;
                let (intent, charge) = (refund.payment_intent.clone(), refund.charge.clone());
                Self { intent, charge, ..nothing }
            }
            Part::Dispute(facts) => {
                let (_, dispute) = facts.current()?;
                let (intent, charge) = (dispute.payment_intent.clone(), dispute.charge.clone());
                Self { intent, charge, ..nothing }
            }
            Part::CheckoutSession(facts) => {
                Self { claim: Some(Claim::of_session(facts)?), ..nothing }
            }
            Part::Links(_) | Part::Customer(_) | Part::InvoicePayment(_) => return None,
        })
    }
}

/// How the names of schedules begin.
const SCHEDULE: &str = "schedule/";

/// The names of parts, by what their objects name.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    mentions: BTreeMap<String, Mentions>,
    by_intent: BTreeMap<StripeId, BTreeSet<String>>,
    by_charge: BTreeMap<StripeId, BTreeSet<String>>,
    by_subscription: BTreeMap<StripeId, BTreeSet<String>>,
    open: BTreeMap<StripeId, BTreeSet<String>>,
    /// The trainers that subscriptions name, and how many do.
    trainers: BTreeMap<TrainerId, usize>,
    pub(super) sessions: Sessions,
    pub(super) metadata: Metadata,
    pub(super) ties: Ties,
}

impl Index {
    /// Takes note of what a part's object names now. Tells what it named before, if that was
    /// something else.
    pub(super) fn update(&mut self, name: &str, part: &Part) -> Option<Mentions> {
        let now = Mentions::of(part);
        if self.mentions.get(name) == now.as_ref() {
            return None;
        }
        let before = self.mentions.remove(name);
        if let Some(before) = &before {
            self.each(before, |map, id| {
                if let Some(names) = map.get_mut(id) {
                    names.remove(name);
                    if names.is_empty() {
                        map.remove(id);
                    }
                }
            });
            if let Some(trainer) = &before.trainer
                && let Some(count) = self.trainers.get_mut(trainer)
            {
                *count -= 1;
                if *count == 0 {
                    self.trainers.remove(trainer);
                }
            }
            before.claim.iter().for_each(|claim| self.sessions.remove(claim));
        }
        if let Some(now) = now {
            self.each(&now, |map, id| {
                map.entry(id.clone()).or_default().insert(name.to_owned());
            });
            if let Some(trainer) = &now.trainer {
                *self.trainers.entry(trainer.clone()).or_default() += 1;
            }
            now.claim.iter().for_each(|claim| self.sessions.add(claim));
            self.mentions.insert(name.to_owned(), now);
        }
        before
    }

    fn each(
        &mut self,
        mentions: &Mentions,
        mut act: impl FnMut(&mut BTreeMap<StripeId, BTreeSet<String>>, &StripeId),
    ) {
        mentions.intent.iter().for_each(|id| act(&mut self.by_intent, id));
        mentions.charge.iter().for_each(|id| act(&mut self.by_charge, id));
        for id in &mentions.subscriptions {
            act(&mut self.by_subscription, id);
            if mentions.is_open {
                act(&mut self.open, id);
            }
        }
    }

    /// What a part's object names; none = nothing that is looked up.
    pub(super) fn mentions(&self, name: &str) -> Option<&Mentions> {
        self.mentions.get(name)
    }

    /// What a checkout session says of which trainer.
    pub(super) fn claim(&self, name: &str) -> Option<&(TrainerId, Claim)> {
        self.mentions.get(name)?.claim.as_ref()
    }

    /// The trainer that all subscriptions name, if they agree.
    pub(super) fn only_trainer(&self) -> Option<&TrainerId> {
        let mut trainers = self.trainers.keys();
        trainers.next().filter(|_| trainers.next().is_none())
    }

    /// The schedules and invoices of a subscription.
    pub(super) fn about(&self, subscription: &StripeId) -> impl Iterator<Item = &String> {
        self.by_subscription.get(subscription).into_iter().flatten()
    }

    /// The schedules of a subscription.
    pub(super) fn schedules_of(&self, subscription: &StripeId) -> impl Iterator<Item = &String> {
        let about = self.by_subscription.get(subscription).into_iter();
        let from_first = about.flat_map(|names| names.range(SCHEDULE.to_owned()..));
        from_first.take_while(|name| name.starts_with(SCHEDULE))
    }

    /// The open invoices of a subscription.
    pub(super) fn open_of(&self, subscription: &StripeId) -> impl Iterator<Item = &String> {
        self.open.get(subscription).into_iter().flatten()
    }

    /// The payment that a part's object is or belongs to, by the id of its row: its intent's, else
    /// its charge's.
    pub(super) fn payment_of(&self, name: &str) -> Option<&StripeId> {
        let Mentions { intent, charge, .. } = self.mentions.get(name)?;
        let by_charge = || self.ties.payment_of_charge(charge.as_ref()?);
        intent.as_ref().or_else(by_charge).or(charge.as_ref())
    }

    /// The intent, charges, refunds and disputes of a payment.
    pub(super) fn members(&self, payment: &StripeId) -> BTreeSet<&String> {
        let by_charge = self.ties.charges_of(payment).chain([payment]);
        let by_charge = by_charge.filter_map(|charge| self.by_charge.get(charge)).flatten();
        let named = self.by_intent.get(payment).into_iter().flatten().chain(by_charge);
        named.filter(|name| self.payment_of(name) == Some(payment)).collect()
    }
}
