//! Lists of subscriptions.

use super::super::World;
use super::super::params::{self, Form};
use super::super::request::{Answer, ApiError};
use super::super::template::integer;
use super::prices_of;

impl World {
    pub(in super::super) fn list_subscriptions(&self, form: &Form) -> Result<Answer, ApiError> {
        params::known(form, "", &["customer", "status", "price", "created", "test_clock"])?;
        let customer = params::text(form, "customer")?;
        let price = params::text(form, "price")?;
        let clock = params::text(form, "test_clock")?;
        let words = [
            "all",
            "ended",
            "active",
            "canceled",
            "incomplete",
            "incomplete_expired",
            "past_due",
            "paused",
            "trialing",
            "unpaid",
        ];
        let status = params::word(form, "status", &words)?;
        let created = params::created(form)?;
        let found = self.all("subscription").filter(|one| {
            let Some(of) = one["id"].as_str().and_then(|id| self.subscriptions.get(id)) else {
                return false;
            };
            let wanted = match status {
                None => !of.status.is_final(),
                Some("all") => true,
                Some("ended") => of.status.is_final(),
                Some(status) => of.status.name() == status,
            };
            wanted
                && customer.as_ref().is_none_or(|customer| of.customer == *customer)
                && price.as_ref().is_none_or(|price| prices_of(&of.items).contains(price))
                && clock.as_ref().is_none_or(|clock| of.clock.as_ref() == Some(clock))
                && created(integer(one, "created"))
        });
        Ok(Answer::List { url: "/v1/subscriptions".to_owned(), data: found.collect() })
    }
}
