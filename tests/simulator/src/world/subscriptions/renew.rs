//! What time does to a subscription.

use super::super::World;
use super::super::billing::Draft;
use super::super::invoices::Status as InvoiceStatus;
use super::super::params::{self, Form};
use super::super::payments::Outcome;
use super::super::request::{Answer, ApiError};
use super::Status;

impl World {
    /// The current period is over: the next one begins, and its invoice is drafted.
    pub(in super::super) fn renew(&mut self, id: &str) {
        let now = self.now_of(id);
        let Some(of) = self.subscriptions.get(id) else { return };
        if of.status == Status::Trialing && !self.trial_goes_on(id) {
            return;
        }
        let before = self.subscriptions[id].interval();
        let told = self.boundary(id);
        let Some(of) = self.subscriptions.get_mut(id) else { return };
        if of.status.is_final() {
            return;
        }
        if of.status == Status::Trialing {
            of.status = Status::Active;
        }
        if of.interval() != before {
            of.anchor = now;
        }
        let over = of.period;
        let next = of.interval().next(of.anchor, over.1);
        of.begin((over.1, next));
        let collects = of.status != Status::Unpaid;
        let waits = of.pause.is_some_and(|(behavior, _)| behavior == "keep_as_draft");
        let (period, items) = (of.period, of.items.clone());
        let advances = collects && !waits;
        let (anchor, is_unbilled) = (of.anchor, of.is_unbilled());
        if is_unbilled {
            self.emit("customer.subscription.updated", id);
            self.emit_all(told);
            return;
        }
        let grace = self.config.invoice_grace_seconds;
        let draft = Draft {
            reason: "subscription_cycle",
            lines: self.beginning_lines(&items, period, anchor),
            period: over,
            finalizes_at: advances.then_some(now + grace),
            auto_advance: advances,
        };
        let invoice = self.new_invoice(id, draft);
        self.emit("customer.subscription.updated", id);
        self.emit("invoice.created", &invoice);
        self.emit_all(told);
    }

    fn emit_all(&mut self, told: Vec<(&'static str, String)>) {
        for (kind, id) in told {
            self.emit(kind, &id);
        }
    }

    /// Whether a trial that is over becomes a paid subscription.
    fn trial_goes_on(&mut self, id: &str) -> bool {
        let can_pay = self.predict(self.method_of(id).as_deref()) != Outcome::NoMethod;
        let Some(of) = self.subscriptions.get_mut(id) else { return false };
        if can_pay || of.missing_method == "create_invoice" {
            return true;
        }
        if of.missing_method == "cancel" {
            self.end(id, None);
        } else {
            of.status = Status::Paused;
            self.emit("customer.subscription.paused", id);
        }
        false
    }

    /// A draft has waited long enough. It's final before anything is tried, and an update says so;
    /// of what is free there's only the one that it's paid.
    pub(in super::super) fn finalize_due(&mut self, id: &str) {
        let subscription = self.invoices[id].subscription.clone();
        let pause = self.subscriptions.get(&subscription).and_then(|of| of.pause);
        let given_up = pause.map(|(behavior, _)| behavior);
        let given_up =
            given_up.filter(|behavior| ["void", "mark_uncollectible"].contains(behavior));
        if given_up.is_none() {
            self.finalize_to_pay(id, None);
        } else {
            self.finalize(id);
        }
        match given_up {
            Some("void") => self.void(id),
            Some(_) => self.mark_uncollectible(id),
            None => self.collect_due(id),
        }
    }

    /// Tries to collect by itself what is open.
    pub(in super::super) fn collect_due(&mut self, id: &str) {
        if self.invoices[id].status == InvoiceStatus::Open {
            let method = self.method_of(&self.invoices[id].subscription);
            self.attempt(id, method.as_deref(), true);
        }
    }

    /// A pause of collection ends by itself.
    pub(in super::super) fn unpause(&mut self, id: &str) {
        if let Some(of) = self.subscriptions.get_mut(id) {
            of.pause = None;
            self.emit("customer.subscription.updated", id);
        }
    }

    /// Ends a pause by a call, as soon as the invoice for the new period is paid.
    pub(in super::super) fn resume_subscription(
        &mut self,
        id: &str,
        form: &Form,
    ) -> Result<Answer, ApiError> {
        params::known(form, "", &["billing_cycle_anchor"])?;
        params::word(form, "billing_cycle_anchor", &["now"])?;
        let of = self.living(id)?.clone();
        if of.status != Status::Paused || of.resuming.is_some() {
            let message = "Only a paused subscription can be resumed, and once.";
            return Err(ApiError::state("subscription_not_paused", message));
        }
        let now = self.now_of(id);
        let draft = Draft {
            reason: "subscription_update",
            lines: self.period_lines(&of.items, (now, of.interval().next(now, now)), false),
            period: (of.period.0, now),
            finalizes_at: None,
            auto_advance: false,
        };
        let invoice = self.new_invoice(id, draft);
        if let Some(of) = self.subscriptions.get_mut(id) {
            of.resuming = Some(invoice.clone());
        }
        self.emit("customer.subscription.updated", id);
        self.emit("invoice.created", &invoice);
        let method = self.method_of(id);
        self.finalize_to_pay(&invoice, method.as_deref());
        self.attempt(&invoice, method.as_deref(), false);
        self.answer(id)
    }

    /// A paused subscription goes on from now.
    pub(in super::super) fn resumed(&mut self, id: &str) {
        let now = self.now_of(id);
        if let Some(of) = self.subscriptions.get_mut(id) {
            of.resuming = None;
            of.status = Status::Active;
            of.anchor = now;
            let end = of.interval().next(now, now);
            of.begin((now, end));
            self.emit("customer.subscription.resumed", id);
        }
    }
}
