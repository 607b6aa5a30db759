//! Whether the counters of usage are what the events say.
//!
//! With each event of usage the log writes a row of `usage_entry`, in one transaction, and never
//! changes it. Limits are checked against sums of these rows. They belong to the log and aren't
//! built anew; here the rows and the events go past each other in the order of their positions,
//! with a page of each in memory. What an event's row should be is told by the function that tells
//! it when the event is appended.
//!
//! **All of the log is looked at**, however far the read models are, since decisions rest on every
//! row. Its end is that of the snapshot, in which an event is there with its row or not at all.

use std::collections::VecDeque;

use ledger_domain::codec::{self, DecodeError};
use ledger_domain::id::Tenant;
use ledger_domain::time::Timestamp;
use ledger_log::{EventLog, ReadError, Recorded, UsageEntry, UsageRow};
use ledger_projections::key_text;
use serde_json::{Map, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;

use super::build::comparing;
use super::compare::{Row, difference, row};
use super::layout::Table;
use super::progress::Progress;
use super::report::{CountersReport, Difference, Digest, TableReport};
use super::store::{ENTRY_COLUMNS, Snapshot};
use super::{VerifyConfig, VerifyError};

/// What the reports call the table.
const TABLE: &str = "usage_entry";

/// The columns that hold instants.
const INSTANTS: [&str; 2] = ["occurred_at", "held_until"];

/// Compares the counters with all events of the log, up to its end in the snapshot.
pub(super) async fn check(
    snapshot: &mut Snapshot,
    log: &dyn EventLog,
    config: &VerifyConfig,
    progress: &watch::Sender<Progress>,
) -> Result<CountersReport, VerifyError> {
    comparing(progress, format!("public.{TABLE}"));
    let (tenant, end) = (snapshot.tenant.clone(), snapshot.log_end().await?);
    let mut rows = Rows::begin(snapshot).await?;
    let mut found = Found::new(config.differences_max);
    let mut after = 0;
    while after < end {
        let events = log.read(&tenant, after, config.page_events_max).await?;
        let Some(last) = events.last() else {
            let (position, what) = (after + 1, "the log ends before its head".to_owned());
            return Err(ReadError::Corrupt { position, what }.into());
        };
        after = last.position;
        for event in events.iter().filter(|event| event.position <= end) {
            check_event(&mut rows, &mut found, &tenant, event).await?;
        }
        rows.snapshot.stay().await?;
    }
    while let Some((_, row)) = rows.up_to(i64::MAX).await? {
        found.add_row(&row);
        found.differ(Some(row), None, None);
    }
    Ok(found.report(end))
}

/// Compares what stands at an event's position with what should. That is one row or none, and
/// beside it anything that somebody has added.
async fn check_event(
    rows: &mut Rows<'_>,
    found: &mut Found,
    tenant: &Tenant,
    event: &Recorded,
) -> Result<(), VerifyError> {
    let due = row_of(tenant, event);
    let is_readable = due.is_ok();
    let mut due = due.ok().flatten();
    due.iter().for_each(|due| found.add_due(due));
    // A row that isn't the one that is due: perhaps it was, and somebody has changed it.
    let mut changed: Option<Row> = None;
    while let Some((position, row)) = rows.up_to(event.position).await? {
        let is_its_own = position == event.position;
        if is_its_own && !is_readable {
            found.unread += 1;
            continue;
        }
        found.add_row(&row);
        if is_its_own && due.as_ref() == Some(&row) {
            due = None;
        } else if is_its_own && due.is_some() && changed.is_none() {
            changed = Some(row);
        } else {
            found.differ(Some(row), None, is_its_own.then_some(event));
        }
    }
    if changed.is_some() || due.is_some() {
        found.differ(changed, due, Some(event));
    }
    Ok(())
}

/// The row that an event should have; none if it isn't usage.
fn row_of(tenant: &Tenant, event: &Recorded) -> Result<Option<Row>, DecodeError> {
    let said = codec::decode(&event.event_type, event.schema_version, &event.data)?;
    let Some(entry) = UsageEntry::of(&said, event.occurred_at) else { return Ok(None) };
    let UsageRow { quantity, held, held_until, hold_id } = entry.change.row();
    let columns = [
        ("occurred_at", json!(entry.occurred_at)),
        ("position", json!(event.position)),
        ("quantity", json!(quantity)),
        ("held", json!(held)),
        ("held_until", json!(held_until)),
        ("hold_id", json!(hold_id)),
        ("tenant", json!(tenant)),
        ("trainer", json!(entry.trainer)),
        ("feature", json!(entry.feature)),
    ];
    Ok(Some(Map::from_iter(columns.map(|(column, value)| (column.to_owned(), value)))))
}

/// The rows of the table in the order of their positions.
struct Rows<'a> {
    snapshot: &'a mut Snapshot,
    fetched: VecDeque<(i64, String)>,
    at_end: bool,
}

