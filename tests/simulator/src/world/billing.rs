//! How an invoice comes about, is paid or isn't, and what follows for its subscription.

use serde_json::json;

use super::World;
use super::config::Exhausted;
use super::invoices::{Invoice, Line, Status, pricing};
use super::payments::Outcome;
use super::subscriptions::{Status as Standing, Subscription};
use super::template::{filled, reference, text};

const DAY: i64 = 86_400;

/// What makes an invoice.
pub(super) struct Draft {
    pub(super) reason: &'static str,
    pub(super) lines: Vec<Line>,
    pub(super) period: (i64, i64),
    /// When it becomes final by itself.
    pub(super) finalizes_at: Option<i64>,
    /// Whether it is collected without a further call.
    pub(super) auto_advance: bool,
}

impl World {
    /// Puts a draft into the world as the subscription's latest invoice. Nothing tells of either
    /// yet: that is the caller's, who knows the order.
    pub(super) fn new_invoice(&mut self, subscription: &str, draft: Draft) -> String {
        let id = self.ids.next("in");
        let mut lines = draft.lines;
        lines.extend(self.pending_lines(subscription, &id));
        let now = self.now_of(subscription);
        let Some(of) = self.subscriptions.get_mut(subscription) else { return id };
        of.latest_invoice = Some(id.clone());
        let invoice = Invoice {
            id: id.clone(),
            customer: of.customer.clone(),
            clock: of.clock.clone(),
            subscription: subscription.to_owned(),
            metadata: of.metadata.clone(),
            created: now,
            status: Status::Draft,
            reason: draft.reason,
            currency: of.currency(),
            lines,
            period: draft.period,
            amount_paid: 0,
            attempt_count: 0,
            auto_advance: draft.auto_advance,
            finalizes_at: draft.finalizes_at,
            next_attempt: None,
            first_failure: None,
            number: None,
            intent: None,
            finalized_at: None,
            paid_at: None,
            voided_at: None,
            uncollectible_at: None,
            payments: Vec::new(),
        };
        self.list_made("invoice", &id);
        self.invoices.insert(id.clone(), invoice);
        id
    }

    /// The prorations that waited for an invoice of this subscription.
    fn pending_lines(&mut self, subscription: &str, invoice: &str) -> Vec<Line> {
        let waiting = self.all("invoiceitem").filter(|item| {
            item["invoice"].is_null()
                && item["parent"]["subscription_details"]["subscription"] == subscription
        });
        let mut waiting: Vec<_> = waiting.collect();
        waiting.reverse();
        let mut lines = Vec::new();
        for item in waiting {
            let id = text(&item, "id").to_owned();
            lines.push(self.line_of(&item));
            self.set(&id, json!({ "invoice": invoice }));
            self.emit("invoiceitem.updated", &id);
        }
        lines
    }

    fn line_of(&mut self, item: &serde_json::Value) -> Line {
        let price = reference(&item["pricing"]["price_details"], "price").unwrap_or_default();
        let of = &item["parent"]["subscription_details"];
        Line {
            id: self.ids.next("il"),
            amount: item["amount"].as_i64().unwrap_or_default(),
            description: text(item, "description").to_owned(),
            period: (
                item["period"]["start"].as_i64().unwrap_or_default(),
                item["period"]["end"].as_i64().unwrap_or_default(),
            ),
            price: self.plain.get(&price).cloned().unwrap_or_default(),
            quantity: item["quantity"].as_i64().unwrap_or(1),
            item: text(of, "subscription_item").to_owned(),
            in_part: true,
            invoice_item: Some(text(item, "id").to_owned()),
        }
    }

    /// Makes invoice items of prorations, which wait for the next invoice.
    pub(super) fn invoice_items(&mut self, subscription: &str, lines: &[Line]) {
        let now = self.now_of(subscription);
        let Some(of) = self.subscriptions.get(subscription) else { return };
        let (customer, clock, currency) = (of.customer.clone(), of.clock.clone(), of.currency());
        for line in lines {
            let id = self.ids.next("ii");
            let item = filled(
                "invoiceitem",
                json!({
                    "id": id,
                    "amount": line.amount,
                    "currency": currency,
                    "customer": customer,
                    "date": now,
                    "description": line.description,
                    "discountable": false,
                    "livemode": self.config.livemode,
                    "net_amount": line.amount,
                    "parent": {
                        "subscription_details":
                            { "subscription": subscription, "subscription_item": line.item },
                        "type": "subscription_details",
                    },
                    "period": { "start": line.period.0, "end": line.period.1 },
                    "pricing": pricing(&line.price),
                    "proration": true,
                    "quantity": line.quantity,
                    "test_clock": clock,
                }),
            );
            self.make("invoiceitem", item);
            self.emit("invoiceitem.created", &id);
        }
    }

