//! Which call a path is.

use super::World;
use super::params::Form;
use super::request::{Answer, ApiError, Method, Request};

impl World {
    pub(super) fn route(&mut self, request: &Request) -> Result<Answer, ApiError> {
        let path = request.path.trim_matches('/');
        let parts: Vec<&str> = path.split('/').collect();
        let Some((&"v1", parts)) = parts.split_first() else { return Err(no_route(request)) };
        let form = &request.params;
        let answer = match request.method {
            Method::Get => self.get(parts, form),
            Method::Post => self.post(parts, form),
            Method::Delete => self.delete(parts, form),
        };
        answer.unwrap_or_else(|| Err(no_route(request)))
    }

    fn get(&self, parts: &[&str], form: &Form) -> Option<Result<Answer, ApiError>> {
        Some(match *parts {
            ["products"] => self.list_products(form),
            ["prices"] => self.list_prices(form),
            ["customers"] => self.list_customers(form),
            ["customers", id, "payment_methods"] => self.list_methods(Some(id), form),
            ["payment_methods"] => self.list_methods(None, form),
            ["checkout", "sessions"] => self.list_sessions(form),
            ["checkout", "sessions", id, "line_items"] => self.session_lines(id),
            ["subscriptions"] => self.list_subscriptions(form),
            ["subscription_items"] => self.list_items(form),
            ["subscription_schedules"] => self.list_schedules(form),
            ["invoices"] => self.list_invoices(form),
            ["invoices", id, "lines"] => self.list_lines(id),
            ["invoice_payments"] => self.list_invoice_payments(form),
            ["invoiceitems"] => self.list_invoice_items(form),
            ["payment_intents"] => {
                self.list_payments("payment_intent", "/v1/payment_intents", form)
            }
            ["charges"] => self.list_payments("charge", "/v1/charges", form),
            ["refunds"] => self.list_refunds(form),
            ["disputes"] => self.list_disputes(form),
            ["events"] => self.list_events(form),
            ["events", id] => self.event(id),
            ["test_helpers", "test_clocks"] => self.list_clocks(form),
            ["test_helpers", "test_clocks", id] => {
                self.retrieve("test_helpers.test_clock", id, form)
            }
            ["checkout", "sessions", id] => self.retrieve("checkout.session", id, form),
            ["customers", id] => self.retrieve_customer(id, form),
            ["subscription_items", id] => self.retrieve_item(id, form),
            // Searches aren't there; what looks like an id would be refused as one that is unknown.
            [_, "search"] => return None,
            [kind, id] => self.retrieve(singular(kind)?, id, form),
            _ => return None,
        })
    }

    fn retrieve(&self, kind: &str, id: &str, form: &Form) -> Result<Answer, ApiError> {
        super::params::known(form, "", &[])?;
        Ok(Answer::Object(self.named(kind, id, "id")?))
    }

    /// A customer who was deleted is still found, as deleted.
    fn retrieve_customer(&self, id: &str, form: &Form) -> Result<Answer, ApiError> {
        match self.plain.get(id) {
            Some(gone) if gone["object"] == "customer" && gone["deleted"] == true => {
                let answer = serde_json::json!({ "id": id, "object": "customer", "deleted": true });
                Ok(Answer::Object(answer))
            }
            _ => self.retrieve("customer", id, form),
        }
    }