impl<'a> Rows<'a> {
    async fn begin(snapshot: &'a mut Snapshot) -> Result<Self, VerifyError> {
        snapshot.begin_entries().await?;
        Ok(Self { snapshot, fetched: VecDeque::new(), at_end: false })
    }

    /// The next row, if it stands at this position or before.
    async fn up_to(&mut self, position: i64) -> Result<Option<(i64, Row)>, VerifyError> {
        if self.fetched.is_empty() && !self.at_end {
            self.fetched.extend(self.snapshot.next_entries().await?);
            self.at_end = self.fetched.is_empty();
        }
        let next = self.fetched.pop_front_if(|(at, _)| *at <= position);
        Ok(next.and_then(|(at, text)| Some((at, spelled(row(Some(text))?)))))
    }
}

/// A row with its instants spelled as events spell them. What is no instant to the ledger stays as
/// the database spells it.
fn spelled(mut row: Row) -> Row {
    for column in INSTANTS {
        let instant = row[column].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        if let Some(instant) = instant {
            row[column] = json!(instant);
        }
    }
    row
}

/// What was found so far.
struct Found {
    table: Table,
    differences_max: usize,
    differences: Vec<Difference>,
    more: u64,
    unread: u64,
    live: Sum,
    rebuilt: Sum,
}

impl Found {
    fn new(differences_max: usize) -> Self {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let table = Table {
            name: TABLE.to_owned(),
            // An event has one row at most, so no more is needed to find it.
            key: names(&["tenant", "position"]),
            compared: names(&ENTRY_COLUMNS),
            shown: names(&ENTRY_COLUMNS),
            bytes: Vec::new(),
            shape: Vec::new(),
        };
        let (live, rebuilt) = (Sum::default(), Sum::default());
        Self { table, differences_max, differences: Vec::new(), more: 0, unread: 0, live, rebuilt }
    }

    fn add_row(&mut self, row: &Row) {
        self.live.add(row);
    }

    fn add_due(&mut self, due: &Row) {
        self.rebuilt.add(due);
    }

    /// The row that is there, the one that should be, and the event at its position.
    fn differ(&mut self, live: Option<Row>, due: Option<Row>, event: Option<&Recorded>) {
        if self.differences.len() >= self.differences_max {
            self.more += 1;
        } else if let Some(mut found) = difference(&self.table, live, due) {
            found.event_ids = event.map(|event| key_text(&event.key)).into_iter().collect();
            self.differences.push(found);
        }
    }

    fn report(self, position: i64) -> CountersReport {
        let table = TableReport {
            table: self.table.name,
            live: Some(self.live.digest()),
            rebuilt: Some(self.rebuilt.digest()),
            shape: Vec::new(),
            differences: self.differences,
            more: self.more,
            same_meaning: 0,
        };
        CountersReport { position, table, unread: self.unread }
    }
}

/// Rows in short, in whatever order they come: the sum of their hashes.
#[derive(Default)]
struct Sum {
    rows: i64,
    hashes: u128,
}

impl Sum {
    fn add(&mut self, row: &Row) {
        let mut hash = Sha256::new();
        for column in ENTRY_COLUMNS {
            hash.update(row[column].to_string());
            // No text in JSON holds it as it is.
            hash.update([0]);
        }
        let half = hash.finalize().first_chunk().copied().unwrap_or_default();
        self.rows += 1;
        self.hashes = self.hashes.wrapping_add(u128::from_be_bytes(half));
    }

    fn digest(&self) -> Digest {
        Digest { rows: self.rows, digest: format!("{:032x}", self.hashes) }
    }
}
