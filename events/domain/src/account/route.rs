//! Which state an event belongs to. The unit of the fold is a Stripe customer, a trainer, or the
//! tenant: everything that depends on each other lies within one, so units are folded
//! independently and in parallel.

use std::fmt;

use crate::event::stripe::{Charge, CheckoutSession, Invoice, PaidBy, PaymentIntent, Schedule};
use crate::event::{Entry, Event, LogOpened, of_nobody, of_tenant};
use crate::id::{FeatureSlug, StripeId, TrainerId};

/// A unit of the fold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnitKey {
    /// Catalogue, enforcement, prices and products.
    Tenant,
    /// Acts of administrators on one trainer.
    Trainer(TrainerId),
    /// Everything at Stripe that hangs on one customer.
    Customer(StripeId),
}

impl fmt::Display for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant => f.write_str("tenant"),
            Self::Trainer(trainer) => write!(f, "trainer/{trainer}"),
            Self::Customer(customer) => write!(f, "customer/{customer}"),
        }
    }
}

impl std::str::FromStr for UnitKey {
    type Err = crate::id::InvalidName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some(("trainer", id)) => Ok(Self::Trainer(TrainerId::try_new(id)?)),
            Some(("customer", id)) => Ok(Self::Customer(StripeId::try_new(id)?)),
            None if text == "tenant" => Ok(Self::Tenant),
            _ => Err(crate::id::InvalidName {
                what: "a unit of the fold",
                rule: "tenant, trainer/ID or customer/ID",
            }),
        }
    }
}

/// Where an event belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To the tenant.
    Tenant,
    /// To a trainer's acts.
    Trainer(TrainerId),
    /// To the usage of a trainer; never folded into an account.
    Usage(TrainerId, FeatureSlug),
    /// To a Stripe customer, if known from the event itself or through what it waits for.
    Customer {
        /// The customer that the event names.
        customer: Option<StripeId>,
        /// Objects that are this customer's too, once the customer is known: later events may name
        /// one of them and not the customer.
        ties: Vec<StripeId>,
        /// Without a customer: objects whose customer is this event's customer.
        waits_for: Vec<StripeId>,
    },
    /// Nowhere: it is about another mode or account than the log's, and grants nothing.
    Foreign,
    /// Nowhere: no state depends on it.
    Nowhere,
}

/// What the log says of the Stripe account whose events belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogIdentity {
    /// Whether it is about real money.
    pub livemode: bool,
    /// The account; none = its events carry no account.
    pub account: Option<StripeId>,
}

impl From<&LogOpened> for LogIdentity {
    fn from(opened: &LogOpened) -> Self {
        Self { livemode: opened.livemode, account: opened.account.clone() }
    }
}

/// Tells where an event belongs.
#[must_use]
pub fn route(entry: &Entry, log: &LogIdentity) -> Route {
    if let Some(origin) = &entry.metadata.stripe
        && (origin.livemode != log.livemode || origin.account != log.account)
    {
        return Route::Foreign;
    }
    match &entry.event {
        of_tenant!() => Route::Tenant,
        of_nobody!() => Route::Nowhere,
        Event::TrainerRegistered(e) => Route::Trainer(e.trainer.clone()),
        Event::TierAssigned(e) => Route::Trainer(e.trainer.clone()),
        Event::TierAssignmentRevoked(e) => Route::Trainer(e.trainer.clone()),
        Event::TierGrandfathered(e) => Route::Trainer(e.trainer.clone()),
        Event::OverrideGranted(e) => Route::Trainer(e.trainer.clone()),
        Event::OverrideRevoked(e) => Route::Trainer(e.trainer.clone()),
        Event::TrainerSuspended(e) => Route::Trainer(e.trainer.clone()),
        Event::TrainerReinstated(e) => Route::Trainer(e.trainer.clone()),
        Event::UsageRecorded(e) => Route::Usage(e.trainer.clone(), e.feature.clone()),
        Event::UsageConsumed(e) => Route::Usage(e.trainer.clone(), e.feature.clone()),
        Event::UsageReserved(e) => Route::Usage(e.trainer.clone(), e.feature.clone()),
        Event::ReservationCommitted(e) => Route::Usage(e.trainer.clone(), e.feature.clone()),
        Event::ReservationReleased(e) => Route::Usage(e.trainer.clone(), e.feature.clone()),
        Event::UsageReleased(e) => Route::Usage(e.trainer.clone(), e.feature.clone()),
        Event::CustomerLinked(e) => tied(Some(&e.customer), []),
        Event::CustomerReported(e) => tied(Some(&e.snapshot.id), []),
        Event::SubscriptionReported(e) => {
            tied(e.snapshot.customer.as_ref(), [Some(&e.snapshot.id)])
        }
        Event::ScheduleReported(e) => schedule(&e.snapshot),
        Event::InvoiceReported(e) => invoice(&e.snapshot),
        Event::InvoicePaymentReported(e) => {
            let p = &e.snapshot;
            tied(None, [Some(&p.invoice), p.payment_intent.as_ref(), p.charge.as_ref()])
        }
        Event::PaymentIntentReported(e) => payment_intent(&e.snapshot),
        Event::ChargeReported(e) => charge(&e.snapshot),
        Event::RefundReported(e) => {
            let r = &e.snapshot;
            tied(r.customer.as_ref(), [r.charge.as_ref(), r.payment_intent.as_ref()])
        }
        Event::DisputeReported(e) => {
            tied(None, [e.snapshot.charge.as_ref(), e.snapshot.payment_intent.as_ref()])
        }
        Event::CheckoutSessionReported(e) => session(&e.snapshot),
    }
}

fn schedule(s: &Schedule) -> Route {
    tied(s.customer.as_ref(), [s.subscription.as_ref(), s.released_subscription.as_ref()])
}

fn payment_intent(p: &PaymentIntent) -> Route {
    tied(p.customer.as_ref(), [Some(&p.id), p.latest_charge.as_ref(), p.invoice.as_ref()])
}

fn charge(c: &Charge) -> Route {
    tied(c.customer.as_ref(), [Some(&c.id), c.payment_intent.as_ref(), c.invoice.as_ref()])
}

fn session(s: &CheckoutSession) -> Route {
    let objects = [s.subscription.as_ref(), s.payment_intent.as_ref(), s.invoice.as_ref()];
    tied(s.customer.as_ref(), objects)
}

/// Ties a fact's objects to its customer, or lets it wait for one of them.
fn tied<const N: usize>(customer: Option<&StripeId>, objects: [Option<&StripeId>; N]) -> Route {
    let ties: Vec<StripeId> = objects.into_iter().flatten().cloned().collect();
    let waits_for = if customer.is_none() { ties.clone() } else { Vec::new() };
    Route::Customer { customer: customer.cloned(), ties, waits_for }
}

fn invoice(invoice: &Invoice) -> Route {
    let paid_by = |p: &PaidBy| [p.payment_intent.clone(), p.charge.clone()];
    let payments = invoice.payments.iter().flat_map(paid_by).flatten();
    let ties: Vec<StripeId> = invoice.id.clone().into_iter().chain(payments).collect();
    let waits_for = match &invoice.customer {
        Some(_) => Vec::new(),
        None => ties.iter().chain(&invoice.subscription).cloned().collect(),
    };
    Route::Customer { customer: invoice.customer.clone(), ties, waits_for }
}
