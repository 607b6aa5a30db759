//! Customers and their payment methods.

use serde_json::{Value, json};

use super::World;
use super::params::{self, Form};
use super::payments::Card;
use super::request::{Answer, ApiError};
use super::template::{fill, filled, integer, text};

type Answered = Result<Answer, ApiError>;

const FIELDS: [&str; 8] = [
    "email",
    "name",
    "phone",
    "description",
    "metadata",
    "invoice_settings",
    "payment_method",
    "preferred_locales",
];

impl World {
    pub(super) fn create_customer(&mut self, form: &Form) -> Answered {
        params::known(form, "", &[&FIELDS[..], &["test_clock"]].concat())?;
        let clock = params::text(form, "test_clock")?;
        if let Some(clock) = &clock {
            self.named("test_helpers.test_clock", clock, "test_clock")?;
        }
        let fields = Self::customer_fields(form, Form::new())?;
        let method = params::text(form, "payment_method")?;
        let default = Self::default_method(form)?.flatten();
        // Refuses what can't be attached before anything is there.
        for method in method.iter().chain(&default) {
            self.attachable(method, None)?;
        }
        let id = self.new_customer(clock.as_deref(), fields);
        let method = method.map(|method| self.attach(&method, &id)).transpose()?;
        if let Some(default) = default {
            let default = match method {
                Some(method) if Card::token(&default).is_some() => method,
                _ => self.attach(&default, &id)?,
            };
            self.set_default_method(&id, json!(default));
        }
        self.emit("customer.updated", &id);
        self.answer(&id)
    }

    /// A customer who is new, with the fields given.
    pub(super) fn new_customer(&mut self, clock: Option<&str>, fields: Value) -> String {
        let mut customer = filled(
            "customer",
            json!({
                "id": self.ids.next("cus"),
                "created": self.time_of(clock),
                "currency": null,
                "delinquent": false,
                "invoice_prefix": null,
                "livemode": self.config.livemode,
                "test_clock": clock,
            }),
        );
        fill(&mut customer, fields);
        let prefix: String = text(&customer, "id").chars().rev().take(8).collect();
        customer["invoice_prefix"] = json!(prefix.to_uppercase());
        let id = self.make("customer", customer);
        self.emit("customer.created", &id);
        let trainer = self.plain[&id]["metadata"]["trainer_id"].as_str().map(str::to_owned);
        self.say(&id, trainer.as_deref(), false);
        id
    }

    fn customer_fields(form: &Form, metadata: Form) -> Result<Value, ApiError> {
        let mut fields = json!({ "metadata": params::metadata(form, metadata)? });
        for name in ["email", "name", "phone", "description"] {
            if let Some(value) = params::field(form, name)? {
                fields[name] = json!(value);
            }
        }
        Ok(fields)
    }

    /// The default payment method asked for: none, unset, or which.
    fn default_method(form: &Form) -> Result<Option<Option<String>>, ApiError> {
        let Some(settings) = params::nested(form, "invoice_settings")? else { return Ok(None) };
        params::known(settings, "invoice_settings", &["default_payment_method"])?;
        params::field(settings, "default_payment_method")
    }

    fn set_default_method(&mut self, customer: &str, method: Value) {
        if let Some(customer) = self.plain.get_mut(customer) {
            customer["invoice_settings"]["default_payment_method"] = method;
        }
    }

