//! What held for the whole tenant at an instant: whose log it is, its catalogues, and how far
//! denials were enforced.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger_domain::account::LogIdentity;
use ledger_domain::catalog::{Catalog, Catalogs};
use ledger_domain::effective::explain::Said;
use ledger_domain::event::{Enforcement, Entry, Event};
use ledger_domain::id::{StreamName, Tenant};
use ledger_log::EventLog;

use super::decode::{Decoded, decode};
use super::{AsOfError, Bounds};

/// The stream of what concerns the whole tenant.
const STREAM: &str = "tenant";
/// How many of its events are read at once.
const READ_AT_ONCE: usize = 64;
/// How many of them a question reads at most.
const EVENTS_MAX: usize = 10_000;

/// How far denials are enforced, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enforced {
    /// How far.
    pub mode: Enforcement,
    /// Since when, by whom.
    pub said: Said,
}

/// What held for the whole tenant.
#[derive(Debug, Default)]
pub(super) struct Whole {
    pub(super) identity: Option<LogIdentity>,
    pub(super) catalogs: Catalogs,
    /// By position.
    pub(super) published: BTreeMap<i64, Said>,
    /// None = denials are enforced for everybody, and nobody ever said otherwise.
    pub(super) enforced: Option<Enforced>,
    /// The first event that could not be read.
    pub(super) unreadable: Option<i64>,
}

impl Whole {
    /// By the tenant's events within bounds.
    pub(super) async fn read(
        log: &dyn EventLog,
        tenant: &Tenant,
        bounds: &Bounds,
    ) -> Result<Self, AsOfError> {
        let stream: StreamName = STREAM.parse().expect("a constant name");
        let (mut whole, mut revision, mut read) = (Self::default(), 0, 0);
        loop {
            let page = log.read_stream(tenant, &stream, revision, READ_AT_ONCE).await?;
            let is_last = page.len() < READ_AT_ONCE;
            for recorded in page {
                if recorded.position > bounds.position {
                    return Ok(whole);
                }
                revision = recorded.revision + 1;
                match decode(recorded) {
                    Decoded::Entry(entry) => whole.take(&entry, bounds),
                    Decoded::Unreadable(position) => whole.lack(position),
                }
                read += 1;
            }
            if is_last {
                return Ok(whole);
            }
            if read >= EVENTS_MAX {
                return Err(AsOfError::TooMany { limit: EVENTS_MAX });
            }
        }
    }

    fn take(&mut self, entry: &Entry, bounds: &Bounds) {
        match &entry.event {
            Event::LogOpened(opened) => self.identity = Some(opened.into()),
            Event::CatalogPublished(published) => {
                // The first ever is in force since always.
                let is_first = self.published.is_empty();
                if !is_first && entry.occurred_at > bounds.happened_by {
                    return;
                }
                let Ok(catalog) = Catalog::from_published(&published.toml, &published.prices)
                else {
                    self.lack(entry.position);
                    return;
                };
                let effective_at = published.effective_at.micros();
                self.catalogs.insert(effective_at, entry.position, Arc::new(catalog));
                self.published.insert(entry.position, said(entry));
            }
            Event::EnforcementChanged(changed) if entry.occurred_at <= bounds.happened_by => {
                let mode = changed.mode.clone();
                self.enforced = Some(Enforced { mode, said: said(entry) });
            }
            _ => {}
        }
    }

    fn lack(&mut self, position: i64) {
        self.unreadable.get_or_insert(position);
    }
}

/// Who said it, and when.
fn said(entry: &Entry) -> Said {
    let (actor, event) = (entry.metadata.actor.clone(), entry.key.clone());
    Said { at: entry.occurred_at, actor, event }
}
