//! What a verification found.

use ledger_domain::id::Tenant;
use ledger_projections::ReadModel;
use serde::Serialize;
use serde_json::Value;

/// What a verification found. Rows hold no free texts and no personal data, since the log doesn't.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whose read models.
    pub tenant: Tenant,
    /// The position at which both were compared.
    pub position: i64,
    /// Whether nothing differs.
    pub equal: bool,
    /// How often it was tried to find both at one position.
    pub attempts: u32,
    /// What was found of each read model.
    pub read_models: Vec<ModelReport>,
    /// What was found of the counters of usage; none if they weren't looked at.
    pub counters: Option<CountersReport>,
    /// Units that are parked, live or beside; at most a hundred.
    pub parked: Vec<Parked>,
}

/// What was found of one read model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelReport {
    /// Which one.
    #[serde(serialize_with = "name_of")]
    pub read_model: ReadModel,
    /// What was found of each of its tables, by their names.
    pub tables: Vec<TableReport>,
}

/// What was found of one table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableReport {
    /// Its name, without the schema.
    pub table: String,
    /// The live rows; none if there is no such live table.
    pub live: Option<Digest>,
    /// The rows built anew; none if there is no such table any more.
    pub rebuilt: Option<Digest>,
    /// Where the live table has another shape than the one built anew. Columns that both have are
    /// compared all the same.
    pub shape: Vec<String>,
    /// Rows that differ, by primary key.
    pub differences: Vec<Difference>,
    /// How many more rows differ.
    pub more: u64,
    /// How many rows are spelled differently and say the same.
    pub same_meaning: u64,
}

impl TableReport {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        let same_rows = self.live == self.rebuilt || self.same_meaning > 0;
        same_rows && self.shape.is_empty() && self.differing_rows() == 0
    }

    /// How many rows differ.
    #[must_use]
    pub fn differing_rows(&self) -> u64 {
        self.more.saturating_add(self.differences.len() as u64)
    }
}

/// What was found of the counters of usage, which the log keeps beside its events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CountersReport {
    /// Where the log ended, up to which they were compared.
    pub position: i64,
    /// What was found of their table; `rebuilt` is what the events say. The key of a difference is
    /// the position of the event.
    #[serde(flatten)]
    pub table: TableReport,
    /// How many rows weren't compared, since this program can't read their events.
    pub unread: u64,
}

/// All rows of a table in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Digest {
    /// How many there are.
    pub rows: i64,
    /// A hash over all compared columns that doesn't depend on the order of the rows. It finds
    /// mistakes; it isn't made to withstand somebody who looks for another table of the same hash.
    pub digest: String,
}

/// A row that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Its primary key.
    pub key: Value,
    /// The columns that differ; empty if one of the rows isn't there.
    pub columns: Vec<String>,
    /// The live row; none if there is no such row.
    pub live: Option<Value>,
    /// The row built anew; none if there should be no such row.
    pub rebuilt: Option<Value>,
    /// The events that either row names, of the counters the one at the position; those of other
    /// issuers than Stripe as `namespace/id`.
    pub event_ids: Vec<String>,
}

/// A unit that could not take in an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parked {
    /// The schema of the read model that lacks it; `_next` is the one built anew.
    pub read_model: String,
    /// Which unit.
    pub unit: String,
    /// Why.
    pub reason: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn name_of<S: serde::Serializer>(model: &ReadModel, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(model.as_str())
}
