//! How the objects that money moves with belong together.

use std::collections::BTreeSet;

use super::customer::{CustomerUnit, Part, part_name};
use super::facts::{Facts, Snapshot};
use super::view::{PaymentKind, PaymentView};
use crate::event::Code;
use crate::event::stripe::Charge;
use crate::id::StripeId;
use crate::money::Currency;
use crate::time::Timestamp;

impl CustomerUnit {
    /// What the rows of all kinds have in common.
    pub(super) fn payment_row<S: Snapshot>(
        &self,
        (kind, object): (PaymentKind, &StripeId),
        (amount_minor, currency): (i64, Currency),
        (created, told): (Option<i64>, i64),
        facts: &[&Facts<S>],
    ) -> PaymentView {
        let all = || facts.iter().flat_map(|facts| facts.all());
        let first = all().map(|fact| fact.at).min().unwrap_or(told);
        let last = all().map(|fact| fact.at).max().unwrap_or(told);
        PaymentView {
            object: object.clone(),
            kind,
            customer: Some(self.customer.clone()),
            trainer: None,
            subscription: None,
            invoice: None,
            payment: None,
            status: Code::default(),
            amount_minor,
            paid_minor: 0,
            refunded_minor: 0,
            currency,
            created_at: Timestamp::from_unix(created.unwrap_or(first)),
            updated_at: Timestamp::from_unix(last),
            attempt_count: 0,
            next_attempt_at: None,
            reason: None,
            event_ids: all().map(|fact| fact.key.clone()).collect(),
            position: all().map(|fact| fact.position).max().unwrap_or(0),
        }
    }

    /// A refund's or dispute's row with what its payment tells.
    pub(super) fn belonging(&self, payment: Option<StripeId>, row: PaymentView) -> PaymentView {
        let invoice = payment.as_ref().and_then(|payment| self.invoice_of(payment));
        let subscription = self.subscription_of(invoice.as_ref());
        let trainer = self.trainer_for(subscription.as_ref());
        PaymentView { payment, invoice, subscription, trainer, ..row }
    }

    /// The id of a payment's row: its intent's, else its charge's.
    pub(super) fn payment_of(
        &self,
        intent: Option<&StripeId>,
        charge: Option<&StripeId>,
    ) -> Option<StripeId> {
        let by_charge = || self.known_ties()?.payment_of_charge(charge?);
        intent.or_else(by_charge).or(charge).cloned()
    }

    /// The payment that a part's object is or belongs to.
    pub(super) fn payment_of_part(&self, name: &str) -> Option<StripeId> {
        match &self.parts[name] {
            Part::PaymentIntent(facts) => Some(facts.current()?.1.id.clone()),
            Part::Charge(facts) => {
                let (_, charge) = facts.current()?;
                self.payment_of(charge.payment_intent.as_ref(), Some(&charge.id))
            }
            Part::Refund(facts) => {
                let (_, refund) = facts.current()?;
                self.payment_of(refund.payment_intent.as_ref(), refund.charge.as_ref())
            }
            Part::Dispute(facts) => {
                let (_, dispute) = facts.current()?;
                self.payment_of(dispute.payment_intent.as_ref(), dispute.charge.as_ref())
            }
            Part::Links(_)
            | Part::Ties(_)
            | Part::Customer(_)
            | Part::Subscription(_)
            | Part::Schedule(_)
            | Part::Invoice(_)
            | Part::InvoicePayment(_) => None,
        }
    }

    /// Charges that had a row to themselves before it was known which of these payments they
    /// belong to.
    pub(super) fn merged_charges(&self, payments: &BTreeSet<StripeId>) -> Vec<StripeId> {
        let charges = self.parts.values().filter_map(|part| match part {
            Part::Charge(facts) => facts.current().map(|(_, charge)| &charge.id),
            _ => None,
        });
        let ties = self.known_ties();
        charges
            .filter(|charge| {
                let payment = ties.and_then(|ties| ties.payment_of_charge(charge));
                payment.is_some_and(|payment| payment != *charge && payments.contains(payment))
            })
            .cloned()
            .collect()
    }

    pub(super) fn invoice_of(&self, payment: &StripeId) -> Option<StripeId> {
        let ties = self.known_ties()?;
        let by_charge = || {
            self.charges_of(payment)
                .filter_map(|facts| ties.invoice_of(&facts.current()?.1.id))
                .min()
        };
        ties.invoice_of(payment).or_else(by_charge).cloned()
    }

    pub(super) fn subscription_of(&self, invoice: Option<&StripeId>) -> Option<StripeId> {
        match self.parts.get(&part_name("invoice", invoice?))? {
            Part::Invoice(facts) => facts.current()?.1.subscription.clone(),
            _ => None,
        }
    }

    /// The charges of a payment, by id.
    pub(super) fn charges_of<'a>(
        &'a self,
        payment: &'a StripeId,
    ) -> impl Iterator<Item = &'a Facts<Charge>> {
        self.parts.iter().filter_map(move |(name, part)| match part {
            Part::Charge(facts) if self.payment_of_part(name)? == *payment => Some(facts),
            _ => None,
        })
    }

    /// What refunds that succeeded have given back of a payment.
    pub(super) fn refunds_of(&self, payment: &StripeId) -> i64 {
        let refunds = self.parts.iter().filter_map(|(name, part)| match part {
            Part::Refund(facts) if self.payment_of_part(name)? == *payment => {
                let (_, refund) = facts.current()?;
                let succeeded = refund.status.as_ref().is_none_or(|status| *status == "succeeded");
                succeeded.then_some(refund.amount)
            }
            _ => None,
        });
        refunds.sum()
    }
}
