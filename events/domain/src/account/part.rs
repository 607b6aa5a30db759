//! The parts of a customer's state, one for each object, as they are kept and stored.

use super::facts::{ALWAYS, Facts, News};
use super::index::Index;
use super::links::{Acts, Words};
use super::ties::Tie;
use crate::event::stripe::{
    Charge, CheckoutSession, Customer, Dispute, Invoice, InvoicePayment, PaymentIntent, Refund,
    Schedule, Subscription,
};
use crate::id::{StripeId, TrainerId};

/// A part's name: the kind, and the object's id.
pub(super) fn part_name(kind: &str, id: &StripeId) -> String {
    format!("{kind}/{id}")
}

/// The part that says which trainer the customer is.
pub(super) const LINKS: &str = "links";

/// One object's share of a customer's state.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// What administrators say of whose trainer it is.
    Links(Acts),
    Customer(Facts<Customer>),
    Subscription(Facts<Subscription>),
    Schedule(Facts<Schedule>),
    Invoice(Facts<Invoice>),
    InvoicePayment(Facts<InvoicePayment>),
    PaymentIntent(Facts<PaymentIntent>),
    Charge(Facts<Charge>),
    Refund(Facts<Refund>),
    Dispute(Facts<Dispute>),
    CheckoutSession(Facts<CheckoutSession>),
}

/// The facts of one kind within a part.
pub(super) trait PartOf: Sized {
    fn of(part: &mut Part) -> Option<&mut Self>;
}

macro_rules! part_of {
    ($($kind:ident $name:literal)*) => {
        $(impl PartOf for Facts<$kind> {
            fn of(part: &mut Part) -> Option<&mut Self> {
                match part { Part::$kind(facts) => Some(facts), _ => None }
            }
        })*

        impl Part {
            /// A part from what was stored under its name, and under its name and an instant.
            pub(super) fn restore(
                name: &str,
                head: &[u8],
                earlier: &[(i64, Vec<u8>)],
            ) -> serde_json::Result<Self> {
                match name.split_once('/').map_or(name, |(kind, _)| kind) {
                    $($name => Facts::from_parts(head, earlier).map(Self::$kind),)*
                    LINKS => serde_json::from_slice(head).map(Self::Links),
                    _ => Err(serde::de::Error::custom("there is no such part")),
                }
            }

            /// What is to be stored since the last call.
            pub(super) fn take_parts(&mut self, name: &str) -> Vec<(String, Vec<u8>)> {
                match self {
                    $(Self::$kind(facts) => facts.take_parts(name),)*
                    Self::Links(acts) => {
                        let bytes = serde_json::to_vec(acts).expect("links have text keys");
                        vec![(name.to_owned(), bytes)]
                    }
                }
            }

            /// See [`Facts::take_news`].
            pub(super) fn take_news(&mut self, index: &Index, linked: Option<&TrainerId>) -> News {
                match self {
                    $(Self::$kind(facts) => facts.take_news(),)*
                    Self::Links(acts) => {
                        let Index { sessions, metadata, .. } = index;
                        let words = Words { acts, sessions, metadata };
                        News { seconds: ALWAYS, anomalies: words.anomalies(linked) }
                    }
                }
            }

            pub(super) fn ties(&self) -> &[Tie] {
                match self {
                    $(Self::$kind(facts) => &facts.told,)*
                    Self::Links(_) => &[],
                }
            }

            pub(super) fn positions(&self) -> Vec<i64> {
                match self {
                    $(Self::$kind(facts) => facts.all().iter().map(|f| f.position).collect(),)*
                    Self::Links(acts) => acts.positions().collect(),
                }
            }
        }
    };
}

part_of! {
    Customer "customer"
    Subscription "subscription"
    Schedule "schedule"
    Invoice "invoice"
    InvoicePayment "invoice_payment"
    PaymentIntent "payment_intent"
    Charge "charge"
    Refund "refund"
    Dispute "dispute"
    CheckoutSession "checkout_session"
}
