//! Reading a log as its tables have it, for whoever trusts nothing in them: rows come as they are,
//! holes and wrong names included.
//!
//! Each page is a transaction of its own. What lies before the end that was looked up first never
//! changes any more, unless somebody changes it who may not.

use std::collections::VecDeque;

use ledger_domain::id::Tenant;
use ledger_domain::time::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use super::audit::before;
use super::pools::{Scope, begin_scoped};
use super::read::{columns, rows_max, unavailable};
use crate::port::{Hash, ReadError};
use crate::prepare::decompress;
use crate::seal::verify::{RawBeside, RawEvent, RawHead, RawSeal};

/// The most events of a page, and the most bytes of it but for its last event.
const EVENTS_MAX: usize = 2_000;
const BYTES_MAX: usize = 4 << 20;
/// The most seals of a page: a batch of thousands of events has a leaf of each.
const SEALS_MAX: usize = 100;

/// Microseconds from 1970 to 2000, which the server counts from.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// All of one moment: what a log says of its end in one place, it says in the others.
const HEAD: &str = "SELECT i.log_id, h.epoch, h.position, h.recorded_at, h.root, h.frontier,
    (SELECT max(e.position) FROM event e WHERE e.tenant = i.tenant) AS last_event,
    (SELECT max(s.size) FROM log_seal s WHERE s.tenant = i.tenant) AS last_seal
FROM log_identity i
LEFT JOIN LATERAL (
    SELECT * FROM log_head h WHERE h.tenant = i.tenant ORDER BY h.position DESC LIMIT 1
) h ON true
WHERE i.tenant = $1";

macro_rules! raw_sql {
    ($condition:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            ", e.body_salt, e.body, e.text_salt, e.text
            FROM (
                SELECT e.*, w.salt AS body_salt, w.body, t.salt AS text_salt, t.text,
                    sum(octet_length(e.data) + octet_length(e.metadata)
                        + coalesce(octet_length(w.body), 0) + coalesce(octet_length(t.text), 0))
                    OVER (ORDER BY e.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                        AS bytes
                FROM (SELECT * FROM event e WHERE ",
            $condition,
            " ORDER BY e.position LIMIT $3) e
                LEFT JOIN webhook_events w ON w.tenant = e.tenant AND w.position = e.position
                LEFT JOIN event_text t ON t.tenant = e.tenant AND t.position = e.position
            ) e WHERE coalesce(e.bytes, 0) < $4 ORDER BY e.position"
        )
    };
}

const PAGE: &str = raw_sql!("e.tenant = $1 AND e.position > $2 AND e.position <= $5");
const AT: &str = raw_sql!("e.tenant = $1 AND e.position = ANY($2)");

const SEALS: &str = "SELECT size, root, leaves FROM log_seal
WHERE tenant = $1 AND size > $2 AND size <= $3 ORDER BY size LIMIT $4";

/// What the tables say of a log's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawLog {
    /// The log.
    pub log_id: Uuid,
    /// How often it was restored, and once more.
    pub epoch: i32,
    /// When its last event was accepted.
    pub recorded_at: Timestamp,
    /// Its end.
    pub head: RawHead,
}

/// Reads the rows of one tenant's log.
#[derive(Debug, Clone)]
pub struct RawReader {
    pool: PgPool,
    tenant: Tenant,
}

impl RawReader {
    /// A reader over the auditor's pool.
    #[must_use]
    pub const fn new(pool: PgPool, tenant: Tenant) -> Self {
        Self { pool, tenant }
    }

    /// What the tables say of the log's end; none where no log was ever made. Where the head is
    /// gone, the end is 0, which its other rows contradict.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn log(&self) -> Result<Option<RawLog>, ReadError> {
        let mut transaction = self.begin().await?;
        let query = sqlx::query(HEAD).bind(self.tenant.as_str());
        let row = query.fetch_optional(&mut *transaction).await.map_err(unavailable)?;
        row.as_ref().map(raw_log).transpose().map_err(unavailable)
    }

    /// The next events after a position, up to another one, in order; none if there are no more.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn events(&self, after: i64, through: i64) -> Result<Vec<RawEvent>, ReadError> {
        let mut transaction = self.begin().await?;
        let query = sqlx::query(PAGE).bind(self.tenant.as_str()).bind(after);
        let query = query.bind(rows_max(EVENTS_MAX)).bind(rows_max(BYTES_MAX)).bind(through);
        let rows = query.fetch_all(&mut *transaction).await.map_err(unavailable)?;
        rows.iter().map(raw_event).collect::<Result<_, _>>().map_err(unavailable)
    }

    /// The first events at some positions, in order: as many as fit into a page.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn events_at(&self, positions: &[i64]) -> Result<Vec<RawEvent>, ReadError> {
        let mut transaction = self.begin().await?;
        let query = sqlx::query(AT).bind(self.tenant.as_str()).bind(positions);
        let query = query.bind(rows_max(EVENTS_MAX)).bind(rows_max(BYTES_MAX));
        let rows = query.fetch_all(&mut *transaction).await.map_err(unavailable)?;
        rows.iter().map(raw_event).collect::<Result<_, _>>().map_err(unavailable)
    }

    /// The last position that was accepted before an instant; 0 if none was.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn last_before(&self, at: Timestamp, end: i64) -> Result<i64, ReadError> {
        before(&mut *self.begin().await?, &self.tenant, at, end).await
    }

    /// The seals from the first up to a size, one after another.
    #[must_use]
    pub fn seals(&self, through: i64) -> Seals {
        Seals { reader: self.clone(), after: i64::MIN, through, page: VecDeque::new() }
    }

    async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, ReadError> {
        begin_scoped(&self.pool, Scope::Tenant(&self.tenant)).await.map_err(unavailable)
    }
}

