//! Billing portal sessions, and the list of events.

use serde_json::json;

use super::World;
use super::params::{self, Form};
use super::request::{Answer, ApiError};
use super::template::filled;

type Answered = Result<Answer, ApiError>;

impl World {
    pub(super) fn create_portal_session(&mut self, form: &Form) -> Answered {
        params::known(form, "", &["customer", "return_url", "locale", "configuration"])?;
        let customer = params::required(form, "customer")?;
        self.named("customer", &customer, "customer")?;
        let id = self.ids.next("bps");
        let session = filled(
            "billing_portal.session",
            json!({
                "id": id,
                "configuration": params::text(form, "configuration")?,
                "created": self.present(&customer),
                "customer": customer,
                "livemode": self.config.livemode,
                "return_url": params::text(form, "return_url")?,
                "url": format!("https://billing.test/p/session/{id}"),
            }),
        );
        let id = self.make("billing_portal.session", session);
        self.emit("billing_portal.session.created", &id);
        self.answer(&id)
    }

    pub(super) fn list_events(&self, form: &Form) -> Answered {
        let known = ["type", "types", "created", "delivery_success"];
        params::known(form, "", &known)?;
        let kind = params::text(form, "type")?;
        let kinds = params::texts(form, "types")?;
        if kinds.len() > 20 || (kind.is_some() && !kinds.is_empty()) {
            return Err(ApiError::invalid("types", "Up to 20 types, and not together with type."));
        }
        let created = params::created(form)?;
        let fits = |pattern: &String, kind: &str| match pattern.strip_suffix('*') {
            Some(beginning) => kind.starts_with(beginning),
            None => pattern == kind,
        };
        let found = self.events.iter().rev().filter(|event| {
            kind.as_ref().is_none_or(|kind| fits(kind, &event.kind))
                && (kinds.is_empty() || kinds.iter().any(|kind| fits(kind, &event.kind)))
                && created(event.created)
        });
        let data = found.map(super::Event::render).collect();
        Ok(Answer::List { url: "/v1/events".to_owned(), data })
    }

    pub(super) fn event(&self, id: &str) -> Answered {
        let found = self.events.iter().find(|event| event.id == id);
        let found = found.ok_or_else(|| ApiError::no_such("event", id, "id"))?;
        Ok(Answer::Object(found.render()))
    }
}
