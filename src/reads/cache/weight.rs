//! About how many bytes of memory an entry takes.
//!
//! Names that an entry has in common with the catalogue count as its own: too much is better than
//! too little.

use std::mem::size_of;

use ledger_domain::account::{Grant, GrantView, SubscriptionView};
use ledger_domain::effective::LostDispute;
use ledger_domain::event::stripe::Item;
use ledger_domain::id::StripeId;

use super::entry::{Entry, Sum};

/// What the cache itself keeps for each entry: its key, its place in two tables, and a mark of one
/// that was dropped.
const PLACE: usize = 192;

/// What a text takes besides its letters: two counters, and what the allocator rounds up.
const TEXT: usize = 24;

pub(super) fn of(entry: &Entry) -> u64 {
    let Entry { holdings, used, .. } = entry;
    let trainer = holdings.trainer.as_ref().map_or(0, |view| text(view.trainer.as_str()));
    let lost = holdings.disputes.lost.capacity() * (size_of::<LostDispute>() + TEXT * 2);
    let bytes = PLACE
        + size_of::<Entry>()
        + trainer
        + lost
        + holdings.subscriptions.iter().map(subscription).sum::<usize>()
        + holdings.grants.iter().map(grant).sum::<usize>()
        + used.capacity() * size_of::<Sum>();
    bytes as u64
}

fn subscription(view: &SubscriptionView) -> usize {
    let scheduled = view.scheduled.as_ref().map_or(0, |change| {
        change.prices.iter().map(|price| size_of::<StripeId>() + text(price.as_str())).sum()
    });
    size_of::<SubscriptionView>()
        + text(view.id.as_str())
        + view.customer.as_ref().map_or(0, |id| text(id.as_str()))
        + view.trainer.as_ref().map_or(0, |id| text(id.as_str()))
        + text(view.status.as_str())
        + text(view.last_event.namespace.as_str())
        + text(view.last_event.id.as_str())
        + scheduled
        + view.items.iter().map(item).sum::<usize>()
}

fn item(item: &Item) -> usize {
    let price = &item.price;
    let words = [&price.interval, &price.usage_type];
    size_of::<Item>()
        + item.id.as_ref().map_or(0, |id| text(id.as_str()))
        + text(price.id.as_str())
        + price.product.as_ref().map_or(0, |id| text(id.as_str()))
        + price.unit_amount_decimal.as_ref().map_or(0, |amount| text(amount))
        + words.into_iter().flatten().map(|word| text(word.as_str())).sum::<usize>()
}

fn grant(view: &GrantView) -> usize {
    let what = match &view.grant {
        Grant::Assigned { tier, interval } => {
            text(tier.as_str()) + interval.as_ref().map_or(0, |word| text(word.as_str()))
        }
        Grant::Grandfathered { tier } => text(tier.as_str()),
        Grant::Override { feature, .. } => text(feature.as_str()),
    };
    size_of::<GrantView>()
        + text(view.event.namespace.as_str())
        + text(view.event.id.as_str())
        + text(view.trainer.as_str())
        + text(&view.actor)
        + what
}

const fn text(text: &str) -> usize {
    TEXT + text.len()
}
