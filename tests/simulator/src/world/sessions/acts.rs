//! What a buyer does on the page of a checkout session. None of these paths is Stripe's.

use serde_json::json;

use super::super::World;
use super::super::params::{self, Form};
use super::super::payments::{Card, Outcome};
use super::super::request::{Answer, ApiError};
use super::super::subscriptions::{Payment, PaymentSettings, Starting};

type Answered = Result<Answer, ApiError>;

impl World {
    /// The buyer enters a card: `payment_method`, or one that works.
    pub(in super::super) fn pay_session(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["payment_method"])?;
        let method = params::text(form, "payment_method")?;
        self.enter_card(id, method.as_deref().unwrap_or("pm_card_visa"))
    }

    /// The buyer enters a card that is declined; the page stays open.
    pub(in super::super) fn decline_session(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["payment_method"])?;
        let method = params::text(form, "payment_method")?;
        match self.enter_card(id, method.as_deref().unwrap_or("pm_card_chargeDeclined")) {
            Err(error) if error.kind == "card_error" => self.answer(id),
            answer => answer,
        }
    }

    fn enter_card(&mut self, id: &str, method: &str) -> Answered {
        let rendered = self.named("checkout.session", id, "session")?;
        self.in_status(&rendered, &["open"])?;
        let card = Card::token(method);
        let card =
            card.ok_or_else(|| ApiError::no_such("PaymentMethod", method, "payment_method"))?;
        let session = &self.sessions[id];
        let (due, collection) = (session.due(), session.collection);
        if due == 0
            && let Card::Declined(code) = card
        {
            return Err(ApiError::declined(code));
        }
        let customer = self.buyer(id);
        self.named("customer", &customer, "customer")?;
        let now = self.present(&customer);
        if due == 0 {
            let method = (collection == "always").then(|| self.new_method(card, now));
            self.complete(id, method, None);
            return self.answer(id);
        }
        let method = self.new_method(card, now);
        let known = self.sessions[id].intent.clone();
        let currency = self.sessions[id].items[0].price["currency"].clone();
        let intent = match known {
            Some(intent) => intent,
            None => {
                let currency = currency.as_str().unwrap_or("usd");
                self.new_intent(Some(&customer), due, currency)
            }
        };
        if let Some(session) = self.sessions.get_mut(id) {
            session.intent = Some(intent.clone());
            session.method = Some(method.clone());
        }
        match self.try_payment(&intent, Some(&method)) {
            Outcome::Succeeded => self.complete(id, Some(method), Some(intent)),
            Outcome::Declined(code) => return Err(self.decline_error(&intent, code)),
            _ => {}
        }
        self.answer(id)
    }

    /// The buyer is asked by the bank, and answers.
    pub(in super::super) fn authenticate_session(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["outcome"])?;
        let rendered = self.named("checkout.session", id, "session")?;
        self.in_status(&rendered, &["open"])?;
        let outcome = params::word(form, "outcome", &["succeed", "fail"])?.unwrap_or("succeed");
        let waits = |intent: &String| self.plain[intent]["status"] == "requires_action";
        let intent = self.sessions[id].intent.clone().filter(waits);
        let Some(intent) = intent else {
            let message = "There is no payment on this session that waits to be authenticated.";
            return Err(ApiError::state("checkout_session_unexpected_state", message));
        };
        if self.authenticated(&intent, outcome == "succeed") == Outcome::Succeeded {
            let method = self.sessions[id].method.clone();
            self.complete(id, method, Some(intent));
        }
        self.answer(id)
    }

    /// The customer who buys; a new one when the session names none.
    fn buyer(&mut self, id: &str) -> String {
        let session = &self.sessions[id];
        if let Some(known) = session.customer.clone().or_else(|| session.buyer.clone()) {
            return known;
        }
        let email = session.email.clone();
        let customer = self.new_customer(None, json!({ "email": email }));
        if let Some(session) = self.sessions.get_mut(id) {
            session.buyer = Some(customer.clone());
        }
        customer
    }

    /// The page did what it's for.
    fn complete(&mut self, id: &str, method: Option<String>, intent: Option<String>) {
        let customer = self.buyer(id);
        let now = self.present(&customer);
        if let Some(method) = &method {
            self.set(method, json!({ "customer": customer }));
            self.emit("payment_method.attached", method);
            if intent.is_none() {
                self.new_setup(&customer, method);
            }
        }
        let session = self.sessions[id].clone();
        let starting = Starting {
            customer: customer.clone(),
            items: session.items.clone(),
            metadata: session.carried.clone(),
            description: session.description.clone(),
            trial_end: session.trial.map(|trial| trial.end(now)),
            anchor: None,
            ending: None,
            missing_method: session.missing_method,
            method,
            payment_settings: PaymentSettings::default(),
            flexible: session.flexible,
        };
        let paid = intent.is_some();
        let subscription = self.start(starting, Payment::Allow, intent);
        let invoice = self.subscriptions[&subscription].latest_invoice.clone();
        if let Some(session) = self.sessions.get_mut(id) {
            session.status = "complete";
            session.payment_status = if paid { "paid" } else { "no_payment_required" };
            session.customer = Some(customer);
            session.subscription = Some(subscription);
            session.invoice = invoice;
        }
        self.emit("checkout.session.completed", id);
        self.say_of_session(id, false);
    }
}
