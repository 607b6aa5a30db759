//! Subscriptions, in the shapes of all versions.

use serde_json::{Value, json};

use super::DAY;
use super::version::Version;

/// A price of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Price {
    pub(crate) id: &'static str,
    pub(crate) amount: i64,
}

pub(crate) const STARTER: Price = Price { id: "price_starter_month", amount: 2900 };
pub(crate) const PROFESSIONAL: Price = Price { id: "price_professional_month", amount: 7900 };
pub(crate) const ENTERPRISE: Price = Price { id: "price_enterprise_month", amount: 19_900 };
pub(crate) const AI_STARTER: Price = Price { id: "price_ai_starter_month", amount: 900 };
pub(crate) const AI_STARTER_YEAR: Price = Price { id: "price_ai_starter_year", amount: 9000 };
pub(crate) const AI_PROFESSIONAL: Price = Price { id: "price_ai_professional_month", amount: 2900 };
pub(crate) const AI_ENTERPRISE: Price = Price { id: "price_ai_enterprise_month", amount: 9900 };

/// What varies of a subscription.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) customer: String,
    /// `metadata.trainer_id`.
    pub(crate) trainer: Option<String>,
    pub(crate) status: &'static str,
    pub(crate) price: Price,
    pub(crate) period: (i64, i64),
    pub(crate) created: i64,
    pub(crate) trial: Option<(i64, i64)>,
    pub(crate) cancel_at_period_end: bool,
    pub(crate) cancel_at: Option<i64>,
    pub(crate) canceled_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) latest_invoice: Option<String>,
}

impl Price {
    /// `/api/prices/object`
    pub(crate) fn json(self) -> Value {
        json!({
            "id": self.id,
            "object": "price",
            "active": true,
            "billing_scheme": "per_unit",
            "created": 1_700_000_000,
            "currency": "usd",
            "custom_unit_amount": null,
            "livemode": false,
            "lookup_key": null,
            "metadata": {},
            "nickname": null,
            "product": self.product(),
            "recurring": {
                "interval": self.interval(), "interval_count": 1, "meter": null,
                "usage_type": "licensed", "trial_period_days": null,
            },
            "tax_behavior": "unspecified",
            "tiers_mode": null,
            "transform_quantity": null,
            "type": "recurring",
            "unit_amount": self.amount,
            "unit_amount_decimal": self.amount.to_string(),
        })
    }

    /// `/api/plans/object`, which is the same under its older name.
    pub(crate) fn plan_json(self) -> Value {
        json!({
            "id": self.id,
            "object": "plan",
            "active": true,
            "amount": self.amount,
            "billing_scheme": "per_unit",
            "created": 1_700_000_000,
            "currency": "usd",
            "interval": self.interval(),
            "interval_count": 1,
            "livemode": false,
            "metadata": {},
            "nickname": null,
            "product": self.product(),
            "tiers_mode": null,
            "trial_period_days": null,
            "usage_type": "licensed",
        })
    }

    /// The product that it sells.
    pub(crate) fn product(self) -> String {
        self.id.replace("price_", "prod_").replace("_month", "").replace("_year", "")
    }

    /// The seconds of a period.
    pub(crate) fn period(self) -> i64 {
        if self.is_yearly() { 365 * DAY } else { 30 * DAY }
    }

    fn interval(self) -> &'static str {
        if self.is_yearly() { "year" } else { "month" }
    }

    fn is_yearly(self) -> bool {
        self.id.ends_with("_year")
    }
}

impl Subscription {
    /// The item's id.
    pub(crate) fn item(&self) -> String {
        self.id.replacen("sub_", "si_", 1)
    }

    /// `/api/subscriptions/object`
    pub(crate) fn json(&self, version: Version) -> Value {
        let mut json = self.common(version);
        let fields = json.as_object_mut().expect("an object");
        let own = match version {
            Version::Of2017 => self.of_2017(),
            _ if version.is_basil() => self.since_basil(version),
            _ => self.before_basil(),
        };
        fields.extend(own.as_object().expect("an object").clone());
        json
    }

