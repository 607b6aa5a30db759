//! Rows of subscriptions and their items.

use chrono::{DateTime, Utc};
use ledger_domain::account::{ScheduledChange, SubscriptionView};
use ledger_domain::event::Code;
use ledger_domain::event::stripe::{Item, ItemPrice};
use ledger_domain::id::{InvalidName, StripeId, TrainerId};
use ledger_domain::time::Timestamp;

use crate::rows::{
    InvalidRow, code_text, id_text, instant, interval, key_text, parse_code, parse_currency,
    parse_id, parse_key, parse_words, table_rows, words,
};

table_rows! {
    /// A subscription without its items.
    SubscriptionRow, SubscriptionColumns {
        subscription_id: String,
        customer_id: Option<String>,
        trainer_id: Option<String>,
        status: String,
        items_complete: bool,
        anchor_at: Option<DateTime<Utc>>,
        started_at: Option<DateTime<Utc>>,
        current_period_start: Option<DateTime<Utc>>,
        current_period_end: Option<DateTime<Utc>>,
        trial_start: Option<DateTime<Utc>>,
        trial_end: Option<DateTime<Utc>>,
        cancel_at: Option<DateTime<Utc>>,
        canceled_at: Option<DateTime<Utc>>,
        ended_at: Option<DateTime<Utc>>,
        past_due_since: Option<DateTime<Utc>>,
        collection_paused: bool,
        scheduled_at: Option<DateTime<Utc>>,
        scheduled_prices: Option<String>,
        once_active: bool,
        last_event_id: String,
        position: i64,
    }
}

table_rows! {
    /// One item of a subscription.
    ItemRow, ItemColumns {
        subscription_id: String,
        ordinal: i32,
        trainer_id: Option<String>,
        item_id: Option<String>,
        price_id: String,
        product_id: Option<String>,
        quantity: Option<i64>,
        currency: Option<String>,
        unit_amount_minor: Option<i64>,
        unit_amount_decimal: Option<String>,
        interval: Option<String>,
        interval_count: Option<i64>,
        usage_type: Option<String>,
        current_period_start: Option<DateTime<Utc>>,
        current_period_end: Option<DateTime<Utc>>,
    }
}

impl From<&SubscriptionView> for SubscriptionRow {
    fn from(view: &SubscriptionView) -> Self {
        Self {
            subscription_id: view.id.as_str().to_owned(),
            customer_id: id_text(view.customer.as_ref()),
            trainer_id: view.trainer.as_ref().map(|t| t.as_str().to_owned()),
            status: view.status.as_str().to_owned(),
            items_complete: view.items_complete,
            anchor_at: instant(view.anchor),
            started_at: instant(view.started_at),
            current_period_start: instant(view.current_period.map(|p| p.from)),
            current_period_end: instant(view.current_period.map(|p| p.until)),
            trial_start: instant(view.trial.map(|t| t.from)),
            trial_end: instant(view.trial.map(|t| t.until)),
            cancel_at: instant(view.cancel_at),
            canceled_at: instant(view.canceled_at),
            ended_at: instant(view.ended_at),
            past_due_since: instant(view.past_due_since),
            collection_paused: view.collection_paused,
            scheduled_at: instant(view.scheduled.as_ref().map(|s| s.at)),
            scheduled_prices: view.scheduled.as_ref().map(|s| words(&s.prices)),
            once_active: view.once_active,
            last_event_id: key_text(&view.last_event),
            position: view.position,
        }
    }
}

impl SubscriptionRow {
    /// The view that this row and its items were written from.
    pub(crate) fn into_view(self, items: Vec<Item>) -> Result<SubscriptionView, InvalidRow> {
        self.try_into_view(items).map_err(|e| InvalidRow::new("trainer_subscriptions", e))
    }

