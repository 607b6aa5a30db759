//! Accounts from facts that are all at hand: what they show after exactly these facts, whatever
//! came later. Read models come to the same, a page at a time.

use std::collections::{BTreeMap, BTreeSet};

use super::customer::{CustomerChanges, CustomerUnit};
use super::history::History;
use super::route::{LogIdentity, Route, route};
use super::trainer::{TrainerChanges, TrainerUnit};
use super::view::{LinkView, PaymentView, SubscriptionView};
use crate::event::Entry;
use crate::id::{StripeId, TrainerId};

/// What customers and trainers show after some facts.
#[derive(Debug, Default)]
pub struct Accounts {
    customers: Vec<CustomerChanges>,
    trainers: BTreeMap<TrainerId, TrainerChanges>,
}

/// A fact about a customer.
struct Fact<'a> {
    entry: &'a Entry,
    named: Option<StripeId>,
    ties: Vec<StripeId>,
    waits_for: Vec<StripeId>,
}

/// Whose each object is.
type Ties = BTreeMap<StripeId, StripeId>;

impl Accounts {
    /// Folds facts, given in the order of the log. Those of the tenant and of usage make no
    /// account.
    #[must_use]
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>, log: &LogIdentity) -> Self {
        let mut facts = Vec::new();
        let mut trainers = BTreeMap::new();
        for entry in entries {
            match route(entry, log) {
                Route::Customer { customer: named, ties, waits_for } => {
                    facts.push(Fact { entry, named, ties, waits_for });
                }
                Route::Trainer(trainer) => {
                    let new = || TrainerUnit::new(trainer.clone());
                    trainers.entry(trainer.clone()).or_insert_with(new).evolve(entry);
                }
                Route::Tenant | Route::Usage(..) | Route::Foreign | Route::Nowhere => {}
            }
        }
        let ties = ties(&facts);
        let mut customers = BTreeMap::new();
        for fact in &facts {
            // Without a customer it waits.
            let Some(customer) = fact.customer(&ties) else { continue };
            let new = || CustomerUnit::new(customer.clone());
            customers.entry(customer.clone()).or_insert_with(new).evolve(fact.entry);
        }
        let trainers = trainers.into_iter();
        Self {
            customers: customers.into_values().map(|mut unit| unit.take_changes()).collect(),
            trainers: trainers.map(|(trainer, unit)| (trainer, unit.changes())).collect(),
        }
    }

    /// What administrators did to a trainer; none if they never did anything.
    #[must_use]
    pub fn trainer(&self, trainer: &TrainerId) -> Option<&TrainerChanges> {
        self.trainers.get(trainer)
    }

    /// A trainer's subscriptions.
    pub fn subscriptions_of(&self, trainer: &TrainerId) -> impl Iterator<Item = &SubscriptionView> {
        let all = self.customers.iter().flat_map(|customer| &customer.subscriptions);
        all.filter(move |view| view.trainer.as_ref() == Some(trainer))
    }

    /// A trainer's payments.
    pub fn payments_of(&self, trainer: &TrainerId) -> impl Iterator<Item = &PaymentView> {
        let all = self.customers.iter().flat_map(|customer| &customer.payments);
        all.filter(move |view| view.trainer.as_ref() == Some(trainer))
    }

    /// The lives of subscriptions, whosever they are.
    pub fn histories(&self) -> impl Iterator<Item = &History> {
        self.customers.iter().flat_map(|customer| &customer.histories)
    }

    /// The customers that are a trainer.
    pub fn links_of(&self, trainer: &TrainerId) -> impl Iterator<Item = &LinkView> {
        let all = self.customers.iter().filter_map(|customer| customer.link.as_ref());
        all.filter(move |link| link.trainer == *trainer)
    }
}

impl Fact<'_> {
    /// The smallest customer that it names, or that one of its objects is tied to.
    fn customer<'a>(&'a self, ties: &'a Ties) -> Option<&'a StripeId> {
        let tied = self.ties.iter().chain(&self.waits_for).filter_map(|object| ties.get(object));
        tied.chain(&self.named).min()
    }
}

/// Whose each object is: the smallest customer's that any fact says it is of. Each round can only
/// tie objects that were nobody's, or were a larger customer's, so that there is a last one.
fn ties(facts: &[Fact<'_>]) -> Ties {
    let mut ties = Ties::new();
    let mut unsettled: BTreeSet<usize> = (0..facts.len()).collect();
    while !unsettled.is_empty() {
        let mut moved: BTreeSet<StripeId> = BTreeSet::new();
        for fact in std::mem::take(&mut unsettled).into_iter().map(|index| &facts[index]) {
            let Some(customer) = fact.customer(&ties).cloned() else { continue };
            for object in &fact.ties {
                if ties.get(object) != Some(&customer) {
                    ties.insert(object.clone(), customer.clone());
                    moved.insert(object.clone());
                }
            }
        }
        if !moved.is_empty() {
            let concerns = |fact: &Fact<'_>| {
                fact.ties.iter().chain(&fact.waits_for).any(|object| moved.contains(object))
            };
            unsettled.extend((0..facts.len()).filter(|index| concerns(&facts[*index])));
        }
    }
    ties
}
