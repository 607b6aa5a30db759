//! What the tables show of a customer, as far as is remembered: a fact changes little, and what is
//! there already needn't be written, nor even compared in the database.

use std::collections::{HashMap, HashSet};

use ledger_domain::account::{CustomerChanges, SubscriptionView};
use ledger_domain::id::StripeId;

/// What was last written of one customer. Nothing is remembered of one whose state was just
/// restored: the first fact writes all that it may have changed.
#[derive(Default)]
pub(super) struct Shown {
    subscriptions: HashMap<StripeId, SubscriptionView>,
}

/// What really changed.
#[derive(Default)]
pub(crate) struct News {
    /// Everything else, with what is shown already left out.
    pub(crate) changes: CustomerChanges,
    /// Subscriptions whose items are not as the tables have them.
    pub(crate) items: HashSet<StripeId>,
    /// How many items these have now, where there may be more in the tables.
    pub(crate) item_counts: Vec<(StripeId, usize)>,
}

/// About how many bytes a remembered subscription takes.
const SUBSCRIPTION_WEIGHT: usize = 1_024;

impl Shown {
    /// About how many bytes of memory it takes.
    pub(super) fn weight(&self) -> usize {
        SUBSCRIPTION_WEIGHT * self.subscriptions.len()
    }

    /// Leaves out of a unit's changes what the tables show already, and remembers the rest as
    /// shown: the caller writes it, or forgets this unit.
    pub(super) fn news(&mut self, mut changes: CustomerChanges) -> News {
        let mut news = News::default();
        changes.subscriptions.retain(|view| {
            let old = self.subscriptions.get(&view.id);
            let has_items = old.is_some_and(|o| o.items == view.items && o.trainer == view.trainer);
            if !has_items {
                news.items.insert(view.id.clone());
                if old.is_none_or(|old| old.items.len() > view.items.len()) {
                    news.item_counts.push((view.id.clone(), view.items.len()));
                }
            }
            let is_news = old != Some(view);
            if is_news {
                self.subscriptions.insert(view.id.clone(), view.clone());
            }
            is_news
        });
        news.changes = changes;
        news
    }
}
