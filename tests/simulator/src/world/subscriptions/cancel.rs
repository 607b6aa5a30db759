//! How a subscription ends.

use super::super::World;
use super::super::billing::Draft;
use super::super::invoices::Status as InvoiceStatus;
use super::super::params::{self, Form};
use super::super::request::{Answer, ApiError};
use super::Status;

impl World {
    pub(in super::super) fn cancel_subscription(
        &mut self,
        id: &str,
        form: &Form,
    ) -> Result<Answer, ApiError> {
        params::known(form, "", &["cancellation_details", "invoice_now", "prorate"])?;
        let Ok(of) = self.living(id) else {
            return Err(ApiError::no_such("subscription", id, "id"));
        };
        let (mut comment, mut feedback) = (of.comment.clone(), of.feedback.clone());
        if let Some(details) = params::nested(form, "cancellation_details")? {
            params::known(details, "cancellation_details", &["comment", "feedback"])?;
            comment = params::text(details, "comment")?.or(comment);
            feedback = params::text(details, "feedback")?.or(feedback);
        }
        let invoice_now = params::flag(form, "invoice_now")?.unwrap_or(false);
        let prorate = params::flag(form, "prorate")?.unwrap_or(false);
        if prorate {
            let of = self.subscriptions[id].clone();
            let lines = self.prorations(&of, &[], self.now_of(id), false);
            self.invoice_items(id, &lines);
        }
        if invoice_now {
            self.last_invoice(id);
        }
        if let Some(of) = self.subscriptions.get_mut(id) {
            of.comment = comment;
            of.feedback = feedback;
        }
        self.end(id, Some("cancellation_requested"));
        self.answer(id)
    }

    /// Bills what waited for the next invoice.
    fn last_invoice(&mut self, id: &str) {
        let now = self.now_of(id);
        let draft = Draft {
            reason: "subscription_update",
            lines: Vec::new(),
            period: (self.subscriptions[id].period.0, now),
            finalizes_at: None,
            auto_advance: false,
        };
        let invoice = self.new_invoice(id, draft);
        self.emit("customer.subscription.updated", id);
        self.emit("invoice.created", &invoice);
        let method = self.method_of(id);
        self.finalize_to_pay(&invoice, method.as_deref());
        self.attempt(&invoice, method.as_deref(), false);
    }

    /// Ends a subscription now. One that was never paid for expires instead.
    pub(in super::super) fn end(&mut self, id: &str, reason: Option<&'static str>) {
        let now = self.now_of(id);
        let Some(of) = self.subscriptions.get_mut(id) else { return };
        if of.status == Status::Incomplete {
            self.expire_incomplete(id);
            return;
        }
        of.status = Status::Canceled;
        of.ended_at = Some(now);
        of.canceled_at = of.canceled_at.or(Some(now));
        of.reason = of.reason.or(reason);
        of.pending = None;
        of.resuming = None;
        let schedule = of.schedule.take();
        self.emit("customer.subscription.deleted", id);
        if let Some(schedule) = schedule {
            self.schedule_ended(&schedule, "canceled");
        }
        self.stop_collecting(id);
    }

    /// Nothing of a subscription that ended is collected by itself any more.
    fn stop_collecting(&mut self, id: &str) {
        let open = self.invoices.values().filter(|invoice| {
            let unsettled = matches!(invoice.status, InvoiceStatus::Draft | InvoiceStatus::Open);
            invoice.subscription == id && unsettled
        });
        for invoice in open.map(|invoice| invoice.id.clone()).collect::<Vec<_>>() {
            if let Some(invoice) = self.invoices.get_mut(&invoice) {
                invoice.auto_advance = false;
                invoice.next_attempt = None;
                invoice.finalizes_at = None;
            }
            self.emit("invoice.updated", &invoice);
        }
    }

    /// The first payment never came: 23 hours have passed, or nobody wants it any more.
    pub(in super::super) fn expire_incomplete(&mut self, id: &str) {
        let now = self.now_of(id);
        let Some(of) = self.subscriptions.get_mut(id) else { return };
        of.expire(now);
        let invoice = of.latest_invoice.clone();
        self.emit("customer.subscription.updated", id);
        if let Some(invoice) = invoice {
            let open = self.invoices.get(&invoice).is_some_and(super::super::Invoice::is_unpaid);
            if open {
                self.void(&invoice);
            }
        }
    }
}