    fn common(&self, version: Version) -> Value {
        let metadata = match &self.trainer {
            Some(trainer) => json!({ "trainer_id": trainer, "note": "likes mornings" }),
            None => json!({}),
        };
        json!({
            "id": self.id,
            "object": "subscription",
            "application_fee_percent": null,
            "billing_cycle_anchor": self.created,
            "cancel_at_period_end": self.cancel_at_period_end,
            "canceled_at": self.canceled_at,
            "created": self.created,
            "customer": self.customer,
            "days_until_due": null,
            "ended_at": self.ended_at,
            "items": {
                "object": "list",
                "data": [self.item_json(version)],
                "has_more": false,
                "total_count": 1,
                "url": format!("/v1/subscription_items?subscription={}", self.id),
            },
            "livemode": false,
            "metadata": metadata,
            "status": self.status,
            "trial_end": self.trial.map(|trial| trial.1),
            "trial_start": self.trial.map(|trial| trial.0),
        })
    }

    fn item_json(&self, version: Version) -> Value {
        let mut item = json!({
            "id": self.item(),
            "object": "subscription_item",
            "created": self.created,
            "metadata": {},
            "plan": self.price.plan_json(),
            "quantity": 1,
        });
        if version.has_prices() {
            item["price"] = self.price.json();
            item["subscription"] = json!(self.id);
            item["tax_rates"] = json!([]);
        }
        if version.is_basil() {
            item["current_period_start"] = json!(self.period.0);
            item["current_period_end"] = json!(self.period.1);
            item["discounts"] = json!([]);
        }
        item
    }

    /// One plan on the subscription itself, `billing` and `start`; no `cancel_at`.
    fn of_2017(&self) -> Value {
        json!({
            "billing": "charge_automatically",
            "current_period_end": self.period.1,
            "current_period_start": self.period.0,
            "discount": null,
            "plan": self.price.plan_json(),
            "quantity": 1,
            "start": self.created,
            "tax_percent": null,
        })
    }

    fn before_basil(&self) -> Value {
        json!({
            "cancel_at": self.cancel_at,
            "cancellation_details": { "comment": null, "feedback": null, "reason": null },
            "collection_method": "charge_automatically",
            "currency": "usd",
            "current_period_end": self.period.1,
            "current_period_start": self.period.0,
            "default_payment_method": null,
            "description": "Plan of Jenny Rosen",
            "discount": null,
            "latest_invoice": self.latest_invoice,
            "pause_collection": null,
            "pending_setup_intent": null,
            "pending_update": null,
            "plan": self.price.plan_json(),
            "quantity": 1,
            "schedule": null,
            "start_date": self.created,
            "test_clock": null,
        })
    }

    fn since_basil(&self, version: Version) -> Value {
        let mut json = json!({
            "automatic_tax": { "disabled_reason": null, "enabled": false, "liability": null },
            "billing_mode": { "type": if version >= Version::Clover { "flexible" } else { "classic" } },
            "cancel_at": self.cancel_at,
            "cancellation_details": { "comment": null, "feedback": null, "reason": null },
            "collection_method": "charge_automatically",
            "currency": "usd",
            "default_payment_method": null,
            "description": "Plan of Jenny Rosen",
            "discounts": [],
            "invoice_settings": { "account_tax_ids": null, "issuer": { "type": "self" } },
            "latest_invoice": self.latest_invoice,
            "pause_collection": null,
            "pending_setup_intent": null,
            "pending_update": null,
            "schedule": null,
            "start_date": self.created,
            "test_clock": null,
            "trial_settings": { "end_behavior": { "missing_payment_method": "create_invoice" } },
        });
        if version >= Version::Endive {
            json["pause_schedules"] = json!([]);
            json["status_details"] = json!(null);
        }
        json
    }
}
