//! What the tables show of a customer, as far as is remembered: a fact changes little, and what is
//! there already needn't be written, nor even compared in the database.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use ledger_domain::account::{ChangeView, CustomerChanges, SubscriptionView};
use ledger_domain::id::StripeId;

/// What was last written of one customer. Nothing is remembered of one whose state was just
/// restored: the first fact writes all that it may have changed.
#[derive(Default)]
pub(super) struct Shown {
    subscriptions: HashMap<StripeId, SubscriptionView>,
    /// A fingerprint of each step, for comparing within this process.
    histories: HashMap<StripeId, Vec<u64>>,
    /// Objects without anomalies.
    quiet: HashSet<String>,
}

/// What really changed.
#[derive(Default)]
pub(crate) struct News {
    /// Everything else, with what is shown already left out.
    pub(crate) changes: CustomerChanges,
    /// Subscriptions whose items are not as the tables have them.
    pub(crate) items: HashSet<StripeId>,
    /// How many items or steps these have now, where there may be more in the tables.
    pub(crate) item_counts: Vec<(StripeId, usize)>,
    /// The same for their histories.
    pub(crate) step_counts: Vec<(StripeId, usize)>,
}

/// About how many bytes a remembered subscription takes.
const SUBSCRIPTION_WEIGHT: usize = 1_024;

impl Shown {
    /// About how many bytes of memory it takes.
    pub(super) fn weight(&self) -> usize {
        let steps: usize = self.histories.values().map(Vec::len).sum();
        let names: usize = self.quiet.iter().map(|name| name.len() + 48).sum();
        SUBSCRIPTION_WEIGHT * self.subscriptions.len() + 8 * steps + names
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
        for (id, steps) in &mut changes.histories {
            let now: Vec<u64> = steps.iter().map(fingerprint).collect();
            let old = self.histories.insert(id.clone(), now.clone());
            if old.as_ref().is_none_or(|old| old.len() > now.len()) {
                news.step_counts.push((id.clone(), now.len()));
            }
            let old = old.unwrap_or_default();
            let mut place = 0;
            steps.retain(|_| {
                place += 1;
                old.get(place - 1) != now.get(place - 1)
            });
        }
        changes.anomalies.retain(|(name, found)| {
            let was_quiet = self.quiet.contains(name);
            if found.is_empty() {
                self.quiet.insert(name.clone());
            } else {
                self.quiet.remove(name);
            }
            !(was_quiet && found.is_empty())
        });
        news.changes = changes;
        news
    }
}

fn fingerprint(step: &ChangeView) -> u64 {
    let ChangeView {
        subject,
        ordinal,
        trainer,
        change,
        from_prices,
        to_prices,
        tier,
        feature,
        at,
        actor,
        event,
        position,
    } = step;
    let mut hasher = DefaultHasher::new();
    (subject, ordinal, trainer, change, from_prices, to_prices).hash(&mut hasher);
    (tier, feature, at, actor, event, position).hash(&mut hasher);
    hasher.finish()
}
