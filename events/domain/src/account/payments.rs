//! How the objects that money moves with belong together.

use std::collections::BTreeSet;

use super::customer::CustomerUnit;
use super::facts::{Facts, Snapshot};
use super::part::{Part, part_name};
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
            lost_at: None,
            attempt_count: 0,
            next_attempt_at: None,
            reason: None,
            event_ids: all().map(|fact| fact.key.clone()).collect(),
            position: all().map(|fact| fact.position).max().unwrap_or(0),
        }
    }

    /// A refund's or dispute's row with what its payment tells.
    pub(super) fn belonging(&self, name: &str, row: PaymentView) -> PaymentView {
        let payment = self.index.payment_of(name).cloned();
        let invoice = payment.as_ref().and_then(|payment| self.invoice_of(payment));
        let subscription = self.subscription_of(invoice.as_ref());
        let trainer = self.trainer_for(subscription.as_ref());
        PaymentView { payment, invoice, subscription, trainer, ..row }
    }

    /// What may have had a row and has none: charges that turned out to belong to one of these
    /// payments, and those of the payments that nothing tells of any more.
    pub(super) fn gone(&self, payments: &BTreeSet<StripeId>) -> Vec<StripeId> {
        let merged = |payment: &StripeId| {
            let charges = self.index.ties.charges_of(payment).filter(|charge| *charge != payment);
            let known = charges.filter(|id| self.parts.contains_key(&part_name("charge", id)));
            known.cloned().collect::<Vec<_>>()
        };
        let is_told = |payment: &StripeId| {
            let kinds = ["payment_intent", "charge"].into_iter();
            let mut own = kinds.map(|kind| part_name(kind, payment));
            own.any(|name| self.parts.contains_key(&name))
                || self.charges_of(payment).next().is_some()
        };
        let untold = payments.iter().filter(|payment| !is_told(payment)).cloned();
        payments.iter().flat_map(merged).chain(untold).collect()
    }

    pub(super) fn invoice_of(&self, payment: &StripeId) -> Option<StripeId> {
        let ties = &self.index.ties;
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
        self.index.members(payment).into_iter().filter_map(|name| match &self.parts[name] {
            Part::Charge(facts) => Some(facts),
            _ => None,
        })
    }

    /// What refunds that succeeded have given back of a payment.
    pub(super) fn refunds_of(&self, payment: &StripeId) -> i64 {
        let refunds = self.index.members(payment).into_iter().filter_map(|name| {
            let Part::Refund(facts) = &self.parts[name] else { return None };
            let (_, refund) = facts.current()?;
            let succeeded = refund.status.as_ref().is_none_or(|status| *status == "succeeded");
            succeeded.then_some(refund.amount)
        });
        refunds.fold(0, i64::saturating_add)
    }
}
