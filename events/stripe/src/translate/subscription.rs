//! Subscriptions.

use ledger_domain::event::stripe::{
    Cancellation, Item, Items, PauseCollection, PendingUpdate, Subscription,
};

use super::catalogue::{discounts, item_price};
use super::read::{
    Missing, View, at, code, currency, flag, id_of, int, link, list, metadata, need, page, within,
};

/// `/api/subscriptions/object`
pub(super) fn subscription(node: View<'_>, _cause: &str) -> Result<Subscription, Missing> {
    let period = period(node)?;
    let items = items(node, period)?;
    let cancellation = node.get("cancellation_details").map(|details| Cancellation {
        feedback: code(details, "feedback"),
        reason: code(details, "reason"),
    });
    Ok(Subscription {
        billing_cycle_anchor: int(node, "billing_cycle_anchor")?,
        billing_mode: node.get("billing_mode").and_then(|mode| code(mode, "type")),
        cancel_at: int(node, "cancel_at")?,
        cancel_at_period_end: flag(node, "cancel_at_period_end").unwrap_or_default(),
        canceled_at: int(node, "canceled_at")?,
        cancellation: cancellation.filter(|c| c.feedback.is_some() || c.reason.is_some()),
        // Called `billing` until 2019-10-17.
        collection_method: code(node, "collection_method").or_else(|| code(node, "billing")),
        created: int(node, "created")?,
        currency: currency(node, "currency")
            .or_else(|| items.data.iter().find_map(|item| item.price.currency)),
        customer: link(node, "customer"),
        days_until_due: int(node, "days_until_due")?,
        discounts: discounts(node)?,
        ended_at: int(node, "ended_at")?,
        id: need(id_of(node), "id")?,
        items,
        latest_invoice: link(node, "latest_invoice"),
        metadata: metadata(node, "metadata"),
        pause_collection: within(node, &["pause_collection"], |pause| {
            Ok(PauseCollection {
                behavior: code(pause, "behavior"),
                resumes_at: int(pause, "resumes_at")?,
            })
        })?,
        pending_update: within(node, &["pending_update"], |update| pending_update(update, period))?,
        schedule: link(node, "schedule"),
        start_date: int(node, "start_date")?,
        status: need(code(node, "status"), "status")?,
        test_clock: link(node, "test_clock"),
        trial_end: int(node, "trial_end")?,
        trial_end_behavior: at(node, &["trial_settings", "end_behavior"])
            .and_then(|end| code(end, "missing_payment_method")),
        trial_start: int(node, "trial_start")?,
    })
}

/// The items; the oldest bodies tell of a subscription's only plan and have no items.
fn items(node: View<'_>, period: Period) -> Result<Items, Missing> {
    let mut items = page(node, "items", |item| self::item(item, period))?;
    if items.data.is_empty()
        && !items.has_more
        && let Some(price) = item_price(node)?
    {
        items.data.push(Item {
            current_period_end: period.end,
            current_period_start: period.start,
            id: None,
            price,
            quantity: int(node, "quantity")?,
        });
    }
    Ok(items)
}

fn item(node: View<'_>, of_subscription: Period) -> Result<Item, Missing> {
    let own = period(node)?;
    Ok(Item {
        current_period_end: own.end.or(of_subscription.end),
        current_period_start: own.start.or(of_subscription.start),
        id: id_of(node),
        price: need(item_price(node)?, "price")?,
        quantity: int(node, "quantity")?,
    })
}

/// The period that runs: the items' since 2025-03-31.basil, the subscription's before.
#[derive(Clone, Copy)]
struct Period {
    start: Option<i64>,
    end: Option<i64>,
}

fn period(node: View<'_>) -> Result<Period, Missing> {
    Ok(Period { start: int(node, "current_period_start")?, end: int(node, "current_period_end")? })
}

/// `/billing/subscriptions/pending-updates`
fn pending_update(node: View<'_>, period: Period) -> Result<PendingUpdate, Missing> {
    Ok(PendingUpdate {
        expires_at: int(node, "expires_at")?,
        items: list(node, "subscription_items", |item| self::item(item, period))?,
        trial_end: int(node, "trial_end")?,
    })
}
