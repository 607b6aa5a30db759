//! Which trainer a customer is, and which of its objects belong together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::view::LinkView;
use crate::event::stripe::{Charge, Invoice, InvoicePayment, PaidBy, PaymentIntent};
use crate::id::{EventKey, StripeId, TrainerId};
use crate::time::Timestamp;

/// One event that says which trainer a customer is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Claim {
    at: Timestamp,
    key: EventKey,
    position: i64,
}

/// What events say of the trainer that a customer is: for each trainer, the first and the last
/// event that says so. The latest says who it is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Links(BTreeMap<TrainerId, (Claim, Claim)>);

impl Links {
    pub(super) fn claim(
        &mut self,
        trainer: &TrainerId,
        at: Timestamp,
        key: &EventKey,
        position: i64,
    ) {
        let claim = Claim { at, key: key.clone(), position };
        let (first, last) =
            self.0.entry(trainer.clone()).or_insert_with(|| (claim.clone(), claim.clone()));
        if claim < *first {
            *first = claim.clone();
        }
        if claim > *last {
            *last = claim;
        }
    }

    pub(super) fn trainer(&self) -> Option<&TrainerId> {
        self.0.iter().max_by_key(|(_, (_, last))| last).map(|(trainer, _)| trainer)
    }

    pub(super) fn view(&self, customer: &StripeId) -> Option<LinkView> {
        let trainer = self.trainer()?;
        let (first, _) = &self.0[trainer];
        Some(LinkView {
            customer: customer.clone(),
            trainer: trainer.clone(),
            since: first.at,
            event: first.key.clone(),
            conflicting: self.0.len() > 1,
            position: self.positions().into_iter().max().unwrap_or(0),
        })
    }

    pub(super) fn positions(&self) -> Vec<i64> {
        self.0.values().flat_map(|(first, last)| [first.position, last.position]).collect()
    }
}

/// Which payment pays which invoice, and which charge belongs to which payment. Several webhooks
/// tell of it, none of them reliably, so each adds what it knows. Where they disagree the smallest
/// id wins, so that the order of arrival doesn't.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Ties {
    invoice_of_payment: BTreeMap<StripeId, StripeId>,
    payment_of_charge: BTreeMap<StripeId, StripeId>,
}

impl Ties {
    pub(super) fn invoice_of(&self, payment: &StripeId) -> Option<&StripeId> {
        self.invoice_of_payment.get(payment)
    }

    pub(super) fn payments_of<'a>(
        &'a self,
        invoice: &'a StripeId,
    ) -> impl Iterator<Item = &'a StripeId> {
        self.invoice_of_payment.iter().filter(move |(_, of)| *of == invoice).map(|(p, _)| p)
    }

    pub(super) fn payment_of_charge(&self, charge: &StripeId) -> Option<&StripeId> {
        self.payment_of_charge.get(charge)
    }

    /// Learns from an invoice. Each of these tells which payments are concerned if it was news.
    pub(super) fn learn_invoice(&mut self, id: &StripeId, invoice: &Invoice) -> Vec<StripeId> {
        let pays = |paid: &PaidBy| {
            let payment = paid.payment_intent.as_ref().or(paid.charge.as_ref());
            let invoice = self.invoice(payment, Some(id));
            let charge = self.charge(paid.charge.as_ref(), paid.payment_intent.as_ref());
            invoice.into_iter().chain(charge)
        };
        invoice.payments.iter().flat_map(pays).collect()
    }

    /// Learns from an invoice's payment.
    pub(super) fn learn_invoice_payment(&mut self, paid: &InvoicePayment) -> Vec<StripeId> {
        let payment = paid.payment_intent.as_ref().or(paid.charge.as_ref());
        let invoice = self.invoice(payment, Some(&paid.invoice));
        let charge = self.charge(paid.charge.as_ref(), paid.payment_intent.as_ref());
        invoice.into_iter().chain(charge).collect()
    }

    /// Learns from a payment intent.
    pub(super) fn learn_payment_intent(&mut self, payment: &PaymentIntent) -> Vec<StripeId> {
        let invoice = self.invoice(Some(&payment.id), payment.invoice.as_ref());
        let charge = self.charge(payment.latest_charge.as_ref(), Some(&payment.id));
        invoice.into_iter().chain(charge).collect()
    }

    /// Learns from a charge.
    pub(super) fn learn_charge(&mut self, charge: &Charge) -> Vec<StripeId> {
        let payment = charge.payment_intent.as_ref().unwrap_or(&charge.id);
        let invoice = self.invoice(Some(payment), charge.invoice.as_ref());
        let payment = self.charge(Some(&charge.id), charge.payment_intent.as_ref());
        invoice.into_iter().chain(payment).collect()
    }

    fn invoice(
        &mut self,
        payment: Option<&StripeId>,
        invoice: Option<&StripeId>,
    ) -> Option<StripeId> {
        learn(&mut self.invoice_of_payment, payment, invoice).then(|| payment.cloned())?
    }

    fn charge(
        &mut self,
        charge: Option<&StripeId>,
        payment: Option<&StripeId>,
    ) -> Option<StripeId> {
        learn(&mut self.payment_of_charge, charge, payment).then(|| payment.cloned())?
    }
}

fn learn(
    known: &mut BTreeMap<StripeId, StripeId>,
    key: Option<&StripeId>,
    value: Option<&StripeId>,
) -> bool {
    let (Some(key), Some(value)) = (key, value) else {
        return false;
    };
    match known.get(key) {
        Some(old) if old <= value => false,
        _ => {
            known.insert(key.clone(), value.clone());
            true
        }
    }
}
