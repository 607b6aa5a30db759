//! Reading the log as an auditor: one tenant's, by the auditor's role, which sees no other.

use ledger_domain::event::Source;
use ledger_domain::id::{EventKey, EventType, Tenant};
use ledger_domain::time::Timestamp;
use sqlx::{PgConnection, PgPool, Row};

use super::pools::{Scope, begin_scoped};
use super::read::{columns, decode_all, head, page_sql, rows_max, unavailable, unpack};
use crate::port::{ReadError, Recorded};
use crate::seal::Salt;

/// The most positions that one statement looks at, and one page.
const WINDOW: i64 = 50_000;
const WINDOWS_MAX: usize = 20;

/// How many bytes of data and metadata a page holds at most, but for its last event. It becomes an
/// answer as a whole.
const BYTES_MAX: usize = 4 << 20;

const PAGE: &str = page_sql!(
    "e.tenant = $1 AND e.position > $2 AND e.position <= $3
      AND ($4::text IS NULL OR e.type = $4)
      AND ($5::text IS NULL OR convert_from(e.metadata, 'UTF8')::json ->> 'source' = $5)",
    "$6",
    "$7"
);

const AT: &str = page_sql!(
    "e.tenant = $1 AND e.position = ANY($2)
      AND ($3::text IS NULL OR e.type = $3)
      AND ($4::text IS NULL OR convert_from(e.metadata, 'UTF8')::json ->> 'source' = $4)
      AND ($5::timestamptz IS NULL OR e.recorded_at >= $5)
      AND ($6::timestamptz IS NULL OR e.recorded_at < $6)",
    "$7",
    "$8"
);

const ONE: &str = concat!(
    "SELECT ",
    columns!(),
    ", w.salt AS body_salt, w.body, t.salt AS text_salt, t.text
      FROM event e
      LEFT JOIN webhook_events w ON w.tenant = e.tenant AND w.position = e.position
      LEFT JOIN event_text t ON t.tenant = e.tenant AND t.position = e.position
      WHERE e.tenant = $1 AND e.position = (
        SELECT d.position FROM event_dedup d
        WHERE d.tenant = $1 AND d.namespace = $2 AND d.event_id = $3)"
);

const RECORDED_AT: &str = "SELECT recorded_at FROM event WHERE tenant = $1 AND position = $2";

/// Which events are wanted; what is none doesn't matter.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// The type.
    pub event_type: Option<EventType>,
    /// The source that the metadata names.
    pub source: Option<Source>,
    /// Accepted at this instant or later.
    pub recorded_from: Option<Timestamp>,
    /// Accepted before this instant.
    pub recorded_until: Option<Timestamp>,
}

/// Some of the wanted events, in the log's order.
#[derive(Debug)]
pub struct AuditPage {
    /// The events.
    pub events: Vec<Recorded>,
    /// Where the next page goes on, if there may be one. A page may be short, or even empty, and
    /// have a next: it holds some megabytes, and no page looks at more than a million events.
    pub next: Option<i64>,
}

/// An event with what lies beside it, while that is kept.
#[derive(Debug)]
pub struct Audited {
    /// The event.
    pub event: Recorded,
    /// The redacted webhook body and its salt.
    pub body: Option<(Salt, Vec<u8>)>,
    /// The free text and its salt.
    pub text: Option<(Salt, String)>,
}

/// Reads one tenant's log at a time.
#[derive(Debug, Clone)]
pub struct AuditReader {
    pool: PgPool,
}

