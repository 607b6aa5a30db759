//! Rows of what holds for a whole tenant.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ledger_domain::account::LogIdentity;
use ledger_domain::catalog::{Catalog, Catalogs};
use ledger_domain::event::{CatalogPublished, Enforcement, EnforcementChanged, Entry, LogOpened};
use ledger_domain::id::{EventKey, StripeId};
use ledger_domain::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::rows::{InvalidRow, id_text, key_text, parse_id, parse_key, table_rows};

table_rows! {
    /// The log, and the Stripe account whose events belong to it.
    IdentityRow, IdentityColumns {
        log_id: Uuid,
        livemode: bool,
        account: Option<String>,
        position: i64,
    }
}

table_rows! {
    /// A published catalogue.
    CatalogRow, CatalogColumns {
        position: i64,
        event_id: String,
        effective_at: DateTime<Utc>,
        recorded_at: DateTime<Utc>,
        toml: String,
        prices: String,
    }
}

table_rows! {
    /// How far denials are enforced from an instant on.
    EnforcementRow, EnforcementColumns {
        position: i64,
        event_id: String,
        since: DateTime<Utc>,
        recorded_at: DateTime<Utc>,
        mode: String,
        actor: String,
    }
}

table_rows! {
    /// A price or a product.
    SoldRow, SoldColumns {
        id: String,
        snapshot: String,
        deleted: bool,
        position: i64,
    }
}

/// How far denials are enforced from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnforcementView {
    /// How far.
    pub mode: Enforcement,
    /// Since when.
    pub since: Timestamp,
    /// By whose act.
    pub actor: Box<str>,
    /// By which event.
    pub event: EventKey,
    /// That event's position.
    pub position: i64,
}

impl IdentityRow {
    pub(super) fn new(entry: &Entry, opened: &LogOpened) -> Self {
        Self {
            log_id: opened.log_id,
            livemode: opened.livemode,
            account: id_text(opened.account.as_ref()),
            position: entry.position,
        }
    }
}

impl TryFrom<IdentityRow> for LogIdentity {
    type Error = InvalidRow;

    fn try_from(row: IdentityRow) -> Result<Self, InvalidRow> {
        let account = parse_id(row.account).map_err(|e| InvalidRow::new("stripe_account", e))?;
        Ok(Self { livemode: row.livemode, account })
    }
}

impl CatalogRow {
    pub(super) fn new(entry: &Entry, published: &CatalogPublished) -> Self {
        Self {
            position: entry.position,
            event_id: key_text(&entry.key),
            effective_at: published.effective_at.to_datetime(),
            recorded_at: entry.recorded_at.to_datetime(),
            toml: published.toml.to_string(),
            prices: json(&published.prices),
        }
    }

    /// Adds this catalogue to others.
    pub(super) fn insert_into(self, catalogs: &mut Catalogs) -> Result<(), InvalidRow> {
        let invalid = |what: &dyn std::fmt::Display| {
            InvalidRow::new("catalog", format!("position {}: {what}", self.position))
        };
        let prices = serde_json::from_str(&self.prices).map_err(|e| invalid(&e))?;
        let catalog = Catalog::from_published(&self.toml, &prices)
            .map_err(|mistakes| invalid(&format!("{} mistakes in it", mistakes.len())))?;
        let effective_at = Timestamp::from(self.effective_at).micros();
        catalogs.insert(effective_at, self.position, Arc::new(catalog));
        Ok(())
    }
}

impl EnforcementRow {
    pub(super) fn new(entry: &Entry, changed: &EnforcementChanged) -> Self {
        Self {
            position: entry.position,
            event_id: key_text(&entry.key),
            since: entry.occurred_at.to_datetime(),
            recorded_at: entry.recorded_at.to_datetime(),
            mode: json(&changed.mode),
            actor: entry.metadata.actor.to_string(),
        }
    }
}

impl TryFrom<EnforcementRow> for EnforcementView {
    type Error = InvalidRow;

    fn try_from(row: EnforcementRow) -> Result<Self, InvalidRow> {
        Ok(Self {
            mode: parse("enforcement", &row.mode)?,
            since: row.since.into(),
            actor: row.actor.into_boxed_str(),
            event: parse_key(&row.event_id).map_err(|e| InvalidRow::new("enforcement", e))?,
            position: row.position,
        })
    }
}

impl SoldRow {
    pub(super) fn new<S: Serialize>(
        id: &StripeId,
        snapshot: &S,
        deleted: bool,
        position: i64,
    ) -> Self {
        Self { id: id.as_str().to_owned(), snapshot: json(snapshot), deleted, position }
    }
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("values of events have text keys and no floats")
}

fn parse<T: DeserializeOwned>(table: &'static str, text: &str) -> Result<T, InvalidRow> {
    serde_json::from_str(text).map_err(|e| InvalidRow::new(table, e))
}
