//! Looking for an entry that is certain to be right.

use std::sync::PoisonError;
use std::time::Duration;

use ledger_domain::id::{Tenant, TrainerId};
use ledger_projections::Committed;
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Cache, FRESH, Found, Line};

/// How long the feed is waited for where it is just behind: it is told of a commit within
/// milliseconds. Longer, and the tables would have answered.
const PATIENCE: Duration = Duration::from_millis(50);

/// What a look found.
enum Look {
    Found(Found),
    /// An entry, and a feed that wasn't heard far enough yet.
    Behind(watch::Receiver<Line>),
    Nothing,
}

impl Cache {
    /// What is known of a trainer, if that is certain to be all there was lately, and of what is
    /// needed.
    pub(in crate::reads) async fn find(
        &self,
        tenant: &Tenant,
        trainer: &TrainerId,
        need: Committed,
    ) -> Option<Found> {
        match self.look(tenant, trainer, need) {
            Look::Found(found) => Some(found),
            Look::Nothing => None,
            Look::Behind(mut line) => {
                let reached = line.wait_for(|line| line.has(need));
                timeout(PATIENCE, reached).await.ok()?.ok()?;
                match self.look(tenant, trainer, need) {
                    Look::Found(found) => Some(found),
                    Look::Behind(_) | Look::Nothing => None,
                }
            }
        }
    }

    fn look(&self, tenant: &Tenant, trainer: &TrainerId, need: Committed) -> Look {
        let Some(entries) = &self.entries else { return Look::Nothing };
        if self.unheard().is_none_or(|since| since > FRESH) {
            return Look::Nothing;
        }
        let lines = self.lines.read().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = lines.get(tenant) else { return Look::Nothing };
        // Before the entry is looked for: what is found lacks nothing of what was heard by now.
        let line = *sender.borrow();
        let Some(entry) = entries.get(&(tenant.clone(), trainer.clone())) else {
            return Look::Nothing;
        };
        if entry.era != line.era || entry.number() < line.floor {
            return Look::Nothing;
        }
        // One that was read after the feed was last heard is newer than that.
        let position = entry.position.max(line.position);
        let change = entry.number().max(line.cursor.number);
        if position < need.position || change < need.change {
            return Look::Behind(sender.subscribe());
        }
        Look::Found(Found { entry, position })
    }
}

impl Line {
    pub(super) fn has(&self, need: Committed) -> bool {
        self.position >= need.position && self.cursor.number >= need.change
    }
}