impl AuditReader {
    /// A reader over the auditor's pool.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// At most `limit` of the wanted events after a position.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn page(
        &self,
        tenant: &Tenant,
        filter: &AuditFilter,
        after: i64,
        limit: usize,
    ) -> Result<AuditPage, ReadError> {
        let mut transaction =
            begin_scoped(&self.pool, Scope::Tenant(tenant)).await.map_err(unavailable)?;
        let end = head(&mut *transaction, tenant).await?.map_or(0, |head| head.position);
        let (mut after, mut end) = (after.max(0), end);
        if let Some(from) = filter.recorded_from {
            after = after.max(before(&mut transaction, tenant, from, end).await?);
        }
        if let Some(until) = filter.recorded_until {
            end = before(&mut transaction, tenant, until, end).await?;
        }
        let mut events: Vec<Recorded> = Vec::new();
        for _ in 0..WINDOWS_MAX {
            let left = BYTES_MAX.saturating_sub(bytes(&events));
            if after >= end || events.len() >= limit || left == 0 {
                break;
            }
            let upto = after.saturating_add(WINDOW).min(end);
            let wanted = limit - events.len();
            let rows = sqlx::query(PAGE)
                .bind(tenant.as_str())
                .bind(after)
                .bind(upto)
                .bind(filter.event_type.as_ref().map(EventType::as_str))
                .bind(filter.source.map(Source::as_str))
                .bind(rows_max(wanted))
                .bind(rows_max(left))
                .fetch_all(&mut *transaction)
                .await
                .map_err(unavailable)?;
            let found = decode_all(&rows)?;
            after = match found.last() {
                Some(last) if found.len() == wanted || bytes(&found) >= left => last.position,
                _ => upto,
            };
            events.extend(found);
        }
        Ok(AuditPage { events, next: (after < end).then_some(after) })
    }

    /// The first `limit` of the wanted events among those at some positions, in order. The next
    /// page has only positions after the last one.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn at(
        &self,
        tenant: &Tenant,
        filter: &AuditFilter,
        positions: &[i64],
        limit: usize,
    ) -> Result<AuditPage, ReadError> {
        let mut transaction =
            begin_scoped(&self.pool, Scope::Tenant(tenant)).await.map_err(unavailable)?;
        let rows = sqlx::query(AT)
            .bind(tenant.as_str())
            .bind(positions)
            .bind(filter.event_type.as_ref().map(EventType::as_str))
            .bind(filter.source.map(Source::as_str))
            .bind(filter.recorded_from.map(Timestamp::to_datetime))
            .bind(filter.recorded_until.map(Timestamp::to_datetime))
            .bind(rows_max(limit))
            .bind(rows_max(BYTES_MAX))
            .fetch_all(&mut *transaction)
            .await
            .map_err(unavailable)?;
        let events = decode_all(&rows)?;
        let is_full = events.len() == limit || bytes(&events) >= BYTES_MAX;
        let next = events.last().filter(|_| is_full).map(|last| last.position);
        Ok(AuditPage { events, next })
    }

    /// The last position that was accepted before an instant; 0 if none was.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn last_before(&self, tenant: &Tenant, at: Timestamp) -> Result<i64, ReadError> {
        let mut transaction =
            begin_scoped(&self.pool, Scope::Tenant(tenant)).await.map_err(unavailable)?;
        let end = head(&mut *transaction, tenant).await?.map_or(0, |head| head.position);
        before(&mut transaction, tenant, at, end).await
    }

    /// One event with what lies beside it.
    ///
    /// # Errors
    /// If the log can't be read.
    pub async fn event(
        &self,
        tenant: &Tenant,
        key: &EventKey,
    ) -> Result<Option<Audited>, ReadError> {
        let mut transaction =
            begin_scoped(&self.pool, Scope::Tenant(tenant)).await.map_err(unavailable)?;
        let rows = sqlx::query(ONE)
            .bind(tenant.as_str())
            .bind(key.namespace.as_str())
            .bind(key.id.as_str())
            .fetch_all(&mut *transaction)
            .await
            .map_err(unavailable)?;
        let (Some(event), Some(row)) = (decode_all(&rows)?.pop(), rows.first()) else {
            return Ok(None);
        };
        let body_salt: Option<Salt> = row.try_get("body_salt").map_err(unavailable)?;
        let text_salt: Option<Salt> = row.try_get("text_salt").map_err(unavailable)?;
        let body: Option<&[u8]> = row.try_get("body").map_err(unavailable)?;
        let text: Option<String> = row.try_get("text").map_err(unavailable)?;
        let body = body.map(|stored| unpack(stored, event.position)).transpose()?;
        Ok(Some(Audited { event, body: body_salt.zip(body), text: text_salt.zip(text) }))
    }
}

fn bytes(events: &[Recorded]) -> usize {
    events.iter().map(|event| event.data.len() + event.metadata.len()).sum()
}

/// The last position that was accepted before an instant. Positions are in the order of their
/// acceptance, so that halving finds it without an index on time.
pub(super) async fn before(
    connection: &mut PgConnection,
    tenant: &Tenant,
    at: Timestamp,
    end: i64,
) -> Result<i64, ReadError> {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low + (high - low + 1) / 2;
        let query = sqlx::query_scalar(RECORDED_AT).bind(tenant.as_str()).bind(middle);
        let recorded_at: chrono::DateTime<chrono::Utc> =
            query.fetch_one(&mut *connection).await.map_err(unavailable)?;
        if Timestamp::from(recorded_at) < at {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    Ok(low)
}
