//! Payment intents, setup intents, charges, and how test cards behave.

use serde_json::{Value, json};

use super::World;
use super::error::decline_message;
use super::params::{self, Form};
use super::request::{Answer, ApiError};
use super::template::{filled, integer, reference, text};

type Answered = Result<Answer, ApiError>;

/// How a payment method behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Card {
    /// Every payment succeeds.
    Good,
    /// It can't even be attached.
    Declined(&'static str),
    /// It can be attached, and then every payment is declined.
    Fails(&'static str),
    /// Every payment has to be authenticated by its owner.
    Authenticates,
}

impl Card {
    /// The test card of that name.
    pub(super) fn token(name: &str) -> Option<Self> {
        match name {
            "pm_card_visa" | "pm_card_mastercard" => Some(Self::Good),
            "pm_card_chargeDeclined" => Some(Self::Declined("generic_decline")),
            "pm_card_chargeDeclinedInsufficientFunds" => Some(Self::Declined("insufficient_funds")),
            "pm_card_chargeCustomerFail" => Some(Self::Fails("generic_decline")),
            "pm_card_authenticationRequired" => Some(Self::Authenticates),
            _ => None,
        }
    }
}

/// How a payment went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Succeeded,
    Declined(&'static str),
    RequiresAction,
    /// There was nothing to pay with.
    NoMethod,
}

impl World {
    /// How a payment with a method would go.
    pub(super) fn predict(&self, method: Option<&str>) -> Outcome {
        match method.and_then(|method| self.cards.get(method)) {
            None => Outcome::NoMethod,
            Some(Card::Good) => Outcome::Succeeded,
            Some(Card::Declined(code) | Card::Fails(code)) => Outcome::Declined(code),
            Some(Card::Authenticates) => Outcome::RequiresAction,
        }
    }

    /// A payment intent that nothing was tried for yet.
    pub(super) fn new_intent(&mut self, customer: Option<&str>, amount: i64, of: &str) -> String {
        let now = customer.map_or(self.now, |customer| self.present(customer));
        let id = self.ids.next("pi");
        let intent = filled(
            "payment_intent",
            json!({
                "id": id,
                "amount": amount,
                "client_secret": format!("{id}_secret_{}", self.ids.next("s")),
                "created": now,
                "currency": of,
                "customer": customer,
                "livemode": self.config.livemode,
                "setup_future_usage": "off_session",
                "status": "requires_payment_method",
            }),
        );
        self.make("payment_intent", intent);
        self.emit("payment_intent.created", &id);
        id
    }

    /// Tries to pay with a method.
    pub(super) fn try_payment(&mut self, intent: &str, method: Option<&str>) -> Outcome {
        let outcome = self.predict(method);
        match outcome {
            Outcome::NoMethod => {}
            Outcome::Succeeded => self.succeed(intent, method),
            Outcome::Declined(code) => self.decline(intent, method, code),
            Outcome::RequiresAction => {
                let secret = text(&self.plain[intent], "client_secret").to_owned();
                self.set(
                    intent,
                    json!({
                        "status": "requires_action",
                        "payment_method": method,
                        "next_action": { "type": "use_stripe_sdk",
                            "use_stripe_sdk": { "client_secret": secret } },
                        "last_payment_error": null,
                    }),
                );
                self.emit("payment_intent.requires_action", intent);
            }
        }
        outcome
    }

    /// What follows when the owner of a card has been asked.
    pub(super) fn authenticated(&mut self, intent: &str, succeeded: bool) -> Outcome {
        let method = reference(&self.plain[intent], "payment_method");
        if succeeded {
            self.succeed(intent, method.as_deref());
            return Outcome::Succeeded;
        }
        let code = "payment_intent_authentication_failure";
        self.set(
            intent,
            json!({
                "status": "requires_payment_method",
                "payment_method": null,
                "next_action": null,
                "last_payment_error": { "type": "invalid_request_error", "code": code,
                    "message": "The provided PaymentMethod has failed authentication." },
            }),
        );
        self.emit("payment_intent.payment_failed", intent);
        Outcome::Declined("authentication_required")
    }

    fn succeed(&mut self, intent: &str, method: Option<&str>) {
        let charge = self.new_charge(intent, method, None);
        let amount = integer(&self.plain[intent], "amount");
        self.set(
            intent,
            json!({
                "status": "succeeded",
                "payment_method": method,
                "amount_received": amount,
                "latest_charge": charge,
                "next_action": null,
                "last_payment_error": null,
            }),
        );
        self.emit("payment_intent.succeeded", intent);
        self.emit("charge.succeeded", &charge);
    }

    fn decline(&mut self, intent: &str, method: Option<&str>, code: &str) {
        let charge = self.new_charge(intent, method, Some(code));
        self.set(
            intent,
            json!({
                "status": "requires_payment_method",
                "payment_method": null,
                "latest_charge": charge,
                "next_action": null,
                "last_payment_error": { "type": "card_error", "code": "card_declined",
                    "decline_code": code, "charge": charge, "message": decline_message(code) },
            }),
        );
        self.emit("charge.failed", &charge);
        self.emit("payment_intent.payment_failed", intent);
    }

    fn new_charge(&mut self, intent: &str, method: Option<&str>, failure: Option<&str>) -> String {
        let payment = self.plain[intent].clone();
        let amount = integer(&payment, "amount");
        let customer = reference(&payment, "customer");
        let now = customer.as_ref().map_or(self.now, |customer| self.present(customer));
        let paid = failure.is_none();
        let mut charge = filled(
            "charge",
            json!({
                "id": self.ids.next("ch"),
                "amount": amount,
                "amount_captured": if paid { amount } else { 0 },
                "captured": paid,
                "created": now,
                "currency": payment["currency"],
                "customer": customer,
                "failure_code": failure.map(|_| "card_declined"),
                "failure_message": failure.map(decline_message),
                "livemode": self.config.livemode,
                "paid": paid,
                "payment_intent": intent,
                "payment_method": method,
                "status": if paid { "succeeded" } else { "failed" },
            }),
        );
        charge["outcome"]["type"] = json!(if paid { "authorized" } else { "issuer_declined" });
        charge["outcome"]["reason"] = json!(failure);
        charge["outcome"]["network_status"] =
            json!(if paid { "approved_by_network" } else { "declined_by_network" });
        self.make("charge", charge)
    }

    /// A setup intent that succeeds at once, and the method that it saves for a customer.
    pub(super) fn new_setup(&mut self, customer: &str, method: &str) -> String {
        let id = self.ids.next("seti");
        let setup = filled(
            "setup_intent",
            json!({
                "id": id,
                "client_secret": format!("{id}_secret"),
                "created": self.present(customer),
                "customer": customer,
                "livemode": self.config.livemode,
            }),
        );
        self.make("setup_intent", setup);
        self.emit("setup_intent.created", &id);
        self.set(&id, json!({ "status": "succeeded", "payment_method": method }));
        self.emit("setup_intent.succeeded", &id);
        id
    }

    /// Pays an intent as its owner would on a page; an invoice behind it learns of it.
    pub(super) fn confirm_intent(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["payment_method", "return_url"])?;
        let intent = self.named("payment_intent", id, "intent")?;
        let payable = ["requires_payment_method", "requires_confirmation", "requires_action"];
        self.in_status(&intent, &payable)?;
        let customer = reference(&intent, "customer");
        let method = match params::text(form, "payment_method")? {
            None => reference(&intent, "payment_method"),
            Some(method) => Some(self.usable(&method, customer.as_deref())?),
        };
        let Some(method) = method else { return Err(ApiError::missing("payment_method")) };
        let outcome = self.try_payment(id, Some(&method));
        self.paid_intent(id, outcome);
        match outcome {
            Outcome::Declined(code) => Err(self.decline_error(id, code)),
            _ => self.answer(id),
        }
    }

    /// What a declined payment is answered with.
    pub(super) fn decline_error(&self, intent: &str, code: &str) -> ApiError {
        ApiError { payment_intent: self.find(intent), ..ApiError::declined(code) }
    }

    /// A payment method to pay with: a test card makes one, attached where that is possible.
    pub(super) fn usable(
        &mut self,
        method: &str,
        customer: Option<&str>,
    ) -> Result<String, ApiError> {
        match (Card::token(method), customer) {
            (Some(card @ Card::Declined(_)), _) => Ok(self.new_method(card, self.now)),
            (Some(card), None) => Ok(self.new_method(card, self.now)),
            (_, Some(customer)) => self.attach(method, customer),
            (None, None) => {
                self.named("payment_method", method, "payment_method")?;
                Ok(method.to_owned())
            }
        }
    }

    /// The owner of a card says yes or no; not a path of Stripe's.
    pub(super) fn authenticate_intent(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["outcome"])?;
        let intent = self.named("payment_intent", id, "intent")?;
        self.in_status(&intent, &["requires_action"])?;
        let word = params::word(form, "outcome", &["succeed", "fail"])?.unwrap_or("succeed");
        let outcome = self.authenticated(id, word == "succeed");
        self.paid_intent(id, outcome);
        self.answer(id)
    }

    pub(super) fn cancel_intent(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["cancellation_reason"])?;
        let intent = self.named("payment_intent", id, "intent")?;
        self.in_status(&intent, &["requires_payment_method", "requires_action"])?;
        if self.paid_by.contains_key(id) {
            let message = "You cannot cancel this PaymentIntent because it belongs to an invoice.";
            return Err(ApiError::state("payment_intent_unexpected_state", message));
        }
        let reasons = ["duplicate", "fraudulent", "requested_by_customer", "abandoned"];
        let reason = params::word(form, "cancellation_reason", &reasons)?;
        self.set(id, json!({ "cancellation_reason": reason }));
        self.drop_intent(id);
        self.answer(id)
    }

    /// Cancels an intent that will not be paid any more.
    pub(super) fn drop_intent(&mut self, id: &str) {
        let Some(intent) = self.plain.get(id) else { return };
        if ["succeeded", "canceled"].contains(&text(intent, "status")) {
            return;
        }
        let customer = reference(intent, "customer");
        let now = customer.map_or(self.now, |customer| self.present(&customer));
        let canceled = json!({ "status": "canceled", "canceled_at": now, "next_action": null });
        self.set(id, canceled);
        self.emit("payment_intent.canceled", id);
    }

    /// That an object is in one of some statuses.
    pub(super) fn in_status(&self, object: &Value, statuses: &[&str]) -> Result<(), ApiError> {
        let status = text(object, "status");
        if statuses.contains(&status) {
            return Ok(());
        }
        let kind = text(object, "object");
        let message = format!("This {kind} has a status of {status}, which doesn't allow that.");
        Err(ApiError::state(&format!("{kind}_unexpected_state").replace('.', "_"), message))
    }

    /// Charges or payment intents.
    pub(super) fn list_payments(&self, kind: &str, url: &str, form: &Form) -> Answered {
        params::known(form, "", &["customer", "payment_intent", "created"])?;
        let customer = params::text(form, "customer")?;
        let intent = params::text(form, "payment_intent")?;
        let created = params::created(form)?;
        let found = self.all(kind).filter(|object| {
            customer.as_ref().is_none_or(|one| object["customer"] == one.as_str())
                && intent.as_ref().is_none_or(|one| object["payment_intent"] == one.as_str())
                && created(integer(object, "created"))
        });
        Ok(Answer::List { url: url.to_owned(), data: found.collect() })
    }
}
