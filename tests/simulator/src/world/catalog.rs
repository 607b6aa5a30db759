//! Products and prices.

use serde_json::{Value, json};

use super::World;
use super::params::{self, Form};
use super::request::{Answer, ApiError};
use super::template::{fill, filled, integer, text};

type Answered = Result<Answer, ApiError>;

impl World {
    pub(super) fn create_product(&mut self, form: &Form) -> Answered {
        params::known(form, "", &["id", "name", "active", "description", "metadata", "type"])?;
        let id = params::text(form, "id")?.unwrap_or_else(|| self.ids.next("prod"));
        self.unused(&id)?;
        let product = filled(
            "product",
            json!({
                "id": id,
                "active": params::flag(form, "active")?.unwrap_or(true),
                "created": self.now,
                "description": params::text(form, "description")?,
                "livemode": self.config.livemode,
                "metadata": params::metadata(form, Form::new())?,
                "name": params::required(form, "name")?,
                "type": "service",
                "updated": self.now,
            }),
        );
        let id = self.make("product", product);
        self.emit("product.created", &id);
        self.answer(&id)
    }

    pub(super) fn update_product(&mut self, id: &str, form: &Form) -> Answered {
        params::known(form, "", &["name", "active", "description", "metadata", "default_price"])?;
        let mut product = self.named("product", id, "id")?;
        let metadata = product["metadata"].as_object().cloned().unwrap_or_default();
        let metadata = params::metadata(form, metadata)?;
        fill(&mut product, json!({ "metadata": metadata, "updated": self.now }));
        if let Some(name) = params::text(form, "name")? {
            product["name"] = json!(name);
        }
        if let Some(active) = params::flag(form, "active")? {
            product["active"] = json!(active);
        }
        if let Some(description) = params::field(form, "description")? {
            product["description"] = json!(description);
        }
        if let Some(price) = params::text(form, "default_price")? {
            self.named("price", &price, "default_price")?;
            product["default_price"] = json!(price);
        }
        self.plain.insert(id.to_owned(), product);
        self.emit("product.updated", id);
        self.answer(id)
    }

    pub(super) fn create_price(&mut self, form: &Form) -> Answered {
        let known = [
            "id",
            "currency",
            "product",
            "unit_amount",
            "recurring",
            "lookup_key",
            "transfer_lookup_key",
            "active",
            "nickname",
            "metadata",
        ];
        params::known(form, "", &known)?;
        let currency = params::required(form, "currency")?;
        let product = params::required(form, "product")?;
        self.named("product", &product, "product")?;
        let amount = params::integer(form, "unit_amount")?;
        let amount = amount.ok_or_else(|| ApiError::missing("unit_amount"))?;
        if !(0..=99_999_999).contains(&amount) {
            return Err(ApiError::invalid("unit_amount", "Invalid non-negative integer"));
        }
        let recurring = match params::nested(form, "recurring")? {
            None => Value::Null,
            Some(recurring) => Self::recurring(recurring)?,
        };
        let kind = if recurring.is_null() { "one_time" } else { "recurring" };
        let id = params::text(form, "id")?;
        let id = id.unwrap_or_else(|| self.ids.next("price"));
        self.unused(&id)?;
        let active = params::flag(form, "active")?.unwrap_or(true);
        let metadata = params::metadata(form, Form::new())?;
        let nickname = params::text(form, "nickname")?;
        let lookup_key = self.lookup_key(form, &id)?;
        let price = filled(
            "price",
            json!({
                "id": id,
                "active": active,
                "created": self.now,
                "currency": currency,
                "livemode": self.config.livemode,
                "lookup_key": lookup_key,
                "metadata": metadata,
                "nickname": nickname,
                "product": product,
                "recurring": recurring,
                "type": kind,
                "unit_amount": amount,
                "unit_amount_decimal": amount.to_string(),
            }),
        );
        self.make("price", price.clone());
        self.emit("price.created", &id);
        if !recurring.is_null() {
            self.emit_from("plan.created", None, plan(&price));
        }
        self.answer(&id)
    }

    fn recurring(form: &Form) -> Result<Value, ApiError> {
        params::known(form, "recurring", &["interval", "interval_count", "usage_type"])?;
        let interval = params::word(form, "interval", &["day", "week", "month", "year"])?;
        let interval = interval.ok_or_else(|| ApiError::missing("recurring[interval]"))?;
        let count = params::integer(form, "interval_count")?.unwrap_or(1);
        if !(1..=36).contains(&count) {
            let message = "Invalid interval_count: at most three years";
            return Err(ApiError::invalid("recurring[interval_count]", message));
        }
        params::word(form, "usage_type", &["licensed"])?;
        Ok(json!({ "interval": interval, "interval_count": count, "meter": null,
            "usage_type": "licensed", "trial_period_days": null }))
    }

