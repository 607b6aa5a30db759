//! Changes of what is billed: by which items, from when, and how it is paid.

use super::super::World;
use super::super::billing::Draft;
use super::super::params::{self, Form};
use super::super::payments::Outcome;
use super::super::request::ApiError;
use super::super::template::integer;
use super::{Item, Pending, Status, interval_of};

/// What happens to the difference in price of a change within a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Billing {
    None,
    /// It waits for the next invoice.
    Create,
    /// It's billed at once.
    Always,
}

/// What happens when a payment that a call needs doesn't succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Payment {
    Allow,
    Default,
    Error,
    Pending,
}

pub(super) fn billing(form: &Form) -> Result<Billing, ApiError> {
    let words = ["none", "create_prorations", "always_invoice"];
    Ok(match params::word(form, "proration_behavior", &words)? {
        Some("none") => Billing::None,
        Some("always_invoice") => Billing::Always,
        _ => Billing::Create,
    })
}

pub(super) fn payment(form: &Form) -> Result<Payment, ApiError> {
    let words =
        ["allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"];
    Ok(match params::word(form, "payment_behavior", &words)? {
        Some("default_incomplete") => Payment::Default,
        Some("error_if_incomplete") => Payment::Error,
        Some("pending_if_incomplete") => Payment::Pending,
        _ => Payment::Allow,
    })
}

/// What is to be billed from now on.
pub(in super::super) struct Change {
    pub(in super::super) items: Vec<Item>,
    /// Whether a new period begins now.
    pub(in super::super) begins: bool,
    pub(in super::super) billing: Billing,
    pub(in super::super) payment: Payment,
    /// The instant by which the rest of the period is reckoned, if it isn't now.
    pub(in super::super) prorated_at: Option<i64>,
}

impl World {
    /// Changes what a subscription bills, and tells of it. The caller may have changed other fields
    /// of the subscription before; they are told of in the same event.
    pub(in super::super) fn change_billing(&mut self, id: &str, change: Change) {
        let Change { items, begins, billing, payment, prorated_at } = change;
        let now = self.now_of(id);
        let Some(mut of) = self.subscriptions.get(id).cloned() else { return };
        let period = begins.then(|| (now, interval_of(&items).next(now, now)));
        let prorated = match billing {
            Billing::None => Vec::new(),
            _ => self.prorations(&of, &items, prorated_at.unwrap_or(now), begins),
        };
        let at_once = begins || (billing == Billing::Always && !prorated.is_empty());
        let whole = period.map(|period| self.period_lines(&items, period, false));
        let whole = whole.unwrap_or_default();
        self.invoice_items(id, &prorated);
        if !at_once {
            of.items = items;
            self.subscriptions.insert(id.to_owned(), of);
            self.emit("customer.subscription.updated", id);
            return;
        }
        let due: i64 = whole.iter().map(|line| line.amount).sum::<i64>() + self.waiting(id);
        let method = self.method_of(id);
        let fails = due > 0 && self.predict(method.as_deref()) != Outcome::Succeeded;
        let draft = Draft {
            reason: "subscription_update",
            lines: whole,
            period: (of.period.0, now),
            finalizes_at: None,
            auto_advance: true,
        };
        let invoice = self.new_invoice(id, draft);
        of.latest_invoice = Some(invoice.clone());
        if fails && payment == Payment::Pending {
            let expires_at = now + 23 * 3_600;
            let invoice = invoice.clone();
            of.pending = Some(Pending { invoice, expires_at, items, period });
        } else {
            of.items = items;
            if let Some(period) = period {
                of.anchor = now;
                of.begin(period);
            }
            if fails && payment == Payment::Default && of.status == Status::Active {
                of.status = Status::PastDue;
            }
        }
        self.subscriptions.insert(id.to_owned(), of);
        self.emit("customer.subscription.updated", id);
        self.emit("invoice.created", &invoice);
        if due > 0 && payment == Payment::Default {
            self.finalize(&invoice);
        } else {
            self.finalize_to_pay(&invoice, method.as_deref());
            self.attempt(&invoice, method.as_deref(), payment != Payment::Pending);
        }
    }

    /// Refuses a change that has to be paid at once and can't be.
    pub(super) fn payable(&self, id: &str, change: &Change) -> Result<(), ApiError> {
        let bills = change.begins || change.billing == Billing::Always;
        if change.payment != Payment::Error || !bills {
            return Ok(());
        }
        match self.predict(self.method_of(id).as_deref()) {
            Outcome::Declined(code) => Err(ApiError::declined(code)),
            Outcome::RequiresAction => Err(ApiError::needs_action()),
            _ => Ok(()),
        }
    }

    /// The sum of the invoice items that wait for an invoice of a subscription.
    fn waiting(&self, id: &str) -> i64 {
        let items = self.all("invoiceitem").filter(|item| {
            item["invoice"].is_null()
                && item["parent"]["subscription_details"]["subscription"] == id
        });
        items.map(|item| integer(&item, "amount")).sum()
    }
}
