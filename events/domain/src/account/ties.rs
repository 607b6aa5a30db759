//! Which of a customer's objects belong together.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::event::stripe::{Charge, Invoice, InvoicePayment, PaidBy, PaymentIntent};
use crate::id::StripeId;

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