    fn post(&mut self, parts: &[&str], form: &Form) -> Option<Result<Answer, ApiError>> {
        Some(match *parts {
            ["products"] => self.create_product(form),
            ["products", id] => self.update_product(id, form),
            ["prices"] => self.create_price(form),
            ["prices", id] => self.update_price(id, form),
            ["customers"] => self.create_customer(form),
            ["customers", id] => self.update_customer(id, form),
            ["payment_methods"] => self.create_method(form),
            ["payment_methods", id, "attach"] => self.attach_method(id, form),
            ["payment_methods", id, "detach"] => self.detach_method(id),
            ["checkout", "sessions"] => self.create_session(form),
            ["checkout", "sessions", id, "expire"] => self.expire_session(id),
            ["subscriptions"] => self.create_subscription(form),
            ["subscriptions", id] => self.update_subscription(id, form),
            ["subscriptions", id, "resume"] => self.resume_subscription(id, form),
            ["subscription_items"] => self.create_item(form),
            ["subscription_items", id] => self.update_item(id, form),
            ["subscription_schedules"] => self.create_schedule(form),
            ["subscription_schedules", id] => self.update_schedule(id, form),
            ["subscription_schedules", id, "release"] => self.release_schedule(id, form),
            ["subscription_schedules", id, "cancel"] => self.cancel_schedule(id, form),
            ["invoices", "create_preview"] => return None,
            ["invoices", id] => self.update_invoice(id, form),
            ["invoices", id, "finalize"] => self.finalize_call(id, form),
            ["invoices", id, "pay"] => self.pay_call(id, form),
            ["invoices", id, "void"] => self.void_call(id, form),
            ["invoices", id, "mark_uncollectible"] => self.uncollectible_call(id, form),
            ["payment_intents", id, "confirm"] => self.confirm_intent(id, form),
            ["payment_intents", id, "cancel"] => self.cancel_intent(id, form),
            ["refunds"] => self.create_refund(form),
            ["refunds", id] => self.update_refund(id, form),
            ["disputes", id] => self.update_dispute(id, form),
            ["disputes", id, "close"] => self.close_dispute(id, form, true),
            ["billing_portal", "sessions"] => self.create_portal_session(form),
            ["test_helpers", ref rest @ ..] => return self.help(rest, form),
            _ => return None,
        })
    }

    /// Test clocks, which are Stripe's, and what people and banks do, for which Stripe has no API.
    fn help(&mut self, parts: &[&str], form: &Form) -> Option<Result<Answer, ApiError>> {
        Some(match *parts {
            ["test_clocks"] => self.create_clock(form),
            ["test_clocks", id, "advance"] => self.advance_clock(id, form),
            ["checkout", "sessions", id, "pay"] => self.pay_session(id, form),
            ["checkout", "sessions", id, "decline"] => self.decline_session(id, form),
            ["checkout", "sessions", id, "authenticate"] => self.authenticate_session(id, form),
            ["checkout", "sessions", id, "expire"] => self.expire_session(id),
            ["payment_intents", id, "authenticate"] => self.authenticate_intent(id, form),
            ["refunds", id, "fail"] => self.fail_refund(id, form),
            ["disputes"] => self.create_dispute(form),
            ["disputes", id, "close"] => self.close_dispute(id, form, false),
            _ => return None,
        })
    }

    fn delete(&mut self, parts: &[&str], form: &Form) -> Option<Result<Answer, ApiError>> {
        Some(match *parts {
            ["customers", id] => self.delete_customer(id),
            ["subscriptions", id] => self.cancel_subscription(id, form),
            ["subscription_items", id] => self.delete_item(id, form),
            ["test_helpers", "test_clocks", id] => self.delete_clock(id),
            _ => return None,
        })
    }
}

/// The kind of object that a path lists.
fn singular(path: &str) -> Option<&'static str> {
    Some(match path {
        "products" => "product",
        "prices" => "price",
        "payment_methods" => "payment_method",
        "subscriptions" => "subscription",
        "subscription_schedules" => "subscription_schedule",
        "invoices" => "invoice",
        "invoice_payments" => "invoice_payment",
        "invoiceitems" => "invoiceitem",
        "payment_intents" => "payment_intent",
        "setup_intents" => "setup_intent",
        "charges" => "charge",
        "refunds" => "refund",
        "disputes" => "dispute",
        _ => return None,
    })
}

fn no_route(request: &Request) -> ApiError {
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Delete => "DELETE",
    };
    ApiError::no_route(method, &request.path)
}
