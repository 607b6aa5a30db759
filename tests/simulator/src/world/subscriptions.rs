//! Subscriptions: their state and its rendering. What changes them is below this folder.

mod anchor;
mod api;
mod bill;
mod cancel;
mod create;
mod ending;
mod form;
mod items;
mod proration;
mod renew;
mod settings;
mod update;

use serde_json::{Map, Value, json};

use super::calendar::Interval;
use super::catalog::plan;
use super::template::{filled, integer, list, text};

pub(super) use bill::{Billing, Change, Payment};
pub(super) use form::{Starting, fitting, missing_method, trial_days};
pub(super) use proration::amount_of;
pub(super) use settings::PaymentSettings;

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Incomplete,
    IncompleteExpired,
    Trialing,
    Active,
    PastDue,
    Unpaid,
    Paused,
    Canceled,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::IncompleteExpired => "incomplete_expired",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
            Self::Canceled => "canceled",
        }
    }

    /// Whether nothing changes any more.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Canceled | Self::IncompleteExpired)
    }
}

/// One thing subscribed to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) created: i64,
    /// The price as it was when it was chosen.
    pub(super) price: Value,
    pub(super) quantity: i64,
    pub(super) metadata: Map<String, Value>,
}

/// A change that waits for its invoice to be paid.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) invoice: String,
    pub(super) expires_at: i64,
    pub(super) items: Vec<Item>,
    /// The period that the change begins, where it begins one.
    pub(super) period: Option<(i64, i64)>,
}

/// A subscription.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) id: String,
    pub(super) customer: String,
    pub(super) clock: Option<String>,
    pub(super) created: i64,
    pub(super) status: Status,
    pub(super) items: Vec<Item>,
    pub(super) period: (i64, i64),
    pub(super) anchor: i64,
    /// Whether nothing is charged before the anchor.
    pub(super) free_until_anchor: bool,
    pub(super) trial: Option<(i64, i64)>,
    /// Whether the end of the trial was announced.
    pub(super) announced: bool,
    /// What happens when the trial ends and there is nothing to pay with.
    pub(super) missing_method: &'static str,
    pub(super) cancel_at: Option<i64>,
    /// Whether it is at the period's end that it is canceled, which a flexible one doesn't show.
    pub(super) at_period_end: bool,
    pub(super) canceled_at: Option<i64>,
    pub(super) ended_at: Option<i64>,
    pub(super) reason: Option<&'static str>,
    pub(super) comment: Option<String>,
    pub(super) feedback: Option<String>,
    pub(super) metadata: Map<String, Value>,
    pub(super) description: Option<String>,
    pub(super) default_method: Option<String>,
    pub(super) payment_settings: PaymentSettings,
    pub(super) latest_invoice: Option<String>,
    pub(super) pending_setup: Option<String>,
    /// How invoices are treated while collection is paused, and until when.
    pub(super) pause: Option<(&'static str, Option<i64>)>,
    pub(super) pending: Option<Pending>,
    pub(super) schedule: Option<String>,
    pub(super) flexible: bool,
    /// The invoice that ends a pause when it is paid.
    pub(super) resuming: Option<String>,
}

impl Subscription {
    pub(super) fn currency(&self) -> String {
        self.items.first().map_or("usd", |item| text(&item.price, "currency")).to_owned()
    }

    pub(super) fn interval(&self) -> Interval {
        interval_of(&self.items)
    }

    /// Whether it is one that is paid for, or ought to be.
    pub(super) fn is_billed(&self) -> bool {
        matches!(self.status, Status::Active | Status::PastDue)
    }

    /// How it is billed with other items.
    pub(super) fn apply_pending(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.items = pending.items;
            if let Some(period) = pending.period {
                self.anchor = period.0;
                self.begin(period);
            }
        }
    }

    /// Begins a period. A cancellation at its end moves along.
    pub(super) fn begin(&mut self, period: (i64, i64)) {
        self.period = period;
        if self.at_period_end {
            self.cancel_at = Some(period.1);
        }
    }

    /// The first payment never came.
    pub(super) fn expire(&mut self, now: i64) {
        self.status = Status::IncompleteExpired;
        self.ended_at = Some(now);
        self.pending = None;
        self.schedule = None;
    }

    pub(super) fn render(&self) -> Value {
        let url = format!("/v1/subscription_items?subscription={}", self.id);
        let items: Vec<_> = self.items.iter().map(|item| self.render_item(item)).collect();
        let pause = self.pause.map(
            |(behavior, resumes_at)| json!({ "behavior": behavior, "resumes_at": resumes_at }),
        );
        let mode = if self.flexible { "flexible" } else { "classic" };
        filled(
            "subscription",
            json!({
                "id": self.id,
                "billing_cycle_anchor": self.anchor,
                "billing_mode": { "type": mode, "flexible": self.flexible.then(|| json!({})) },
                "cancel_at": self.cancel_at,
                "cancel_at_period_end": self.at_period_end && !self.flexible,
                "canceled_at": self.canceled_at,
                "cancellation_details": { "comment": self.comment, "feedback": self.feedback,
                    "reason": self.reason },
                "created": self.created,
                "currency": self.currency(),
                "customer": self.customer,
                "default_payment_method": self.default_method,
                "description": self.description,
                "ended_at": self.ended_at,
                "items": list(&url, &items),
                "latest_invoice": self.latest_invoice,
                "livemode": self.items.first().map(|item| item.price["livemode"].clone()),
                "metadata": self.metadata,
                "pause_collection": pause,
                "payment_settings": self.payment_settings.render(),
                "pending_setup_intent": self.pending_setup,
                "pending_update": self.pending.as_ref().map(|pending| self.render_pending(pending)),
                "schedule": self.schedule,
                "start_date": self.created,
                "status": self.status.name(),
                "test_clock": self.clock,
                "trial_end": self.trial.map(|trial| trial.1),
                "trial_settings":
                    { "end_behavior": { "missing_payment_method": self.missing_method } },
                "trial_start": self.trial.map(|trial| trial.0),
            }),
        )
    }

    fn render_pending(&self, pending: &Pending) -> Value {
        let items: Vec<Value> = pending.items.iter().map(|item| self.render_item(item)).collect();
        json!({
            "billing_cycle_anchor": pending.period.map(|period| period.0),
            "discount": null,
            "discounts": null,
            "expires_at": pending.expires_at,
            "metadata": null,
            "subscription_items": items,
            "trial_end": null,
            "trial_from_plan": null,
        })
    }

    pub(super) fn render_item(&self, item: &Item) -> Value {
        filled(
            "subscription_item",
            json!({
                "id": item.id,
                "created": item.created,
                "current_period_end": self.period.1,
                "current_period_start": self.period.0,
                "metadata": item.metadata,
                "plan": plan(&item.price),
                "price": item.price,
                "quantity": item.quantity,
                "subscription": self.id,
            }),
        )
    }
}

/// How often items recur, which is the same for all of a subscription.
pub(super) fn interval_of(items: &[Item]) -> Interval {
    items.first().map_or(Interval::new("month", 1), |item| {
        let recurring = &item.price["recurring"];
        Interval::new(text(recurring, "interval"), integer(recurring, "interval_count"))
    })
}

/// The ids of the prices of items.
pub(super) fn prices_of(items: &[Item]) -> Vec<String> {
    items.iter().map(|item| text(&item.price, "id").to_owned()).collect()
}