/// Seals in their order.
#[derive(Debug)]
pub struct Seals {
    reader: RawReader,
    after: i64,
    through: i64,
    page: VecDeque<RawSeal>,
}

impl Seals {
    /// The next one; none after the last.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn next(&mut self) -> Result<Option<RawSeal>, ReadError> {
        if self.page.is_empty() && self.after < self.through {
            let mut transaction = self.reader.begin().await?;
            let query = sqlx::query(SEALS).bind(self.reader.tenant.as_str()).bind(self.after);
            let query = query.bind(self.through).bind(rows_max(SEALS_MAX));
            let rows = query.fetch_all(&mut *transaction).await.map_err(unavailable)?;
            let seals = rows.iter().map(raw_seal).collect::<Result<VecDeque<_>, _>>();
            self.page = seals.map_err(unavailable)?;
            self.after = self.page.back().map_or(self.through, |seal| seal.size);
        }
        Ok(self.page.pop_front())
    }
}

fn raw_log(row: &PgRow) -> Result<RawLog, sqlx::Error> {
    let last = |name| row.try_get::<Option<i64>, _>(name).map(Option::unwrap_or_default);
    let bytes = |name| row.try_get::<Option<Vec<u8>>, _>(name).map(Option::unwrap_or_default);
    let head = RawHead {
        position: last("position")?,
        root: bytes("root")?,
        frontier: bytes("frontier")?,
        last: (last("last_event")?, last("last_seal")?),
    };
    Ok(RawLog {
        log_id: row.try_get("log_id")?,
        epoch: row.try_get::<Option<i32>, _>("epoch")?.unwrap_or_default(),
        recorded_at: Timestamp::from_micros(micros(row, "recorded_at")?.unwrap_or_default()),
        head,
    })
}

fn raw_seal(row: &PgRow) -> Result<RawSeal, sqlx::Error> {
    let (size, root) = (row.try_get("size")?, row.try_get("root")?);
    Ok(RawSeal { size, root, leaves: row.try_get("leaves")? })
}

fn raw_event(row: &PgRow) -> Result<RawEvent, sqlx::Error> {
    let body: Option<Vec<u8>> = row.try_get("body")?;
    let text: Option<String> = row.try_get("text")?;
    let beside = |salt: Option<Vec<u8>>, content| salt.map(|salt| RawBeside { salt, content });
    Ok(RawEvent {
        log_id: row.try_get("log_id")?,
        format: row.try_get("format")?,
        tenant: row.try_get("tenant")?,
        position: row.try_get("position")?,
        namespace: row.try_get("namespace")?,
        event_id: row.try_get("event_id")?,
        stream: row.try_get("stream")?,
        revision: row.try_get("revision")?,
        event_type: row.try_get("type")?,
        schema_version: row.try_get("schema_version")?,
        occurred_at: micros(row, "occurred_at")?.unwrap_or_default(),
        recorded_at: micros(row, "recorded_at")?.unwrap_or_default(),
        metadata: row.try_get("metadata")?,
        data: row.try_get("data")?,
        body_hash: row.try_get("body_hash")?,
        text_hash: row.try_get("text_hash")?,
        body: beside(row.try_get("body_salt")?, body.and_then(|body| decompress(&body))),
        text: beside(row.try_get("text_salt")?, text.map(String::into_bytes)),
    })
}

/// A time as the server sends it. It may lie where no calendar reaches, and isn't read as a date.
fn micros(row: &PgRow, name: &str) -> Result<Option<i64>, sqlx::Error> {
    let since_2000 = row.try_get_unchecked::<Option<i64>, _>(name)?;
    Ok(since_2000.map(|micros| micros.wrapping_add(EPOCH_MICROS)))
}

/// The stored leaves of positions in their order.
#[derive(Debug)]
pub struct StoredLeaves {
    seals: Seals,
    /// The last position that was asked for.
    asked: i64,
    /// The size of the batch before the present one.
    before: i64,
    seal: Option<RawSeal>,
}

impl StoredLeaves {
    /// Those of a log.
    #[must_use]
    pub fn new(reader: &RawReader) -> Self {
        Self { seals: reader.seals(i64::MAX), asked: 0, before: 0, seal: None }
    }

    /// The stored leaf of a position beyond the last one that was asked for; none if it isn't
    /// stored.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn at(&mut self, position: i64) -> Result<Option<Hash>, ReadError> {
        debug_assert!(position > self.asked, "positions are asked for in order");
        self.asked = position;
        while self.seal.as_ref().is_none_or(|seal| seal.size < position) {
            let Some(next) = self.seals.next().await? else { return Ok(None) };
            self.before = self.seal.replace(next).map_or(0, |seal| seal.size);
        }
        let Some(RawSeal { size, leaves: Some(leaves), .. }) = &self.seal else { return Ok(None) };
        let (hashes, rest) = leaves.as_chunks::<32>();
        let count = i64::try_from(hashes.len()).unwrap_or(i64::MAX);
        if !rest.is_empty() || count > size - self.before {
            return Ok(None);
        }
        let index = usize::try_from(position - (size - count) - 1).ok();
        Ok(index.and_then(|index| hashes.get(index).copied()))
    }
}