    /// Makes a draft final, and tells of both: that it became final, and what it was before.
    pub(super) fn finalize(&mut self, id: &str) {
        self.finalize_untold(id);
        self.emit("invoice.updated", id);
    }

    /// The same for a draft that is then to be paid by a method. What can be paid at once was never
    /// anything in between to an update: the one that tells of the payment has the draft's values.
    pub(super) fn finalize_to_pay(&mut self, id: &str, method: Option<&str>) {
        let is_free = self.invoices.get(id).is_some_and(|invoice| invoice.due() == 0);
        if is_free || self.predict(method) == Outcome::Succeeded {
            self.finalize_untold(id);
        } else {
            self.finalize(id);
        }
    }

    /// Makes a draft final, and an intent to pay it where there is something to pay. An update has
    /// to follow, or what becomes of the invoice at once: none has told what changed.
    pub(super) fn finalize_untold(&mut self, id: &str) {
        let Some(invoice) = self.invoices.get(id) else { return };
        let (due, currency) = (invoice.due(), invoice.currency.clone());
        let customer = invoice.customer.clone();
        let now = self.present(&customer);
        let mut intent = invoice.intent.clone();
        if due > 0 {
            let paying = match intent {
                Some(paying) => paying,
                None => self.new_intent(Some(&customer), due, &currency),
            };
            self.paid_by.insert(paying.clone(), id.to_owned());
            let payment = filled(
                "invoice_payment",
                json!({
                    "id": self.ids.next("inpay"),
                    "amount_requested": due,
                    "created": now,
                    "currency": currency,
                    "invoice": id,
                    "livemode": self.config.livemode,
                    "payment": { "type": "payment_intent", "payment_intent": paying },
                    "status": "open",
                }),
            );
            let payment = self.make("invoice_payment", payment);
            if let Some(invoice) = self.invoices.get_mut(id) {
                invoice.payments.push(payment);
            }
            intent = Some(paying);
        }
        let number = self.invoices.values().filter(|one| one.customer == customer);
        let number = number.filter(|one| one.number.is_some()).count() + 1;
        let prefix: String = customer.chars().rev().take(8).collect();
        if let Some(invoice) = self.invoices.get_mut(id) {
            invoice.status = Status::Open;
            invoice.intent = intent;
            invoice.finalized_at = Some(now);
            invoice.finalizes_at = None;
            invoice.number = Some(format!("{}-{number:04}", prefix.to_uppercase()));
        }
        self.emit_beside("invoice.finalized", id);
    }

    /// The intent that pays an invoice.
    pub(super) fn intent_of(&self, id: &str) -> String {
        self.invoices.get(id).and_then(|invoice| invoice.intent.clone()).unwrap_or_default()
    }

    /// Tries to collect an open invoice.
    pub(super) fn attempt(&mut self, id: &str, method: Option<&str>, automatic: bool) -> Outcome {
        if self.invoices.get(id).is_none_or(|invoice| invoice.due() == 0) {
            self.mark_paid(id);
            return Outcome::Succeeded;
        }
        let intent = self.intent_of(id);
        let outcome = self.try_payment(&intent, method);
        self.settle(id, outcome, automatic);
        outcome
    }

    /// What follows from a payment of an intent for the invoice behind it.
    pub(super) fn paid_intent(&mut self, intent: &str, outcome: Outcome) {
        if let Some(invoice) = self.paid_by.get(intent).cloned() {
            self.settle(&invoice, outcome, false);
        }
    }

    fn settle(&mut self, id: &str, outcome: Outcome, automatic: bool) {
        match outcome {
            Outcome::Succeeded => self.mark_paid(id),
            _ => self.mark_failed(id, outcome == Outcome::RequiresAction, automatic),
        }
    }

