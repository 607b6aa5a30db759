//! The calls about the items of a subscription. What they change, an update of the subscription
//! changes just so.

use serde_json::json;

use super::super::World;
use super::super::params::{self, Form};
use super::super::request::{Answer, ApiError};
use super::form::fitting;
use super::{Item, Subscription, interval_of};

type Answered = Result<Answer, ApiError>;

/// How a change is billed and paid.
const BILLING: [&str; 3] = ["payment_behavior", "proration_behavior", "proration_date"];

/// Refuses what isn't among the parameters of all changes, nor among those of this one.
fn known(form: &Form, own: &[&str]) -> Result<(), ApiError> {
    params::known(form, "", &[own, &BILLING].concat())
}

impl World {
    pub(in super::super) fn list_items(&self, form: &Form) -> Answered {
        params::known(form, "", &["subscription"])?;
        let id = params::required(form, "subscription")?;
        let missing = || ApiError::no_such("subscription", &id, "subscription");
        let of = self.subscriptions.get(&id).ok_or_else(missing)?;
        let data = of.items.iter().rev().map(|item| of.render_item(item)).collect();
        Ok(Answer::List { url: "/v1/subscription_items".to_owned(), data })
    }

    pub(in super::super) fn retrieve_item(&self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &[])?;
        let of = self.with_item(id)?.id.clone();
        self.answer_item(&of, id)
    }

    pub(in super::super) fn create_item(&mut self, form: &Form) -> Answered {
        known(form, &["subscription", "price", "quantity", "metadata"])?;
        let subscription = params::required(form, "subscription")?;
        self.named("subscription", &subscription, "subscription")?;
        let of = self.living(&subscription)?.clone();
        let item = self.new_item(form, "", self.now_of(&subscription))?;
        let made = item.id.clone();
        self.change_items(&of, [of.items.clone(), vec![item]].concat(), form)?;
        self.answer_item(&subscription, &made)
    }

    pub(in super::super) fn update_item(&mut self, id: &str, form: &Form) -> Answered {
        known(form, &["price", "quantity", "metadata", "off_session"])?;
        params::flag(form, "off_session")?;
        let of = self.living(&self.with_item(id)?.id)?.clone();
        let mut items = of.items.clone();
        for item in items.iter_mut().filter(|item| item.id == id) {
            self.change_item(item, form, "")?;
        }
        self.change_items(&of, items, form)?;
        self.answer_item(&of.id, id)
    }

    pub(in super::super) fn delete_item(&mut self, id: &str, form: &Form) -> Answered {
        known(form, &["clear_usage"])?;
        if params::flag(form, "clear_usage")? == Some(true) {
            let message = "clear_usage is only allowed for items with metered prices.";
            return Err(ApiError::invalid("clear_usage", message));
        }
        let of = self.living(&self.with_item(id)?.id)?.clone();
        let items = of.items.iter().filter(|item| item.id != id).cloned().collect();
        self.change_items(&of, items, form)?;
        let deleted = json!({ "id": id, "object": "subscription_item", "deleted": true });
        Ok(Answer::Object(deleted))
    }

    /// The subscription that has an item.
    fn with_item(&self, id: &str) -> Result<&Subscription, ApiError> {
        let has = |of: &&Subscription| of.items.iter().any(|item| item.id == id);
        let found = self.subscriptions.values().find(has);
        found.ok_or_else(|| ApiError::no_such("subscription item", id, "id"))
    }

    fn change_items(
        &mut self,
        of: &Subscription,
        items: Vec<Item>,
        form: &Form,
    ) -> Result<(), ApiError> {
        fitting(&items)?;
        let begins = of.is_billed() && interval_of(&items) != of.interval();
        let change = self.change_of(of, items, begins, form)?;
        self.change_billing(&of.id, change);
        Ok(())
    }

    /// An item as it is, or as it will be once its invoice is paid.
    fn answer_item(&self, subscription: &str, id: &str) -> Answered {
        let of = &self.subscriptions[subscription];
        let pending = of.pending.iter().flat_map(|pending| &pending.items);
        let found = of.items.iter().chain(pending).find(|item| item.id == id);
        let found = found.ok_or_else(|| ApiError::no_such("subscription item", id, "id"))?;
        Ok(Answer::Object(of.render_item(found)))
    }
}