    fn try_into_view(self, items: Vec<Item>) -> Result<SubscriptionView, InvalidName> {
        let scheduled = match (self.scheduled_at, &self.scheduled_prices) {
            (Some(at), Some(prices)) => Some(ScheduledChange {
                at: at.into(),
                prices: parse_words(prices, StripeId::try_new)?,
            }),
            _ => None,
        };
        Ok(SubscriptionView {
            id: StripeId::try_from(self.subscription_id)?,
            customer: parse_id(self.customer_id)?,
            trainer: self.trainer_id.map(TrainerId::try_from).transpose()?,
            status: Code::new(&self.status),
            items,
            items_complete: self.items_complete,
            anchor: self.anchor_at.map(Timestamp::from),
            started_at: self.started_at.map(Timestamp::from),
            current_period: interval(self.current_period_start, self.current_period_end),
            trial: interval(self.trial_start, self.trial_end),
            cancel_at: self.cancel_at.map(Timestamp::from),
            canceled_at: self.canceled_at.map(Timestamp::from),
            ended_at: self.ended_at.map(Timestamp::from),
            past_due_since: self.past_due_since.map(Timestamp::from),
            collection_paused: self.collection_paused,
            scheduled,
            once_active: self.once_active,
            last_event: parse_key(&self.last_event_id)?,
            position: self.position,
        })
    }
}

impl ItemRow {
    /// The rows of a subscription's items.
    pub(crate) fn of(view: &SubscriptionView) -> impl Iterator<Item = Self> {
        let at = |seconds: Option<i64>| instant(seconds.map(Timestamp::from_unix));
        view.items.iter().zip(0i32..).map(move |(item, ordinal)| Self {
            subscription_id: view.id.as_str().to_owned(),
            ordinal,
            trainer_id: view.trainer.as_ref().map(|t| t.as_str().to_owned()),
            item_id: id_text(item.id.as_ref()),
            price_id: item.price.id.as_str().to_owned(),
            product_id: id_text(item.price.product.as_ref()),
            quantity: item.quantity,
            currency: item.price.currency.map(|c| c.as_str().to_owned()),
            unit_amount_minor: item.price.unit_amount,
            unit_amount_decimal: item.price.unit_amount_decimal.as_deref().map(str::to_owned),
            interval: code_text(item.price.interval.as_ref()),
            interval_count: item.price.interval_count,
            usage_type: code_text(item.price.usage_type.as_ref()),
            current_period_start: at(item.current_period_start),
            current_period_end: at(item.current_period_end),
        })
    }

    /// The item that this row was written from.
    pub(crate) fn into_item(self) -> Result<Item, InvalidRow> {
        self.try_into_item().map_err(|e| InvalidRow::new("subscription_items", e))
    }

    fn try_into_item(self) -> Result<Item, InvalidName> {
        Ok(Item {
            current_period_end: self.current_period_end.map(|at| Timestamp::from(at).unix()),
            current_period_start: self.current_period_start.map(|at| Timestamp::from(at).unix()),
            id: parse_id(self.item_id)?,
            price: ItemPrice {
                currency: parse_currency(self.currency)?,
                id: StripeId::try_from(self.price_id)?,
                interval: parse_code(self.interval.as_deref()),
                interval_count: self.interval_count,
                product: parse_id(self.product_id)?,
                unit_amount: self.unit_amount_minor,
                unit_amount_decimal: self.unit_amount_decimal.map(String::into_boxed_str),
                usage_type: parse_code(self.usage_type.as_deref()),
            },
            quantity: self.quantity,
        })
    }
}

/// Views from rows of subscriptions and of their items, both in the order of the subscriptions.
pub(crate) fn with_items(
    rows: Vec<SubscriptionRow>,
    items: Vec<ItemRow>,
) -> Result<Vec<SubscriptionView>, InvalidRow> {
    let mut items = items.into_iter().peekable();
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        let mut own = Vec::new();
        while let Some(item) = items.next_if(|item| item.subscription_id == row.subscription_id) {
            own.push(item.into_item()?);
        }
        views.push(row.into_view(own)?);
    }
    Ok(views)
}
