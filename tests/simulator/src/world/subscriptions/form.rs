//! What a form says a subscription should be.

use serde_json::Map;

use super::super::World;
use super::super::params::{self, Form, inside};
use super::super::request::ApiError;
use super::super::template::text;
use super::anchor::Anchor;
use super::ending::Ending;
use super::{Item, PaymentSettings, interval_of};

/// What a subscription begins with.
#[derive(Debug, Clone)]
pub(in super::super) struct Starting {
    pub(in super::super) customer: String,
    pub(in super::super) items: Vec<Item>,
    pub(in super::super) metadata: Form,
    pub(in super::super) description: Option<String>,
    pub(in super::super) trial_end: Option<i64>,
    pub(in super::super) anchor: Option<Anchor>,
    pub(in super::super) ending: Option<Ending>,
    pub(in super::super) missing_method: &'static str,
    pub(in super::super) method: Option<String>,
    pub(in super::super) payment_settings: PaymentSettings,
    pub(in super::super) flexible: bool,
}

/// How long a subscription's description may be.
const DESCRIPTION_CHARS_MAX: usize = 500;

pub(in super::super) const MISSING_METHOD: [&str; 3] = ["create_invoice", "cancel", "pause"];

/// The end of a trial that is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum TrialEnd {
    Now,
    At(i64),
}

impl World {
    /// New items, as the form lists them below a name such as `items`.
    pub(in super::super) fn new_items(
        &mut self,
        form: &Form,
        name: &str,
        now: i64,
    ) -> Result<Vec<Item>, ApiError> {
        let forms = params::forms(form, name)?.ok_or_else(|| ApiError::missing(name))?;
        let mut items = Vec::new();
        for form in forms {
            params::known(form, name, &["price", "quantity", "metadata"])?;
            items.push(self.new_item(form, name, now)?);
        }
        fitting(&items)?;
        Ok(items)
    }

    pub(super) fn new_item(&mut self, form: &Form, name: &str, now: i64) -> Result<Item, ApiError> {
        let param = inside(name, "price");
        let price = params::text(form, "price")?.ok_or_else(|| ApiError::missing(&param))?;
        let price = self.named("price", &price, &param)?;
        if price["active"] != true {
            let message = format!("The price {} is inactive.", text(&price, "id"));
            return Err(ApiError::invalid(&param, message));
        }
        let quantity = quantity(form)?.unwrap_or(1);
        let metadata = params::metadata(form, Map::new())?;
        Ok(Item { id: self.ids.next("si"), created: now, price, quantity, metadata })
    }

    /// What the items become when a form's list is applied: those named are changed or deleted,
    /// those not named stay, new ones are added.
    pub(super) fn changed_items(
        &mut self,
        form: &Form,
        current: &[Item],
        now: i64,
    ) -> Result<Option<Vec<Item>>, ApiError> {
        let Some(forms) = params::forms(form, "items")? else { return Ok(None) };
        let mut items = current.to_vec();
        for form in forms {
            params::known(form, "items", &["id", "price", "quantity", "deleted", "metadata"])?;
            let Some(id) = params::text(form, "id")? else {
                let item = self.new_item(form, "items", now)?;
                items.push(item);
                continue;
            };
            let at = items.iter().position(|item| item.id == id);
            let at =
                at.ok_or_else(|| ApiError::no_such("subscription item", &id, "items[0][id]"))?;
            if params::flag(form, "deleted")? == Some(true) {
                items.remove(at);
                continue;
            }
            self.change_item(&mut items[at], form, "items[0]")?;
        }
        fitting(&items)?;
        Ok(Some(items))
    }

    /// Makes of an item what a form says of it.
    pub(super) fn change_item(
        &self,
        item: &mut Item,
        form: &Form,
        name: &str,
    ) -> Result<(), ApiError> {
        if let Some(price) = params::text(form, "price")? {
            item.price = self.named("price", &price, &inside(name, "price"))?;
        }
        item.quantity = quantity(form)?.unwrap_or(item.quantity);
        item.metadata = params::metadata(form, item.metadata.clone())?;
        Ok(())
    }
}