    pub(super) fn mark_paid(&mut self, id: &str) {
        let Some(invoice) = self.invoices.get_mut(id) else { return };
        let (due, intent) = (invoice.due(), invoice.intent.clone());
        let (customer, payments) = (invoice.customer.clone(), invoice.payments.clone());
        let now = self.present(&customer);
        if let Some(invoice) = self.invoices.get_mut(id) {
            invoice.status = Status::Paid;
            invoice.amount_paid = due;
            invoice.paid_at = Some(now);
            invoice.attempt_count = invoice.attempt_count.max(1);
            invoice.next_attempt = None;
            invoice.auto_advance = false;
        }
        let charged = intent.is_some_and(|intent| self.plain[&intent]["status"] == "succeeded");
        let payments = if charged { payments } else { Vec::new() };
        for payment in &payments {
            let transitions = json!({ "canceled_at": null, "paid_at": now });
            let paid = json!({ "status": "paid", "amount_paid": due,
                "status_transitions": transitions });
            self.set(payment, paid);
        }
        self.emit("invoice.updated", id);
        self.emit("invoice.paid", id);
        self.emit("invoice.payment_succeeded", id);
        for payment in &payments {
            self.emit("invoice_payment.paid", payment);
        }
        self.set_delinquent(&customer, false);
        self.after_payment(id);
    }

    /// Whether what a customer's invoices last came to was a failure.
    fn set_delinquent(&mut self, customer: &str, is_delinquent: bool) {
        let known = self.plain.get(customer).map(|customer| &customer["delinquent"]);
        if known.is_some_and(|known| known.is_boolean() && *known != is_delinquent) {
            self.set(customer, json!({ "delinquent": is_delinquent }));
            self.emit("customer.updated", customer);
        }
    }

    /// A customer is billed in one currency, that of what is bought first.
    pub(super) fn bill_in(&mut self, customer: &str, currency: &str) {
        if self.plain.get(customer).is_some_and(|customer| customer["currency"].is_null()) {
            self.set(customer, json!({ "currency": currency }));
            self.emit("customer.updated", customer);
        }
    }

    /// Counts an invoice as paid although no card was charged for it.
    pub(super) fn pay_without_charge(&mut self, id: &str) {
        self.withdraw_payment(id);
        self.mark_paid(id);
    }

    fn withdraw_payment(&mut self, id: &str) {
        let Some(invoice) = self.invoices.get(id) else { return };
        let (intent, payments) = (invoice.intent.clone(), invoice.payments.clone());
        let now = self.present(&invoice.customer);
        for payment in payments {
            let transitions = json!({ "canceled_at": now, "paid_at": null });
            self.set(&payment, json!({ "status": "canceled", "status_transitions": transitions }));
        }
        if let Some(intent) = intent {
            self.drop_intent(&intent);
        }
    }

    fn after_payment(&mut self, id: &str) {
        let subscription = self.invoices[id].subscription.clone();
        self.save_method(&subscription, id);
        let unpaid = self.invoices.values().any(|one| {
            one.subscription == subscription && one.status == Status::Open && one.attempt_count > 0
        });
        let Some(of) = self.subscriptions.get_mut(&subscription) else { return };
        let latest = of.latest_invoice.as_deref() == Some(id);
        match of.status {
            Standing::Incomplete if latest => of.status = Standing::Active,
            Standing::PastDue | Standing::Unpaid if latest || !unpaid => {
                of.status = Standing::Active;
            }
            Standing::Paused if of.resuming.as_deref() == Some(id) => {
                self.resumed(&subscription);
                return;
            }
            _ => {}
        }
        let applies = of.pending.as_ref().is_some_and(|pending| pending.invoice == id);
        if applies {
            of.apply_pending();
        }
        self.emit("customer.subscription.updated", &subscription);
        if applies {
            self.emit("customer.subscription.pending_update_applied", &subscription);
        }
    }

