//! Taking in what another process read.
//!
//! What this process read itself is kept because it would have heard of any change since. Of an
//! entry that another process read, at some change of the same feed, that is true as well where
//!
//! - this process has followed that feed without a gap since that change or before, and still knows
//!   whom each change since concerned (`told`): none of them the trainer, none of them everybody;
//! - it has heard of all that the entry holds: an entry from beyond that may be from a history that
//!   a restored backup has undone.
//!
//! Both are looked at under the lock under which the feed is heard. What passes is put into memory;
//! whether it may be used is then decided as of any other entry (`lookup`): the feed was heard
//! lately, up to the position that is asked for and to all that this process knows to be committed.
//! So an entry from elsewhere can be refused where it would have done, and is never used where one
//! of this process's own wouldn't be.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ledger_domain::id::{Tenant, TrainerId};
use ledger_projections::{Committed, FeedKey};
use uuid::Uuid;

use super::{Cache, Entry, FRESH};

/// A feed that is followed, and the secret of its followers.
#[derive(Debug, Clone, Copy)]
pub(in crate::reads) struct Following {
    pub(in crate::reads) feed: Uuid,
    pub(in crate::reads) key: FeedKey,
}

/// Why an entry of another process's isn't taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::reads) enum Unfit {
    /// It is of another feed, from before what is known of this one, or something has changed
    /// since.
    Old,
    /// It holds what this process hasn't heard of.
    Ahead,
}

impl Cache {
    /// By what the entries of other processes are known, where one could be used: the feed was
    /// heard lately, and as far as is needed.
    pub(in crate::reads) fn following(
        &self,
        tenant: &Tenant,
        need: Committed,
    ) -> Option<Following> {
        if self.unheard().is_none_or(|since| since > FRESH) {
            return None;
        }
        let line = *self.line(tenant)?.borrow();
        line.has(need).then_some(Following { feed: line.cursor.id, key: line.key })
    }

    /// Takes in an entry that another process made of a trainer, if this one could have made it
    /// then, and would have it still.
    pub(in crate::reads) fn adopt(
        &self,
        (tenant, trainer): (&Tenant, &TrainerId),
        mut entry: Entry,
    ) -> Result<(), Unfit> {
        let key = (tenant.clone(), trainer.clone());
        let board = self.board();
        let (Some(entries), Some(told), Some(line), Some(heard)) =
            (&self.entries, &board.told, self.line(tenant), entry.heard)
        else {
            return Err(Unfit::Old);
        };
        let line = *line.borrow();
        let since = told.since(tenant).filter(|_| heard.id == line.cursor.id);
        if since.is_none_or(|since| heard.number < since.max(line.floor)) {
            return Err(Unfit::Old);
        }
        if heard.number > line.cursor.number || entry.position > line.position {
            return Err(Unfit::Ahead);
        }
        let last = told.last(heard.id, &key);
        if last.held > heard.number {
            return Err(Unfit::Old);
        }
        entry.era = line.era;
        entry.usage_change.store(last.used, Ordering::Relaxed);
        // What is there already is of no less use, unless it lacks some change of usage.
        let is_newer = |there: Arc<Entry>| there.era != line.era || there.number() < heard.number;
        if entries.peek(&key).is_none_or(is_newer) {
            entries.insert(key, Arc::new(entry));
        }
        Ok(())
    }
}