    pub(super) fn update_customer(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &FIELDS)?;
        let customer = self.named("customer", id, "id")?;
        let metadata = customer["metadata"].as_object().cloned().unwrap_or_default();
        let fields = Self::customer_fields(form, metadata)?;
        let default = Self::default_method(form)?;
        if let Some(Some(method)) = &default {
            self.attachable(method, Some(id))?;
        }
        if let Some(method) = params::text(form, "payment_method")? {
            self.attach(&method, id)?;
        }
        match default {
            None => {}
            Some(None) => self.set_default_method(id, Value::Null),
            Some(Some(method)) => {
                let method = self.attach(&method, id)?;
                self.set_default_method(id, json!(method));
            }
        }
        let before = customer["metadata"]["trainer_id"].clone();
        let trainer = fields["metadata"]["trainer_id"].as_str().map(str::to_owned);
        self.set(id, fields);
        self.emit("customer.updated", id);
        self.say(id, trainer.as_deref().filter(|trainer| before != **trainer), false);
        self.answer(id)
    }

    /// Deletes a customer, the subscriptions first.
    pub(super) fn delete_customer(&mut self, id: &str) -> Answered {
        let customer = self.named("customer", id, "id")?;
        let theirs = self.subscriptions.values();
        let theirs = theirs.filter(|one| one.customer == id && !one.status.is_final());
        for subscription in theirs.map(|one| one.id.clone()).collect::<Vec<_>>() {
            self.end(&subscription, Some("cancellation_requested"));
        }
        self.emit_object("customer.deleted", customer.clone());
        // The clock stays known, for what still happens to the customer's payments.
        let gone = json!({ "id": id, "object": "customer", "deleted": true,
            "test_clock": customer["test_clock"] });
        self.plain.insert(id.to_owned(), gone);
        Ok(Answer::Object(json!({ "id": id, "object": "customer", "deleted": true })))
    }

    pub(super) fn list_customers(&self, form: &Form) -> Answered {
        params::known(form, "", &["email", "created", "test_clock"])?;
        let email = params::text(form, "email")?;
        let clock = params::text(form, "test_clock")?;
        let created = params::created(form)?;
        let found = self.all("customer").filter(|customer| {
            email.as_ref().is_none_or(|email| customer["email"] == email.as_str())
                && clock.as_ref().is_none_or(|clock| customer["test_clock"] == clock.as_str())
                && created(integer(customer, "created"))
        });
        Ok(Answer::List { url: "/v1/customers".to_owned(), data: found.collect() })
    }

    /// That a payment method can be attached: a test method that isn't refused at once, or one that
    /// exists and isn't another's.
    fn attachable(&self, method: &str, customer: Option<&str>) -> Result<(), ApiError> {
        match Card::token(method) {
            Some(Card::Declined(code)) => return Err(ApiError::declined(code)),
            Some(_) => return Ok(()),
            None => {}
        }
        let found = self.named("payment_method", method, "payment_method")?;
        match found["customer"].as_str() {
            Some(owner) if Some(owner) != customer => {
                let message = "The payment method you provided has already been attached to a \
                               customer.";
                Err(ApiError::state("payment_method_unexpected_state", message))
            }
            _ => Ok(()),
        }
    }

    /// Attaches a payment method to a customer. A test method's name makes a new one.
    pub(super) fn attach(&mut self, method: &str, customer: &str) -> Result<String, ApiError> {
        self.attachable(method, Some(customer))?;
        let id = match Card::token(method) {
            Some(card) => self.new_method(card, self.present(customer)),
            None => method.to_owned(),
        };
        if self.plain[&id]["customer"] == customer {
            return Ok(id);
        }
        self.set(&id, json!({ "customer": customer }));
        self.emit("payment_method.attached", &id);
        Ok(id)
    }

    /// A payment method that belongs to nobody yet.
    pub(super) fn new_method(&mut self, card: Card, now: i64) -> String {
        let method = filled(
            "payment_method",
            json!({
                "id": self.ids.next("pm"),
                "created": now,
                "customer": null,
                "livemode": self.config.livemode,
            }),
        );
        let id = self.make("payment_method", method);
        self.cards.insert(id.clone(), card);
        id
    }

    pub(super) fn create_method(&mut self, form: &Form) -> Answered {
        params::known(form, "", &["type", "card"])?;
        params::word(form, "type", &["card"])?.ok_or_else(|| ApiError::missing("type"))?;
        let card = params::nested(form, "card")?.ok_or_else(|| ApiError::missing("card"))?;
        params::known(card, "card", &["token"])?;
        let token = params::required(card, "token")?;
        let known = Card::token(&token.replacen("tok_", "pm_card_", 1));
        let card = known.ok_or_else(|| ApiError::no_such("token", &token, "card[token]"))?;
        let id = self.new_method(card, self.now);
        self.answer(&id)
    }

    pub(super) fn attach_method(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["customer"])?;
        let customer = params::required(form, "customer")?;
        self.named("customer", &customer, "customer")?;
        let id = self.attach(id, &customer)?;
        self.answer(&id)
    }

    pub(super) fn detach_method(&mut self, id: &str) -> Answered {
        let method = self.named("payment_method", id, "payment_method")?;
        let Some(customer) = method["customer"].as_str() else {
            let message = "The payment method you provided is not attached to a customer.";
            return Err(ApiError::state("payment_method_unexpected_state", message));
        };
        self.set(id, json!({ "customer": null }));
        self.emit("payment_method.detached", id);
        let settings = &self.plain[customer]["invoice_settings"];
        if settings["default_payment_method"] == id {
            self.set_default_method(customer, Value::Null);
            self.emit("customer.updated", customer);
        }
        self.answer(id)
    }

    pub(super) fn list_methods(&self, customer: Option<&str>, form: &Form) -> Answered {
        params::known(form, "", &["customer", "type"])?;
        let customer = match customer {
            Some(customer) => Some(customer.to_owned()),
            None => params::text(form, "customer")?,
        };
        let found = self.all("payment_method").filter(|method| {
            method["customer"].is_string()
                && customer.as_ref().is_none_or(|one| method["customer"] == one.as_str())
        });
        Ok(Answer::List { url: "/v1/payment_methods".to_owned(), data: found.collect() })
    }
}
