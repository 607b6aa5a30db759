//! The calls about invoices, invoice payments and invoice items.

use serde_json::json;

use super::super::World;
use super::super::params::{self, Form};
use super::super::payments::Outcome;
use super::super::request::{Answer, ApiError};
use super::super::template::{integer, text};
use super::Status;

type Answered = Result<Answer, ApiError>;

impl World {
    fn invoice_in(&self, id: &str, statuses: &[&str]) -> Result<(), ApiError> {
        let invoice = self.named("invoice", id, "invoice")?;
        self.in_status(&invoice, statuses)
    }

    pub(in super::super) fn finalize_call(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &[])?;
        self.invoice_in(id, &["draft"])?;
        if self.invoices[id].due() == 0 {
            self.finalize_untold(id);
            self.mark_paid(id);
        } else {
            self.finalize(id);
        }
        self.answer(id)
    }

    pub(in super::super) fn pay_call(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["payment_method", "paid_out_of_band"])?;
        let out_of_band = params::flag(form, "paid_out_of_band")?.unwrap_or(false);
        if self.invoices.get(id).is_some_and(|invoice| invoice.status == Status::Paid) {
            return Err(ApiError::state("invoice_already_paid", "Invoice is already paid"));
        }
        self.invoice_in(id, &["draft", "open", "uncollectible"])?;
        let invoice = &self.invoices[id];
        let (customer, subscription) = (invoice.customer.clone(), invoice.subscription.clone());
        let method = match params::text(form, "payment_method")? {
            Some(method) => Some(self.usable(&method, Some(&customer))?),
            None => self.method_of(&subscription),
        };
        if self.invoices[id].status == Status::Draft {
            if out_of_band {
                self.finalize_untold(id);
            } else {
                self.finalize_to_pay(id, method.as_deref());
            }
        }
        if out_of_band || self.invoices[id].due() == 0 {
            self.pay_without_charge(id);
            return self.answer(id);
        }
        let intent = self.intent_of(id);
        match self.attempt(id, method.as_deref(), false) {
            Outcome::Succeeded => self.answer(id),
            Outcome::Declined(code) => Err(self.decline_error(&intent, code)),
            Outcome::RequiresAction => Err(self.action_error(&intent)),
            Outcome::NoMethod => {
                let message = "There is no default payment method for this invoice.";
                Err(ApiError::state("resource_missing", message))
            }
        }
    }

    pub(in super::super) fn action_error(&self, intent: &str) -> ApiError {
        let mut error = ApiError::needs_action();
        error.code = Some("invoice_payment_intent_requires_action".to_owned());
        ApiError { payment_intent: self.find(intent), ..error }
    }

    pub(in super::super) fn void_call(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &[])?;
        self.invoice_in(id, &["open", "uncollectible"])?;
        self.void(id);
        self.answer(id)
    }

    pub(in super::super) fn uncollectible_call(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &[])?;
        self.invoice_in(id, &["open"])?;
        self.mark_uncollectible(id);
        self.answer(id)
    }

    pub(in super::super) fn update_invoice(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["auto_advance"])?;
        self.invoice_in(id, &["draft", "open"])?;
        let auto_advance = params::flag(form, "auto_advance")?;
        let grace = self.config.invoice_grace_seconds;
        let now = self.present(&self.invoices[id].customer);
        if let (Some(on), Some(invoice)) = (auto_advance, self.invoices.get_mut(id)) {
            invoice.auto_advance = on;
            let draft = invoice.status == Status::Draft;
            invoice.finalizes_at = (on && draft).then_some(now + grace);
            if !on {
                invoice.next_attempt = None;
            }
        }
        self.emit("invoice.updated", id);
        self.answer(id)
    }

    pub(in super::super) fn list_invoices(&self, form: &Form) -> Answered {
        params::known(form, "", &["customer", "subscription", "status", "created"])?;
        let customer = params::text(form, "customer")?;
        let subscription = params::text(form, "subscription")?;
        let statuses = ["draft", "open", "paid", "void", "uncollectible"];
        let status = params::word(form, "status", &statuses)?;
        let created = params::created(form)?;
        let found = self.all("invoice").filter(|invoice| {
            let of = &invoice["parent"]["subscription_details"]["subscription"];
            customer.as_ref().is_none_or(|one| invoice["customer"] == one.as_str())
                && subscription.as_ref().is_none_or(|one| of == one.as_str())
                && status.is_none_or(|status| invoice["status"] == status)
                && created(integer(invoice, "created"))
        });
        Ok(Answer::List { url: "/v1/invoices".to_owned(), data: found.collect() })
    }

    pub(in super::super) fn list_lines(&self, id: &str) -> Answered {
        let invoice = self.named("invoice", id, "invoice")?;
        let data = invoice["lines"]["data"].as_array().cloned().unwrap_or_default();
        Ok(Answer::List { url: format!("/v1/invoices/{id}/lines"), data })
    }

    pub(in super::super) fn list_invoice_payments(&self, form: &Form) -> Answered {
        params::known(form, "", &["invoice", "status", "payment"])?;
        let invoice = params::text(form, "invoice")?;
        let status = params::word(form, "status", &["open", "paid", "canceled"])?;
        let payment = params::nested(form, "payment")?;
        let intent = match payment {
            None => None,
            Some(payment) => {
                params::known(payment, "payment", &["type", "payment_intent"])?;
                params::word(payment, "type", &["payment_intent"])?;
                params::text(payment, "payment_intent")?
            }
        };
        let found = self.all("invoice_payment").filter(|one| {
            invoice.as_ref().is_none_or(|invoice| one["invoice"] == invoice.as_str())
                && status.is_none_or(|status| text(one, "status") == status)
                && intent.as_ref().is_none_or(|id| one["payment"]["payment_intent"] == id.as_str())
        });
        Ok(Answer::List { url: "/v1/invoice_payments".to_owned(), data: found.collect() })
    }

    pub(in super::super) fn list_invoice_items(&self, form: &Form) -> Answered {
        params::known(form, "", &["customer", "invoice", "pending", "created"])?;
        let customer = params::text(form, "customer")?;
        let invoice = params::text(form, "invoice")?;
        let pending = params::flag(form, "pending")?;
        let created = params::created(form)?;
        let found = self.all("invoiceitem").filter(|item| {
            customer.as_ref().is_none_or(|one| item["customer"] == one.as_str())
                && invoice.as_ref().is_none_or(|one| item["invoice"] == json!(one))
                && pending.is_none_or(|pending| item["invoice"].is_null() == pending)
                && created(integer(item, "date"))
        });
        Ok(Answer::List { url: "/v1/invoiceitems".to_owned(), data: found.collect() })
    }
}
