//! The calls about checkout sessions that are Stripe's own.

use serde_json::{Map, Value, json};

use super::super::World;
use super::super::params::{self, Form};
use super::super::request::{Answer, ApiError};
use super::super::subscriptions::{amount_of, missing_method, trial_days};
use super::super::template::{filled, integer};
use super::{Promised, Session};

type Answered = Result<Answer, ApiError>;

/// The last three are of the page only, which isn't there: they are taken and come to nothing.
const KNOWN: [&str; 16] = [
    "mode",
    "line_items",
    "client_reference_id",
    "customer",
    "customer_email",
    "metadata",
    "subscription_data",
    "payment_method_collection",
    "success_url",
    "cancel_url",
    "ui_mode",
    "expires_at",
    "payment_method_types",
    "locale",
    "allow_promotion_codes",
    "billing_address_collection",
];

/// The soonest that a trial may end that a session gives by a date.
const TRIAL_SECONDS_MIN: i64 = 48 * 3_600;

/// What a session says about the subscription that it will make.
struct Carried {
    metadata: Map<String, Value>,
    description: Option<String>,
    trial: Option<Promised>,
    missing_method: &'static str,
    flexible: bool,
}

impl World {
    pub(in super::super) fn create_session(&mut self, form: &Form) -> Answered {
        params::known(form, "", &KNOWN)?;
        let mode = params::word(form, "mode", &["subscription"])?;
        mode.ok_or_else(|| ApiError::missing("mode"))?;
        let customer = params::text(form, "customer")?;
        if let Some(customer) = &customer {
            self.named("customer", customer, "customer")?;
        }
        let now = customer.as_ref().map_or(self.now, |customer| self.present(customer));
        let carried = self.carried(form, now)?;
        // Until dahlia it was called `hosted`.
        params::word(form, "ui_mode", &["hosted_page", "hosted"])?;
        if params::texts(form, "payment_method_types")?.iter().any(|kind| kind != "card") {
            let message = "The payment method type provided is invalid: there are cards only.";
            return Err(ApiError::invalid("payment_method_types", message));
        }
        let collections = ["always", "if_required"];
        let collection = params::word(form, "payment_method_collection", &collections)?;
        let expires_at = params::time(form, "expires_at")?.unwrap_or(now + 86_400);
        if !(now + 1_800..=now + 86_400).contains(&expires_at) {
            let message = "The `expires_at` timestamp must be between 30 minutes and 24 hours from \
                           Checkout Session creation.";
            return Err(ApiError::invalid("expires_at", message));
        }
        let success_url = params::required(form, "success_url")?;
        let session = Session {
            id: String::new(),
            created: now,
            expires_at,
            status: "open",
            payment_status: "unpaid",
            customer,
            buyer: None,
            email: params::text(form, "customer_email")?,
            reference: params::text(form, "client_reference_id")?,
            metadata: params::metadata(form, Map::new())?,
            carried: carried.metadata,
            description: carried.description,
            trial: carried.trial,
            missing_method: carried.missing_method,
            flexible: carried.flexible,
            collection: collection.unwrap_or("always"),
            success_url: Some(success_url),
            cancel_url: params::text(form, "cancel_url")?,
            subscription: None,
            invoice: None,
            intent: None,
            method: None,
            items: self.new_items(form, "line_items", now)?,
        };
        let id = self.ids.next(if self.config.livemode { "cs_live" } else { "cs_test" });
        self.list_made("checkout.session", &id);
        self.sessions.insert(id.clone(), Session { id: id.clone(), ..session });
        self.answer(&id)
    }

    fn carried(&self, form: &Form, now: i64) -> Result<Carried, ApiError> {
        let empty = Map::new();
        let data = params::nested(form, "subscription_data")?.unwrap_or(&empty);
        let known = [
            "metadata",
            "trial_period_days",
            "trial_end",
            "trial_settings",
            "billing_mode",
            "description",
        ];
        params::known(data, "subscription_data", &known)?;
        let trial = match (params::time(data, "trial_end")?, trial_days(data)?) {
            (Some(_), Some(_)) => {
                let message = "You may only specify one of these parameters: trial_end, \
                               trial_period_days.";
                return Err(ApiError::invalid("subscription_data[trial_end]", message));
            }
            (Some(end), None) if end < now + TRIAL_SECONDS_MIN => {
                let message = "The `trial_end` date has to be at least 2 days in the future.";
                return Err(ApiError::invalid("subscription_data[trial_end]", message));
            }
            (Some(end), None) => Some(Promised::Until(end)),
            (None, days) => days.map(Promised::Days),
        };
        Ok(Carried {
            metadata: params::metadata(data, Map::new())?,
            description: params::text(data, "description")?,
            trial,
            missing_method: missing_method(data)?.unwrap_or("create_invoice"),
            flexible: self.billing_mode(data)?,
        })
    }

    pub(in super::super) fn expire_session(&mut self, id: &str) -> Answered {
        let session = self.named("checkout.session", id, "session")?;
        self.in_status(&session, &["open"])?;
        self.session_expires(id);
        self.answer(id)
    }

    /// Nobody paid, and now nobody can.
    pub(in super::super) fn session_expires(&mut self, id: &str) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.status = "expired";
        let intent = session.intent.take();
        self.emit("checkout.session.expired", id);
        self.say_of_session(id, true);
        if let Some(intent) = intent {
            self.drop_intent(&intent);
        }
    }

    pub(in super::super) fn list_sessions(&self, form: &Form) -> Answered {
        params::known(form, "", &["customer", "subscription", "status", "created"])?;
        let customer = params::text(form, "customer")?;
        let subscription = params::text(form, "subscription")?;
        let status = params::word(form, "status", &["open", "complete", "expired"])?;
        let created = params::created(form)?;
        let found = self.all("checkout.session").filter(|session| {
            customer.as_ref().is_none_or(|one| session["customer"] == one.as_str())
                && subscription.as_ref().is_none_or(|one| session["subscription"] == one.as_str())
                && status.is_none_or(|status| session["status"] == status)
                && created(integer(session, "created"))
        });
        Ok(Answer::List { url: "/v1/checkout/sessions".to_owned(), data: found.collect() })
    }

    pub(in super::super) fn session_lines(&self, id: &str) -> Answered {
        self.named("checkout.session", id, "session")?;
        let lines = self.sessions[id].items.iter().map(|item| {
            let amount = amount_of(item);
            filled(
                "item",
                json!({
                    "id": item.id.replacen("si_", "li_", 1),
                    "amount_subtotal": amount,
                    "amount_total": amount,
                    "currency": item.price["currency"],
                    "description": item.price["nickname"],
                    "price": item.price,
                    "quantity": item.quantity,
                }),
            )
        });
        let url = format!("/v1/checkout/sessions/{id}/line_items");
        Ok(Answer::List { url, data: lines.collect() })
    }
}