fn quantity(form: &Form) -> Result<Option<i64>, ApiError> {
    match params::integer(form, "quantity")? {
        Some(quantity) if !(0..=10_000).contains(&quantity) => {
            Err(ApiError::invalid("quantity", "Invalid non-negative integer"))
        }
        quantity => Ok(quantity),
    }
}

/// That items can be billed together.
pub(in super::super) fn fitting(items: &[Item]) -> Result<(), ApiError> {
    let Some(first) = items.first() else {
        let message = "A subscription must have at least one active plan.";
        return Err(ApiError::invalid("items", message));
    };
    for (at, item) in items.iter().enumerate() {
        if item.price["recurring"].is_null() {
            let message = "The price specified is set to `type=one_time` but this field only \
                           accepts prices with `type=recurring`.";
            return Err(ApiError::invalid("items", message));
        }
        if item.price["currency"] != first.price["currency"] {
            let message = "All prices on a subscription must have the same currency.";
            return Err(ApiError::invalid("items", message));
        }
        if interval_of(&items[at..]) != interval_of(items) {
            let message = "All prices on a subscription must have the same `recurring.interval` \
                           and `recurring.interval_count`.";
            return Err(ApiError::invalid("items", message));
        }
        if items[..at].iter().any(|other| other.price["id"] == item.price["id"]) {
            let message = "Cannot add multiple subscription items with the same plan.";
            return Err(ApiError::invalid("items", message));
        }
    }
    Ok(())
}

/// That the currency which a form names, if it does, is that of the items: each price has one only.
pub(super) fn currency(form: &Form, items: &[Item]) -> Result<(), ApiError> {
    let asked = params::text(form, "currency")?;
    let is_theirs = |asked: &String| items.iter().all(|item| item.price["currency"] == **asked);
    if asked.as_ref().is_none_or(is_theirs) {
        return Ok(());
    }
    let message = "The price specified doesn't support the currency that was asked for.";
    Err(ApiError::invalid("currency", message))
}

/// The description that a form gives, or takes away.
pub(super) fn description(form: &Form) -> Result<Option<Option<String>>, ApiError> {
    let description = params::field(form, "description")?;
    if description.iter().flatten().any(|text| text.chars().count() > DESCRIPTION_CHARS_MAX) {
        let message =
            format!("Invalid string: it may be at most {DESCRIPTION_CHARS_MAX} characters long");
        return Err(ApiError::invalid("description", message));
    }
    Ok(description)
}

/// The end of the trial that a form asks for, by date or in days.
pub(super) fn trial_end(form: &Form, now: i64) -> Result<Option<TrialEnd>, ApiError> {
    if params::text(form, "trial_end")?.as_deref() == Some("now") {
        return Ok(Some(TrialEnd::Now));
    }
    let end = match params::time(form, "trial_end")? {
        Some(at) => Some(at),
        None => trial_days(form)?.map(|days| now + days * 86_400),
    };
    match end {
        None => Ok(None),
        Some(at) if at > now && at <= now + 731 * 86_400 => Ok(Some(TrialEnd::At(at))),
        Some(_) => {
            let message = "Invalid timestamp: must be in the future, and within two years";
            Err(ApiError::invalid("trial_end", message))
        }
    }
}

/// The days of a trial.
pub(in super::super) fn trial_days(form: &Form) -> Result<Option<i64>, ApiError> {
    match params::integer(form, "trial_period_days")? {
        Some(days) if !(1..=730).contains(&days) => {
            Err(ApiError::invalid("trial_period_days", "Must be between 1 and 730 days"))
        }
        days => Ok(days),
    }
}

/// What `trial_settings` says should happen when nothing can pay.
pub(in super::super) fn missing_method(form: &Form) -> Result<Option<&'static str>, ApiError> {
    let Some(settings) = params::nested(form, "trial_settings")? else { return Ok(None) };
    params::known(settings, "trial_settings", &["end_behavior"])?;
    let Some(end) = params::nested(settings, "end_behavior")? else { return Ok(None) };
    params::known(end, "trial_settings[end_behavior]", &["missing_payment_method"])?;
    params::word(end, "missing_payment_method", &MISSING_METHOD)
}
