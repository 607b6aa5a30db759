//! What holds for a whole tenant: its catalogues, how far denials are enforced, what its Stripe
//! account sells, and which account that is.

mod rows;
pub(crate) mod store;

use std::collections::BTreeMap;

use ledger_domain::account::{FactAnomaly, Sold, SoldChanges, TenantUnit};
use ledger_domain::catalog::Catalogs;
use ledger_domain::event::{Entry, Event};
use ledger_domain::id::StripeId;

use crate::rows::{PartRow, key_text, table_rows};
pub use rows::EnforcementView;
use rows::{CatalogRow, EnforcementRow, IdentityRow, SoldRow};
pub(crate) use store::Batch;

/// Makes the tables.
pub(crate) const SCHEMA: &str = include_str!("schema.sql");

table_rows! {
    /// A price or product whose anomalies are told anew.
    SubjectRow, SubjectColumns {
        subject: String,
    }
}

table_rows! {
    /// Something about a price or product that a person should look at.
    SoldAnomalyRow, SoldAnomalyColumns {
        subject: String,
        kind: String,
        event_id: String,
        previous_event_id: Option<String>,
    }
}

/// What a page changes for the tenant.
#[derive(Debug, Default)]
pub(crate) struct TenantChanges {
    identity: Option<IdentityRow>,
    catalogs: Vec<CatalogRow>,
    enforcement: Vec<EnforcementRow>,
    sold: BTreeMap<StripeId, (Sold, i64)>,
    parts: Vec<(String, Vec<u8>)>,
    anomalies: Vec<(String, Vec<FactAnomaly>)>,
}

impl TenantChanges {
    /// Folds events of the tenant and keeps what they change. Catalogues, enforcement and the
    /// log's identity need no state: each event says everything.
    ///
    /// # Errors
    /// If a published catalogue can't be read: answers go on by the one before it.
    pub(crate) fn fold<'a>(
        unit: &mut TenantUnit,
        entries: impl IntoIterator<Item = &'a Entry>,
    ) -> Result<Self, String> {
        let mut changes = Self::default();
        for entry in entries {
            match &entry.event {
                Event::LogOpened(e) => changes.identity = Some(IdentityRow::new(entry, e)),
                Event::CatalogPublished(e) => {
                    let row = CatalogRow::new(entry, e);
                    row.clone().insert_into(&mut Catalogs::new()).map_err(|e| e.to_string())?;
                    changes.catalogs.push(row);
                }
                Event::EnforcementChanged(e) => {
                    changes.enforcement.push(EnforcementRow::new(entry, e));
                }
                _ => {}
            }
            if let Some((sold, position)) = unit.evolve(entry) {
                let id = match &sold {
                    Sold::Price(price, _) => price.id.clone(),
                    Sold::Product(product, _) => product.id.clone(),
                };
                changes.sold.insert(id, (sold, position));
            }
        }
        let SoldChanges { parts, anomalies } = unit.take_changes();
        (changes.parts, changes.anomalies) = (parts, anomalies);
        Ok(changes)
    }

    /// Whether anybody may be answered differently: prices and products change no answer until a
    /// catalogue is published with them.
    pub(crate) fn changes_answers(&self) -> bool {
        !self.catalogs.is_empty() || !self.enforcement.is_empty()
    }
}

impl Batch {
    /// Adds what changed for the tenant.
    pub(crate) fn add(&mut self, unit: &str, changes: &TenantChanges) {
        for (part, state) in &changes.parts {
            let (unit, part, state) = (unit.to_owned(), part.clone(), state.clone());
            self.parts.push(PartRow { unit, part, state });
        }
        if let Some(identity) = &changes.identity {
            self.identity.push(identity.clone());
        }
        for row in &changes.catalogs {
            self.catalogs.push(row.clone());
        }
        for row in &changes.enforcement {
            self.enforcement.push(row.clone());
        }
        for (subject, anomalies) in &changes.anomalies {
            for anomaly in anomalies {
                self.anomalies.push(SoldAnomalyRow {
                    subject: subject.clone(),
                    kind: anomaly.kind().into(),
                    event_id: key_text(anomaly.event()),
                    previous_event_id: anomaly.other().map(key_text),
                });
            }
            self.looked_at.push(SubjectRow { subject: subject.clone() });
        }
        for (sold, position) in changes.sold.values() {
            match sold {
                Sold::Price(price, deleted) => {
                    self.prices.push(SoldRow::new(&price.id, price, *deleted, *position));
                }
                Sold::Product(product, deleted) => {
                    self.products.push(SoldRow::new(&product.id, product, *deleted, *position));
                }
            }
        }
    }
}