    pub(super) fn update_price(&mut self, id: &str, form: &Form) -> Answered {
        let known = ["active", "lookup_key", "transfer_lookup_key", "nickname", "metadata"];
        params::known(form, "", &known)?;
        let price = self.named("price", id, "id")?;
        let metadata = price["metadata"].as_object().cloned().unwrap_or_default();
        let metadata = params::metadata(form, metadata)?;
        let active = params::flag(form, "active")?;
        let nickname = params::field(form, "nickname")?;
        if params::field(form, "lookup_key")?.is_some() {
            let lookup_key = self.lookup_key(form, id)?;
            self.set(id, json!({ "lookup_key": lookup_key }));
        }
        self.set(id, json!({ "metadata": metadata }));
        if let Some(active) = active {
            self.set(id, json!({ "active": active }));
        }
        if let Some(nickname) = nickname {
            self.set(id, json!({ "nickname": nickname }));
        }
        self.price_changed(id);
        self.answer(id)
    }

    /// The lookup key asked for, taken from the price that has it when that is allowed.
    fn lookup_key(&mut self, form: &Form, id: &str) -> Result<Option<String>, ApiError> {
        let transfer = params::flag(form, "transfer_lookup_key")?.unwrap_or(false);
        let Some(Some(key)) = params::field(form, "lookup_key")? else { return Ok(None) };
        let holder = self.all("price").find(|price| price["lookup_key"] == key.as_str());
        if let Some(holder) = holder.filter(|price| price["id"] != id) {
            if !transfer {
                let message =
                    format!("A price (`{}`) already uses that lookup key.", text(&holder, "id"));
                return Err(ApiError::invalid("lookup_key", message));
            }
            let holder = text(&holder, "id").to_owned();
            self.set(&holder, json!({ "lookup_key": null }));
            self.price_changed(&holder);
        }
        Ok(Some(key))
    }

    fn price_changed(&mut self, id: &str) {
        let before = self.plain.before(id).map(plan);
        self.emit("price.updated", id);
        if let Some(price) = self.plain.get(id).filter(|price| !price["recurring"].is_null()) {
            let plan = plan(price);
            self.emit_from("plan.updated", before, plan);
        }
    }

    pub(super) fn list_products(&self, form: &Form) -> Answered {
        params::known(form, "", &["active", "created", "ids"])?;
        let active = params::flag(form, "active")?;
        let created = params::created(form)?;
        let ids = params::texts(form, "ids")?;
        let found = self.all("product").filter(|product| {
            active.is_none_or(|active| product["active"] == active)
                && created(integer(product, "created"))
                && (ids.is_empty() || ids.iter().any(|id| product["id"] == id.as_str()))
        });
        Ok(Answer::List { url: "/v1/products".to_owned(), data: found.collect() })
    }

    pub(super) fn list_prices(&self, form: &Form) -> Answered {
        let known = ["product", "active", "lookup_keys", "type", "currency", "created"];
        params::known(form, "", &known)?;
        let product = params::text(form, "product")?;
        let active = params::flag(form, "active")?;
        let keys = params::texts(form, "lookup_keys")?;
        let kind = params::word(form, "type", &["one_time", "recurring"])?;
        let currency = params::text(form, "currency")?;
        let created = params::created(form)?;
        let found = self.all("price").filter(|price| {
            product.as_ref().is_none_or(|product| price["product"] == product.as_str())
                && active.is_none_or(|active| price["active"] == active)
                && kind.is_none_or(|kind| price["type"] == kind)
                && currency.as_ref().is_none_or(|currency| price["currency"] == currency.as_str())
                && (keys.is_empty() || keys.iter().any(|key| price["lookup_key"] == key.as_str()))
                && created(integer(price, "created"))
        });
        Ok(Answer::List { url: "/v1/prices".to_owned(), data: found.collect() })
    }

    /// That nothing has an id yet.
    fn unused(&self, id: &str) -> Result<(), ApiError> {
        match self.find(id) {
            None => Ok(()),
            Some(_) => {
                let message = format!("An object with the id '{id}' already exists.");
                Err(ApiError::state("resource_already_exists", message))
            }
        }
    }

    /// The answer that is an object.
    pub(super) fn answer(&self, id: &str) -> Answered {
        let found = self.find(id).ok_or_else(|| ApiError::no_such("object", id, "id"))?;
        Ok(Answer::Object(found))
    }
}

/// The older view of a recurring price.
pub(super) fn plan(price: &Value) -> Value {
    filled(
        "plan",
        json!({
            "id": price["id"],
            "active": price["active"],
            "amount": price["unit_amount"],
            "amount_decimal": price["unit_amount_decimal"],
            "created": price["created"],
            "currency": price["currency"],
            "interval": price["recurring"]["interval"],
            "interval_count": price["recurring"]["interval_count"],
            "livemode": price["livemode"],
            "metadata": price["metadata"],
            "nickname": price["nickname"],
            "product": price["product"],
        }),
    )
}