    fn mark_failed(&mut self, id: &str, needs_action: bool, automatic: bool) {
        let Some(invoice) = self.invoices.get(id) else { return };
        let (subscription, customer) = (invoice.subscription.clone(), invoice.customer.clone());
        let now = self.present(&customer);
        let standing = self.subscriptions.get(&subscription).map(|of| of.status);
        let starting = standing == Some(Standing::Incomplete);
        let days = self.config.retries.days.clone();
        let Some(invoice) = self.invoices.get_mut(id) else { return };
        if automatic || invoice.attempt_count == 0 {
            invoice.attempt_count += 1;
        }
        let first = *invoice.first_failure.get_or_insert(now);
        let mut exhausted = false;
        if automatic && invoice.auto_advance && !starting {
            let mut retries = days.iter().map(|days| first + i64::from(*days) * DAY);
            invoice.next_attempt = retries.find(|at| *at > now);
            exhausted = invoice.next_attempt.is_none();
        }
        if exhausted {
            invoice.auto_advance = false;
        }
        self.emit("invoice.updated", id);
        if !(needs_action && starting) {
            self.emit("invoice.payment_failed", id);
        }
        if automatic && !needs_action {
            self.set_delinquent(&customer, true);
        }
        if needs_action {
            self.emit("invoice.payment_action_required", id);
        }
        let pending = |of: &Subscription| of.pending.as_ref().is_some_and(|it| it.invoice == id);
        if let Some(of) = self.subscriptions.get_mut(&subscription)
            && of.status == Standing::Active
            && !pending(of)
        {
            of.status = Standing::PastDue;
        }
        self.emit("customer.subscription.updated", &subscription);
        if exhausted {
            self.exhaust(&subscription);
        }
    }

    /// The last retry failed.
    fn exhaust(&mut self, subscription: &str) {
        let Some(of) = self.subscriptions.get_mut(subscription) else { return };
        if of.status != Standing::PastDue {
            return;
        }
        match self.config.retries.exhausted {
            Exhausted::PastDue => {}
            Exhausted::Cancel => self.end(subscription, Some("payment_failed")),
            Exhausted::Unpaid => {
                of.status = Standing::Unpaid;
                self.emit("customer.subscription.updated", subscription);
            }
            Exhausted::Pause => {
                of.status = Standing::Paused;
                self.emit("customer.subscription.paused", subscription);
            }
        }
    }

    pub(super) fn void(&mut self, id: &str) {
        self.withdraw_payment(id);
        let Some(invoice) = self.invoices.get(id) else { return };
        let now = self.present(&invoice.customer);
        if let Some(invoice) = self.invoices.get_mut(id) {
            invoice.status = Status::Void;
            invoice.voided_at = Some(now);
            invoice.next_attempt = None;
            invoice.auto_advance = false;
        }
        self.emit("invoice.voided", id);
        self.after_giving_up(id);
    }

    /// What an invoice that will never be paid means for what waited for it.
    fn after_giving_up(&mut self, id: &str) {
        let subscription = self.invoices[id].subscription.clone();
        let now = self.now_of(&subscription);
        let Some(of) = self.subscriptions.get_mut(&subscription) else { return };
        if of.pending.as_ref().is_some_and(|pending| pending.invoice == id) {
            of.pending = None;
            self.emit("customer.subscription.pending_update_expired", &subscription);
        } else if of.status == Standing::Incomplete {
            of.expire(now);
            self.emit("customer.subscription.updated", &subscription);
        } else if of.resuming.as_deref() == Some(id) {
            of.resuming = None;
        }
    }

    pub(super) fn mark_uncollectible(&mut self, id: &str) {
        let Some(invoice) = self.invoices.get(id) else { return };
        let customer = invoice.customer.clone();
        let now = self.present(&customer);
        if let Some(invoice) = self.invoices.get_mut(id) {
            invoice.status = Status::Uncollectible;
            invoice.uncollectible_at = Some(now);
            invoice.next_attempt = None;
            invoice.auto_advance = false;
        }
        self.emit("invoice.marked_uncollectible", id);
        self.set_delinquent(&customer, false);
        let subscription = self.invoices[id].subscription.clone();
        if self.subscriptions[&subscription].resuming.as_deref() == Some(id) {
            self.resumed(&subscription);
        }
    }

    /// What a subscription pays with: its own method, else its customer's.
    pub(super) fn method_of(&self, subscription: &str) -> Option<String> {
        let of = self.subscriptions.get(subscription)?;
        let own = of.default_method.clone();
        own.or_else(|| self.customer_method(&of.customer))
    }

    pub(super) fn customer_method(&self, customer: &str) -> Option<String> {
        let customer = self.plain.get(customer)?;
        reference(&customer["invoice_settings"], "default_payment_method")
    }

    /// The present of a subscription.
    pub(super) fn now_of(&self, subscription: &str) -> i64 {
        let clock = self.subscriptions.get(subscription).and_then(|of| of.clock.as_deref());
        self.time_of(clock)
    }
}
